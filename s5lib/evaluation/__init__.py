"""What a system's output is worth: scores of recordings, means with confidence intervals, comparisons.

From files to figures::

    estimate_files, waveforms -> scoring -> recording_scores <-> results -> figures -> tables, comparisons, the report

What reads audio is imported when it is asked for; all else needs numpy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s5lib.evaluation.aggregate import GroupScore, aggregate, scene_set
from s5lib.evaluation.bootstrap import Estimate
from s5lib.evaluation.figures import FIGURES, Figure, Summary
from s5lib.evaluation.paired_tests import PairedComparison, compare, difference_of_means, sign_flip_test
from s5lib.evaluation.recording_scores import MetricOptions, RecordingScores
from s5lib.evaluation.results import read_results, results_table, write_results
from s5lib.evaluation.runs import compare_runs, read_runs
from s5lib.evaluation.significance_text import comparison_text
from s5lib.lazy import lazy_names

__all__ = [
    "FIGURES",
    "Estimate",
    "Figure",
    "GroupScore",
    "MetricOptions",
    "PairedComparison",
    "RecordingScores",
    "Summary",
    "aggregate",
    "compare",
    "compare_runs",
    "comparison_text",
    "difference_of_means",
    "list_outputs",
    "read_results",
    "read_runs",
    "results_table",
    "scene_set",
    "score_listed",
    "score_recordings",
    "sign_flip_test",
    "write_results",
]

if TYPE_CHECKING:
    from s5lib.evaluation.scoring import list_outputs, score_listed, score_recordings
else:
    __getattr__, __dir__ = lazy_names(__name__)
