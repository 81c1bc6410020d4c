"""The conformance kit: checks that a component keeps its contract, for plugins and built-ins alike.

In one call, which raises :class:`ConformanceError` with all that failed::

    print(s5lib.testing.check_separator("demo", width=8))

or as one test per check in pytest::

    @s5lib.testing.conformance("separator", "demo", width=8)
    def test_contract(check):
        check()

Models are built small (a quarter of a second of three sources), with the given options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from s5lib.errors import PluginError, nearest
from s5lib.plugins import KINDS, Component
from s5lib.testing import aligner as _aligner
from s5lib.testing import capabilities, forward, invariance, learning, portability
from s5lib.testing.outcome import ConformanceError, Report, Skipped, run_checks
from s5lib.testing.subject import Subject

__all__ = [
    "ConformanceError",
    "Report",
    "check_aligner",
    "check_joint_model",
    "check_separator",
    "check_tagger",
    "conformance",
]

_MODEL_CHECKS = (
    capabilities.check_options,
    forward.check_shapes_and_types,
    forward.check_odd_lengths,
    forward.check_batch_invariance,
    forward.check_repeatable,
    forward.check_cached_features,
    forward.check_silent_mixture,
    forward.check_silent_slots,
    forward.check_duplicate_labels,
    invariance.check_gain,
    invariance.check_fewer_channels,
    learning.check_finite_gradients,
    learning.check_gradients_of_silence,
    learning.check_set_trainable,
    learning.check_bfloat16,
    portability.check_save_and_load,
    portability.check_checkpoint,
    portability.check_spawned_process,
    portability.check_gpu,
    capabilities.check_numbers_of_sources,
    capabilities.check_numbers_of_channels,
    capabilities.check_sample_rates,
)
_ALIGNER_CHECKS = (
    _aligner.check_valid_assignments,
    _aligner.check_against_all_assignments,
    _aligner.check_tensors,
    _aligner.check_batches,
    _aligner.check_bad_input,
    _aligner.check_pickle,
    _aligner.check_loss,
)


def check_tagger(component: str | Component, **options: Any) -> Report:
    """Check a tagger; ``options`` are its options, or sizes such as ``num_sources`` if the defaults do not suit.

    Raises:
        ConformanceError: any check failed; the message is the report.
        PluginError: there is no such component.
    """
    return _check("tagger", component, options)


def check_separator(component: str | Component, **options: Any) -> Report:
    """Check a separator; see :func:`check_tagger`."""
    return _check("separator", component, options)


def check_joint_model(component: str | Component, **options: Any) -> Report:
    """Check a joint model; see :func:`check_tagger`."""
    return _check("joint_model", component, options)


def check_aligner(component: str | Component, **options: Any) -> Report:
    """Check an aligner against all possible assignments; see :func:`check_tagger`.

    >>> print(check_aligner("ca_pi"))
    aligner ca_pi: 7 checks passed, 0 skipped, 0 failed
    """
    return _check("aligner", component, options)


def conformance(kind: str, component: str | Component, **options: Any):
    """Return ``pytest.mark.parametrize`` of the argument ``check`` over all checks of this kind.

    A test calls ``check()``; what does not apply here is skipped with the reason.
    """
    import pytest

    def as_test(check):
        try:
            check()
        except Skipped as reason:
            pytest.skip(str(reason))

    cases = [pytest.param(partial(as_test, check), id=name) for name, check in _checks(kind, component, options)]
    return pytest.mark.parametrize("check", cases)


def _check(kind, component, options) -> Report:
    checks = _checks(kind, component, options)
    return run_checks(str(checks[0][1].args[0].component), checks)


def _checks(kind, component, options) -> list[tuple[str, partial[None]]]:
    if kind not in KINDS:
        raise PluginError(f"unknown kind of component {kind!r}. {nearest(kind, KINDS)}")
    subject: Any = (
        _aligner.AlignerSubject(component, options) if kind == "aligner" else Subject(kind, component, options)
    )
    functions: Sequence[Callable[[Any], None]] = _ALIGNER_CHECKS if kind == "aligner" else _MODEL_CHECKS
    return [(function.__name__.removeprefix("check_"), partial(function, subject)) for function in functions]
