"""The challenge's submission package: build one, check any."""

from s5lib.submission.build import build_package
from s5lib.submission.check import check_package
from s5lib.submission.rules import Rules, Violation

__all__ = ["Rules", "Violation", "build_package", "check_package"]
