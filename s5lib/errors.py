"""User-fixable errors, one actionable message each: what is wrong, where, the value, what is expected, the next step.

Commands print the message alone and exit with status 1; from Python they are ordinary exceptions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["CheckpointError", "ConfigError", "DataError", "Interrupted", "PluginError", "S5Error", "nearest"]


class S5Error(ValueError):
    """Base of all errors that s5lib raises on purpose."""


class DataError(S5Error):
    """A recording, a corpus or a data directory is not what it must be."""


class ConfigError(S5Error):
    """An option has a value that it cannot have."""


class PluginError(S5Error):
    """A component is unknown, did not load or does not keep its contract."""


class CheckpointError(S5Error):
    """A checkpoint is unreadable, unsafe or belongs to another model."""


class Interrupted(SystemExit):
    """A signal has ended a command, whose state is saved; the process's exit status."""


_MOST_LISTED = 20


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return a sentence with the choices and, where one is close to ``name``, a suggestion.

    >>> nearest("ca-pi", ["ca", "ca_pi", "pi"])
    "Known: ca, ca_pi, pi. Did you mean 'ca_pi'?"
    >>> nearest("x", [])
    'There are none.'
    >>> nearest("x", [f"file_{n}" for n in range(400)])[-30:]
    'file_18, file_19 and 380 more.'
    """
    choices = [str(choice) for choice in choices]
    if not choices:
        return "There are none."
    folded = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(name)[:200].lower(), folded, n=1, cutoff=0.5)
    hint = f" Did you mean {folded[close[0]]!r}?" if close else ""
    more = f" and {len(choices) - _MOST_LISTED} more" if len(choices) > _MOST_LISTED else ""
    return f"Known: {', '.join(choices[:_MOST_LISTED])}{more}.{hint}"
