"""Checks of what a model's config declares about recordings unlike its training: other levels, fewer channels."""

from __future__ import annotations

from typing import Any

from s5lib.testing.outcome import Skipped, require
from s5lib.testing.subject import Subject

GAINS_DB = (-40, 40)


def check_gain(subject: Subject) -> None:
    """A mixture's gain scales the sources and changes no logit, if the config says ``is_level_invariant``."""
    changes = _with_option(subject, "normalize_level", True)
    model = subject.model(**changes)
    if not model.config.is_level_invariant:
        raise Skipped("its config does not say is_level_invariant: levels count")
    mixture = subject.mixture()
    wanted = subject.infer(model, mixture)
    for gain_db in GAINS_DB:
        gain = 10 ** (gain_db / 20)
        found = [
            output / gain if name == "waveforms" else output
            for name, output in zip(subject.names(), subject.infer(model, mixture * gain), strict=True)
        ]
        subject.require_close(found, wanted, f"a gain of {gain_db} dB")


def check_fewer_channels(subject: Subject) -> None:
    """From ``fewest_channels`` of the config on, any number of channels gives finite outputs of the same shapes."""
    changes = _with_option(subject, "channel_dropout", 0.5)
    model = subject.model(**changes)
    fewest, most = model.config.fewest_channels, model.config.num_channels
    if fewest == most:
        raise Skipped("its config says that it needs all channels")
    shapes = [output.shape for output in subject.infer(model, subject.mixture())]
    for channels in range(fewest, most):
        outputs = subject.infer(model, subject.mixture(channels=channels))
        for name, output, shape in zip(subject.names(), outputs, shapes, strict=True):
            require(output.shape == shape, f"{channels} channels: {name} are {tuple(output.shape)}, not {tuple(shape)}")
            require(bool(output.isfinite().all()), f"{name} are not all finite for {channels} of {most} channels")


def _with_option(subject: Subject, name: str, value: Any) -> dict[str, Any]:
    """Return the option, if the component has it and the check was not given it."""
    known = {option.name for option in subject.component.options()}
    return {name: value} if name in known and name not in subject.given else {}
