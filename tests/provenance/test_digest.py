"""Files that changed are noticed; those that did not are not read."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.provenance import FileStamp, Fingerprint, Stamps, digest, file_digest, problem_of, stamp_output, write_json


@pytest.fixture
def reads(monkeypatch):
    """Paths whose content was read."""
    seen = []

    def counting(path):
        seen.append(os.path.basename(path))
        return file_digest(path)

    monkeypatch.setattr(digest, "file_digest", counting)
    return seen


def test_an_unchanged_file_is_read_once_also_in_the_next_process(tmp_path, reads):
    (tmp_path / "a").write_bytes(b"sound")
    stamps = Stamps()
    assert stamps[tmp_path / "a"] == stamps[tmp_path / "a"] == file_digest(tmp_path / "a")
    stamps.write(tmp_path / "stamps.jsonl")
    again = Stamps.read(tmp_path / "stamps.jsonl")
    assert again[tmp_path / "a"] == stamps[tmp_path / "a"] and reads == ["a"] and not again.is_changed


def in_place(path, content):
    path.write_bytes(content)


def by_rename(path, content):
    path.with_name("new").write_bytes(content)
    os.replace(path.with_name("new"), path)


@pytest.mark.parametrize("write", [in_place, by_rename])
@pytest.mark.parametrize("content", [b"other", b"sound, longer"])
def test_a_change_is_noticed_with_equal_size_and_restored_time(tmp_path, write, content):
    path = tmp_path / "a"
    path.write_bytes(b"sound")
    for _ in range(20):  # at once: within a tick of the clock
        stamp, state = FileStamp.of(path), os.stat(path)
        write(path, content)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert not stamp.is_state_of(path) and FileStamp.of(path, stamp).sha256 == file_digest(path)
        write(path, b"sound")


def test_touched_or_copied_files_have_the_same_digest(tmp_path, reads):
    (tmp_path / "a").write_bytes(b"sound")
    stamp = FileStamp.of(tmp_path / "a")
    os.utime(tmp_path / "a", (0, 0))
    assert FileStamp.of(tmp_path / "a", stamp).sha256 == stamp.sha256 and reads == ["a", "a"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_whatever_was_written_instead_counts_as_unknown(tmp_path_factory, content):
    assert FileStamp.read(content) is None
    path = tmp_path_factory.getbasetemp() / "stamps.jsonl"
    path.write_text(json.dumps(content))
    assert Stamps.read(path).difference([]) == ""
    assert Fingerprint({"a": 1}).changes_since(content) == [] or content != {"a": 1}


def test_digest_of_a_set_depends_on_names_and_contents_not_on_the_place(tmp_path):
    for name in ("x/a", "x/b"):
        (tmp_path / "one" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "one" / name).write_text(name)
    shutil.copytree(tmp_path / "one", tmp_path / "two")

    def of(root):
        return Stamps().digest((path for path in (tmp_path / root).rglob("*") if path.is_file()), tmp_path / root)

    first = of("one")
    assert of("two") == first
    (tmp_path / "two/x/c").touch()
    assert of("two") != first
    (tmp_path / "two/x/c").unlink()
    os.rename(tmp_path / "two/x/a", tmp_path / "two/x/c")
    assert of("two") != first


def test_differences_are_said(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
    stamps = Stamps()
    stamps.digest([tmp_path / "a", tmp_path / "b"])
    assert stamps.difference([tmp_path / "a", tmp_path / "b"]) == ""
    assert "c is new" in stamps.difference([tmp_path / name for name in "abc"])
    assert "a is not used" in stamps.difference([tmp_path / "b"])
    (tmp_path / "b").write_text("B")
    assert "b was changed" in stamps.difference([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a").unlink()
    assert "a: No such file" in stamps.difference([tmp_path / "a", tmp_path / "b"])


class TestManifest:
    @pytest.fixture
    def manifest(self, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).write_text(f"content of {name}")
        write_json(tmp_path / "m.json", {name: stamp_output(tmp_path / name) for name in ("a", "b")})
        return tmp_path / "m.json"

    def problem(self, manifest):
        return problem_of(manifest, json.loads(manifest.read_text()))

    def test_intact_files_are_not_read(self, manifest, monkeypatch):
        monkeypatch.setattr("s5lib.provenance.fingerprint.file_digest", None)
        assert self.problem(manifest) == ""

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda path: path.unlink(), "a is missing"),
            (lambda path: path.write_text(""), "a has 0 bytes, expected 12"),
            (lambda path: path.write_text("CONTENT OF a"), "a was changed"),
            (lambda path: by_rename(path, b"CONTENT OF a"), "a was changed"),
            (lambda path: (path.unlink(), path.mkdir()), "a"),
        ],
    )
    def test_damage_is_said(self, manifest, spoil, words):
        spoil(manifest.with_name("a"))
        assert words in self.problem(manifest)

    def test_touched_files_are_read_once_more_and_then_known(self, manifest, monkeypatch):
        before = manifest.stat().st_mtime_ns
        os.utime(manifest.with_name("a"))
        assert self.problem(manifest) == ""
        monkeypatch.setattr("s5lib.provenance.fingerprint.file_digest", None)
        assert self.problem(manifest) == "" and manifest.stat().st_mtime_ns == before

    def test_files_of_an_earlier_version_are_not_trusted(self, manifest):
        assert "earlier version" in problem_of(manifest, {"a": None}) and "earlier" in problem_of(manifest, {"a": {}})


VALUES = st.integers(0, 2) | st.booleans() | st.none() | st.lists(st.integers(0, 1)) | st.just((0, 1))
OPTIONS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@settings(max_examples=100)
@given(OPTIONS, OPTIONS)
def test_changes_are_exactly_what_differs(before, now):
    """Added, changed and removed; of the outermost names, those that were removed are somebody else's."""
    differing = {name for name in "abcd" if json.dumps(before.get(name)) != json.dumps(now.get(name))}
    earlier = json.loads(json.dumps(before))
    assert {change.name for change in Fingerprint(now).changes_since(earlier)} == differing & now.keys()
    inner = Fingerprint({"model": {"x": now}}).changes_since({"model": {"x": earlier}, "made_with": 1})
    assert {change.name for change in inner} == {f"model.x.{name}" for name in differing}


class Odd:
    pass


@pytest.mark.parametrize(
    "value",
    [(1, (2.5, None)), Path("/a"), float("-inf"), float("nan"), frozenset("abc"), {3: {"a": Odd}}, os.walk, Odd()],
)
def test_any_value_is_the_same_in_json_and_yaml_and_knows_no_address(value):
    plain = Fingerprint({"a": {"b": value}}).as_json()
    assert json.loads(json.dumps(plain)) == yaml.safe_load(yaml.safe_dump(plain)) == plain
    assert Fingerprint({"a": {"b": value}}).changes_since(plain) == [] and " at 0x" not in json.dumps(plain)


def test_changes_in_words():
    now = Fingerprint({"steps": {"a": {"lr": 0.2}, "c": {}}, "digest": "0" * 64})
    earlier = {"steps": {"a": {"lr": 0.3, "clip": 1}, "b": {"lr": 1}}, "digest": "1" * 64}
    assert [str(change) for change in now.changes_since(earlier)] == [
        "steps.a.lr was 0.3, now 0.2",
        "steps.a.clip was 1, now None",
        "steps.c was added",
        "steps.b was removed",
        "the digest changed",
    ]


def test_stamps_of_more_files_than_one_document_holds(tmp_path):
    digest = "0" * 64
    known = {f"/corpus/sound_event/train/Label/{n:06d}.wav": FileStamp(digest, n, n, n, n) for n in range(200_000)}
    Stamps(known).write(tmp_path / "stamps.jsonl")
    assert Stamps.read(tmp_path / "stamps.jsonl").of(known)._stamps == known
