"""The report: one experiment, or several side by side, as a single self-contained HTML page."""

from s5lib.report.build import write_report

__all__ = ["write_report"]
