"""Checks of what a model returns: shapes, types, lengths, independence of the batch, silence."""

from __future__ import annotations

import torch

from s5lib.plugins.feature_check import check_features, has_features
from s5lib.testing.outcome import Skipped, require
from s5lib.testing.subject import Subject


def check_shapes_and_types(subject: Subject) -> None:
    """float32 in, float32 out, in the shapes of the contract, for one item and for several."""
    model, config = subject.model(), subject.config
    for batch in (1, 3):
        outputs = subject.infer(model, subject.mixture(batch))
        shapes = {
            "logits": (batch, config.num_sources, config.num_classes + 1),
            "waveforms": (batch, config.num_sources, subject.samples),
        }
        for name, output in zip(subject.names(), outputs, strict=True):
            require(tuple(output.shape) == shapes[name], f"{name} are {tuple(output.shape)}, expected {shapes[name]}")
            require(output.dtype == torch.float32, f"{name} are {output.dtype}, expected torch.float32")
            require(bool(output.isfinite().all()), f"{name} are not all finite")


def check_odd_lengths(subject: Subject) -> None:
    """Lengths that no hop or stride divides, down to a tenth of a second."""
    model = subject.model()
    for samples in (subject.samples + 1, subject.samples - 37, subject.config.sample_rate // 10 + 1):
        outputs = subject.infer(model, subject.mixture(1, samples))
        for name, output in zip(subject.names(), outputs, strict=True):
            if name == "waveforms":
                require(output.shape[-1] == samples, f"{samples} samples in, {output.shape[-1]} out")
            require(bool(output.isfinite().all()), f"{name} are not all finite for {samples} samples")


def check_batch_invariance(subject: Subject) -> None:
    """An item gives the same result alone and in a batch."""
    model, mixture = subject.model(), subject.mixture(3)
    together = subject.infer(model, mixture)
    for item in range(3):
        alone = subject.infer(model, mixture[item : item + 1])
        subject.require_close([output[item : item + 1] for output in together], alone, f"item {item} of a batch of 3")


def check_repeatable(subject: Subject) -> None:
    """In eval mode, equal inputs give equal outputs and are not changed."""
    model, mixture, query = subject.model(), subject.mixture(), subject.query()
    before = mixture.clone(), query.clone()
    first = subject.infer(model, mixture, query)
    subject.require_close(subject.infer(model, mixture, query), first, "a second call", tolerance=1e-6)
    subject.infer(model.forward, mixture, query)  # itself: a call gives a plugin copies
    require(torch.equal(mixture, before[0]), "the mixture was changed in place")
    require(torch.equal(query, before[1]), "the query was changed in place")


def check_cached_features(subject: Subject) -> None:
    """``classify(features(mixture))`` is ``forward(mixture)``, of features that can be stored."""
    if subject.kind != "tagger":
        raise Skipped("only a tagger's features are cached")
    model = subject.model()
    if not has_features(model):
        raise Skipped("it has no methods features(mixture) and classify(features): it trains without a cache")
    check_features(model, subject.mixture(), str(subject.component))


def check_silent_mixture(subject: Subject) -> None:
    """A mixture of zeros gives finite values."""
    outputs = subject.infer(subject.model(), torch.zeros_like(subject.mixture()))
    for name, output in zip(subject.names(), outputs, strict=True):
        require(bool(output.isfinite().all()), f"{name} are not all finite for a silent mixture")


def check_silent_slots(subject: Subject) -> None:
    """A row of zeros in the query gives a waveform of exact zeros."""
    if subject.kind != "separator":
        raise Skipped("only a separator has a query")
    model = subject.model()
    for labels in ([], [1]):
        waveforms = subject.infer(model, subject.mixture(), subject.query(labels=labels))[0]
        loudest = waveforms[:, len(labels) :].abs().max().item() if len(labels) < waveforms.shape[1] else 0.0
        require(loudest == 0.0, f"a silent slot has values up to {loudest:.1e}; multiply it by zero")
    if subject.config.num_sources > 1:
        query = subject.query(labels=[0, 1]).flip(1)  # silent slots in front
        silent = subject.infer(model, subject.mixture(), query)[0][query.sum(-1) == 0]
        require(not silent.numel() or silent.abs().max().item() == 0.0, "a silent slot before others is not zero")


def check_duplicate_labels(subject: Subject) -> None:
    """Equal labels: finite, and, if declared, another waveform in each slot."""
    if subject.kind != "separator":
        raise Skipped("only a separator has a query")
    if subject.config.num_sources < 2:
        raise Skipped("it has one slot")
    model, mixture, query = subject.model(), subject.mixture(), subject.query(labels=[1, 1])
    waveforms = subject.infer(model, mixture, query)[0]
    require(bool(waveforms.isfinite().all()), "waveforms are not finite for equal labels")
    if not subject.component.spec.capabilities.duplicate_labels:
        return
    if torch.equal(waveforms[:, 0], waveforms[:, 1]):  # as they may at first, if a last layer starts at zero
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        waveforms = subject.infer(model, mixture, query)[0]
    require(
        not torch.equal(waveforms[:, 0], waveforms[:, 1]),
        "two slots of one class give the same waveform, whatever the weights: declare duplicate_labels=False",
    )
