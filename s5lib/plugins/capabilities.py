"""Whether a component can do what a recipe asks of it, said before weights and data are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s5lib.errors import ConfigError

if TYPE_CHECKING:
    from s5lib.plugins.component import Component

__all__ = ["check_capabilities"]


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
        duplicate_labels: whether several sources of one class have to be told apart.

    Raises:
        ConfigError: the component cannot do it; the message has what it supports and what is asked.
    """
    can, who = component.spec.capabilities, f"{kind} {_short_name(component)}"
    if num_sources is not None and can.max_sources is not None and num_sources > can.max_sources:
        raise ConfigError(f"{who} supports {_count(can.max_sources, 'source')}, the recipe asks for {num_sources}.")
    if num_channels is not None and can.channels is not None and num_channels not in can.channels:
        raise ConfigError(f"{who} takes {_either(can.channels)} channels, the recipe has {num_channels}.")
    if sample_rate is not None and can.sample_rates is not None and sample_rate not in can.sample_rates:
        raise ConfigError(f"{who} works at {_either(can.sample_rates)} Hz, the recipe has {sample_rate} Hz.")
    if duplicate_labels and not can.duplicate_labels:
        raise ConfigError(
            f"{who} does not tell sources of one class apart, and the recipe has scenes with several. "
            "Choose another one or leave such scenes out."
        )


def _short_name(component: Component) -> str:
    return component.spec.name if component.namespace == "s5lib" else component.full_name


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _either(values) -> str:
    return " or ".join(str(value) for value in values)
