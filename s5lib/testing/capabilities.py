"""Checks a component's declarations: its options, numbers of sources and channels, sampling rates."""

from __future__ import annotations

import dataclasses

from s5lib.testing.outcome import Skipped, require
from s5lib.testing.subject import Subject
from s5lib.untrusted import parse_json, to_json


def check_options(subject: Subject) -> None:
    """The config is frozen, is kept as ``model.config`` and survives a checkpoint's JSON."""
    config = subject.config
    require(type(config).__dataclass_params__.frozen, f"{type(config).__name__} is not frozen: @dataclass(frozen=True)")
    again = subject.component.configure(**parse_json(to_json(dataclasses.asdict(config)), "its options"))
    require(again == config, f"the config changes on its way through JSON: {config} becomes {again}")
    require(getattr(subject.model(), "config", None) == config, "model.config is not the config that it was built with")


def check_numbers_of_sources(subject: Subject) -> None:
    """From one slot to ``max_sources`` (five, where any number is declared), and other numbers of classes."""
    most = subject.component.spec.capabilities.max_sources or 5
    for sources, classes in ((1, 2), (most, 7)):
        model = subject.model(num_sources=sources, num_classes=classes)
        query = subject.query(slots=sources, classes=classes)
        for name, output in zip(subject.names(), subject.infer(model, subject.mixture(), query), strict=True):
            require(output.shape[1] == sources, f"{sources} slots asked for, {name} have {output.shape[1]}")
            if name == "logits":
                require(output.shape[2] == classes + 1, f"{classes} classes asked for, logits have {output.shape[2]}")


def check_numbers_of_channels(subject: Subject) -> None:
    """Every declared number of channels (1, 2 and 4, where any is declared)."""
    for channels in subject.component.spec.capabilities.channels or (1, 2, 4):
        if "num_channels" in subject.given and channels != subject.given["num_channels"]:
            continue
        subject.infer(subject.model(num_channels=channels), subject.mixture(1, channels=channels))


def check_sample_rates(subject: Subject) -> None:
    """Every declared sampling rate (16, 32 and 48 kHz, where any is declared)."""
    if "sample_rate" in subject.given:
        raise Skipped("a sampling rate was given to the check")
    for rate in subject.component.spec.capabilities.sample_rates or (16000, 32000, 48000):
        outputs = subject.infer(subject.model(sample_rate=rate), subject.mixture(1, rate // 4))
        require(all(bool(output.isfinite().all()) for output in outputs), f"values are not finite at {rate} Hz")
