"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["table"]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> str:
    """Return a table, of which the first ``names`` columns are text and the others numbers.

    Text that comes from elsewhere, such as a label, has to be passed through :func:`s5lib.untrusted.as_markdown`.
    """
    rule = f"|{'---|' * names}{'--:|' * (len(header) - names)}"
    return "\n".join([_row(header), rule, *map(_row, rows)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
