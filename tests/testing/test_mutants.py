"""The kit finds what it is there to find: each of these models and aligners breaks one rule."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from s5lib import plugins, testing
from s5lib.errors import PluginError
from s5lib.interfaces import Aligner, Assignment, ModelConfig, Separator, Tagger
from s5lib.plugins import Capabilities, Component, ComponentSpec
from s5lib.testing import (
    ConformanceError,
    capabilities,
    check_aligner,
    check_separator,
    check_tagger,
    forward,
    invariance,
    learning,
    portability,
)
from s5lib.testing.aligner import AlignerSubject, check_against_all_assignments, check_batches, check_valid_assignments
from s5lib.testing.outcome import Skipped, run_checks
from s5lib.testing.subject import Subject


def component(kind, target, config=None, **capabilities):
    spec = ComponentSpec("mutant", f"{__name__}:{target.__name__}", config, Capabilities(**capabilities))
    return Component(kind, spec, "tests", "tests", "0")


class Good(Separator):
    """Scales the reference channel by a gain for each slot, which depends on the query."""

    def __init__(self, config):
        super().__init__(config)
        self.gain = nn.Linear(config.num_sources * config.num_classes, config.num_sources)

    def forward(self, mixture, query):
        gain = self.gain(query.flatten(1)).unsqueeze(-1)
        return gain * mixture[:, :1] * query.sum(-1, keepdim=True)


class MixesBatch(Good):
    def forward(self, mixture, query):
        return super().forward(mixture - mixture.mean(0, keepdim=True), query)


class ForgetsSilence(Good):
    def forward(self, mixture, query):
        return self.gain(query.flatten(1)).unsqueeze(-1) * mixture[:, :1]


class SameForEqualLabels(Good):
    def __init__(self, config):
        super().__init__(config)
        self.gain = nn.Linear(config.num_classes, 1)

    def forward(self, mixture, query):
        return self.gain(query) * mixture[:, :1] * query.sum(-1, keepdim=True)


class Normalises(Good):
    def forward(self, mixture, query):
        return super().forward(mixture / mixture.abs().amax((1, 2), keepdim=True), query)


class BackwardOfSilence(Good):
    def forward(self, mixture, query):
        return (
            super().forward(mixture, query) * self.gain.weight.sum()
            + mixture[:, :1].mul(self.gain.bias[0]).abs().sqrt()
        )


class WholeFrames(Good):
    def forward(self, mixture, query):
        return super().forward(mixture[..., : mixture.shape[-1] // 160 * 160], query)


class Unused(Good):
    def __init__(self, config):
        super().__init__(config)
        self.spare = nn.Linear(2, 2)


class ChangesInput(Good):
    def forward(self, mixture, query):
        return super().forward(mixture.mul_(2), query)


class Hides(Good):
    def __init__(self, config):
        super().__init__(config)
        self.hidden = torch.randn(1)

    def forward(self, mixture, query):
        return super().forward(mixture, query) * self.hidden


class OtherConfig(Good):
    def __init__(self, config):
        super().__init__(config)
        self.config = None


class FourChannels(Good):
    def __init__(self, config):
        super().__init__(config)
        self.mix = nn.Linear(4, 1)

    def forward(self, mixture, query):
        return super().forward(self.mix(mixture.mT).mT, query)


class AnyChoice(Good):
    def set_trainable(self, layers):
        self.requires_grad_(True)


class Drops(Good):
    def forward(self, mixture, query):
        return super().forward(nn.functional.dropout(mixture), query)


@dataclass(frozen=True)
class Claims(ModelConfig):
    """Says what its models do not keep."""

    is_level_invariant = True
    fewest_channels = 1


class Saturates(Good):
    def forward(self, mixture, query):
        return super().forward(mixture.tanh(), query)


CLAIMS = {
    Saturates: (invariance.check_gain, "a gain of -40 dB: waveforms differ"),
    FourChannels: (invariance.check_fewer_channels, "RuntimeError"),
}


MUTANTS = {
    MixesBatch: (forward.check_batch_invariance, "item 0 of a batch of 3: waveforms differ"),
    ForgetsSilence: (forward.check_silent_slots, "a silent slot has values"),
    SameForEqualLabels: (forward.check_duplicate_labels, "declare duplicate_labels=False"),
    Normalises: (forward.check_silent_mixture, "not all finite for a silent mixture"),
    BackwardOfSilence: (learning.check_gradients_of_silence, "gradients are not finite for a silent mixture"),
    WholeFrames: (forward.check_odd_lengths, "returned .*expected"),
    Unused: (learning.check_finite_gradients, "no output depends on.*spare.weight"),
    ChangesInput: (forward.check_repeatable, "a second call|changed in place"),
    Hides: (portability.check_save_and_load, "after loading: waveforms differ"),
    OtherConfig: (capabilities.check_options, "model.config is not"),
    FourChannels: (capabilities.check_numbers_of_channels, "RuntimeError"),
    AnyChoice: (learning.check_set_trainable, "must raise a ValueError"),
    Drops: (forward.check_repeatable, "a second call"),
}


def test_the_good_one_passes(tmp_path, monkeypatch):
    source = inspect.getsource(Good)
    file = tmp_path / "good_separator.py"
    file.write_text(f"""
from torch import nn
from s5lib.interfaces import Separator
from s5lib.plugins import ComponentSpec

{source}

def s5lib_separators():
    return [ComponentSpec("good", "good_separator:Good")]
""")
    monkeypatch.setenv("S5LIB_PLUGINS", "")
    monkeypatch.setattr(plugins, "_registry", None)
    plugins.register_plugin(str(file))
    try:
        report = check_separator("good")
    finally:
        sys.path.remove(str(tmp_path))
    assert not report.failed and len(report.passed) == 18
    assert str(report).startswith("separator good_separator/good (good_separator.py): 18 checks passed, 4 skipped")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_each_mutant_is_found(mutant):
    check, message = MUTANTS[mutant]
    subject = Subject("separator", component("separator", mutant), {})
    with pytest.raises(ConformanceError, match=f"(?s)1 failed.*{message}"):
        run_checks("mutant", [("it", lambda: check(subject))])


@pytest.mark.parametrize("mutant", CLAIMS, ids=lambda mutant: mutant.__name__)
def test_each_false_claim_is_found(mutant):
    (check, message), subject = CLAIMS[mutant], Subject("separator", component("separator", mutant, config=Claims), {})
    with pytest.raises(ConformanceError, match=f"(?s)1 failed.*{message}"):
        run_checks("mutant", [("it", lambda: check(subject))])
    check(Subject("separator", component("separator", Good, config=Claims), {}))
    with pytest.raises(Skipped):
        check(Subject("separator", component("separator", mutant), {}))


def test_a_true_declaration_helps():
    for mutant, claimed, check in (
        (SameForEqualLabels, {"duplicate_labels": False}, forward.check_duplicate_labels),
        (FourChannels, {"channels": (4,)}, capabilities.check_numbers_of_channels),
    ):
        check(Subject("separator", component("separator", mutant, **claimed), {}))


class BadTagger(Tagger):
    def forward(self, mixture):
        return mixture.mean(-1)


class Cacheable(Tagger):
    """Logits from the level of each channel."""

    def __init__(self, config):
        super().__init__(config)
        self.layer = nn.Linear(config.num_channels, config.num_sources * (config.num_classes + 1))

    def features(self, mixture):
        return mixture.square().mean(-1)

    def classify(self, features):
        return self.layer(features).unflatten(1, (self.config.num_sources, -1))

    def forward(self, mixture):
        return self.classify(self.features(mixture))


class ForwardDoesMore(Cacheable):
    def forward(self, mixture):
        return self.classify(3 * self.features(mixture) - 2)


class Indivisible(Cacheable):
    features = classify = None

    def forward(self, mixture):
        return Cacheable.classify(self, Cacheable.features(self, mixture))


def test_features_that_would_train_another_tagger_are_found():
    forward.check_cached_features(Subject("tagger", component("tagger", Cacheable), {}))
    with pytest.raises(PluginError, match=r"tests/mutant.*classify\(features\(mixture\)\).*forward"):
        forward.check_cached_features(Subject("tagger", component("tagger", ForwardDoesMore), {}))
    for kind, without in (("tagger", Indivisible), ("separator", Good)):
        with pytest.raises(Skipped):
            forward.check_cached_features(Subject(kind, component(kind, without), {}))


def test_all_failures_are_reported_at_once(monkeypatch):
    quick = [check for check in testing._MODEL_CHECKS if check is not portability.check_spawned_process]
    monkeypatch.setattr(testing, "_MODEL_CHECKS", quick)
    with pytest.raises(ConformanceError) as error:
        check_tagger(component("tagger", BadTagger))
    message = str(error.value)
    assert "returned (1, 4) for a mixture (1, 4, 8000), expected (1, 3, 6): [B, K, C + 1]." in message
    assert "finite_gradients" in message and "odd_lengths" in message


class Greedy(Aligner):
    """Takes the largest score first, inside a class."""

    def align(self, score, reference_labels, estimated_labels):
        pairs, score = [], score.detach().numpy() if hasattr(score, "detach") else score
        cells = [(r, e) for r in range(len(reference_labels)) for e in range(len(estimated_labels))]
        for r, e in sorted(cells, key=lambda cell: -score[cell]):
            free = all(r != other_r and e != other_e for other_r, other_e in pairs)
            if reference_labels[r] == estimated_labels[e] and free:
                pairs.append((r, e))
        left = [
            set(range(len(side))) - {pair[i] for pair in pairs}
            for i, side in enumerate((reference_labels, estimated_labels))
        ]
        return Assignment(tuple(sorted(pairs)), tuple(sorted(left[0])), tuple(sorted(left[1])))


class IgnoresLabels(Greedy):
    def align(self, score, reference_labels, estimated_labels):
        return super().align(score, ["x"] * len(reference_labels), ["x"] * len(estimated_labels))


class Forgets(Greedy):
    def align(self, score, reference_labels, estimated_labels):
        return Assignment(super().align(score, reference_labels, estimated_labels).pairs[:1])


class MovesSilence(Greedy):
    def permute(self, score, labels):
        return torch.arange(labels.shape[1]).flip(0).repeat(len(labels), 1)


@pytest.mark.parametrize(
    "mutant, check, message",
    [
        (Greedy, check_against_all_assignments, "the best assignment's"),
        (IgnoresLabels, check_valid_assignments, "unequal labels are paired"),
        (Forgets, check_valid_assignments, "not each there once"),
        (MovesSilence, check_batches, "a silent slot has moved|unequal labels"),
    ],
)
def test_mutants_of_aligners(mutant, check, message):
    with pytest.raises(ConformanceError, match=message):
        check(AlignerSubject(component("aligner", mutant), {}))


def test_greedy_must_say_that_it_is_not_optimal():
    declared_so = component("aligner", Greedy, optimal=False)
    for check in (check_valid_assignments, check_batches):
        check(AlignerSubject(declared_so, {}))
    with pytest.raises(ConformanceError, match="(?s)1 failed.*bad_input: .*must raise a ValueError"):
        check_aligner(declared_so)


def test_unknown_names():
    with pytest.raises(PluginError, match="No separator 'nothing'"):
        check_separator("nothing")
