"""A corpus from a stranger: whatever its metadata says, nothing is read or written outside its folders."""

from __future__ import annotations

import contextlib
import json
import os

import numpy as np
import pytest

from s5lib.bin.main import main
from s5lib.corpora.layout import data_directory_from_metadata
from s5lib.errors import DataError
from s5lib.scenes import Corpus, DrawSettings, SceneDrawer
from s5lib.scenes.corpus import metadata_files
from s5lib.scenes.dcase_json import compose_metadata, write_metadata
from s5lib.scenes.writing import write_scene

SETTINGS = DrawSettings(duration=1.0, sample_rate=8000)
LEADING_OUT = ["/../../../x", "../x", "a/b", "/x", "..", "", "a\0b", "\x1b[2J", "x" * 300, "\ud800", None, 5, ["a"]]


@pytest.fixture
def corpus(own_corpus):
    """A corpus with one scene of metadata, and beside it a recording that is none of its business."""
    opened = Corpus(own_corpus)
    scene = compose_metadata(SceneDrawer(opened, SETTINGS)(0, 0, targets=2), opened, SETTINGS)
    write_metadata(scene, own_corpus / "dev_set/metadata/test/a.json")
    (own_corpus.parent / "x.wav").write_bytes(b"not to be touched")
    return own_corpus


def all_files(folder):
    return sorted(os.path.join(base, name) for base, _, names in os.walk(folder) for name in names)


def change(path, **event):
    scene = json.loads(path.read_text())
    scene["fg_events"][0].update(event)
    path.write_text(json.dumps(scene))


@pytest.mark.parametrize("key", ["label", "source_file"])
@pytest.mark.parametrize("value", LEADING_OUT, ids=lambda value: repr(value)[:20])
def test_events(corpus, tmp_path, key, value):
    change(corpus / "dev_set/metadata/test/a.json", **{key: value})
    before = all_files(tmp_path)
    with pytest.raises(DataError):
        data_directory_from_metadata(corpus, "test", tmp_path / "data", tmp_path / "dump/deep/inside")
    written = {path for path in set(all_files(tmp_path)) - set(before) if not path.endswith(".lock")}
    assert not written and (tmp_path / "x.wav").read_bytes() == b"not to be touched"


def test_the_command(corpus, tmp_path, capsys):
    """It wrote outside of its folder, and could replace any .wav."""
    change(corpus / "dev_set/metadata/test/a.json", label="/../../../x")
    command = ["prepare", "--corpus", "own", "--data_root", str(corpus), "--data_dir", str(tmp_path / "data")]
    assert main([*command, "--dump_dir", str(tmp_path / "dump/deep"), "--valid_scenes", "1", "--duration", "1"]) == 1
    assert "'label' is '/../../../x'" in capsys.readouterr().err
    assert (tmp_path / "x.wav").read_bytes() == b"not to be touched"
    inside = (str(tmp_path / "dump"), str(tmp_path / "data"), str(corpus))
    assert all(path.startswith(inside) for path in all_files(tmp_path) if path != str(tmp_path / "x.wav"))


@pytest.mark.parametrize("label", [value for value in LEADING_OUT if isinstance(value, str) and value != "\ud800"])
def test_labels_from_python(tmp_path, label):
    """The writer itself refuses them, whoever calls it; an empty label is a matter of the callers."""
    (tmp_path / "inside/oracle_target").mkdir(parents=True)
    with contextlib.suppress(DataError):
        write_scene(tmp_path / "inside", "a", np.zeros((4, 8)), np.zeros((1, 8)), [label], 8000)
    assert all(path.startswith(str(tmp_path / "inside")) for path in all_files(tmp_path))


@pytest.mark.parametrize("path", ["../../secret.json", "/etc/hostname", "test/../../../a.json", "", 5, None, "a\0"])
def test_the_list_of_metadata(corpus, path):
    (corpus / "dev_set/metadata/test.json").write_text(json.dumps([{"metadata_path": path}]))
    with pytest.raises(DataError, match=r"test\.json"):
        metadata_files(corpus, "test")
