"""Finds components by kind and name among built-ins, installed plugins and those named by the user.

Installed plugins are imported only when needed: none for a built-in's name, those called acme for ``acme/bsrnn``, and
all for a listing or for a bare name that no built-in has.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import sys
from collections import Counter
from pathlib import Path

from s5lib.errors import PluginError, nearest
from s5lib.plugins.component import Component
from s5lib.plugins.loading import Plugin
from s5lib.plugins.spec import KINDS
from s5lib.version import __version__

__all__ = ["DISABLE_AUTOLOAD", "ENTRY_POINT_GROUP", "PLUGINS_VARIABLE", "Registry"]

ENTRY_POINT_GROUP = "s5lib"
PLUGINS_VARIABLE = "S5LIB_PLUGINS"
"""Names plugins for this process and its children, separated as in PATH; :func:`register_plugin` adds to it."""
DISABLE_AUTOLOAD = "S5LIB_DISABLE_PLUGIN_AUTOLOAD"
"""If set and not 0, installed plugins are ignored, except those named explicitly."""
_STEM = re.compile(r"[^\W\d][\w-]*")  # as a reference to what a file defines needs it, see ComponentSpec


class Registry:
    """The plugins of one process.  The functions of :mod:`s5lib.plugins` share one; tests make their own."""

    def __init__(self):
        self._installed = {plugin.source: plugin for plugin in _installed_plugins()}
        self._plugins = [Plugin("s5lib", "s5lib.plugins.builtin", "s5lib", __version__)]
        for source in filter(None, os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep)):
            self._add(self._named(source))
        if os.environ.get(DISABLE_AUTOLOAD, "0") in ("", "0"):
            for plugin in self._installed.values():
                self._add(plugin)

    def register(self, source: str) -> Plugin:
        """Load the plugin ``source``, a module's name or a ``.py`` file, and make child processes load it, too.

        Raises:
            PluginError: it does not load; the message has the file or module and the cause.
        """
        plugin = self._named(source).load()
        if plugin.error:
            raise PluginError(f"--plugin {source} ({plugin.origin}): {plugin.error}.")
        self._add(plugin)
        inherited = os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep)
        if plugin.source not in inherited:
            os.environ[PLUGINS_VARIABLE] = os.pathsep.join(filter(None, [*inherited, plugin.source]))
        return plugin

    def _add(self, plugin: Plugin) -> None:
        if plugin.source not in [other.source for other in self._plugins]:
            self._plugins.append(plugin)

    def _named(self, source: str) -> Plugin:
        """Return the plugin of a module's name or a file's path; an installed one keeps its name and version."""
        plugin = self._installed.get(source) or _named_plugin(source)
        return next((other for other in self._plugins if other.source == plugin.source), plugin)

    def plugins(self) -> list[Plugin]:
        """Load and return all plugins, the broken ones with their :attr:`~Plugin.error`."""
        return [plugin.load() for plugin in self._plugins]

    def components(self, kind: str) -> list[Component]:
        """Return all components of a kind, the built-ins first."""
        _check_kind(kind)
        return [component for plugin in self.plugins() for component in plugin.components if component.kind == kind]

    def available(self, kind: str) -> list[str]:
        """Return the names of a kind as a user can write them: bare where that is enough, else ``namespace/name``."""
        components = self.components(kind)
        count = Counter(component.spec.name for component in components)
        return sorted(
            {c.spec.name if count[c.spec.name] == 1 or c.namespace == "s5lib" else c.full_name for c in components}
        )

    def find(self, kind: str, name: str, distribution: str = "", version: str = "") -> Component:
        """Return the component called ``name`` or ``namespace/name``.

        Args:
            kind: one of :data:`KINDS`.
            name: as the user wrote it; a bare name may be left unqualified as long as one plugin has it, and means
                the built-in where there is one.
            distribution: the package that the component has to come from, as a checkpoint records it.
            version: the version recorded with it, for the message.

        Raises:
            PluginError: no such kind or component, several of that name, or a plugin that did not load.
        """
        _check_kind(kind)
        namespace, _, bare = str(name).rpartition("/")
        asked = [plugin for plugin in self._plugins if _matches(plugin, namespace, distribution)]
        if not namespace:  # a built-in is found without importing any plugin
            builtin = [component for component in _search(asked[:1], kind, bare) if component.namespace == "s5lib"]
            if builtin:
                return builtin[0]
        found = _search(asked, kind, bare)
        if len(found) == 1:
            return found[0]
        if found:
            full = ", ".join(f"{component.full_name} ({component.origin})" for component in found)
            raise PluginError(f"Several plugins have a {kind} {bare!r}; choose one: {full}.")
        raise PluginError(self._unknown(kind, name, asked, distribution, version))

    def _unknown(self, kind, name, asked, distribution, version) -> str:
        broken = [plugin for plugin in asked if plugin.error]
        named = bool(distribution) or "/" in name
        if broken and named:
            return f"{kind} {name}: " + "; ".join(f"{p.origin} did not load: {p.error}" for p in broken)
        if distribution and distribution != "s5lib":
            origin = f"{distribution} {version}".strip()
            if any(_matches(plugin, "", distribution) for plugin in self._installed.values()) and not asked:
                return f"{kind} {name} comes from {origin}, which {DISABLE_AUTOLOAD} leaves out: unset it."
            # Whoever wrote the checkpoint chose this name: it is no advice on what to install or to run.
            if not version:  # of a file, or a module that is not installed
                return (
                    f"{kind} {name} comes from the plugin {origin}, which is not loaded or does not offer it. If you "
                    "have it and trust it: --plugin FILE (or MODULE). Otherwise ask the checkpoint's author for it."
                )
            return (
                f"{kind} {name} comes from {origin}, which is not installed here or does not offer it. Ask the "
                "checkpoint's author where to get it, and decide whether to trust it."
            )
        message = f"No {kind} {name!r}. {nearest(name, self.available(kind))}"
        if not distribution:
            message += " A component of your own needs its plugin: --plugin FILE."
        if broken:
            causes = "; ".join(f"{plugin.origin} ({plugin.error})" for plugin in broken)
            message += f" These plugins did not load and may have it: {causes}."
        return message


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise PluginError(f"unknown kind of component {kind!r}. {nearest(kind, KINDS)}")


def _matches(plugin: Plugin, namespace: str, distribution: str) -> bool:
    if distribution and _normal(distribution) != _normal(plugin.distribution):
        return False
    return not namespace or _normal(namespace) in (_normal(plugin.namespace), _normal(plugin.distribution))


def _search(plugins: list[Plugin], kind: str, name: str) -> list[Component]:
    components = [component for plugin in plugins for component in plugin.load().components]
    return [component for component in components if component.kind == kind and component.spec.name == name]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()  # as packages are named: acme_bsrnn is acme-bsrnn


def _installed_plugins() -> list[Plugin]:
    plugins = []
    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        distribution = entry.dist.name if entry.dist else entry.module
        version = entry.dist.version if entry.dist else ""
        plugins.append(Plugin(entry.name, entry.value, distribution, version, entry.load, is_installed=True))
    return sorted(plugins, key=lambda plugin: (_normal(plugin.distribution), plugin.namespace))


def _named_plugin(source: str) -> Plugin:
    """Describe the plugin of a module's name or a file's path, without importing it."""
    if not source.endswith(".py") and os.sep not in source:
        top = source.partition(".")[0]
        try:
            distribution = importlib.metadata.distribution(top)
            return Plugin(top, source, distribution.name, distribution.version)
        except (importlib.metadata.PackageNotFoundError, ValueError):  # ValueError: there is no name before the dot
            if all(part.isidentifier() for part in source.split(".")):
                return Plugin(top, source, source)
            return Plugin(source, source, source, importer=lambda: _refuse(source))
    path = Path(os.path.expanduser(source)).resolve()
    return Plugin(path.stem, str(path), path.name, importer=lambda: _import_file(path))


def _refuse(source: str) -> None:
    raise ValueError(f"{source!r} is neither a .py file nor the name of a module")


def _import_file(path: Path):
    """Import a file as the module of its stem, whose folder goes to the end of sys.path.

    Child processes get sys.path from their parent, so that they can unpickle what the file defines.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give a .py file or the name of a module")
    if path.suffix != ".py" or os.pathsep in str(path) or "." in path.stem:
        raise ValueError(f"{path} must be a .py file, with no '{os.pathsep}' in its path and no '.' in its stem")
    if not _STEM.fullmatch(path.stem):
        better = re.sub(r"\W", "_", re.sub(r"^(?=\d)", "_", path.stem))
        raise ValueError(f"the stem of {path.name} must be a Python identifier; rename it to {better}.py")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    importlib.invalidate_caches()
    module = importlib.import_module(path.stem)
    if Path(getattr(module, "__file__", None) or "").resolve() != path:
        raise ValueError(f"{path.stem!r} is already the name of the module {module.__name__}; rename {path}")
    return module
