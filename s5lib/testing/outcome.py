"""Results of checks: passed, skipped with a reason, or failed with a message."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from s5lib.errors import S5Error

__all__ = ["ConformanceError", "Report", "Skipped", "require", "run_checks"]


class Skipped(Exception):
    """Raised by a check that does not apply; the message is the reason."""


class ConformanceError(AssertionError):
    """A component breaks its contract; the message lists every failed check."""


def require(holds: bool, message: str) -> None:
    """Fail a check unless ``holds``; as ``assert``, but also under ``python -O``."""
    if not holds:
        raise ConformanceError(message)


@dataclass(frozen=True)
class Report:
    """The checks of one component."""

    component: str
    passed: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    """Names with reasons."""
    failed: tuple[tuple[str, str], ...]
    """Names with messages."""

    def __str__(self) -> str:
        counts = f"{len(self.passed)} checks passed, {len(self.skipped)} skipped, {len(self.failed)} failed"
        lines = [f"{self.component}: {counts}"]
        lines += [f"  failed  {name}: {message}" for name, message in self.failed]
        lines += [f"  skipped {name}: {reason}" for name, reason in self.skipped]
        return "\n".join(lines)


def run_checks(component: str, checks: Iterable[tuple[str, Callable[[], None]]]) -> Report:
    """Run all checks, also after one has failed.

    Raises:
        ConformanceError: any failed; the message is the whole report.
    """
    passed, skipped, failed = [], [], []
    for name, check in checks:
        try:
            check()
            passed.append(name)
        except Skipped as reason:
            skipped.append((name, str(reason)))
        except (ConformanceError, S5Error) as error:
            failed.append((name, str(error)))
        except Exception as error:
            failed.append((name, f"{type(error).__name__}: {error} {_place(error)}"))
    report = Report(component, tuple(passed), tuple(skipped), tuple(failed))
    if failed:
        raise ConformanceError(str(report))
    return report


def _place(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"({last.filename}:{last.lineno})"
