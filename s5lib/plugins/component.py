"""A component found in a plugin: its declaration, its origin, and how it is configured and built."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s5lib.config.options import Option, fill, options_of
from s5lib.errors import ConfigError, PluginError, S5Error
from s5lib.interfaces import ModelConfig
from s5lib.plugins.shape_check import guard
from s5lib.plugins.spec import ComponentSpec
from s5lib.provenance import Stamps

__all__ = ["Component", "check_capabilities"]

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

    def code_digest(self) -> str:
        """Return the SHA-256 of the source of the module or package that it is in; empty for a built-in.

        A version does not tell the states of a file, nor of a package installed in editable mode.

        Raises:
            PluginError: see :meth:`load`.
        """
        if self.namespace == "s5lib":
            return ""
        self.load()
        module = sys.modules[self.spec.target.partition(":")[0].partition(".")[0]]
        places = [Path(folder) for folder in getattr(module, "__path__", ())] or [Path(str(module.__file__))]
        files = [file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])]
        return Stamps().digest(files, places[0].parent)

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

    def complete(self, **options: Any) -> dict[str, Any]:
        """Return ``options`` converted to their types, after the defaults of those that are left out.

        Raises:
            ConfigError: an unknown option, a missing one, or a value of another type.
            PluginError: the config dataclass does not load.
        """
        known = self.options()
        return {**{option.name: option.default for option in known}, **fill(options, known, str(self))}

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
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit included
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
        except (S5Error, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit included
            cause = str(error).partition("\n")[0]  # torch adds a trace of its own
            raise PluginError(f"{self} could not be built: {type(error).__name__}: {cause}") from error
        if self.kind != "aligner":
            guard(made, str(self), self.kind, config, is_built_in=self.namespace == "s5lib")
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


def check_capabilities(
    kind: str,
    component: Component,
    num_sources: int | None = None,
    num_channels: int | None = None,
    sample_rate: int | None = None,
    duplicate_labels: bool = False,
) -> None:
    """Compare a task's sizes with what ``component`` declares; a size of None is not compared.

    Args:
        kind: the kind of component, for the message.
        component: as :func:`s5lib.plugins.find` returns it.
        num_sources: K, the number of slots.
        num_channels: M, the channels of the mixture.
        sample_rate: in Hz.
        duplicate_labels: whether several sources of one class have to be distinguished.

    Raises:
        ConfigError: the component does not support a size.
    """
    can = component.spec.capabilities
    who = f"{kind} {component.spec.name if component.namespace == 's5lib' else component.full_name}"
    if num_sources is not None and can.max_sources is not None and num_sources > can.max_sources:
        raise ConfigError(
            f"{who} supports at most {can.max_sources} source{'s' * (can.max_sources > 1)}, not {num_sources}."
        )
    if num_channels is not None and can.channels is not None and num_channels not in can.channels:
        raise ConfigError(f"{who} takes {_either(can.channels)} channels, the recipe has {num_channels}.")
    if sample_rate is not None and can.sample_rates is not None and sample_rate not in can.sample_rates:
        raise ConfigError(f"{who} works at {_either(can.sample_rates)} Hz, the recipe has {sample_rate} Hz.")
    if duplicate_labels and not can.duplicate_labels:
        raise ConfigError(
            f"{who} does not separate sources of one class, but the recipe has scenes with several. "
            "Choose another one, or leave such scenes out."
        )


def _either(values) -> str:
    return " or ".join(map(str, values))
