"""Whether a folder holds the run that is asked for: options that were added, changed or taken away are noticed."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_resume import stop_at
from tiny_runs import MODELS, OPTIONS, command

from s5lib import plugins
from s5lib.bin.main import main
from s5lib.errors import ConfigError
from s5lib.models import load_model, read_header, save_checkpoint
from s5lib.training.fit import check_run, fit
from s5lib.training.run import Run
from s5lib.training.step import Step

SIZES = dict(size.split("=") for size in MODELS["tagger"] if not size.startswith("dropout"))
CHOICES = {
    "component_options": {"dropout": [0, "0.3"], "f_max": ["none", 3000], "input_channels": [None, 1.0]},
    "scene_options": {"rotate": ["no", "auto"], "target_snr": ["5, 20", (0.0, 20.0)], "max_targets": [2, 1]},
    "train_options": {"clip": [0.5, 1], "schedule": ["constant", "cosine"]},
}
"""Values of some options, as they may be typed; the first means the default, that of the corpus for max_targets."""
STEPS = [{"max_steps": 1}, {"max_steps": 1, "lr": 1e-3}]

chosen = st.fixed_dictionaries(
    {
        kind: st.fixed_dictionaries({}, optional={name: st.integers(0, len(v) - 1) for name, v in choices.items()})
        for kind, choices in CHOICES.items()
    }
    | {
        "steps": st.lists(
            st.tuples(st.sampled_from(["head", "tail"]), st.integers(0, 1)), min_size=1, unique_by=lambda step: step[0]
        )
    }
)
"""Options of a run, as indices of their values."""


def run_of(choice, data, folder) -> Run:
    options = {kind: {name: CHOICES[kind][name][index] for name, index in choice[kind].items()} for kind in CHOICES}
    options["component_options"] |= SIZES
    return Run("tagger", "m2d", data, folder, **options, steps={name: STEPS[index] for name, index in choice["steps"]})


def meaning(choice):
    """What is done: a default that is given means the same as one that is not."""
    return choice["steps"], [(kind, name, choice[kind].get(name, 0)) for kind in CHOICES for name in CHOICES[kind]]


@pytest.fixture(scope="module")
def trained(tiny_data, tmp_path_factory):
    """A tagger with dropout=0.3, and one that was interrupted."""
    folder = tmp_path_factory.mktemp("trained")
    assert main(command("tagger", tiny_data, folder / "finished", max_steps=2, keep_models=2)) == 0
    with pytest.MonkeyPatch.context() as patched:
        stop_at(patched, "on_train_batch_start", 4)
        with pytest.raises(SystemExit):
            main(command("tagger", tiny_data, folder / "cut"))
    return folder


def as_earlier_versions_wrote(config, options):
    """Leave in ``config.yaml`` the options alone that were given, as they were typed."""
    record = yaml.safe_load(config.read_text())
    del record["order of steps"]
    config.write_text(yaml.safe_dump({**record, "options": options}, sort_keys=False))


def mostly_the_same(before):
    """What is asked for then: other options of one kind, or the same."""
    return st.sampled_from([*before]).flatmap(lambda kind: chosen.map(lambda other: {**before, kind: other[kind]}))


@settings(
    max_examples=30, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(chosen.flatmap(lambda before: st.tuples(st.just(before), mostly_the_same(before))), st.booleans())
def test_a_run_is_the_same_if_its_options_mean_the_same(
    tiny_data, trained, tmp_path_factory, monkeypatch, both, by_earlier_version
):
    (before, now), trainings = both, []

    def train(self, *arguments, **options):
        trainings.append(self.name)
        shutil.copy(trained / "finished/model.safetensors", self.experiment.model_file)

    monkeypatch.setattr(Step, "train", train)
    folder = tmp_path_factory.mktemp("run")
    fit(run_of(before, tiny_data, folder))
    assert trainings == [name for name, _ in before["steps"]]
    if by_earlier_version:
        as_earlier_versions_wrote(folder / "config.yaml", check_run(run_of(before, tiny_data, folder)).options)
    if meaning(before) == meaning(now):
        fit(run_of(now, tiny_data, folder))
    else:
        with pytest.raises(ConfigError, match="other options"):
            fit(run_of(now, tiny_data, folder))
    assert len(trainings) == len(before["steps"])


WITHOUT = [word for size in MODELS["tagger"] if not size.startswith("dropout") for word in ("--tagger_conf", size)]


@pytest.mark.parametrize("by_earlier_version", [False, True])
@pytest.mark.parametrize("state", ["finished", "cut"])
def test_an_option_that_is_left_out_has_its_default(tiny_data, trained, tmp_path, capsys, state, by_earlier_version):
    shutil.copytree(trained / state, tmp_path / "run")
    options = {"max_steps": 2} if state == "finished" else {}
    same = command("tagger", tiny_data, tmp_path / "run", **options)
    if by_earlier_version:
        sizes = {"num_classes": 4, "num_sources": 2, "num_channels": 4, "sample_rate": 8000}
        as_earlier_versions_wrote(
            tmp_path / "run/config.yaml",
            sizes | yaml.safe_load("{" + ", ".join(MODELS["tagger"]).replace("=", ": ") + "}"),
        )
    at = same.index("dropout=0.3")
    assert main(same[: at - 1] + same[at + 1 :]) == 1
    assert "options.dropout was 0.3, now 0.0" in capsys.readouterr().err
    assert main([*same, "--tagger_conf", "head_dim=16", "--tagger_conf", "f_min=50"]) == 0
    assert ("finished already" if state == "finished" else "resumed from") in capsys.readouterr().out
    assert read_header(tmp_path / "run/model.safetensors")["config"]["dropout"] == 0.3


@pytest.mark.parametrize("steps", [2, 6])
def test_initial_weights_are_known_by_their_content(tiny_data, trained, tmp_path, monkeypatch, capsys, steps):
    """Of a finished run of two steps, and of one that was interrupted in the second."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(trained / "finished/model.safetensors", "init.safetensors")

    def run(init, expdir, status):
        words = ["--steps", "first={max_steps: 1}", "--steps", f"last={{max_steps: {steps}}}"]
        line = command("tagger", tiny_data, expdir, init=init) + words
        at = line.index("--max_steps")
        assert main(line[:at] + line[at + 2 :]) == status
        return "".join(capsys.readouterr())

    with monkeypatch.context() as patched:
        stop_at(patched, "on_train_batch_start", 5)
        with contextlib.suppress(SystemExit):
            run("init.safetensors", "run", 0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert ("finished already" if steps == 2 else "resumed from") in run("../init.safetensors", "../run", 0)
    shutil.copy("../init.safetensors", "copy.safetensors")
    assert "finished already" in run("copy.safetensors", "../run", 0)
    shutil.copy(trained / "finished/train/steps/step_0000001.safetensors", "copy.safetensors")
    assert "the initial weights changed" in run("copy.safetensors", "../run", 1)
    shutil.copy("copy.safetensors", "../init.safetensors")
    assert "the initial weights changed" in run("../init.safetensors", "../run", 1)


def test_initial_weights_that_come_or_go_are_another_run(tiny_data, trained, tmp_path, capsys):
    shutil.copytree(trained / "finished", tmp_path / "without")
    init = str(trained / "finished/model.safetensors")
    assert main(command("tagger", tiny_data, tmp_path / "without", max_steps=2, init=init)) == 1
    assert "init was None" in capsys.readouterr().err
    assert main(command("tagger", tiny_data, tmp_path / "with", max_steps=1, init=init)) == 0
    assert main(command("tagger", tiny_data, tmp_path / "with", max_steps=1)) == 1
    assert "model.safetensors', now None" in capsys.readouterr().err


@pytest.mark.parametrize("change", [None, "renamed", "reordered"])
def test_initial_weights_for_other_labels_are_reported(tiny_data, trained, tmp_path, capsys, change):
    """Once, and only where training starts from them."""
    model, header = load_model(trained / "finished/model.safetensors")
    expected = header["labels"]
    labels = list(expected)
    if change == "renamed":
        labels[2] = "Cat"
    elif change == "reordered":
        labels = labels[:1] + labels[:0:-1]
    save_checkpoint(tmp_path / "init.safetensors", model, "tagger", "m2d", "s5lib", header["version"], labels)
    line = command("tagger", tiny_data, tmp_path / "run", max_steps=1, init=tmp_path / "init.safetensors")
    line += ["--steps", "first={}", "--steps", "second={}"]
    differing = [index for index in range(4) if labels[index] != expected[index]][:1]
    words = [f"number {n + 1} is {labels[n]!r} there, {expected[n]!r} in this corpus" for n in differing]
    for found in (words, []):  # the second time, it is finished
        assert main(line) == 0
        printed = "".join(capsys.readouterr())
        assert printed.count("for other labels") == len(found) and all(printed.count(text) == 1 for text in found)


@pytest.mark.parametrize("state", ["finished", "cut"])
def test_the_code_of_a_plugin_is_a_part_of_a_finished_run(tiny_data, tmp_path, monkeypatch, capsys, state):
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.setenv("S5LIB_PLUGINS", "")
    monkeypatch.syspath_prepend(tmp_path)  # restored afterwards
    file = Path(shutil.copy(Path(__file__).with_name("plain_separator.py"), tmp_path / f"copied_{state}.py"))
    file.write_text(file.read_text().replace("plain_separator", file.stem))
    line = ["train", "separator", "--data_dir", str(tiny_data), "--expdir", str(tmp_path / "run")]
    line += ["--plugin", str(file), "--separator", "plain"]
    line += [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    if state == "cut":
        stop_at(monkeypatch, "on_train_batch_start", 3)
        with pytest.raises(SystemExit):
            main(line)
    else:
        assert main(line) == 0 == main(line)
    with file.open("a") as code:
        code.write("# mended\n")
    capsys.readouterr()
    assert main(line) == (0 if state == "cut" else 1)
    words = capsys.readouterr()
    assert "changed since this run began" in words.out if state == "cut" else "the code changed" in words.err
