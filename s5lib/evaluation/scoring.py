"""Score the sources that a system has written, against the references of a data directory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from s5lib.align import ClassAware
from s5lib.data import DataDirectory, Recording
from s5lib.errors import DataError
from s5lib.evaluation.estimate_files import EstimateFile, list_estimates, listed_by_inference
from s5lib.evaluation.recording_scores import MetricOptions, RecordingScores
from s5lib.evaluation.waveforms import Workspace, check_finite, read_mixture, read_rows
from s5lib.metrics import LabelledScene, Pair, SceneScore
from s5lib.systems.records import check_made_from, check_one_system, record_path, system_digest

__all__ = ["check_outputs", "list_outputs", "reference_labels", "score_listed", "score_recordings"]

log = logging.getLogger(__name__)


Outputs = dict[str, dict[str, list[EstimateFile]]]
"""For ``"predicted"``, ``"oracle"`` or both: the files of the estimates by recording."""


def score_recordings(
    data_dir: Path, infer_dir: Path, options: MetricOptions | None = None, nj: int = 1
) -> Iterator[RecordingScores]:
    """Yield the scores of a data directory's recordings, from ``infer_dir/predicted`` and ``infer_dir/oracle``.

    Raises:
        DataError: there are no references or no output, or a file is missing or does not match its reference.
    """
    recordings = DataDirectory.read(data_dir).recordings
    outputs = list_outputs(infer_dir, [r.id for r in recordings])
    yield from score_listed(recordings, outputs, options, nj, check_outputs(infer_dir, recordings))


def check_outputs(infer_dir: Path, recordings: Sequence[Recording]) -> str | None:
    """Check that one system made what ``s5lib infer`` has left, from these recordings, for the labels they now have.

    Returns:
        The system's digest; None where the files do not say what made them.

    Raises:
        DataError: a recording or its labels have changed since, the models do not know a label, or some results are
            another system's.
    """
    records = {}
    for kind in ("predicted", "oracle"):
        if (infer_dir / kind).is_dir():
            for recording in recordings:
                path = record_path(infer_dir / kind, recording.id)
                labels = recording.labels if kind == "oracle" else None
                records[path] = check_made_from(path, recording.mixture, labels, recording.labels)
    made_by = check_one_system(records)
    return None if made_by is None else system_digest(made_by)


def list_outputs(
    folder: Path, names: Sequence[str], labels: Iterable[str] | None = None, oracle: Path | None = None
) -> Outputs:
    """Return the files that a system has written, by ``s5lib infer`` or as ``NAME_I_LABEL.wav``.

    Args:
        folder: holds the folders ``predicted``, ``oracle`` or both of ``s5lib infer``, or the files.
        names: of the mixtures.
        labels: class labels, needed to read file names; None: ``folder`` is from ``s5lib infer``.
        oracle: a folder of files that were separated with the labels of the references.

    Raises:
        DataError: there is no output, or a file belongs to no mixture or label.
    """
    kinds = [kind for kind in ("predicted", "oracle") if (folder / kind).is_dir()]
    if kinds and oracle is None:
        return {kind: {name: listed_by_inference(folder / kind, name) for name in names} for kind in kinds}
    if labels is None:
        raise DataError(
            f"{folder} has neither predicted/ nor oracle/: run the inference stage first (run.sh --stage 4)."
        )
    folders = {"predicted": folder} | ({"oracle": oracle} if oracle is not None else {})
    return {kind: list_estimates(path, names, labels) for kind, path in folders.items()}


def reference_labels(recording: Recording) -> list[str]:
    """Return the labels of the references.

    Raises:
        DataError: the recording has no references.
    """
    if recording.labels is None or len(recording.labels) != len(recording.sources):
        raise DataError(f"{recording.id} has no references (labels and src1.scp, ...), which scoring needs.")
    return list(recording.labels)


def score_listed(
    recordings: Sequence[Recording],
    outputs: Outputs,
    options: MetricOptions | None = None,
    nj: int = 1,
    system: str | None = None,
) -> Iterator[RecordingScores]:
    """Yield the scores of ``recordings``, in their order; ``nj`` threads share the work.

    ``system`` is noted in each: the digest of what made the outputs, see :func:`check_outputs`.

    Raises:
        DataError: a recording has no references, the estimates for oracle labels have others, or a file is missing or
            does not match its mixture.
    """
    for recording in recordings:
        labels = reference_labels(recording)
        if "oracle" in outputs:
            _check_oracle(recording.id, labels, outputs["oracle"][recording.id])
    jobs = [(recording, {kind: of[recording.id] for kind, of in outputs.items()}) for recording in recordings]
    clipped = []
    # threads suffice: reading and inner products take the time, and both release the interpreter lock
    with ThreadPoolExecutor(max(1, nj)) as pool:
        results = pool.map(partial(_score, options or MetricOptions(), system), jobs)
        try:
            for scores, files in tqdm(results, total=len(jobs), unit="recording", disable=None):
                clipped += files
                yield scores
        finally:
            pool.shutdown(cancel_futures=True)  # after an error the rest would be in vain
    if clipped:
        log.warning(
            "%d estimates look clipped, which costs dB: several neighbouring samples are at full scale. The first is "
            "%s. Write float files, or scale the estimates down before rounding.",
            len(clipped),
            clipped[0],
        )


def _check_oracle(name: str, labels: list[str], listed: list[EstimateFile]) -> None:
    found = sorted(file.label for file in listed)
    if found != sorted(labels):
        raise DataError(
            f"{name}: the estimates for oracle labels are of {', '.join(found) or 'nothing'}; the references are of "
            f"{', '.join(sorted(labels)) or 'nothing'}."
        )


_own = threading.local()  # memory of each thread


def _score(
    options: MetricOptions, system: str | None, job: tuple[Recording, dict[str, list[EstimateFile]]]
) -> tuple[RecordingScores, list[str]]:
    """Return one recording's scores, and the estimates that look clipped."""
    recording, outputs = job
    memory = _own.__dict__.setdefault("memory", Workspace())
    mixture, rate = read_mixture(recording.mixture, memory)
    size = len(mixture)
    references, _ = read_rows(recording.sources, size, rate, "reference", memory)
    labels, keywords = reference_labels(recording), asdict(options)
    penalties = {key: value for key, value in keywords.items() if key != "pairing"}
    scores: dict[str, SceneScore] = {}
    clipped: list[str] = []
    for kind, listed in outputs.items():
        paths = [str(file.path) for file in listed]
        estimates, full = read_rows(paths, size, rate, "estimate", memory)
        clipped += full
        for waveform, file in zip(estimates, listed, strict=True):
            if file.gain != 1:
                waveform /= np.float32(file.gain)
        try:
            scene = LabelledScene(estimates, [file.label for file in listed], references, labels, mixture)
        except DataError as error:
            check_finite([mixture, *references, *estimates], [recording.mixture, *recording.sources, *paths])
            raise DataError(f"{recording.id}: {error}") from None
        if kind == "predicted":
            scores["predicted"] = scene.score("ca_pi", **keywords)
            scores["predicted_ca"] = scene.score(ClassAware(order="given"), **penalties)
            scores["predicted_pi"] = scene.score("pi", **keywords)
        else:
            scores["oracle"] = scene.score("pi", **keywords)
            scores["oracle_ca_pi"] = scene.score("ca_pi", **keywords)
    scores |= _floors(scene, labels)
    return RecordingScores(recording.id, **scores, options=options, system=system, other={}), clipped


def _floors(scene: LabelledScene, labels: list[str]) -> dict[str, SceneScore]:
    """Return what the mixture at several gains scores as the estimate of every source."""
    mixture = scene.mixture_sdr
    improvements = {
        "mixture": 0 * mixture,
        "divided": scene.scaled_mixture_sdr(1 / max(1, len(labels))) - mixture,
        "best_gain": scene.scaled_mixture_sdr() - mixture,
        "silence": -mixture,  # silence has an SDR of 0 dB
    }
    return {kind: _floor(sdri, mixture, labels) for kind, sdri in improvements.items()}


def _floor(sdri: np.ndarray, mixture_sdr: np.ndarray, labels: list[str]) -> SceneScore:
    """Return the score of estimates in the references' order, which no other pairing beats.

    All estimates are the mixture, at one gain, so that the order does not matter, or each at its source's best gain.
    """
    pairs = tuple(
        Pair(r, r, label, label, float(improvement + of_mixture), float(improvement))
        for r, (label, improvement, of_mixture) in enumerate(zip(labels, sdri, mixture_sdr, strict=True))
    )
    value = sum(pair.sdri for pair in pairs) / len(pairs) if pairs else None
    return SceneScore(value, pairs, len(pairs))
