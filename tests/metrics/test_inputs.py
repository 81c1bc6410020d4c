"""What the metric accepts, what it refuses and how it says so."""

import naive_metric
import numpy as np
import pytest
import torch

from s5lib.errors import ConfigError, DataError
from s5lib.metrics import MAX_SDR, ca_pi_sdri, ca_sdri, label_accuracy, pi_sdri

GENERATOR = np.random.default_rng(0)
REFERENCES = GENERATOR.standard_normal((3, 400))
ESTIMATES = REFERENCES[[1, 0, 2]] + 0.3 * GENERATOR.standard_normal((3, 400))
MIXTURE = REFERENCES.sum(0)
LABELS = ["a", "a", "b"]
VALUE = naive_metric.ca_pi_sdri(ESTIMATES, LABELS, REFERENCES, LABELS, MIXTURE)


@pytest.mark.parametrize(
    ("convert", "tolerance"),
    [
        (lambda x: x, 1e-9),
        (lambda x: x.astype(np.float32), 1e-5),
        (lambda x: x.astype(np.float16), 1e-2),
        (torch.from_numpy, 1e-9),
        (lambda x: torch.from_numpy(x).float().requires_grad_(), 1e-5),
        (lambda x: torch.from_numpy(x).half(), 1e-2),
        (lambda x: torch.from_numpy(x).bfloat16(), 1e-1),
        (lambda x: list(x) if x.ndim == 2 else x, 1e-9),
        (lambda x: list(torch.from_numpy(x)) if x.ndim == 2 else torch.from_numpy(x), 1e-9),
        (lambda x: x if x.ndim == 2 else torch.from_numpy(x), 1e-9),
        (lambda x: x[:, ::-1][:, ::-1] if x.ndim == 2 else torch.from_numpy(x), 1e-9),
        (lambda x: x.astype(">f8") if x.ndim == 2 else torch.from_numpy(x), 1e-9),
        (lambda x: [torch.from_numpy(x[0]), *x[1:]] if x.ndim == 2 else x, 1e-9),
        (lambda x: np.asfortranarray(x)[..., ::-1][..., ::-1], 1e-9),
    ],
)
def test_arrays_and_tensors_of_any_float_dtype(convert, tolerance):
    value = ca_pi_sdri(convert(ESTIMATES), LABELS, convert(REFERENCES), LABELS, convert(MIXTURE)).value
    assert type(value) is float
    assert value == pytest.approx(VALUE, abs=tolerance)


@pytest.mark.parametrize(
    "convert",
    [np.array, torch.tensor, tuple, list, lambda x: [np.int64(k) for k in x], lambda x: list(torch.tensor(x))],
)
def test_label_containers(convert):
    labels = convert([4, 4, 0])
    score = ca_pi_sdri(ESTIMATES, labels, REFERENCES, [4, 4, 0], MIXTURE)
    assert score.value == pytest.approx(VALUE) and score.pairs[0].estimated_label == 4
    assert label_accuracy(labels, [0, 4, 4]).correct == 1


@pytest.mark.parametrize("empty", [[], np.zeros((0, 400)), np.zeros(0), torch.zeros(0, 400)])
def test_no_source_on_one_side_or_both(empty):
    nothing = ca_pi_sdri(empty, [], empty, [], MIXTURE)
    assert (nothing.value, nothing.pairs, nothing.tp, nothing.fn, nothing.fp) == (None, (), 0, 0, 0)
    missed = ca_pi_sdri(empty, [], REFERENCES, LABELS, MIXTURE)
    assert (missed.value, missed.fn, missed.fp) == (0.0, 3, 0)
    invented = ca_pi_sdri(ESTIMATES, LABELS, empty, [], MIXTURE)
    assert (invented.value, invented.fn, invented.fp) == (0.0, 0, 3)


def test_penalties():
    scene = (ESTIMATES[:1], ["b"], REFERENCES[:2], ["a", "a"], MIXTURE)
    assert ca_pi_sdri(*scene, penalty_fn=-6, penalty_fp=-3).value == pytest.approx((-6 - 6 - 3) / 3)
    score = ca_pi_sdri(
        *scene, penalty_fn=lambda s: -np.abs(s).max(), penalty_fp=lambda s: torch.tensor(float(s.mean()))
    )
    assert [missed.penalty for missed in score.false_negatives] == [-np.abs(s).max() for s in REFERENCES[:2]]
    assert score.false_positives[0].penalty == pytest.approx(ESTIMATES[0].mean())
    assert [missed.label for missed in score.false_negatives] == ["a", "a"]


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("level", [1e-2, 1e-4, 1e-6])
def test_near_copies_are_exact(convert, level):
    # 40, 80 and 120 dB, where a Gram matrix cancels
    near = REFERENCES[0] * (1 + level)
    score = ca_pi_sdri(convert(near[None]), ["a"], convert(REFERENCES[:1]), ["a"], convert(MIXTURE))
    assert score.pairs[0].sdr == pytest.approx(-20 * np.log10(level), abs=1e-5)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_copies_have_the_largest_sdr(convert):
    one = convert(REFERENCES[:1])
    assert ca_pi_sdri(one, ["a"], one, ["a"], convert(MIXTURE)).pairs[0].sdr == pytest.approx(MAX_SDR)
    assert ca_pi_sdri(one, ["a"], one, ["a"], one[0]).value == 0.0


def test_silent_estimate_and_mixture_are_zero_db():
    score = ca_pi_sdri(0 * ESTIMATES, LABELS, REFERENCES, LABELS, MIXTURE)
    assert [pair.sdr for pair in score.pairs] == pytest.approx([0, 0, 0])
    assert ca_pi_sdri(0 * ESTIMATES, LABELS, REFERENCES, LABELS, 0 * MIXTURE).value == pytest.approx(0)


def with_value(value):
    wrong = ESTIMATES.copy()
    wrong[1, 7] = value
    return wrong


BAD = {
    "lengths": (dict(estimates=ESTIMATES[:, :-1]), r"estimates has shape \[3, 399\].*\[K, 400\]"),
    "lengths in a list": (dict(references=[REFERENCES[0], REFERENCES[1, :9], REFERENCES[2]]), r"references.*\[9\]"),
    "channels": (dict(references=REFERENCES[:, None]), r"references has shape \[3, 1, 400\].*no channels"),
    "one waveform": (dict(estimates=ESTIMATES[0]), r"estimates has shape \[400\]"),
    "channels of the mixture": (dict(mixture=np.stack([MIXTURE] * 4)), r"mixture has shape \[4, 400\].*mixture\[0\]"),
    "empty audio": (dict(mixture=MIXTURE[:0]), "mixture has no samples"),
    "number of labels": (dict(estimated_labels=["a"]), "estimated_labels has 1 labels for 3 estimates"),
    "number of reference labels": (dict(reference_labels=["a"] * 4), "reference_labels has 4 labels for 3 references"),
    "one string": (dict(estimated_labels="aab"), "estimated_labels is 'aab'"),
    "no labels": (dict(estimated_labels=None), "estimated_labels is None"),
    "silence as a label": (dict(reference_labels=[0, 0, -1]), r"reference_labels\[2\] is -1.*silent slots"),
    "None as a label": (dict(reference_labels=["a", "a", None]), r"reference_labels\[2\] is None"),
    "one-hot labels": (dict(reference_labels=np.eye(3)), r"reference_labels has shape \[3, 3\]"),
    "a list as a label": (dict(reference_labels=[["a"], "a", "b"]), r"reference_labels\[0\] is \['a'\]"),
    "kinds of labels": (dict(reference_labels=[0, 0, 1]), "different kinds.*'a', 0"),
    "integers": (dict(mixture=(MIXTURE * 1000).astype(np.int16)), "mixture is of dtype int16.*32768"),
    "complex": (dict(estimates=ESTIMATES.astype(complex)), "estimates is of dtype complex128"),
    "long double": (dict(estimates=ESTIMATES.astype(np.longdouble)), "estimates is of dtype float128.*64 bits"),
    "a number": (dict(references=3.0), "references is a float"),
    "devices in a list": (
        dict(references=[torch.zeros(400), torch.zeros(400, device="meta"), torch.zeros(400)]),
        "references holds tensors on different devices",
    ),
    "a word": (dict(estimates="wave.wav"), "estimates is a str"),
    "NaN": (dict(estimates=with_value(np.nan)), r"estimates\[1\] has the value nan at sample 7"),
    "NaN in a tensor": (dict(estimates=torch.tensor(with_value(np.nan))), r"estimates\[1\] has the value nan at"),
    "lengths in lists": (dict(estimates=[[0.0, [1.0]], [0.0]]), "estimates holds lists of several lengths"),
    "infinity": (dict(references=with_value(-np.inf)), r"references\[1\] has the value -inf at sample 7"),
    "NaN in the mixture": (dict(mixture=MIXTURE * np.nan), "mixture has the value nan at sample 0"),
    "too large": (dict(estimates=with_value(1e200)), r"estimates\[1\] has values up to 1e\+200"),
    "silent reference": (dict(references=REFERENCES * [[1], [1], [0]]), r"references\[2\] \('b'\) is silent"),
    "devices": (
        dict(estimates=torch.zeros(3, 400, device="meta"), mixture=torch.zeros(400)),
        "different devices.*estimates on meta",
    ),
}


@pytest.mark.parametrize("metric", [ca_pi_sdri, ca_sdri, pi_sdri])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(metric, case):
    change, message = BAD[case]
    if metric is pi_sdri and case == "no labels":
        pytest.skip("labels may be left out of PI-SDRi")
    scene = dict(
        estimates=ESTIMATES, estimated_labels=LABELS, references=REFERENCES, reference_labels=LABELS, mixture=MIXTURE
    )
    with pytest.raises(DataError, match=message):
        metric(**(scene | change))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("pairing", "sdr_i", "pairing is 'sdr_i'.*Did you mean"),
        ("penalty_fn", "low", "penalty_fn is 'low'"),
        ("penalty_fn", float("nan"), "penalty_fn is nan"),
        ("penalty_fp", lambda source: None, "penalty_fp is None"),
    ],
)
def test_bad_options_are_named(option, value, message):
    with pytest.raises(ConfigError, match=message):
        ca_pi_sdri(ESTIMATES, ["c"] * 3, REFERENCES, LABELS, MIXTURE, **{option: value})


def test_class_aware_order_is_named():
    with pytest.raises(ConfigError, match="order is 'sorted'"):
        ca_sdri(ESTIMATES, LABELS, REFERENCES, LABELS, MIXTURE, order="sorted")
