"""Names that a package exports but imports only when they are used (PEP 562).

A package lists them once, as imports for type checkers, so that editors, mypy and import-linter see them too::

    if TYPE_CHECKING:
        from s5lib.models.checkpoint import load_model
    else:
        __getattr__, __dir__ = lazy_names(__name__)
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["lazy_names", "lazy_table"]


def lazy_names(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of ``package``, for use in its ``__init__.py``."""
    module = sys.modules[package]

    @functools.cache
    def table() -> dict[str, str]:
        return lazy_table(inspect.getsource(module))

    def __getattr__(name: str) -> Any:
        if name.startswith("__") or name not in table():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if table()[name] == package:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(table()[name]), name)
        setattr(module, name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(module), *table()})

    return __getattr__, __dir__


def lazy_table(source: str) -> dict[str, str]:
    """Return which module each name comes from that ``source`` imports under ``if TYPE_CHECKING:``.

    A sub-module comes from its package.

    >>> lazy_table("if TYPE_CHECKING:\\n    from a import b\\n    from a.c import d, e")
    {'b': 'a', 'd': 'a.c', 'e': 'a.c'}
    """
    return {
        alias.name: statement.module
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }
