"""Components by kind and name: taggers, separators, joint models and aligners, built in or of a third party.

>>> "ca_pi" in available("aligner")
True

Kinds are ``tagger``, ``separator``, ``joint_model`` and ``aligner``.  Listing and configuring import no torch;
creating imports the component.  :doc:`/plugins` shows how to write one.
"""

from __future__ import annotations

from typing import Any

from s5lib.plugins.component import Component, check_capabilities
from s5lib.plugins.loading import Plugin
from s5lib.plugins.registry import Registry
from s5lib.plugins.spec import KINDS, Capabilities, ComponentSpec

__all__ = [
    "KINDS",
    "Capabilities",
    "Component",
    "ComponentSpec",
    "Plugin",
    "available",
    "check_capabilities",
    "create",
    "find",
    "plugins",
    "register_plugin",
]

_registry: Registry | None = None


def _shared() -> Registry:
    global _registry
    if _registry is None:
        _registry = Registry()
    return _registry


def available(kind: str) -> list[str]:
    """Return the names of all components of ``kind``, as they can be given to :func:`create`.

    Raises:
        PluginError: there is no such kind.
    """
    return _shared().available(kind)


def find(kind: str, name: str, *, distribution: str = "", version: str = "") -> Component:
    """Return the component ``name`` or ``namespace/name``: what it declares, its distribution and version.

    ``distribution`` and ``version`` are those that a checkpoint records; the component then has to come from there.

    Raises:
        PluginError: unknown, ambiguous, not installed or broken; the message says which and what to do.
    """
    return _shared().find(kind, name, distribution, version)


def create(kind: str, name: str, **config: Any) -> Any:
    """Return a new component, built from its options.

    Values may be as YAML or a command line gives them (``"1e-3"``, ``"32,64"``); they are converted to the types that
    the component declares.

    >>> type(create("aligner", "ca_pi")).__name__
    'ClassAwarePermutationInvariant'

    Raises:
        PluginError: the component is unknown or does not load.
        ConfigError: an option is unknown or has a wrong value, or the sizes are beyond its capabilities.
    """
    return find(kind, name).create(**config)


def register_plugin(source: str) -> Plugin:
    """Load a plugin by the name of its module or the path of its ``.py`` file, also for processes started from here.

    Raises:
        PluginError: it does not load; the message has the cause.
    """
    return _shared().register(source)


def plugins() -> list[Plugin]:
    """Load and return all plugins; a broken one has its cause in ``error``."""
    return _shared().plugins()
