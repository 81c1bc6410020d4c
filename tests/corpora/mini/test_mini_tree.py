"""The folder on disk: layout, determinism, and what happens when it already exists or cannot be made."""

import hashlib
import json
import logging

import h5py
import numpy as np
import pytest
import soundfile

from s5lib.corpora.mini import build, jobs, tree
from s5lib.corpora.mini.catalogue import INTERFERENCE, SOUND_EVENTS, Counts
from s5lib.corpora.mini.jobs import all_jobs, generator
from s5lib.errors import ConfigError, DataError

FEW = {"train": Counts(2, 2, 1, 1, 1), "valid": Counts(1, 1, 1, 1, 1), "test": Counts(1, 1, 1, 1, 1)}


ONE = {"train": Counts(1, 2, 1, 1, 1)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A whole tree with few of everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "SPLITS", FEW)
        path = tmp_path_factory.mktemp("mini corpus")
        assert build(path) == path / "dev_set"
        return path


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(jobs, "SPLITS", FEW)


@pytest.fixture
def one(monkeypatch):
    """Still fewer: one split with one of everything."""
    monkeypatch.setattr(jobs, "SPLITS", ONE)


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_layout(root):
    tree_root = root / "dev_set"
    assert [path.name for path in root.iterdir()] == ["dev_set"]
    for split, counts in FEW.items():
        assert {path.name for path in (tree_root / "sound_event" / split).iterdir()} == set(SOUND_EVENTS)
        for label in SOUND_EVENTS:
            sources = list((tree_root / "sound_event" / split / label).iterdir())
            assert len(sources) == counts.sources
            assert all(len(list(source.glob("*.wav"))) == counts.takes for source in sources)
        for label in INTERFERENCE:
            assert len(list((tree_root / "interference" / split / label).glob("*.wav"))) == counts.interference
        assert len(list((tree_root / "noise" / split).glob("*.wav"))) == counts.noises
        assert len(list((tree_root / "room_ir" / split).glob("*.sofa"))) == counts.rooms


def test_formats(root):
    for path in (root / "dev_set").rglob("*.wav"):
        info = soundfile.info(path)
        assert info.samplerate == 32000 and info.subtype == "PCM_16"
        assert info.channels == (4 if "noise" in path.parts else 1)


def test_splits_share_nothing(root):
    names = {split: set() for split in FEW}
    for name, digest in digests(root).items():
        for split in FEW:
            if f"/{split}/" in name:
                names[split].add(digest)
    assert not names["train"] & names["test"] and not names["train"] & names["valid"]
    assert not names["valid"] & names["test"]


def test_sofa_opens_with_another_reader(root):
    sofar = pytest.importorskip("sofar")
    path = root / "dev_set/room_ir/train/room_train_0.sofa"
    sofa = sofar.read_sofa(str(path), verbose=False)
    sofa.verify(issue_handling="raise")
    assert sofa.GLOBAL_SOFAConventions == "GeneralFIR"
    assert sofa.Data_SamplingRate == 32000
    assert sofa.SourcePosition_Type == "cartesian" and sofa.SourcePosition_Units == "metre"
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["Data.IR"][()], sofa.Data_IR)
        np.testing.assert_array_equal(file["SourcePosition"][()], sofa.SourcePosition)
        assert file["Data.IR"].shape == (36, 4, 4800)
        assert file["Data.SamplingRate"][0] == 32000.0


def test_same_seed_same_bytes_whatever_the_number_of_processes_and_the_rest_of_the_corpus(one, root, tmp_path):
    build(tmp_path, nj=2)
    alone, beside_others = digests(tmp_path), digests(root)
    names = [name for name in alone if not name.endswith(tree.STAMP)]
    assert len(names) == 2 * len(SOUND_EVENTS) + len(INTERFERENCE) + 2
    assert [alone[name] for name in names] == [beside_others[name] for name in names]


def test_other_seed_other_sounds(one, root, tmp_path):
    build(tmp_path, seed=1)
    first, second = digests(root), digests(tmp_path)
    assert not [name for name in second if first[name] == second[name]]


def test_a_finished_tree_is_left_alone_and_that_is_said(few, root, caplog):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    with caplog.at_level(logging.INFO):
        build(root)
    assert "already exists" in caplog.text
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_an_interrupted_run_leaves_nothing(one, tmp_path, monkeypatch):
    real, done = tree.run_job, []

    def interrupted(*args):
        done.append(args)
        if len(done) > 5:
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(tree, "run_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_runs_at_once_end_with_one_tree(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SPLITS", {"train": Counts(0, 0, 1, 0, 0)})
    real = tree._write_stamp

    def other_is_faster(*args):
        real(*args)
        monkeypatch.setattr(tree, "_write_stamp", real)
        build(tmp_path)

    monkeypatch.setattr(tree, "_write_stamp", other_is_faster)
    build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dev_set"]
    assert len(digests(tmp_path)) == len(INTERFERENCE) + 1


def test_an_empty_folder_is_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SPLITS", {"train": Counts(0, 0, 0, 1, 0)})
    (tmp_path / "dev_set").mkdir()
    assert (build(tmp_path) / "noise/train/ambience_train_0.wav").is_file()


def test_another_corpus_is_never_touched(tmp_path):
    official = tmp_path / "dev_set" / "sound_event"
    official.mkdir(parents=True)
    with pytest.raises(DataError, match=r"is not a mini corpus.*nothing was changed.*--data_root"):
        build(tmp_path)
    assert official.is_dir()


def test_another_seed_in_the_same_place_is_an_error(few, root):
    with pytest.raises(DataError, match=r"seed 0 instead of 5.*remove"):
        build(root, seed=5)


def test_a_damaged_tree_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SPLITS", {"train": Counts(0, 0, 0, 2, 0)})
    built = build(tmp_path)
    (built / "noise/train/ambience_train_1.wav").unlink()
    with pytest.raises(DataError, match=r"lacks 1 of its files, such as noise/train/ambience_train_1.wav"):
        build(tmp_path)


@pytest.mark.parametrize("stamp", ["[]", "{}", "no json", json.dumps({"corpus": "mini"})])
def test_an_unreadable_stamp_is_an_error(tmp_path, stamp):
    (tmp_path / "dev_set").mkdir()
    (tmp_path / "dev_set" / tree.STAMP).write_text(stamp)
    with pytest.raises(DataError, match=r"no readable mini.json"):
        build(tmp_path)


def test_a_root_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Could not make the mini corpus below .*file"):
        build(tmp_path / "file")


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tree, "run_job", full)
    with pytest.raises(DataError, match=r"No space left on device.*200 MB free"):
        build(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", [{"seed": -1}, {"seed": 0.5}, {"nj": 0}, {"nj": True}, {"seed": "1"}])
def test_options_out_of_range(tmp_path, option):
    name, value = next(iter(option.items()))
    with pytest.raises(ConfigError, match=f"{name} is {value!r}; expected a whole number"):
        build(tmp_path, **option)


def test_random_streams_depend_on_every_part_of_the_name():
    draws = {generator(*key).random() for key in [(0, "a", "b"), (1, "a", "b"), (0, "a", "c"), (0, "ab"), (0, "a")]}
    assert len(draws) == 5


def test_the_whole_corpus_has_enough_of_everything():
    listed = list(all_jobs())
    paths = [path for job in listed for path in job.paths]
    assert len(set(paths)) == len(paths)
    for label in SOUND_EVENTS:
        assert sum(path.startswith(f"sound_event/train/{label}/") for path in paths) >= 48
        assert len({job.name for job in listed if job.split == "test" and job.name.startswith(f"{label}/")}) >= 8
    assert sum(path.startswith("room_ir/") for path in paths) == 10
