"""The data stage."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_corpus import write_wav

from s5lib.corpora.preparation import Preparation, unfinished
from s5lib.data import CorpusDescription, DataDirectory
from s5lib.errors import ConfigError
from s5lib.provenance import stamp_output

from .conftest import prepare


def test_sets_have_the_papers_proportions(prepared):
    test = DataDirectory.read(prepared / "data/test")
    kinds = Counter((len(r.labels), len(set(r.labels)) < len(r.labels)) for r in test)
    assert kinds == {(0, False): 1, (1, False): 1, (2, False): 1, (2, True): 1, (3, False): 1, (3, True): 1}
    assert all(r.num_samples == 8000 for r in test)
    assert len(DataDirectory.read(prepared / "data/valid")) == 3


def test_description_tells_later_stages_about_the_corpus(prepared, corpus_with_test):
    description = CorpusDescription.read(prepared / "data")
    assert description.labels == ("Bell", "Dog", "Rain", "Speech")
    assert (description.sample_rate, description.num_channels, description.max_sources) == (8000, 4, 3)
    assert description.root == str(corpus_with_test / "dev_set")
    assert description.draw_options == {"duration": 1.0, "max_targets": 3}
    statistics = description.statistics
    assert statistics.lowest_level_dbfs < statistics.level_dbfs < statistics.highest_level_dbfs
    assert statistics.lowest_bandwidth == 4000  # the corpus's sounds are partly white noise


def test_preparation_of_an_earlier_version_is_completed(own, capsys):
    root, folder = own
    description, stamp = folder / "data/corpus.json", folder / "data/prepared.json"
    complete = description.read_text()
    description.write_text(json.dumps({k: v for k, v in json.loads(complete).items() if k != "statistics"}))
    files = json.loads(stamp.read_text())
    files["files"]["corpus.json"] = stamp_output(description)
    stamp.write_text(json.dumps(files))
    assert prepare(root, folder) == 0
    assert "were not measured" in capsys.readouterr().out
    assert description.read_text() == complete


def test_again_is_quick_and_says_so(prepared, corpus_with_test, capsys):
    before = (prepared / "data/corpus.json").stat().st_mtime_ns
    assert prepare(corpus_with_test, prepared) == 0
    assert "finished already" in capsys.readouterr().out
    assert (prepared / "data/corpus.json").stat().st_mtime_ns == before


def test_other_options_into_the_same_folder_are_refused(prepared, corpus_with_test, capsys):
    assert prepare(corpus_with_test, prepared, "--seed", "1") == 1
    assert "prepared with other options: seed was 0, now 1" in capsys.readouterr().err


SETTINGS = {
    "target_snr": ["[5, 20]", "[10, 20]"],
    "filter_db": ["0", "3"],
    "max_repeats": ["2", "1"],
    "max_targets": ["3", "2"],
    "duration": ["1", "0.5"],
}
"""Values of scenes_conf; the first means the default, or what --duration and --max_sources say."""
some_settings = st.fixed_dictionaries({}, optional={name: st.integers(0, 1) for name in SETTINGS})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_settings, some_settings)
def test_a_preparation_is_the_same_if_its_options_mean_the_same(prepared, corpus_with_test, tmp_path, before, now):
    if not (tmp_path / "data").exists():
        shutil.copytree(prepared / "data", tmp_path / "data")
    made = tmp_path / "data/prepared.json"
    options = {name: yaml.safe_load(SETTINGS[name][index]) for name, index in before.items()}
    made.write_text(json.dumps({**json.loads(made.read_text()), "scene_options": options}))
    own = ("duration", "test_scenes", "valid_scenes", "zero_target")
    asked = Preparation(
        "small",
        corpus_with_test,
        tmp_path / "data",
        tmp_path / "dump",
        **{name: json.loads(made.read_text())[name] for name in own},
        scene_options={name: yaml.safe_load(SETTINGS[name][index]) for name, index in now.items()},
    )
    changed = {name for name in SETTINGS if before.get(name, 0) != now.get(name, 0)}
    if changed:
        with pytest.raises(ConfigError) as caught:
            unfinished(asked, True)
        assert {name for name in SETTINGS if f"scene_options.{name} was" in str(caught.value)} == changed
    else:
        adapted = {"max_repeats", "max_targets"}
        assert bool(unfinished(asked, True)) == bool(adapted & now.keys() and not adapted & before.keys())


def test_scenes_at_another_rate(corpus_with_test, tmp_path):
    assert prepare(corpus_with_test, tmp_path, "--scenes_conf", "sample_rate=4000") == 0
    description = CorpusDescription.read(tmp_path / "data")
    assert description.sample_rate == 4000 == description.draw_options["sample_rate"]


def test_scenes_conf_that_is_taken_away_or_says_the_default(prepared, corpus_with_test, tmp_path, capsys):
    def printed(status, *given):
        assert (
            prepare(corpus_with_test, tmp_path, *(word for one in given for word in ("--scenes_conf", one))) == status
        )
        return "".join(capsys.readouterr())

    printed(0, "target_snr=[10, 20]")
    assert "scene_options.target_snr was [10.0, 20.0], now [5.0, 20.0]" in printed(1)
    shutil.rmtree(tmp_path / "data")
    shutil.rmtree(tmp_path / "dump")
    printed(0)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "dump").rglob("*.wav")}
    assert "finished already" in printed(0, "target_snr=[5, 20]", "filter_db=0")
    assert "max_repeats as given" in printed(0, "max_repeats=2")  # it must not be lowered now; it was not before
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "dump").rglob("*.wav")}
    assert "finished already" in printed(0, "max_repeats=2") and "finished already" in printed(0)


def test_what_the_corpus_brings_is_used(prepared, corpus_with_test, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(corpus_with_test, root)
    shutil.copytree(prepared / "dump/test/soundscape", root / "dev_set/synthesized/test/soundscape")
    shutil.copytree(prepared / "dump/test/oracle_target", root / "dev_set/synthesized/test/oracle_target")
    shutil.copytree(prepared / "dump/valid/metadata", root / "dev_set/metadata/valid")
    assert prepare(root, tmp_path) == 0
    test = DataDirectory.read(tmp_path / "data/test")
    assert len(test) == 6
    assert all(r.mixture.startswith(str(root)) for r in test)
    rendered = {p.name: p.read_bytes() for p in (prepared / "dump/valid/soundscape").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "dump/valid/soundscape").iterdir()} == rendered


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"root": "x"})])
def test_damaged_description_is_named(tmp_path, content):
    (tmp_path / "corpus.json").write_text(content)
    with pytest.raises(ValueError, match="corpus.json: .* Delete it and run the data stage again"):
        CorpusDescription.read(tmp_path)


def test_missing_corpus(tmp_path, capsys):
    assert prepare(tmp_path / "nowhere", tmp_path) == 1
    assert "nowhere: not a corpus, no such folder" in capsys.readouterr().err


def content(folder):
    """Bytes of all files, without the paths and times that only ``*.json`` and ``*.jsonl`` hold."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".json", ".jsonl"))
    return {p.relative_to(folder): p.read_bytes() for p in files}


@pytest.fixture
def own(prepared, corpus_with_test, tmp_path):
    """A corpus and its preparation, to be spoilt."""
    root = tmp_path / "corpus"
    shutil.copytree(corpus_with_test, root)
    assert prepare(root, tmp_path) == 0
    return root, tmp_path


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: shutil.rmtree(folder / "dump"),
        lambda folder: shutil.rmtree(folder / "dump/test/soundscape"),
        lambda folder: next((folder / "dump/test/oracle_target").glob("*.wav")).unlink(),
        lambda folder: next((folder / "dump/valid/soundscape").glob("*.wav")).write_bytes(b""),
        lambda folder: os.truncate(next((folder / "dump/valid/oracle_target").glob("*.wav")), 100),
        lambda folder: flip(next((folder / "dump/test/soundscape").glob("*.wav"))),
        lambda folder: (folder / "data/test/wav.scp").write_text(""),
        lambda folder: (folder / "data/valid/labels").unlink(),
        lambda folder: (folder / "data/corpus.json").unlink(),
    ],
)
def test_what_was_damaged_is_made_again(own, capsys, spoil):
    root, folder = own
    before = content(folder)
    spoil(folder)
    capsys.readouterr()
    assert prepare(root, folder) == 0
    assert "finished already:" not in capsys.readouterr().out
    assert content(folder) == before
    assert prepare(root, folder) == 0 and "finished already:" in capsys.readouterr().out


def flip(path):
    path.write_bytes(path.read_bytes()[:-4] + b"\1\2\3\4")


@pytest.mark.parametrize("change", ["replace", "add", "remove"])
def test_another_corpus_is_another_result(own, tmp_path_factory, capsys, change):
    root, folder = own
    clip = root / "dev_set/sound_event/test/Dog/source0/0_0.wav"
    if change == "replace":
        flip(clip)
    elif change == "add":
        shutil.copy(clip, clip.with_name("another.wav"))
    else:
        clip.unlink()
    capsys.readouterr()
    assert prepare(root, folder) == 0
    assert clip.parent.name in capsys.readouterr().out
    fresh = tmp_path_factory.mktemp("fresh")
    assert prepare(root, fresh) == 0
    assert content(folder / "dump") == content(fresh / "dump")


def test_another_data_root_is_another_corpus(own, tmp_path_factory, capsys):
    root, folder = own
    for name, dog in (("copy", True), ("other", False)):
        shutil.copytree(root, folder / name)
        if not dog:
            for path in (folder / name).glob("dev_set/sound_event/*/Dog"):
                shutil.rmtree(path)
        capsys.readouterr()
        assert prepare(folder / name, folder) == 0
        assert "finished already:" not in capsys.readouterr().out
        description = CorpusDescription.read(folder / "data")
        assert Path(description.root) == folder / name / "dev_set" and ("Dog" in description.labels) == dog
        assert prepare(folder / name, folder) == 0 and "finished already:" in capsys.readouterr().out
    fresh = tmp_path_factory.mktemp("fresh")
    assert prepare(folder / "other", fresh) == 0
    assert content(folder / "dump") == content(fresh / "dump")
    assert prepare(folder / "nowhere", folder) == 1 and "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["remove", "index", "shorter index"])
def test_scenes_of_the_corpus_that_go_or_come(own, tmp_path_factory, capsys, change):
    root, folder = own
    metadata = root / "dev_set/metadata"
    (metadata / "valid").mkdir(parents=True)
    for index in range(3):
        shutil.copy(folder / f"dump/valid/metadata/valid_{index:05d}.json", metadata / f"valid/scene_{index}.json")
    rows = [{"metadata_path": f"valid/scene_{index}.json"} for index in range(3)]
    if change == "shorter index":
        (metadata / "valid.json").write_text(json.dumps(rows))
    places = tmp_path_factory.mktemp("places")
    assert prepare(root, places) == 0 and len(DataDirectory.read(places / "data/valid")) == 3
    if change == "remove":
        (metadata / "valid/scene_1.json").unlink()
    else:
        (metadata / "valid.json").write_text(json.dumps(rows[::2]))
    assert prepare(root, places) == 0
    assert [recording.id for recording in DataDirectory.read(places / "data/valid")] == ["scene_0", "scene_2"]


def test_a_touched_corpus_and_a_moved_folder_are_the_same(own, capsys):
    root, folder = own
    for path in (root / "dev_set/noise").rglob("*.wav"):
        os.utime(path)
    capsys.readouterr()
    assert prepare(root, folder) == 0
    assert "finished already" in capsys.readouterr().out
    sounds = content(folder / "dump")
    times = {path: path.stat().st_mtime_ns for path in (folder / "dump").rglob("*.wav")}
    shutil.move(folder / "dump", folder / "moved/dump")
    shutil.move(folder / "data", folder / "moved/data")
    assert prepare(root, folder / "moved") == 0
    assert content(folder / "moved/dump") == sounds
    assert all((folder / "moved" / p.relative_to(folder)).stat().st_mtime_ns == time for p, time in times.items())
    assert all(str(folder / "moved") in r.mixture for r in DataDirectory.read(folder / "moved/data/test"))


def test_somebody_elses_data_directory_is_left_alone(corpus_with_test, tmp_path, capsys):
    (tmp_path / "data/test").mkdir(parents=True)
    (tmp_path / "data/test/wav.scp").write_text("mine /mine.wav\n")
    assert prepare(corpus_with_test, tmp_path) == 1
    assert "did not write" in capsys.readouterr().err
    assert (tmp_path / "data/test/wav.scp").read_text() == "mine /mine.wav\n"


def test_two_at_once_end_like_one(corpus_with_test, prepared, tmp_path):
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv[1]); from pipeline.conftest import prepare",
    ]
    command[2] += "; from pathlib import Path; sys.exit(prepare(sys.argv[2], Path(sys.argv[3]), '--nj', '2'))"
    command += [str(Path(__file__).parents[1]), str(corpus_with_test), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("finished already" in text for text in printed) == 1
    assert content(tmp_path / "dump") == content(prepared / "dump")
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_silent_recordings_are_listed_before_any_training(own, capsys):
    root, folder = own
    silent = [root / "dev_set/sound_event/train/Bell/source0/silent.wav", root / "dev_set/interference/test/Fan/0.wav"]
    for path in silent:
        write_wav(path, [0.0] * 8000)
    for nj in ("1", "2"):
        assert prepare(root, folder, "--nj", nj) == 1
        message = capsys.readouterr().err
        assert "2 recordings are silent" in message and all(str(path) in message for path in silent)


def test_options_that_failed_bind_nobody(corpus_with_test, tmp_path):
    """A mistyped duration was recorded before it was refused, and the right one was then refused as a change."""
    assert prepare(corpus_with_test, tmp_path, "--duration", "1e9") == 1
    assert prepare(corpus_with_test, tmp_path) == 0


@pytest.mark.parametrize("option", ["data_dir", "dump_dir"])
def test_nothing_is_written_into_the_corpus(corpus_with_test, tmp_path, option, capsys):
    inside = corpus_with_test / "dev_set/noise/train/made"
    assert prepare(corpus_with_test, tmp_path, f"--{option}", str(inside)) == 1
    assert f"--{option}" in capsys.readouterr().err and not inside.exists()
