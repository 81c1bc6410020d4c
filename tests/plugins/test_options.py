"""Options: read from the config dataclass, converted to its types, refused with what was expected."""

from __future__ import annotations

from typing import Any, Literal, Optional

import pytest

from s5lib import plugins
from s5lib.config.options import REQUIRED, options_of
from s5lib.config.values import convert
from s5lib.errors import ConfigError, PluginError

CONFIG = """
    from __future__ import annotations
    from dataclasses import dataclass, field
    from typing import Literal
    from s5lib.interfaces import ModelConfig

    @dataclass(frozen=True)
    class Config(ModelConfig):
        width: int = 8
        '''Width of the
        hidden layer.'''
        rates: tuple[int, ...] = (1, 2)
        mode: Literal["fast", "good"] = "good"
        scale: float = field(default=1.0, metadata={"help": "Scale of the output."})

        def __post_init__(self):
            if self.width < 1:
                raise ValueError(f"width is {self.width}; expected at least 1.")

    class NotAConfig:
        pass

    @dataclass(frozen=True)
    class NotAModels:
        width: int = 8
"""
LISTED = """
def s5lib_separators():
    can = Capabilities(max_sources=2, channels=(1, 4), duplicate_labels=False, sample_rates=(32000,))
    return [
        ComponentSpec("it", "model_of_it:Model", config="config_of_it:Config", capabilities=can),
        ComponentSpec("noconfig", "model_of_it:Model", config="config_of_it:NotAConfig"),
        ComponentSpec("other", "model_of_it:Model", config="config_of_it:NotAModels"),
        ComponentSpec("gone", "model_of_it:Model", config="config_of_it:Gone"),
    ]
"""


@pytest.fixture
def component(install):
    install("acme", LISTED, config_of_it=CONFIG)
    return plugins.find("separator", "it")


@pytest.mark.parametrize(
    "value, annotation, wanted",
    [
        ("16", int, 16),
        ("1e3", int, 1000),
        (16.0, int, 16),
        ("1e-3", float, 0.001),
        (1, float, 1.0),
        ("inf", float, float("inf")),
        ("yes", bool, True),
        (0, bool, False),
        (False, bool, False),
        ("text", str, "text"),
        ("32,64", tuple[int, ...], (32, 64)),
        ([32, "64"], tuple[int, ...], (32, 64)),
        ("(32, 64)", tuple[int, int], (32, 64)),
        (3, tuple[int, ...], (3,)),
        ("", tuple[int, ...], ()),
        ([1, 2], list[float], [1.0, 2.0]),
        ("a b", list[str], ["a", "b"]),
        (None, Optional[int], None),  # noqa: UP045 - plugins may write it so
        ("none", int | None, None),
        ("7", int | None, 7),
        ("none", str | None, None),
        ("7", int | str, "7"),
        ("fast", Literal["fast", "good"], "fast"),
        ("2", Literal[1, 2], 2),
        (object, Any, object),
    ],
)
def test_values_become_the_declared_type(value, annotation, wanted):
    made = convert(value, annotation)
    assert made == wanted and type(made) is type(wanted)


@pytest.mark.parametrize(
    "value, annotation",
    [
        ("1.5", int),
        (1.5, int),
        (True, int),
        ("x", int),
        (None, int),
        ([1], int),
        ("1e999", int),
        ("nan", float),
        (True, float),
        ("maybe", bool),
        (2, bool),
        (False, str),
        (1e3, str),
        ("1,x", tuple[int, ...]),
        ("1,2,3", tuple[int, int]),
        ({"a": 1}, tuple[int, ...]),
        ("slow", Literal["fast", "good"]),
        (True, Literal[1, 2]),
        ("x", int | None),
        ("x", dict),
    ],
)
def test_values_of_another_type_are_refused(value, annotation):
    with pytest.raises((ValueError, OverflowError)):
        convert(value, annotation)


def test_configure_converts_and_keeps_defaults(component):
    config = component.configure(num_sources=2, width="16", rates="3,4", mode="fast")
    assert (config.num_sources, config.width, config.rates, config.mode, config.scale) == (2, 16, (3, 4), "fast", 1.0)


def test_options_have_types_defaults_and_help(component):
    options = {option.name: option for option in component.options()}
    assert options["width"].help == "Width of the hidden layer."
    assert options["scale"].help == "Scale of the output."
    assert options["mode"].type == "fast or good"
    assert options["rates"].default == (1, 2)
    assert list(options)[:4] == ["num_classes", "num_sources", "num_channels", "sample_rate"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"widht": 8}, r"separator acme/it \(acme 1.2\) has no option 'widht'.*Did you mean 'width'"),
        ({"width": "wide"}, r"option 'width' is 'wide', expected integer"),
        ({"mode": "slow"}, r"option 'mode' is 'slow', expected fast or good"),
        ({"rates": "a,b"}, r"option 'rates' is 'a,b', expected integers separated by commas"),
        ({"width": 0, "num_sources": 2}, r"acme/it \(acme 1.2\): width is 0; expected at least 1"),
    ],
)
def test_wrong_options_name_option_value_and_expected(component, options, message):
    with pytest.raises(ConfigError, match=message):
        component.configure(**options)


@pytest.mark.parametrize(
    "name, message",
    [
        ("noconfig", "is not a dataclass"),
        ("other", "does not inherit from s5lib.interfaces.ModelConfig"),
        ("gone", "has no attribute 'Gone'"),
    ],
)
def test_wrong_config_classes(component, name, message):
    with pytest.raises(PluginError, match=rf"acme/{name} \(acme 1.2\).*{message}"):
        plugins.find("separator", name).configure()


def test_capabilities_are_checked_before_anything_is_loaded(component):
    with pytest.raises(ConfigError, match="^separator acme/it supports at most 2 sources"):
        component.create(num_sources=3)  # model_of_it does not even exist
    for sizes, message in (
        ({"num_channels": 2}, "separator acme/it takes 1 or 4 channels, the recipe has 2"),
        ({"sample_rate": 16000}, "separator acme/it works at 32000 Hz, the recipe has 16000 Hz"),
        ({"duplicate_labels": True}, "separator acme/it does not separate sources of one class"),
    ):
        with pytest.raises(ConfigError, match=message):
            plugins.check_capabilities("separator", component, **sizes)
    plugins.check_capabilities("separator", component, num_sources=2, num_channels=1, sample_rate=32000)


def test_an_aligner_takes_the_keywords_of_its_constructor():
    assert plugins.create("aligner", "ca", order="given").order == "given"
    with pytest.raises(ConfigError, match="aligner ca has no option 'ordr'.*Did you mean 'order'"):
        plugins.create("aligner", "ca", ordr="given")
    with pytest.raises(ConfigError, match="aligner ca: option 'order' is 3, expected text"):
        plugins.create("aligner", "ca", order=3)


def test_required_options():
    class Target:
        def __init__(self, *, width: int, depth: int = 2, **rest):
            pass

    options = options_of(Target)
    assert [(option.name, option.default) for option in options] == [("width", REQUIRED), ("depth", 2)]


def test_complete_options_have_all_defaults_and_the_types_of_the_dataclass(component):
    sizes = {"num_classes": 18, "num_sources": 3, "num_channels": 4, "sample_rate": 32000}
    defaults = {**sizes, "width": 8, "rates": (1, 2), "mode": "good", "scale": 1.0}
    assert component.complete() == defaults
    assert component.complete(width="4", rates=[3]) == {**defaults, "width": 4, "rates": (3,)}
    with pytest.raises(ConfigError, match="widht"):
        component.complete(widht=4)


def test_complete_options_of_an_aligner_without_a_dataclass(install):
    code = """
        from __future__ import annotations
        from s5lib.interfaces import Aligner

        class First(Aligner):
            def __init__(self, power: float, least: int | None = None):
                self.power = power

            def align(self, score, reference_labels, estimated_labels):
                raise NotImplementedError
    """
    listed = "def s5lib_aligners(): return [ComponentSpec('first', 'first_of_it:First')]"
    install("acme", listed, first_of_it=code)
    aligner = plugins.find("aligner", "first")
    assert aligner.complete(power="2") == {"power": 2.0, "least": None}
    with pytest.raises(ConfigError, match="power"):
        aligner.complete()
