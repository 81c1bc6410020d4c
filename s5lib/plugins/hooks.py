"""The hooks that a plugin may implement, as functions of these names in its module.  All return a list of specs.

A plugin needs no decorator: every function named ``s5lib_*`` counts as a hook, so that misspelt ones are reported
instead of ignored.
"""

from __future__ import annotations

import inspect

import pluggy

from s5lib.plugins.spec import ComponentSpec

__all__ = ["HookManager"]

_hookspec = pluggy.HookspecMarker("s5lib")


class _Specifications:
    @_hookspec
    def s5lib_taggers(self) -> list[ComponentSpec]:
        """List taggers."""
        raise NotImplementedError

    @_hookspec
    def s5lib_separators(self) -> list[ComponentSpec]:
        """List label-queried separators."""
        raise NotImplementedError

    @_hookspec
    def s5lib_joint_models(self) -> list[ComponentSpec]:
        """List models that predict labels and sources together."""
        raise NotImplementedError

    @_hookspec
    def s5lib_aligners(self) -> list[ComponentSpec]:
        """List aligners, which serve losses and metrics."""
        raise NotImplementedError


class HookManager(pluggy.PluginManager):
    """pluggy's manager with s5lib's hooks."""

    def __init__(self):
        super().__init__("s5lib")
        self.add_hookspecs(_Specifications)

    def parse_hookimpl_opts(self, plugin, name):
        """Take functions named ``s5lib_*`` as hook implementations, decorated or not."""
        options = super().parse_hookimpl_opts(plugin, name)
        if options is None and name.startswith("s5lib_") and inspect.isfunction(getattr(plugin, name, None)):
            return {}
        return options
