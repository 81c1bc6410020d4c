"""Whatever a system, a loss or a source is called with from Python, the error says what to pass instead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s5lib.errors import ConfigError, DataError, S5Error
from s5lib.losses import AlignedSDRLoss, PITCrossEntropy
from s5lib.metrics import ca_pi_sdri
from s5lib.models import save_checkpoint
from s5lib.models.configs import ResUNetKConfig
from s5lib.models.resunetk import ResUNetK
from s5lib.systems import Source, load_system
from s5lib.systems.waveform_check import as_waveform, check_rate, checked_labels

SAMPLES = np.linspace(-0.5, 0.5, 32, dtype=np.float32).reshape(4, 8)
TENSOR = torch.from_numpy(SAMPLES)


@pytest.fixture(scope="module")
def separator(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "separator.safetensors"
    config = ResUNetKConfig(num_classes=2, n_fft=256, hop_length=128, channels=(2, 3), condition_size=4)
    save_checkpoint(path, ResUNetK(config), "separator", "resunetk", "s5lib", "0.1.0", ["Bell", "Dog"])
    return path


@pytest.mark.parametrize(
    ("waveform", "words"),
    [
        (TENSOR.to_sparse(), "sparse"),
        (TENSOR.to("meta"), "meta device"),
        (torch.quantize_per_tensor(TENSOR, 0.1, 0, torch.qint8), "quantised"),
        (np.ma.masked_array(SAMPLES, SAMPLES > 0), "masked"),
        (TENSOR.to(torch.complex64), "complex"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_waveforms_that_only_look_like_such(waveform, words):
    with pytest.raises(DataError, match=words):
        as_waveform(waveform, 4)


def test_a_tensor_that_is_negated_when_it_is_read():
    negated = torch.view_as_complex(TENSOR.reshape(4, 4, 2).contiguous()).conj().imag
    assert negated.is_neg()
    np.testing.assert_array_equal(as_waveform(negated, 4), -SAMPLES[:, 1::2])


@pytest.mark.parametrize("rate", [10**400, -(10**400), True, "8000", None, np.nan, 1e300])
def test_sampling_rates_that_are_none(rate):
    with pytest.raises(DataError, match="sampling rate") as raised:
        check_rate(rate)
    assert len(str(raised.value)) < 300


def test_labels_become_plain_strings():
    assert [type(label) for label in checked_labels(np.array(["Bell", "Dog"]))] == [str, str]
    with pytest.raises(ConfigError) as raised:
        checked_labels("x" * 10**6)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("separator", 3),
        ("separator", b"model.safetensors"),
        ("tagger", True),
        ("tagger", "x" * 5000),
        ("device", "toaster"),
        ("device", "cuda:99"),
        ("device", []),
        ("rounds", "two"),
        ("rounds", True),
        ("compiled", "no"),
        ("calibration", 3),
        ("threshold", "0.5"),
        ("threshold", True),
        ("threshold", float("nan")),
    ],
)
def test_options_of_load_system(separator, option, value):
    given = {} if option == "tagger" else {"separator": separator}
    with pytest.raises(S5Error, match=None if option == "tagger" else option) as raised:
        load_system(**(given | {option: value}))
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("path", ["a", "a.txt", "a.wav/", "a\0.wav", 3, None, ""])
def test_paths_to_save_a_source_at(tmp_path, path):
    place = f"{tmp_path}/{path}" if isinstance(path, str) and path else path
    with pytest.raises(ConfigError):
        Source("Bell", 0.5, SAMPLES[0], 8000).save(place)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "waveform",
    [
        SAMPLES,
        SAMPLES[0].tolist(),
        TENSOR[0],
        (SAMPLES[0] * 100).astype(np.int16),
        SAMPLES[0].astype(object),
        None,
        SAMPLES[0] * np.float32(np.nan),
        SAMPLES[0] + np.float32(np.inf),
    ],
    ids=["2d", "list", "tensor", "int16", "object", "none", "nan", "inf"],
)
@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
def test_waveforms_that_cannot_be_saved(tmp_path, waveform, ending):
    with pytest.raises(DataError, match="'Bell'"):
        Source("Bell", 0.5, waveform, 8000).save(tmp_path / f"a.{ending}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [0, -1, 1.5, "8000", True, 10**9])
def test_rates_that_a_file_cannot_have(tmp_path, rate):
    with pytest.raises(DataError, match="sampling rate"):
        Source("Bell", 0.5, SAMPLES[0], rate).save(tmp_path / "a.wav")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [[[[1.0]]], np.zeros((1, 2, 8)), torch.zeros(1, 2, 8, device="meta")])
def test_losses_take_tensors_of_one_device(value):
    one = torch.ones(1, 2, 8)
    for position in range(3):
        given = [one, one, one[..., :2]]
        given[position] = value
        with pytest.raises(DataError, match="tensor"):
            AlignedSDRLoss()(*given)
    with pytest.raises(DataError, match="tensor"):
        PITCrossEntropy()(value, torch.zeros(1, 2, dtype=torch.long))


@pytest.mark.parametrize("name", ["penalty_fn", "penalty_fp"])
def test_a_penalty_is_checked_before_it_is_needed(name):
    with pytest.raises(ConfigError, match=name):
        ca_pi_sdri(SAMPLES[:1], ["Bell"], SAMPLES[:1], ["Bell"], SAMPLES[0], **{name: "high"})
