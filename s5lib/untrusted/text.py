"""Foreign text on a terminal, in an error message and in a Markdown table."""

from __future__ import annotations

import os
import re
import reprlib
import traceback
from typing import Any

__all__ = ["as_markdown", "failure", "printable", "reason", "shown"]

# C0 and C1 controls, which terminals obey; marks that change the direction of text; halves of characters.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 3


def printable(text: str, keep: str = "\n\t") -> str:
    r"""Return ``text`` with whatever a terminal would obey written as an escape, except ``keep``.

    >>> printable("Dog\x1b[2J"), printable("a\nb", keep="")
    ('Dog\\x1b[2J', 'a\\nb')
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


def shown(value: Any) -> str:
    """Return a value as an error message shows it: like ``repr``, in one short line whatever the value is.

    >>> shown("Dog"), len(shown("x" * 10**6)) < 100
    ("'Dog'", True)
    """
    try:
        text = _SHORT.repr(value)
    except Exception:  # a foreign object's own repr, or an integer of thousands of digits
        text = f"a {type(value).__name__}"
    return printable(text, keep="")


def reason(error: BaseException) -> str:
    """Return what a library says of foreign bytes, in one short line; the error's type where it says nothing.

    >>> reason(ValueError("bad magic number")), reason(EOFError())
    ('bad magic number', 'EOFError')
    """
    return shown(str(error))[1:-1] or type(error).__name__


def failure(error: BaseException) -> str:
    """Return an error of foreign code in one line: its type, what it says, and the file and line that raised it.

    >>> failure(ValueError("no gain"))
    'ValueError: no gain'
    """
    said = shown(str(error))[1:-1] if str(error) else ""
    frames = traceback.extract_tb(error.__traceback__)
    place = (
        f" ({printable(os.path.basename(frames[-1].filename), keep='')}, line {frames[-1].lineno})" if frames else ""
    )
    return f"{type(error).__name__}{': ' * bool(said)}{said}{place}"


def as_markdown(text: str) -> str:
    r"""Return foreign text, such as a label, as the cell of a Markdown table that shows it literally.

    >>> as_markdown("Dog|<b>Cat</b>")
    'Dog\\|&lt;b&gt;Cat&lt;/b&gt;'
    """
    text = printable(text, keep="").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|])", r"\\\1", text)
