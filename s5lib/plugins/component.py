"""A component as found in a plugin: what it says of itself, where it comes from, and how it is configured and built."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from typing import Any

from s5lib.config.options import Option, fill, options_of
from s5lib.errors import ConfigError, PluginError, S5Error
from s5lib.interfaces import ModelConfig
from s5lib.plugins.capabilities import check_capabilities
from s5lib.plugins.shape_check import ShapeGuard
from s5lib.plugins.spec import ComponentSpec

__all__ = ["Component"]

INTERFACES = {"tagger": "Tagger", "separator": "Separator", "joint_model": "JointModel", "aligner": "Aligner"}


@dataclass(frozen=True)
class Component:
    """A component of a plugin that loaded."""

    kind: str
    spec: ComponentSpec
    namespace: str
    """The plugin's entry-point name, or the module or file stem given to ``--plugin``; ``s5lib`` for the built-ins."""
    distribution: str
    """The installed package that it came from, or the file's name."""
    version: str
    """The version of that package; empty for a file."""

    @property
    def full_name(self) -> str:
        """``namespace/name``, which is unique."""
        return f"{self.namespace}/{self.spec.name}"

    @property
    def origin(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}".strip()

    def __str__(self) -> str:
        if self.namespace == "s5lib":
            return f"{self.kind} {self.spec.name}"
        return f"{self.kind} {self.full_name} ({self.origin})"

    def config_class(self) -> type | None:
        """Return the dataclass of the options; None for an aligner that has none.  Imports no torch.

        Raises:
            PluginError: it cannot be imported, or is not a dataclass of the right base.
        """
        config = self.spec.config
        if config is None:
            return None if self.kind == "aligner" else ModelConfig
        found = self._import(config) if isinstance(config, str) else config
        if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
            raise PluginError(f"{self}: its config {config} is not a dataclass.")
        if self.kind != "aligner" and not issubclass(found, ModelConfig):
            raise PluginError(f"{self}: its config {config} does not inherit from s5lib.interfaces.ModelConfig.")
        return found

    def options(self) -> list[Option]:
        """Return the options that :meth:`create` takes.

        Raises:
            PluginError: the config dataclass, or the aligner that has none, cannot be imported.
        """
        return options_of(self.config_class() or self.load())

    def configure(self, **options: Any) -> Any:
        """Return an instance of the config dataclass with ``options`` converted to its types and checked.

        Nothing heavy is imported, so that a wrong option is found before data or weights are loaded.  An aligner
        without a dataclass gives a plain dict.

        Raises:
            ConfigError: an unknown option, a value of another type, a value that the dataclass refuses, or sizes
                beyond the declared capabilities.
            PluginError: the config dataclass does not load.
        """
        config_class = self.config_class()
        values = fill(options, self.options(), str(self))
        if config_class is None:
            return values
        try:
            config = config_class(**values)
        except Exception as error:
            raise ConfigError(f"{self}: {error}") from error
        if isinstance(config, ModelConfig):
            check_capabilities(self.kind, self, config.num_sources, config.num_channels, sample_rate=config.sample_rate)
        return config

    def load(self) -> type:
        """Import and return the class.

        Raises:
            PluginError: the import fails, or the class is not of the kind that it is listed as.
        """
        found = self._import(self.spec.target)
        interface = getattr(importlib.import_module("s5lib.interfaces"), INTERFACES[self.kind])
        if not (isinstance(found, type) and issubclass(found, interface)):
            raise PluginError(
                f"{self}: {self.spec.target} does not inherit from s5lib.interfaces.{INTERFACES[self.kind]}."
            )
        return found

    def create(self, **options: Any) -> Any:
        """Return a new instance: a model built from its config, or an aligner built from its keywords.

        Raises:
            ConfigError: see :meth:`configure`.
            PluginError: the class does not load, or building it fails.
        """
        config = self.configure(**options)
        target = self.load()
        try:
            if self.kind != "aligner":
                made = target(config)
            elif isinstance(config, dict):
                made = target(**config)
            else:
                made = target(**{f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.init})
        except S5Error:
            raise
        except Exception as error:
            raise PluginError(f"{self} could not be built: {type(error).__name__}: {error}") from error
        if self.kind != "aligner":
            made.register_forward_hook(ShapeGuard(str(self), self.kind, config), with_kwargs=True)
        return made

    def _import(self, reference: str) -> Any:
        module, _, name = reference.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit included: a plugin must not end the run
            hint = ""
            if isinstance(error, ModuleNotFoundError) and error.name and not module.startswith(error.name):
                hint = f" It needs the package {error.name.partition('.')[0]!r}, which is not installed here."
            raise PluginError(f"{self}: cannot import {reference}: {type(error).__name__}: {error}.{hint}") from error
