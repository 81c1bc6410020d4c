"""Self-contained HTML pages: one experiment, or several side by side; or recordings that were separated."""

from s5lib.report.build import write_report
from s5lib.report.separated import is_separated, write_separated

__all__ = ["is_separated", "write_report", "write_separated"]
