"""Spoils files: a pure function of the bytes and a seeded generator."""

from __future__ import annotations

import copy
import json

import numpy as np

ESCAPE = "/tmp/s5lib-fuzz-escaped"
"""Nothing may ever be written there."""
_DEEP = "\x00deep"  # stands for a nesting that the writer of JSON could not write itself
_NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1)
_VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1e308,
    -1e308,
    1e-320,
    2**70,
    10**400,
    -(10**400),
    10**6,
    2**40,
    2**62,
    999999999,
    0.1,
    -0.0,
    "",
    "x",
    "../../escaped",
    "/../../../escaped",
    "..\\..\\escaped",
    f"{ESCAPE}/x",
    f"file://{ESCAPE}",
    "a\0b",
    "\ud800",
    "\udcff",
    "\x1b[2J\x1b]0;x\x07",
    "a|b<c>",
    "\u202edoc",
    "NaN",
    "1:1:1",
    "x" * 300,
    [],
    {},
    [[]],
    {"a": None},
    float("nan"),
    float("inf"),
    float("-inf"),
    _DEEP,
    [1, [2, [3]]],
    "9" * 5000,
    ["Dog"] * 50,
)


def mutate_bytes(content: bytes, generator: np.random.Generator, head: int = 128) -> bytes:
    """Return ``content`` with one to four faults, half of them in the first ``head`` bytes, where headers are."""
    spoilt = bytearray(content)
    for _ in range(generator.integers(1, 5)):
        if not spoilt:
            return b""
        end = min(head, len(spoilt)) if generator.random() < 0.5 else len(spoilt)
        place = int(generator.integers(end))
        kind = generator.integers(7)
        if kind == 0:
            spoilt[place] ^= 1 << int(generator.integers(8))
        elif kind == 1:
            spoilt[place] = int(generator.integers(256))
        elif kind == 2:
            size = int(generator.choice([1, 2, 4, 8]))
            number = _NUMBERS[generator.integers(len(_NUMBERS))] % (1 << 8 * size)
            spoilt[place : place + size] = number.to_bytes(size, "little" if generator.random() < 0.7 else "big")
        elif kind == 3:
            del spoilt[place:]
        elif kind == 4:
            del spoilt[place : place + int(generator.integers(1, 64))]
        elif kind == 5:
            spoilt[place:place] = generator.bytes(int(generator.integers(1, 64)))
        else:
            source = int(generator.integers(len(spoilt)))
            piece = spoilt[source : source + int(generator.integers(1, 256))]
            spoilt[place : place + len(piece)] = piece
    return bytes(spoilt)


def mutate_json(content: bytes, generator: np.random.Generator) -> bytes:
    """Return a JSON text with other values, keys or nesting in one to three places, or with spoilt bytes."""
    if generator.random() < 0.25:
        return mutate_bytes(content, generator)
    document = [json.loads(content)]
    for _ in range(generator.integers(1, 4)):
        places = [
            (parent, key) for parent, key in _places(document) if parent is not document or generator.random() < 0.1
        ]
        parent, key = places[generator.integers(len(places))] if places else (document, 0)
        kind = generator.integers(4)
        if kind < 2:
            parent[key] = copy.deepcopy(_VALUES[generator.integers(len(_VALUES))])
        elif kind == 2 and parent is not document:
            del parent[key]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        else:
            parent[f"{key}x"] = copy.deepcopy(parent[key])
    text = json.dumps(document[0], ensure_ascii=bool(generator.random() < 0.5)) if document else ""
    return text.replace(json.dumps(_DEEP), "[" * 10**5 + "]" * 10**5).encode("utf-8", "surrogatepass")


def _places(value):
    pairs = list(enumerate(value) if isinstance(value, list) else value.items())
    for key, child in pairs:
        yield value, key
        if isinstance(child, list | dict):
            yield from _places(child)
