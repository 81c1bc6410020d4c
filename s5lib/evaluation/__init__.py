"""What a system's output is worth: scores of recordings, sums with confidence intervals, comparisons."""

from s5lib.evaluation.aggregate import Estimate, GroupScore, aggregate, scene_set

__all__ = ["Estimate", "GroupScore", "aggregate", "scene_set"]
