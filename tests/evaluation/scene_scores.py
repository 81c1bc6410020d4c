"""Scores made by hand, for tests of what is done with them."""

import json

from s5lib.evaluation import RecordingScores
from s5lib.metrics import FalsePrediction, Pair, SceneScore


def scene(labels, sdri=None, false=()):
    """Return the score of a scene: the SDRi of each source, None for one that was missed; ``false``: positives."""
    sdri = [0.0] * len(labels) if sdri is None else sdri
    found = [(i, value) for i, value in enumerate(sdri) if value is not None]
    pairs = tuple(Pair(i, e, labels[i], labels[i], value + 0.5, value) for e, (i, value) in enumerate(found))
    missed = tuple(FalsePrediction(i, labels[i]) for i, value in enumerate(sdri) if value is None)
    wrong = tuple(FalsePrediction(len(pairs) + i, label) for i, label in enumerate(false))
    count = len(pairs) + len(missed) + len(wrong)
    value = sum(pair.sdri for pair in pairs) / count if count else None
    return SceneScore(value, pairs, len(pairs), len(missed), len(wrong), missed, wrong)


def recording(name, labels, predicted=None, oracle=None, **more):
    """Return a recording's scores from the SDRi of each source, see :func:`scene`."""
    scores = {
        key: scene(labels, sdri) for key, sdri in (("predicted", predicted), ("oracle", oracle)) if sdri is not None
    }
    return RecordingScores(name, scene(labels), scene(labels), **{**scores, **more})


def write(path, recordings):
    """Write a ``RESULTS.jsonl``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(scores.as_dict())}\n" for scores in recordings))
    return path
