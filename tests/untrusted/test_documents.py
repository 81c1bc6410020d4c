"""Documents from strangers: within limits they are read, beyond them refused at once, by place."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from s5lib.errors import CheckpointError, DataError
from s5lib.untrusted import parse_json, parse_yaml, read_json, read_json_lines, read_text, read_yaml, to_json
from s5lib.untrusted.documents import DEPTH, VALUES

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_what_is_plain_goes_there_and_back(value):
    assert parse_json(to_json(value), "a") == value


HOSTILE_JSON = [
    b"",
    b"{",
    b"\xff\xfe",
    b"NaN",
    b'{"a": -Infinity}',
    b"1e999",
    b"1" * 400,
    b"-" + b"9" * 30,
    b"1" * 5000,
    b"[" * 10**5,
    b"[" * 10**5 + b"]" * 10**5,
    b'{"a":' * 10**5,
    b'"\\ud800"',
    b'{"\\udfff": 1}',
    b"[" + b"[]," * (VALUES + 1) + b"[]]",
    b"nul",
    bytes(1000),
]


@pytest.mark.parametrize("content", HOSTILE_JSON, ids=lambda content: repr(content[:12]))
def test_json_beyond_the_limits(content):
    start = time.monotonic()
    with pytest.raises(DataError, match="^a.json") as caught:
        parse_json(content, "a.json")
    assert time.monotonic() - start < 5 and len(str(caught.value)) < 300


HOSTILE_YAML = [
    "[" * 10**5,
    "- " * 10**5,
    "&a [*a]",
    "a: &a [x, x, x, x]\n" + "".join(f"b{i}: &a [*a, *a, *a, *a, *a, *a]\n" for i in range(12)),
    "!!python/object/apply:os.system [ls]",
    "a: " + "9" * 5000,
    "a: !!binary aGk=",
    "a: !!timestamp 2024-99-99",
    "a: .nan",
    "a: 'x",
    "\0",
    "{[1]: 2}",
    "x" * (1 << 20),
]


@pytest.mark.parametrize("content", HOSTILE_YAML, ids=lambda content: repr(content[:12]))
def test_yaml_beyond_the_limits(content):
    start = time.monotonic()
    with pytest.raises(DataError, match="^a.yaml"):
        parse_yaml(content, "a.yaml")
    assert time.monotonic() - start < 5


@given(st.from_regex(r"[-+]?[0-9oxb]{0,3}[-0-9_.:eE+]{1,6}", fullmatch=True))
@example("010")
@example("1:30")
@example("1_000")
@example("0b11")
@example("-0x1f")
@example("1e-3")
@example(".5")
def test_a_yaml_number_is_what_it_looks_like_or_text(text):
    """Not so in YAML 1.1, where a leading 0 means octal and a colon base 60."""
    assume(text not in ("-", "---", "...") and not text.endswith(":"))
    value = parse_yaml(f"a: {text}", "x.yaml")["a"]
    if isinstance(value, int):
        assert value == int(text, 16 if "x" in text else 10)
    elif isinstance(value, float):
        assert value == float(text)
    else:
        assert value == text


def test_yaml_keeps_dates_as_text_and_infinity():
    assert parse_yaml("day: 2024-02-30\nclip: .inf", "a") == {"day": "2024-02-30", "clip": math.inf}


@given(st.integers(1, 2 * DEPTH))
def test_nesting_has_one_limit(depth):
    nested = "[" * depth + "1" + "]" * depth
    for parse in (parse_json, parse_yaml):
        if depth <= DEPTH:
            parse(nested, "a")
        else:
            with pytest.raises(DataError, match=r"nest|deep"):
                parse(nested, "a")


@given(st.binary(max_size=200))
def test_any_bytes(content):
    for parse in (parse_json, parse_yaml):
        with contextlib.suppress(DataError):
            parse(content, "a")


@pytest.mark.parametrize("read", [read_json, read_yaml, read_text, lambda *a, **k: list(read_json_lines(*a, **k))])
def test_regular_files_alone(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero", tmp_path / "none", "a\0b"):
        with pytest.raises(CheckpointError, match="Ask for it"):
            read(path, error=CheckpointError, advice="Ask for it.")


def test_lines_are_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": NaN}\n')
    lines = read_json_lines(path)
    assert next(lines) == (f"{path}, line 1", {"a": 1})
    with pytest.raises(DataError, match="line 3: a is nan"):
        next(lines)
    path.write_text(json.dumps({"a": 1}, indent=1).replace("1", "x"))
    with pytest.raises(DataError, match="line 2"):
        read_json(path)


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": {"b": (1, -math.inf)}}])
def test_no_nan_is_written(value):
    with pytest.raises(DataError, match="finite"):
        to_json(value)


def test_bytes_of_file_names_that_are_not_utf8_survive():
    """A recording's path goes into its result, whatever the file system has."""
    assert parse_json(to_json({"recording": "caf\udce9.wav"}), "a") == {"recording": "caf\udce9.wav"}


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_json, '{"gain": 1, "b": 2, "gain": 0.5}'),
        (parse_json, '{"a": [{"gain": 1, "gain": 1}]}'),
        (parse_yaml, "gain: 1\nb: 2\ngain: 0.5\n"),
        (parse_yaml, "a: {gain: 1, gain: 1}"),
        (parse_yaml, "a:\n- gain: 1\n  'gain': 1\n"),
    ],
)
def test_a_name_twice(parse, text):
    """The last one held, and the others were lost without a word."""
    with pytest.raises(DataError, match="gain.* a second time"):
        parse(text, "a file")


def test_names_that_differ():
    assert parse_yaml("base: &b {x: 1}\nmore: {<<: *b, x: 2}\n1: a\n'1': b\n", "a")["more"] == {"x": 2}
