import filecmp
import json
import os
import shutil
import sys

import numpy as np
import pytest
import soundfile

from s5lib import parallel
from s5lib.bin.main import main
from s5lib.errors import ConfigError, DataError
from s5lib.scenes import DrawSettings, read_metadata, render, synthesize

SETTINGS = DrawSettings(duration=1.5, sample_rate=8000)


def files(folder):
    return sorted(os.path.relpath(path, folder) for path in folder.rglob("*") if path.is_file())


def test_same_files_whatever_the_number_of_processes(small_corpus, tmp_path):
    one = synthesize(small_corpus, "valid", tmp_path / "one", 10, zero_target=2, settings=SETTINGS)
    two = synthesize(small_corpus, "valid", tmp_path / "two", 10, zero_target=2, settings=SETTINGS, nj=2)
    assert len(files(one)) == len(files(two)) > 12 * 2
    _, different, missing = filecmp.cmpfiles(one, two, files(one), shallow=False)
    assert not different and not missing
    kinds = []
    for path in sorted((one / "metadata").iterdir()):
        metadata = read_metadata(path)
        labels = [event["label"] for event in metadata["fg_events"]]
        kinds.append((len(labels), len(labels) > len(set(labels))))
        scene = render(metadata, small_corpus / "dev_set")
        mixture, rate = soundfile.read(one / f"soundscape/{path.stem}.wav", dtype="float32")
        assert rate == 8000
        np.testing.assert_array_equal(mixture.T, scene.mixture)
        for index, (label, source) in enumerate(zip(labels, scene.sources, strict=True)):
            written, _ = soundfile.read(one / f"oracle_target/{path.stem}_{index}_{label}.wav", dtype="float32")
            np.testing.assert_array_equal(written, source)
    expected = [(0, False), (1, False), (2, False), (2, True), (3, False), (3, True)]
    assert sorted(kinds) == sorted(expected * 2)


def test_an_interrupted_call_goes_on(small_corpus, tmp_path):
    whole = synthesize(small_corpus, "valid", tmp_path / "whole", 5, settings=SETTINGS)

    class Stopped(Exception):
        pass

    def stop_after_two(rows, total):
        for number, row in enumerate(rows):
            if number == 2:
                raise Stopped
            yield row

    with pytest.raises(Stopped):
        synthesize(small_corpus, "valid", tmp_path / "part", 5, settings=SETTINGS, progress=stop_after_two)
    kept = tmp_path / "part/soundscape/valid_00000.wav"
    before = kept.stat().st_mtime_ns
    (tmp_path / "part/soundscape/valid_00001.wav").unlink()
    synthesize(small_corpus, "valid", tmp_path / "part", 5, settings=SETTINGS)
    assert kept.stat().st_mtime_ns == before
    assert files(whole) == files(tmp_path / "part")
    assert not filecmp.cmpfiles(whole, tmp_path / "part", files(whole), shallow=False)[1]


def test_another_request_into_the_same_folder_is_refused(small_corpus, tmp_path):
    synthesize(small_corpus, "valid", tmp_path, 1, settings=SETTINGS)
    with pytest.raises(DataError, match="made with seed=0, not 1. Choose another folder"):
        synthesize(small_corpus, "valid", tmp_path, 1, settings=SETTINGS, seed=1)


def test_impossible_requests_write_nothing(small_corpus, tmp_path):
    with pytest.raises(DataError, match="no noise recording lasts 10 s"):
        synthesize(small_corpus, "valid", tmp_path / "out", 1)
    with pytest.raises(ConfigError, match="nothing to write"):
        synthesize(small_corpus, "valid", tmp_path / "out", 0, settings=SETTINGS)
    with pytest.raises(ConfigError, match="nj is 0"):
        synthesize(small_corpus, "valid", tmp_path / "out", 1, nj=0, settings=SETTINGS)
    assert not (tmp_path / "out").exists()


def test_command(small_corpus, tmp_path, capsys):
    command = ["synth", "--data_root", str(small_corpus), "--split", "valid", "--out", str(tmp_path / "set")]
    settings = ["--draw_conf", "duration=1.5", "sample_rate=8000"]
    assert main([*command, "--num_scenes", "2", "--zero_target", "1", *settings]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"3 scenes in {tmp_path / 'set'}\n" and captured.err == ""
    assert len(list((tmp_path / "set/metadata").iterdir())) == 3
    assert json.loads((tmp_path / "set/synth.json").read_text())["settings"]["duration"] == 1.5
    assert main([*command, "--num_scenes", "2", "--draw_conf", "duraton=1.5"]) == 1
    assert "Did you mean 'duration'" in capsys.readouterr().err
    assert main([*command, "--num_scenes", "2", "--draw_conf", "duration"]) == 1
    error = capsys.readouterr().err
    assert "--draw_conf" in error and "'duration'" in error


def test_same_files_over_a_dask_cluster(small_corpus, tmp_path):
    distributed = pytest.importorskip("distributed")
    here = synthesize(small_corpus, "valid", tmp_path / "here", 4, settings=SETTINGS)
    options = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        there = synthesize(
            small_corpus, "valid", tmp_path / "there", 4, settings=SETTINGS, dask=cluster.scheduler_address
        )
    assert files(there) == files(here)
    assert not filecmp.cmpfiles(here, there, files(here), shallow=False)[1]


def test_no_dask_scheduler(small_corpus, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "DASK_TIMEOUT", "0.3s")
    with pytest.raises(ConfigError, match="no scheduler answers there"):
        synthesize(small_corpus, "valid", tmp_path, 1, settings=SETTINGS, dask="tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda out: (out / "soundscape/valid_00001.wav").write_bytes(b""),
        lambda out: os.truncate(out / "soundscape/valid_00001.wav", 1000),
        lambda out: next((out / "oracle_target").iterdir()).unlink(),
        lambda out: next((out / "oracle_target").iterdir()).write_bytes(b"x" * 12058),
        lambda out: (out / "metadata/valid_00002.json").write_text("{}"),
        lambda out: [os.utime(path, (0, 0)) for path in out.rglob("*.wav")],
    ],
)
def test_damaged_files_are_made_again(small_corpus, tmp_path, spoil):
    whole = synthesize(small_corpus, "valid", tmp_path / "whole", 4, settings=SETTINGS)
    out = synthesize(small_corpus, "valid", tmp_path / "out", 4, settings=SETTINGS)
    spoil(out)
    synthesize(small_corpus, "valid", out, 4, settings=SETTINGS)
    assert files(out) == files(whole) and not filecmp.cmpfiles(whole, out, files(whole), shallow=False)[1]


def test_scenes_of_a_corpus_that_changed_are_made_again_in_the_same_process(small_corpus, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(small_corpus, root)
    out = synthesize(root, "valid", tmp_path / "out", 4, settings=SETTINGS)
    for path in (root / "dev_set/sound_event/valid/Dog").rglob("*.wav"):
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples[::-1], rate, subtype="FLOAT")
    synthesize(root, "valid", out, 4, settings=SETTINGS)
    fresh = synthesize(root, "valid", tmp_path / "fresh", 4, settings=SETTINGS)
    assert files(out) == files(fresh) and not filecmp.cmpfiles(fresh, out, files(fresh), shallow=False)[1]


def test_a_folder_with_files_of_somebody_else_is_refused(small_corpus, tmp_path):
    (tmp_path / "soundscape").mkdir()
    (tmp_path / "soundscape/valid_00000.wav").write_text("mine")
    with pytest.raises(DataError, match=r"did not write \(there is no synth.json\)"):
        synthesize(small_corpus, "valid", tmp_path, 1, settings=SETTINGS)
    assert files(tmp_path) == ["soundscape/valid_00000.wav"]


@pytest.mark.parametrize("name", ["valid_00000", "valid_00009"])  # written again, and no longer
def test_metadata_that_came_with_the_folder_owns_nothing_else(small_corpus, tmp_path, name):
    out = synthesize(small_corpus, "valid", tmp_path / "out", 1, settings=SETTINGS)
    (out / f"oracle_target/{name}_0_").mkdir()
    mine = ["precious.wav", "out/thesis.docx", "out/soundscape/mine.wav", "out/oracle_target/valid_00001_0_Dog.wav"]
    for file in mine:
        (tmp_path / file).write_text("mine")
    listed = [f"../{file.removeprefix('out/')}" for file in mine[1:]]
    listed += ["../../precious.wav", f"../oracle_target/{name}_0_/../../../precious.wav", str(tmp_path / mine[0])]
    forged = {"s5lib": {"made_from": "", "files": {file: {} for file in listed}}}
    (out / f"metadata/{name}.json").write_text(json.dumps(forged))
    synthesize(small_corpus, "valid", out, 1, settings=SETTINGS)
    assert [(tmp_path / file).read_text() for file in mine] == ["mine"] * len(mine)


def test_a_worker_that_sees_another_corpus_is_noticed(small_corpus, tmp_path, monkeypatch):
    root = tmp_path / "corpus"
    shutil.copytree(small_corpus, root)

    def over_another_machine(work, items, address):
        """Dask with one worker, whose files of the same names are others."""
        for path in (root / "dev_set/noise/valid").glob("*.wav"):
            samples, rate = soundfile.read(path)
            soundfile.write(path, samples[::-1], rate, subtype="FLOAT")
        module._states.clear()
        results = [work(item) for item in items]
        shutil.rmtree(root)
        shutil.copytree(small_corpus, root)
        yield from results

    module = sys.modules[synthesize.__module__]  # which has the function's name
    monkeypatch.setattr(module, "over_dask", over_another_machine)
    with pytest.raises(DataError, match="a Dask worker sees another file"):
        synthesize(root, "valid", tmp_path / "out", 2, settings=SETTINGS, dask="there:1")
