"""CA-PI-SDRi and its variants: SDR improvement of labelled sources (arXiv 2601.22504, section 3.3).

They differ only in the aligner, which pairs estimates with references.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import fsum, isfinite
from typing import TYPE_CHECKING

import numpy as np

from s5lib.align import Aligner, ClassAware, resolve
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.metrics.checks import check_same_kind, checked_labels, checked_waveforms
from s5lib.metrics.scene import FalsePrediction, Pair, SceneScore
from s5lib.metrics.sdr import SceneSDR

if TYPE_CHECKING:
    from s5lib.metrics.checks import Labels, Signals, Waveforms

__all__ = ["LabelledScene", "aligned_sdri", "ca_pi_sdri", "ca_sdri", "pi_sdri"]

Penalty = float | Callable[..., float]


def aligned_sdri(
    estimates: Signals,
    estimated_labels: Labels,
    references: Signals,
    reference_labels: Labels,
    mixture: Signals,
    *,
    aligner: str | Aligner = "ca_pi",
    pairing: str = "sdri",
    penalty_fn: Penalty = 0.0,
    penalty_fp: Penalty = 0.0,
) -> SceneScore:
    """Score one scene with any aligner, equations (5) to (12); see :func:`ca_pi_sdri` for the other arguments.

    Args:
        aligner: ``"ca_pi"``, ``"ca"``, ``"pi"``, a plugin's name, or an aligner.
    """
    scene = LabelledScene(estimates, estimated_labels, references, reference_labels, mixture)
    return scene.score(aligner, pairing=pairing, penalty_fn=penalty_fn, penalty_fp=penalty_fp)


class LabelledScene:
    """One scene whose SDRs, which take the time, are computed once for several scores.

    See :func:`ca_pi_sdri` for arguments and errors.

    Attributes:
        mixture_sdr: ``[R]``, in dB: the SDR of the mixture against each reference.
    """

    def __init__(
        self,
        estimates: Signals,
        estimated_labels: Labels,
        references: Signals,
        reference_labels: Labels,
        mixture: Signals,
    ):
        self._estimates, self._references, mixture = checked_waveforms(estimates, references, mixture)
        self._estimated_labels = checked_labels("estimated_labels", estimated_labels)
        self._reference_labels = checked_labels("reference_labels", reference_labels)
        _check_count("estimated_labels", self._estimated_labels, "estimates", self._estimates)
        _check_count("reference_labels", self._reference_labels, "references", self._references)
        check_same_kind(self._estimated_labels, self._reference_labels)
        self._sdr = SceneSDR(self._estimates, self._references, mixture, self._reference_labels)
        self.mixture_sdr = self._sdr.of_mixture

    def scaled_mixture_sdr(self, gain: float | None = None) -> np.ndarray:
        """Return the SDR ``[R]`` in dB of the mixture times a gain; None: times the best gain for each reference."""
        return self._sdr.of_scaled_mixture(gain)

    def score(
        self,
        aligner: str | Aligner = "ca_pi",
        *,
        pairing: str = "sdri",
        penalty_fn: Penalty = 0.0,
        penalty_fp: Penalty = 0.0,
    ) -> SceneScore:
        """Score the scene with an aligner; see :func:`ca_pi_sdri`."""
        if pairing not in ("sdri", "sdr"):
            raise ConfigError(f"pairing is {pairing!r}. {nearest(pairing, ['sdri', 'sdr'])}")
        for name, penalty in (("penalty_fn", penalty_fn), ("penalty_fp", penalty_fp)):
            if not callable(penalty):
                _penalty(name, penalty, self._references)  # before it is known whether there is something to punish
        sdr, reference_labels, estimated_labels = self._sdr, self._reference_labels, self._estimated_labels
        score = sdr.matrix - sdr.of_mixture[:, None] if pairing == "sdri" else sdr.matrix
        assignment = resolve(aligner).align(score, reference_labels, estimated_labels)

        pairs = []
        for r, e in assignment.pairs:
            exact = sdr.exact(r, e)
            pairs.append(Pair(r, e, reference_labels[r], estimated_labels[e], exact, exact - float(sdr.of_mixture[r])))
        missed = tuple(
            FalsePrediction(r, reference_labels[r], _penalty("penalty_fn", penalty_fn, self._references[r]))
            for r in assignment.unmatched_references
        )
        invented = tuple(
            FalsePrediction(e, estimated_labels[e], _penalty("penalty_fp", penalty_fp, self._estimates[e]))
            for e in assignment.unmatched_estimates
        )
        count = len(pairs) + len(missed) + len(invented)
        # fsum is exact, so that no order of sources or classes changes a digit
        total = fsum([pair.sdri for pair in pairs] + [source.penalty for source in missed + invented])
        value = total / count if count else None
        return SceneScore(value, tuple(pairs), len(pairs), len(missed), len(invented), missed, invented)


def ca_pi_sdri(
    estimates: Signals,
    estimated_labels: Labels,
    references: Signals,
    reference_labels: Labels,
    mixture: Signals,
    *,
    pairing: str = "sdri",
    penalty_fn: Penalty = 0.0,
    penalty_fp: Penalty = 0.0,
) -> SceneScore:
    """CA-PI-SDRi, the metric of DCASE 2026 task 4, of one scene: the best pairs inside each class, equation (12).

    Args:
        estimates: ``[E, T]``, one row for each estimated source: an array, a tensor of any device, or a list of
            waveforms ``[T]``; any float dtype; E may be 0.
        estimated_labels: E names or class indices.
        references: ``[R, T]``, the true sources; R may be 0.
        reference_labels: R names or class indices.
        mixture: ``[T]``, the mixture's reference channel.
        pairing: what the pairs maximise: ``"sdri"`` as in equation (10), or ``"sdr"`` like the public DCASE 2026
            baseline; they differ where a class has fewer estimates than references.
        penalty_fn: P_FN in dB for each missed reference: a number, or a function of its waveform ``[T]``.
        penalty_fp: P_FP in dB for each false positive: a number, or a function of its waveform ``[T]``.

    Returns:
        The score; its ``value`` is the mean over pairs and false predictions in dB, None without a source on either
        side.

    Raises:
        ConfigError: ``pairing`` is unknown, or a penalty is not a finite number.
        DataError: a shape, dtype, number of labels or sample is invalid, or a reference is silent.

    >>> references = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    >>> estimates = np.array([[0.0, 0.9, 0.0, 0.0], [0.9, 0.0, 0.0, 0.0]])
    >>> score = ca_pi_sdri(estimates, ["Speech", "Speech"], references, ["Speech", "Speech"], references.sum(0))
    >>> round(score.value, 6), [(pair.reference, pair.estimate) for pair in score.pairs]
    (20.0, [(0, 1), (1, 0)])
    """
    scene = LabelledScene(estimates, estimated_labels, references, reference_labels, mixture)
    return scene.score("ca_pi", pairing=pairing, penalty_fn=penalty_fn, penalty_fp=penalty_fp)


def ca_sdri(
    estimates: Signals,
    estimated_labels: Labels,
    references: Signals,
    reference_labels: Labels,
    mixture: Signals,
    *,
    order: str = "given",
    seed: int | np.random.Generator = 0,
    penalty_fn: Penalty = 0.0,
    penalty_fp: Penalty = 0.0,
) -> SceneScore:
    """CA-SDRi, the metric of DCASE 2025 task 4, of one scene: pairs by label alone, meant for distinct labels.

    Where a class occurs several times, its sources go together in the order given, or at random (``order="random"``,
    drawn from ``seed``), an ambiguity that CA-PI-SDRi removes.  See :func:`ca_pi_sdri` for the rest.

    >>> references = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> score = ca_sdri(0.9 * references[::-1], ["Cough", "Speech"], references, ["Speech", "Cough"], references.sum(0))
    >>> round(score.value, 6)
    20.0
    """
    scene = LabelledScene(estimates, estimated_labels, references, reference_labels, mixture)
    return scene.score(ClassAware(order=order, seed=seed), penalty_fn=penalty_fn, penalty_fp=penalty_fp)


def pi_sdri(
    estimates: Signals,
    estimated_labels: Labels | None,
    references: Signals,
    reference_labels: Labels | None,
    mixture: Signals,
    *,
    pairing: str = "sdri",
    penalty_fn: Penalty = 0.0,
    penalty_fp: Penalty = 0.0,
) -> SceneScore:
    """PI-SDRi of one scene: the best pairs whatever the labels, to compare separators that get oracle labels.

    Labels go into the result's pairs and nowhere else; None stands for no labels on that side, and each source is then
    labelled ``"source"``.  A pair counts as a true positive, so ``.fn`` and ``.fp`` show wrong numbers of sources.
    For the rest see :func:`aligned_sdri`.

    >>> references = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> round(pi_sdri(0.9 * references[::-1], None, references, None, references.sum(0)).value, 6)
    20.0
    """
    estimates, references, mixture = checked_waveforms(estimates, references, mixture)
    if estimated_labels is None:
        estimated_labels = ["source"] * len(estimates)
    if reference_labels is None:
        reference_labels = ["source"] * len(references)
    scene = LabelledScene(estimates, estimated_labels, references, reference_labels, mixture)
    return scene.score("pi", pairing=pairing, penalty_fn=penalty_fn, penalty_fp=penalty_fp)


def _check_count(name: str, labels: list[Hashable], of: str, waveforms: Waveforms) -> None:
    if len(labels) != len(waveforms):
        raise DataError(f"{name} has {len(labels)} labels for {len(waveforms)} {of}; one each is expected.")


def _penalty(name: str, penalty: Penalty, source: Waveforms) -> float:
    """Return the penalty in dB of one wrongly predicted source."""
    value = penalty(source) if callable(penalty) else penalty
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not isfinite(number):
        raise ConfigError(f"{name} is {value!r}; a finite number in dB, or a function that returns one, is expected.")
    return number
