"""Score what inference has left against a data directory's references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from s5lib.data import DataDirectory
from s5lib.errors import DataError
from s5lib.metrics import SceneScore, ca_pi_sdri, pi_sdri
from s5lib.scenes.audio import read_audio
from s5lib.systems.outputs import read_sources

__all__ = ["RecordingScores", "score_recordings"]


@dataclass(frozen=True)
class RecordingScores:
    """The scores of one recording: of the system, and of two that do nothing."""

    id: str
    predicted: SceneScore | None
    """CA-PI-SDRi with predicted labels; None: there is no such output"""
    oracle: SceneScore | None
    """PI-SDRi with oracle labels"""
    mixture: SceneScore
    """the mixture as every estimate, with oracle labels: 0 dB by definition"""
    silence: SceneScore
    """silence as every estimate, with oracle labels"""


def score_recordings(data_dir: Path, infer_dir: Path) -> Iterator[RecordingScores]:
    """Yield the scores of a data directory's recordings, from ``infer_dir/predicted`` and ``infer_dir/oracle``.

    Raises:
        DataError: there are no references, no output, or a file is missing or does not fit its reference.
    """
    data = DataDirectory.read(data_dir)
    kinds = [kind for kind in ("predicted", "oracle") if (infer_dir / kind).is_dir()]
    if not kinds:
        raise DataError(f"{infer_dir} has neither predicted/ nor oracle/: run the inference stage first (run.sh --stage 4).")
    for recording in tqdm(data, unit="recording", disable=None):
        if recording.labels is None or len(recording.labels) != len(recording.sources):
            raise DataError(f"{data_dir}: {recording.id} has no references (labels and src1.scp, ...): nothing to score with.")
        mixture = read_audio(recording.mixture)[0][0]
        references = np.zeros((len(recording.sources), len(mixture)), np.float32)
        for row, path in zip(references, recording.sources, strict=True):
            source = read_audio(path)[0][0]
            if source.shape != row.shape:
                raise DataError(f"{path} has {len(source)} samples, its mixture {recording.mixture} has {len(row)}.")
            row[:] = source
        labels = list(recording.labels)
        scores = {}
        for kind in kinds:
            found, estimates = read_sources(infer_dir / kind, recording.id, len(mixture))
            score = ca_pi_sdri if kind == "predicted" else pi_sdri
            scores[kind] = score(estimates, found, references, labels, mixture)
        yield RecordingScores(
            recording.id,
            scores.get("predicted"),
            scores.get("oracle"),
            pi_sdri(np.broadcast_to(mixture, references.shape), labels, references, labels, mixture),
            pi_sdri(np.zeros_like(references), labels, references, labels, mixture),
        )
