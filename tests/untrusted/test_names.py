"""Names, paths and texts from strangers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s5lib.errors import ConfigError, DataError
from s5lib.untrusted import Record, as_markdown, check_file_name, is_file_name, path_below, printable, shown

NAMES = st.one_of(
    st.text(max_size=8),
    st.text("./\\a\0\x1b", max_size=6),
    st.sampled_from(["..", "../x", "/x", "a/../../x", "C:\\x", "x" * 300, "\ud800", "é", "a b", "-rf", "~", "$HOME"]),
)


@given(NAMES)
def test_a_name_stays_in_its_folder(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp() / "names"
    folder.mkdir(exist_ok=True)
    if is_file_name(name):
        (folder / name).write_text("")
        assert name in os.listdir(folder)
        (folder / name).unlink()
        assert check_file_name(name, "here") == name
    else:
        with pytest.raises(DataError, match="^here: "):
            check_file_name(name, "here")


@given(st.lists(NAMES, max_size=4).map("/".join))
def test_a_path_stays_below_its_root(written):
    try:
        path = path_below("/corpus/of/all", written, "a.json")
    except DataError:
        return
    assert Path(os.path.normpath(path)).is_relative_to("/corpus/of/all") and path != Path("/corpus/of/all")


def test_links(tmp_path):
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    assert path_below(root, "link/a", "here") == root / "link/a"
    with pytest.raises(DataError, match="by a link"):
        path_below(root, "link/a", "here", follow=False)
    assert path_below(root, "new/a", "here", follow=False) == root / "new/a"


@given(st.text())
def test_nothing_reaches_the_terminal(text):
    for safe in (printable(text, keep=""), shown(text), as_markdown(text)):
        assert all(letter >= " " and not 127 <= ord(letter) < 160 for letter in safe)
        safe.encode()


@given(st.text("ab|<>&`*[]\\\n", max_size=20))
def test_a_markdown_cell_is_one_cell(text):
    cell = as_markdown(text)
    assert "\n" not in cell and "<" not in cell
    bare = cell.replace("\\\\", "")
    assert bare.count("|") == bare.count("\\|")


VALUES = [None, True, 0, -1, 2.5, 1e300, "", "x", "../x", "\ud800", "a\x1b", [], ["x"], ["x", "x"], {}, {"a": 1}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_records(value):
    expected = {
        "text": isinstance(value, str) and value != "\ud800",
        "name": value == "x",
        "number": type(value) in (int, float),
        "integer": type(value) is int,
        "items": isinstance(value, list),
        "names": value in ([], ["x"]),
        "record": isinstance(value, dict),
    }
    for method, holds in expected.items():
        record = Record({"key": value}, "a.json", error=ConfigError, advice="Write it again.")
        if holds:
            getattr(record, method)("key")
        else:
            with pytest.raises(ConfigError, match=r"^a.json: 'key' is .*, expected .*\. Write it again\.$"):
                getattr(record, method)("key")
        with pytest.raises(ConfigError, match="missing"):
            getattr(record, method)("other")


def test_ranges_and_defaults():
    record = Record({"a": 3, "b": None, "c": [{"d": 1}, 2]}, "x")
    assert record.number("a", least=3, most=3) == 3.0 and record.number("b", None) is None
    for limits in ({"least": 4}, {"most": 2}, {"above": 3}):
        with pytest.raises(DataError, match="expected a number"):
            record.number("a", **limits)
    with pytest.raises(DataError, match=r"^x: c\[1\]: expected names and values"):
        list(record.records("c"))
    with pytest.raises(DataError, match="found a list"):
        Record([], "x")
