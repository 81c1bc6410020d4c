"""Loads plugins in isolation: whatever is wrong with one ends up in its record, never in an exception."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from s5lib.errors import nearest
from s5lib.plugins.component import Component
from s5lib.plugins.hooks import HookManager
from s5lib.plugins.spec import KINDS, ComponentSpec

__all__ = ["Plugin"]

SLOW_SECONDS = 1.0

_log = logging.getLogger("s5lib.plugins")


@dataclass
class Plugin:
    """One plugin: its origin and, once loaded, its components or why it does not load."""

    namespace: str
    source: str
    """The module (``package.module``) or the path of the file."""
    distribution: str
    version: str = ""
    importer: Callable[[], Any] | None = None
    """How to import it, where that is not the plain import of ``source``."""
    components: tuple[Component, ...] = ()
    error: str = ""
    """Why it did not load, in one line; empty otherwise."""
    traceback: str = ""
    """The traceback of what went wrong, for ``s5lib doctor``."""
    seconds: float = 0.0
    """How long it took to load."""
    is_installed: bool = False
    """Whether it comes from an entry point, so that listing components imports it without being asked to."""
    loaded: bool = field(default=False, repr=False)

    @property
    def origin(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}".strip()

    def load(self) -> Plugin:
        """Import the plugin and call its hooks, once; failures are kept in :attr:`error` and logged in one line."""
        if self.loaded:
            return self
        self.loaded, start = True, time.perf_counter()
        try:
            with contextlib.redirect_stdout(sys.stderr):  # what a plugin prints must not get into a command's output
                importer = self.importer or (lambda: importlib.import_module(self.source))
                self.components = tuple(self._components(importer()))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit included
            self.error, self.traceback = _in_one_line(error), "".join(traceback.format_exception(error))
            _log.warning("plugin %s did not load: %s ('s5lib doctor' shows all)", self.origin, self.error)
        self.seconds = time.perf_counter() - start
        if self.seconds > SLOW_SECONDS and not self.error and self.is_installed:
            _log.warning(
                "plugin %s took %.1f s to load: its module should name its models, not import them",
                self.origin,
                self.seconds,
            )
        return self

    def _components(self, module: Any) -> list[Component]:
        if self.namespace == "s5lib" and self.source != "s5lib.plugins.builtin":
            raise ValueError("the name s5lib is reserved for built-in components; rename the entry point")
        manager = HookManager()  # one per plugin: pluggy then calls and checks this one's hooks alone
        manager.register(module, name=self.namespace)
        callers = manager.get_hookcallers(module) or []
        for caller in callers:
            if not caller.has_spec():
                raise ValueError(f"it has a hook {caller.name!r}. {nearest(caller.name, KINDS.values())}")
        if not callers:
            raise ValueError(f"it has none of the hooks {', '.join(KINDS.values())}")
        found: dict[tuple[str, str], Component] = {}
        for kind, hook in KINDS.items():
            for specs in getattr(manager.hook, hook)():
                for spec in _checked_list(hook, specs):
                    if (kind, spec.name) in found:
                        raise ValueError(f"it lists the {kind} {spec.name!r} twice")
                    found[kind, spec.name] = Component(kind, spec, self.namespace, self.distribution, self.version)
        return list(found.values())


def _checked_list(hook: str, specs: Any) -> list[ComponentSpec]:
    if not isinstance(specs, (list, tuple)) or not all(isinstance(spec, ComponentSpec) for spec in specs):
        raise ValueError(f"its {hook} returned {specs!r}, expected a list of ComponentSpec")
    return list(specs)


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{name}: {text}: install the package {error.name.partition('.')[0]!r}"
    if isinstance(error, TypeError) and "unexpected keyword argument" in text and "ComponentSpec" in text:
        return f"{name}: {text}: it may need a newer s5lib"
    return f"{name}: {text}" if text else name
