"""The numbers of the guide are those that the metric gives."""

import doctest
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "doc" / "metric.md"


def test_examples():
    failed, attempted = doctest.testfile(str(GUIDE), module_relative=False)
    assert attempted > 20 and not failed
