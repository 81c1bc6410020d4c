"""Models of plugins that give no numbers or end the program: an error with status 1, and nothing written."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import soundfile
import torch

from s5lib import plugins
from s5lib.bin.main import main
from s5lib.errors import DataError, PluginError
from s5lib.interfaces import JointModel, ModelConfig, Separator, Tagger
from s5lib.models import save_checkpoint
from s5lib.plugins import Capabilities, ComponentSpec, create, register_plugin
from s5lib.plugins.registry import PLUGINS_VARIABLE
from s5lib.systems.iterative import Iterative
from s5lib.systems.joint import Joint
from s5lib.systems.tag_separate import TagThenSeparate

SIZES = ModelConfig(num_classes=3, num_sources=2, num_channels=4, sample_rate=8000)
LABELS = ["AlarmClock", "Dog", "Rain"]
NOISE = np.random.default_rng(0).standard_normal((4, 800)).astype(np.float32)


def logits(value=0.0):
    scores = torch.zeros(1, 2, 4)
    scores[..., 0] = 5.0
    scores[0, 1, 1] += value
    return scores


def waveforms(value=0.0):
    samples = torch.zeros(1, 2, 800)
    samples[0, 1, 7] = value
    return samples


class ATagger(Tagger):
    def forward(self, mixture):
        return self.answer().expand(len(mixture), -1, -1)


class ASeparator(Separator):
    def forward(self, mixture, query):
        return self.answer()


class AJointModel(JointModel):
    def forward(self, mixture):
        return self.answer()


def model(kind, answer):
    made = kind(SIZES)
    made.answer = answer
    return made


def end():
    raise SystemExit(0)


NO_NUMBERS = (float("nan"), float("inf"))


def systems(value):
    good_tagger, good_separator = model(ATagger, logits), model(ASeparator, waveforms)
    bad_tagger, bad_separator = model(ATagger, lambda: logits(value)), model(ASeparator, lambda: waveforms(value))
    for kind in (TagThenSeparate, Iterative):
        yield kind(bad_tagger, good_separator, LABELS)
        yield kind(good_tagger, bad_separator, LABELS)
    yield Joint(model(AJointModel, lambda: (logits(value), waveforms())), LABELS)
    yield Joint(model(AJointModel, lambda: (logits(), waveforms(value))), LABELS)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_no_decision_on_what_is_no_number(value):
    for system in systems(value):
        with pytest.raises(DataError, match="not finite"):
            system(NOISE, 8000)
    for system in systems(1.0):
        assert isinstance(system(NOISE, 8000), list)


def test_ending_the_program_is_an_error():
    for system in (
        TagThenSeparate(model(ATagger, end), model(ASeparator, waveforms), LABELS),
        TagThenSeparate(model(ATagger, logits), model(ASeparator, end), LABELS),
        Joint(model(AJointModel, end), LABELS),
    ):
        with pytest.raises(PluginError, match="ended the program"):
            system(NOISE, 8000)


@pytest.fixture
def files(tmp_path):
    """A tagger whose buffer is NaN, a sound separator and a recording."""
    sizes = {"num_classes": 3, "num_sources": 2, "sample_rate": 8000}
    tagger = create("tagger", "m2d", **sizes, embed_dim=16, depth=1, num_heads=2, head_dim=8, track_dim=4, n_mels=32)
    separator = create("separator", "resunetk", **sizes, n_fft=256, hop_length=128, channels=(2, 3), condition_size=4)
    save_checkpoint(tmp_path / "separator.safetensors", separator, "separator", "resunetk", "s5lib", "0.1.0", LABELS)
    save_checkpoint(tmp_path / "good.safetensors", tagger, "tagger", "m2d", "s5lib", "0.1.0", LABELS)
    tagger.head.m2d_out_norm.running_mean[3] = torch.nan
    save_checkpoint(tmp_path / "bad.safetensors", tagger, "tagger", "m2d", "s5lib", "0.1.0", LABELS)
    soundfile.write(tmp_path / "take.wav", NOISE.T, 8000)
    return tmp_path


@pytest.mark.parametrize("tagger", ["bad", "good"])
def test_a_buffer_that_is_no_number(files, capsys, tagger):
    """It became "AlarmClock (nan %)" three times, with status 0 and NaN in the JSON."""
    command = ["infer", str(files / "take.wav"), "--tagger", str(files / f"{tagger}.safetensors")]
    command += ["--separator", str(files / "separator.safetensors"), "--out", str(files / "out")]
    status, shown = main(command), capsys.readouterr()
    if tagger == "good":
        assert status == 0 and json.loads((files / "out/take.json").read_text())
    else:
        assert status == 1 and "running_mean" in shown.err and "nan %" not in shown.out
        assert not list((files / "out").glob("*"))


PLUGIN = """
import torch
from s5lib.interfaces import Separator, Tagger
from s5lib.plugins import ComponentSpec

behave = {"tagger": lambda mixture, out: out, "separator": lambda mixture, out: out}


class ATagger(Tagger):
    def forward(self, mixture):
        out = torch.zeros(len(mixture), self.config.num_sources, self.config.num_classes + 1)
        out[:, 0, 0] = out[:, 1:, -1] = 5.0
        return behave["tagger"](mixture, out)


class ASeparator(Separator):
    def forward(self, mixture, query):
        return behave["separator"](mixture, mixture[:, :1] * query.sum(-1, keepdim=True))


def s5lib_taggers():
    return [ComponentSpec("t", f"{__name__}:ATagger")]


def s5lib_separators():
    return [ComponentSpec("s", f"{__name__}:ASeparator")]
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """A system of a plugin's models, and what they do with input and output."""
    path = tmp_path_factory.mktemp("plugin") / "odd_models_plugin.py"
    path.write_text(PLUGIN)
    patch = pytest.MonkeyPatch()
    patch.setenv(PLUGINS_VARIABLE, "")
    patch.setattr(plugins, "_registry", None)
    register_plugin(str(path))
    sizes = {"num_classes": 3, "num_sources": 2, "num_channels": 4, "sample_rate": 8000}
    system = TagThenSeparate(create("tagger", "t", **sizes), create("separator", "s", **sizes), LABELS)
    behave = sys.modules["odd_models_plugin"].behave
    yield system, behave
    patch.undo()


@pytest.fixture
def behaving(plugin):
    """Return a function that makes the plugin's models do something, and the result of the system."""
    system, behave = plugin
    honest = dict(behave)

    def run(kind, action, samples=NOISE):
        behave.update(honest)
        behave[kind] = action
        return system(samples, 8000)

    yield run
    behave.update(honest)


@pytest.mark.parametrize("kind", ["tagger", "separator"])
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_model_that_writes_into_its_input(behaving, kind, value):
    """The separator then got silence from a tagger's hands, and the caller's own array was changed."""
    (expected,) = behaving("tagger", lambda mixture, out: out)
    samples = NOISE.copy()
    (found,) = behaving(kind, lambda mixture, out: (mixture.fill_(value), out)[1], samples)
    np.testing.assert_array_equal(samples, NOISE)
    np.testing.assert_array_equal(found.waveform, expected.waveform)


@pytest.mark.parametrize("kind", ["tagger", "separator"])
@pytest.mark.parametrize(
    "change",
    [
        lambda out: out.long(),
        lambda out: out > 0,
        lambda out: out + 0j,
        lambda out: out.to_sparse(),
        lambda out: out.to("meta"),
        lambda out: out.numpy(),
        lambda out: [out],
        lambda out: None,
    ],
    ids=["integers", "bool", "complex", "sparse", "meta", "numpy", "list", "none"],
)
def test_output_that_is_no_plain_tensor_of_numbers(behaving, kind, change):
    """Integers became silence, and of complex numbers a half was lost."""
    with pytest.raises(PluginError, match=f"{kind} odd_models_plugin/"):
        behaving(kind, lambda mixture, out: change(out))


@pytest.mark.parametrize("kind", ["tagger", "separator"])
@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError, AssertionError("\x1b[2J"), KeyError(3), GeneratorExit(), OSError(28, "x"), StopIteration()],
    ids=repr,
)
def test_whatever_a_model_raises(behaving, kind, error):
    def fail(mixture, out):
        raise error

    with pytest.raises((DataError, RuntimeError)) as raised:
        behaving(kind, fail)
    if not isinstance(error, StopIteration):
        assert "test_plugins.py, line" in str(raised.value) and "\x1b" not in str(raised.value)


def test_a_model_does_not_change_the_default_type(behaving):
    behaving("tagger", lambda mixture, out: (torch.set_default_dtype(torch.bfloat16), out)[1])
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("name", [".", "..", "a b", "a:B", "-x"])
def test_a_plugin_that_is_neither_file_nor_module(name):
    with pytest.raises(PluginError, match=r"neither a \.py file nor the name of a module"):
        register_plugin(name)


@pytest.mark.parametrize(
    "options", [{"summary": 3}, {"licence": b"MIT"}, {"citation": None}, {"api_version": "1"}], ids=str
)
def test_a_spec_of_other_types(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ComponentSpec("a", "a:B", **options)
    with pytest.raises(ValueError, match="max_sources"):
        Capabilities(max_sources="three")


def test_the_home_of_somebody_unknown():
    with pytest.raises(PluginError, match="no file .*~nobody_of_that_name"):
        register_plugin("~nobody_of_that_name/a.py")
