"""A plugin's declaration of a component: plain strings and numbers, so that listing imports neither model nor torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["API_VERSION", "KINDS", "Capabilities", "ComponentSpec"]

API_VERSION = 1
"""The version of the contract between s5lib and its plugins; it grows when a plugin would have to change."""

KINDS = {
    "tagger": "s5lib_taggers",
    "separator": "s5lib_separators",
    "joint_model": "s5lib_joint_models",
    "aligner": "s5lib_aligners",
}
"""The kinds of component, and the hook that lists each."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REFERENCE = re.compile(r"[^\W\d][\w.-]*:[^\W\d]\w*")  # package.module:Class


@dataclass(frozen=True)
class Capabilities:
    """What a component supports; ``None`` is "any".  Checked before weights or data are loaded."""

    max_sources: int | None = None
    """The most slots K that the component can be built with."""
    channels: tuple[int, ...] | None = None
    """The numbers of channels M that it accepts."""
    duplicate_labels: bool = True
    """Whether several sources of one class are distinguished."""
    sample_rates: tuple[int, ...] | None = None
    """The sampling rates that it accepts, in Hz."""
    within_class: bool = True
    """Aligners: whether only equal labels are paired."""
    optimal: bool = True
    """Aligners: whether the sum of scores is always the largest possible."""

    def __post_init__(self):
        most = self.max_sources
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
            raise ValueError(f"max_sources must be an integer of at least 1 or None, got {self.max_sources!r}")
        for name in ("channels", "sample_rates"):
            values = getattr(self, name)
            if values is not None and not (
                isinstance(values, (tuple, list)) and all(isinstance(v, int) for v in values)
            ):
                raise ValueError(f"{name} must be a tuple of integers or None, got {values!r}")


@dataclass(frozen=True)
class ComponentSpec:
    """One component of a plugin, as its hook lists it.

    >>> ComponentSpec("bsrnn", "acme.bsrnn:BSRNN", config="acme.configs:BSRNNConfig", summary="Band-split RNN").name
    'bsrnn'

    Raises:
        ValueError: a malformed name or reference, or a newer version of the contract.
    """

    name: str
    """What users write: ``--separator NAME``; letters, digits, ``_``, ``.`` and ``-``."""
    target: str
    """``"package.module:Class"``, imported when the component is created."""
    config: str | type | None = None
    """The dataclass of its options, ``"package.module:Dataclass"`` or the class itself.  A model's inherits from
    :class:`s5lib.interfaces.ModelConfig`, which is also what stands here when there is none.  An aligner without one
    takes the keywords of its constructor."""
    capabilities: Capabilities = field(default_factory=Capabilities)
    summary: str = ""
    licence: str = ""
    citation: str = ""
    api_version: int = API_VERSION
    """The contract that the component was written for."""

    def __post_init__(self):
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(f"a component's name has letters, digits, '_', '.' and '-', got {self.name!r}")
        if not isinstance(self.target, str) or not _REFERENCE.fullmatch(self.target):
            raise ValueError(f"component {self.name!r}: target must be 'package.module:Class', got {self.target!r}")
        if isinstance(self.config, str) and not _REFERENCE.fullmatch(self.config):
            raise ValueError(f"component {self.name!r}: config must be 'package.module:Dataclass', got {self.config!r}")
        if not isinstance(self.capabilities, Capabilities):
            raise ValueError(f"component {self.name!r}: capabilities must be a Capabilities, got {self.capabilities!r}")
        for name in ("summary", "licence", "citation"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"component {self.name!r}: {name} must be text, got {getattr(self, name)!r}")
        if not isinstance(self.api_version, int):
            raise ValueError(f"component {self.name!r}: api_version must be an integer, got {self.api_version!r}")
        if self.api_version > API_VERSION:
            raise ValueError(
                f"component {self.name!r} needs version {self.api_version} of s5lib's plugin contract, this s5lib has "
                f"version {API_VERSION}: pip install --upgrade s5lib"
            )
