"""The report: an experiment, or several side by side, as one HTML page that needs nothing but itself."""

from s5lib.report.build import write_report

__all__ = ["write_report"]
