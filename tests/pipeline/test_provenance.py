"""`s5lib infer` and `s5lib score` on results that are stale, damaged, somebody else's, or being written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from s5lib.bin.main import main
from s5lib.systems.outputs import read_sources
from s5lib.systems.records import file_label, file_stem, identity, record_path

from .recordings import RATE, save_models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return save_models(tmp_path_factory.mktemp("models"), 4)


def record(path, seconds=0.3, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), 4))
    soundfile.write(os.fsencode(path), samples, RATE, format="WAV", subtype="FLOAT")
    return str(path)


def content(folder):
    """Bytes of all files below a folder, by path."""
    return {os.fsencode(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def infer(models, tmp_path):
    def run(*inputs, out="out", more=(), status=0):
        assert main(["infer", *map(str, inputs), *models, "--out", str(tmp_path / out), *more]) == status
        return tmp_path / out

    return run


class TestStale:
    @pytest.mark.parametrize("seconds", [0.3, 0.5])
    def test_a_replaced_recording_is_done_again(self, infer, tmp_path, capsys, seconds):
        path = record(tmp_path / "in/a.wav")
        infer(path)
        state = os.stat(path)
        record(tmp_path / "in/new.wav", seconds, seed=1)
        os.utime(tmp_path / "in/new.wav", ns=(state.st_atime_ns, state.st_mtime_ns))
        os.replace(tmp_path / "in/new.wav", path)
        capsys.readouterr()
        out = infer(path)
        assert "the recording changed" in capsys.readouterr().out
        assert content(out) == content(infer(path, out="fresh"))

    @pytest.mark.parametrize("setting", ["normalisation", "channels", "remainder", "spatial_filter"])
    def test_what_an_earlier_version_did_not_record_was_the_default(self, infer, tmp_path, capsys, setting):
        path = record(tmp_path / "in/a.wav")
        out = infer(path)
        file = out / "a.json"
        entries = json.loads(file.read_text())
        now = identity(entries["made_by"])
        del entries["made_by"][setting]
        assert identity(entries["made_by"]) == now  # which `s5lib package` asks of all recordings
        file.write_text(json.dumps(entries))
        capsys.readouterr()
        infer(path)
        assert "1 of 1 recordings are finished already" in capsys.readouterr().out

    def test_a_recording_that_became_unreadable_leaves_no_result(self, infer, tmp_path):
        path = record(tmp_path / "in/a.wav")
        infer(path)
        (tmp_path / "in/a.wav").write_bytes(b"no sound")
        assert content(infer(path, status=1)) == {}

    @pytest.mark.parametrize("more", [["--channels", "0,1,2"], ["--format", "mp3"]])
    def test_options_that_fail_keep_the_result(self, infer, tmp_path, more):
        path = record(tmp_path / "in/a.wav")
        samples, _ = soundfile.read(path, dtype="float32")
        soundfile.write(path, samples, 96000, subtype="FLOAT")  # a rate that MP3 has not
        before = content(infer(path))
        assert content(infer(path, more=more, status=1)) == before

    def test_another_recording_of_the_same_name_does_not_replace_the_first_one(self, infer, tmp_path, capsys):
        first, second = record(tmp_path / "day1/a.wav"), record(tmp_path / "day2/a.wav", seed=1)
        before = content(infer(first))
        assert content(infer(second, status=1)) == before
        printed = capsys.readouterr().err
        assert first in printed and second in printed and "--out" in printed
        os.unlink(first)  # it is replaced, or was moved and changed
        assert content(infer(second)) == content(infer(second, out="fresh"))

    def test_a_recording_that_is_gone_keeps_its_result(self, infer, tmp_path):
        path = record(tmp_path / "in/a.wav")
        before = content(infer(path))
        os.unlink(path)
        assert content(infer(path, status=1)) == before

    def test_touched_copied_or_moved_it_is_the_same(self, infer, tmp_path, capsys):
        path = record(tmp_path / "in/a.wav")
        infer(path)
        os.utime(path)
        shutil.copy(path, tmp_path / "in/copy.wav")
        os.replace(tmp_path / "in/copy.wav", path)
        (tmp_path / "elsewhere").mkdir()
        for place in ("in", "elsewhere"):
            path = shutil.move(path, tmp_path / place / "a.wav")
            capsys.readouterr()
            out = infer(path)
            assert "1 of 1 recordings are finished already" in capsys.readouterr().out
            assert content(out) == content(infer(path, out=f"fresh, {place}"))

    @pytest.mark.parametrize(
        ("more", "word"),
        [
            (["--channel_order", "WXYZ"], "channel order"),
            (["--normalisation", "fuma"], "normalisation"),
            (["--remainder"], "remainder"),
            (["--sample_rate", "model"], "sample rate"),
            (["--threshold", "0.2"], "calibration"),
            (["--channels", "3,1,2,0"], "channels"),
            (["--format", "flac"], "format"),
            (["--window", "3"], "window seconds"),
            (["--labels", "Dog"], "labels"),
            (["--system", "iterative"], "system"),
            (["--spatial_filter"], "spatial filter"),
        ],
    )
    def test_another_option_is_another_result(self, infer, tmp_path, capsys, more, word):
        path = record(tmp_path / "in/a.wav")
        infer(path)
        out = infer(path, more=more)
        assert word in capsys.readouterr().out
        assert content(out) == content(infer(path, out="fresh", more=more))

    @pytest.mark.parametrize("size", [0, 100, None])
    @pytest.mark.parametrize("file", ["a_0_Dog.wav", "a_1_Rain.wav", "a.json"])
    def test_a_damaged_output_does_not_pass(self, infer, tmp_path, size, file):
        path = record(tmp_path / "in/a.wav")
        out = infer(path)
        before = content(out)
        if size is None:
            whole = (out / file).read_bytes()
            (out / file).write_bytes(whole[:-10] + bytes(10) if file.endswith("wav") else b"")
        else:
            os.truncate(out / file, size)
        assert content(infer(path)) == before

    def test_data_that_were_made_anew_are_not_scored_with_old_estimates(self, models, tmp_path, capsys):
        def data(seed):
            folder = tmp_path / "data"
            folder.mkdir(exist_ok=True)
            mixture = record(tmp_path / "dump/m.wav", seed=seed)
            reference = soundfile.read(mixture)[0][:, :2].sum(1)
            soundfile.write(tmp_path / "dump/m_0_Dog.wav", reference, RATE, subtype="FLOAT")
            (folder / "wav.scp").write_text(f"m {mixture}\n")
            (folder / "labels").write_text("m Dog\n")
            (folder / "src1.scp").write_text(f"m {tmp_path}/dump/m_0_Dog.wav\n")

        infer = ["infer", "--data_dir", str(tmp_path / "data"), *models, "--out", str(tmp_path / "exp"), "--labels"]
        score = ["score", "--data_dir", str(tmp_path / "data"), "--infer_dir", str(tmp_path / "exp")]
        score += ["--out", str(tmp_path / "R.md")]
        data(seed=0)
        assert main([*infer, "predicted", "oracle"]) == 0 and main(score) == 0
        shutil.copy(tmp_path / "R.jsonl", tmp_path / "before.jsonl")
        data(seed=1)
        for option in ("--infer_dir", "--estimates"):
            assert main([*score[:3], option, *score[4:]]) == 1
            assert "m.json was made from another version" in capsys.readouterr().err
        assert main([*infer, "predicted", "oracle"]) == 0 and main(score) == 0
        assert main([*score, "--compare", str(tmp_path / "before.jsonl")]) == 1
        assert "m has another mixture or other references in" in capsys.readouterr().err
        (tmp_path / "data/labels").write_text("m Rain\n")
        assert main(score) == 1
        assert "the references now are of Rain" in capsys.readouterr().err
        data(seed=1)
        source = tmp_path / "exp/predicted/m_0_Dog.wav"
        source.write_bytes(source.read_bytes()[:-4] + np.float32(0.5).tobytes())
        assert main(score) == 1
        assert "m.json: m_0_Dog.wav was changed" in capsys.readouterr().err


class TestOthersFiles:
    def test_out_is_the_folder_of_the_recordings(self, infer, tmp_path, capsys):
        folder = tmp_path / "out"
        take, other = record(folder / "take.wav"), record(folder / "other.wav", seed=1)
        sounds = {p.name: p.read_bytes() for p in folder.iterdir()}
        mine = {
            "take.json": json.dumps({"sources": [{"label": "x", "file": "precious.wav"}]}).encode(),
            "precious.wav": b"mine",
            "other_0_Dog.wav": b"mine, too",
        }
        for name, text in mine.items():
            (folder / name).write_bytes(text)
        infer(take, other, status=1)
        assert {**sounds, **mine} == {p.name: p.read_bytes() for p in folder.iterdir()}
        printed = capsys.readouterr().out
        assert "take.json already exists" in printed and "other_0_Dog.wav already exists" in printed
        (folder / "take.json").unlink()
        infer(take, other, status=1)
        assert (folder / "take_0_Dog.wav").exists() and (folder / "precious.wav").read_bytes() == b"mine"

    def test_its_own_output_is_not_separated_again(self, infer, tmp_path, capsys):
        record(tmp_path / "field/a.wav")
        record(tmp_path / "field/day1/b.wav", seed=1)
        infer(tmp_path / "field", out="field/separated")
        before = content(tmp_path / "field")
        capsys.readouterr()
        infer(tmp_path / "field", out="field/separated")
        assert "4 sources that s5lib has written" in capsys.readouterr().out
        assert content(tmp_path / "field") == before

    def test_a_file_by_hand_in_place_of_an_old_source_is_replaced_but_no_other_is_touched(self, infer, tmp_path):
        path = record(tmp_path / "a.wav")
        out = infer(path)
        (out / "a_0_Dog.wav").write_bytes(b"edited")
        (out / "a_2_Dog.wav").write_bytes(b"added by hand")
        infer(path)
        assert len(read_sources(out, "a", round(0.3 * RATE))[0]) == 2
        assert (out / "a_2_Dog.wav").read_bytes() == b"added by hand"


class TestNames:
    def test_equal_names_keep_their_folders(self, infer, tmp_path):
        for seed, day in enumerate(("day1", "day2")):
            record(tmp_path / f"field/{day}/take.wav", seed=seed)
        expected = {"day1/take.json", "day2/take.json"}
        days = [tmp_path / "field/day1", tmp_path / "field/day2"]
        for number, inputs in enumerate(([tmp_path / "field"], days, [day / "take.wav" for day in days])):
            out = infer(*inputs, out=f"out{number}")
            assert {str(p.relative_to(out)) for p in out.rglob("*.json")} == expected

    def test_names_that_differ_in_the_ending_alone(self, infer, tmp_path):
        record(tmp_path / "in/a.wav")
        samples, _ = soundfile.read(record(tmp_path / "b.wav", seed=1))
        soundfile.write(tmp_path / "in/a.flac", samples, RATE)
        out = infer(tmp_path / "in")
        assert {p.name for p in out.glob("*.json")} == {"a.wav.json", "a.flac.json"}
        assert json.loads((out / "a.flac.json").read_text())["recording"].endswith("a.flac")

    @pytest.mark.parametrize(
        "name",
        [
            "x" * 251,
            "\u00e9" * 125,
            unicodedata.normalize("NFD", "Gr\u00fc\u00dfe"),
            os.fsdecode(b"caf\xe9"),
            "a b\tc\nd",
            "\U0001f600" * 62,
            "-n",
            "a_0_Dog",
        ],
    )
    def test_names_as_people_have_them(self, infer, tmp_path, capsys, name):
        path = record(tmp_path / "in" / f"{name}.wav")
        for _ in range(2):
            out = infer(tmp_path / "in")
        assert "1 of 1 recordings are finished already" in capsys.readouterr().out
        assert read_sources(out, name, round(0.3 * RATE))[0] == ["Dog", "Rain"]
        listed = json.loads(record_path(out, name).read_bytes().decode("utf-8"))
        listed["recording"].encode("utf-8"), listed["name"].encode("utf-8")
        assert os.path.exists(path) and len(list(out.iterdir())) == 3

    def test_no_two_labels_and_no_two_names_share_a_file(self):
        labels = ["Door&Bell", "Door_Bell", "Door Bell", "x" * 200, "x" * 201, "\u00fc" * 60, "\u00fc" * 61, "/", "\\"]
        assert len({file_label(label) for label in labels}) == len(labels)
        names = ["a\udcff", "a\udcfe", "a_", "y" * 200, "y" * 201]
        assert len({file_stem(name) for name in names}) == len(names)
        assert all(
            len(os.fsencode(file_stem(n) + "_100_" + file_label(b) + ".flac")) < 255 for n in names for b in labels
        )

    def test_every_failure_is_reported_and_the_rest_is_done(self, infer, tmp_path, capsys, monkeypatch):
        for name in ("good", "gone", "bad"):
            record(tmp_path / f"{name}.wav")
        (tmp_path / "bad.wav").write_bytes(b"RIFF")
        (tmp_path / "gone.wav").unlink()
        (tmp_path / "out").mkdir()
        (tmp_path / "out/sub").write_text("a file where a folder should be")
        record(tmp_path / "in/sub/x.wav")
        out = infer(*(tmp_path / f"{name}.wav" for name in ("good", "gone", "bad")), tmp_path / "in", status=1)
        printed = capsys.readouterr()
        assert (out / "good.json").exists()
        assert all(name in printed.out for name in ("gone.wav", "bad.wav", "sub")) and "Traceback" not in printed.err


def test_started_twice_the_result_is_that_of_one_run(models, tmp_path):
    for number in range(12):
        record(tmp_path / f"in/r{number}.wav", 0.5 + 0.1 * number, seed=number)
    command = [sys.executable, "-m", "s5lib.bin.main", "infer", str(tmp_path / "in"), *models, "--out"]
    both = [subprocess.Popen([*command, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("12 of 12 recordings are finished already" in text for text in printed) == 1
    assert main([*command[3:], str(tmp_path / "lone")]) == 0
    assert content(tmp_path / "out") == content(tmp_path / "lone")


@pytest.mark.parametrize("what", ["recording", "model", "out"])
def test_a_dask_worker_with_files_of_its_own_is_noticed(models, tmp_path, monkeypatch, capsys, what):
    """Dask with one worker, which sees other files under the same paths."""
    path, model = record(tmp_path / "in/a.wav"), Path(models[1].partition("=")[2])
    there = {"recording": Path(path), "model": model, "out": tmp_path / "out"}[what]
    kept = tmp_path / "kept"

    def over_another_machine(work, items, address):
        if what == "out":
            results = [work(item) for item in items]
            shutil.move(there, kept)
        else:
            shutil.copy(there, kept)
            there.write_bytes(there.read_bytes()[:-4] + b"\0\0\0\1")
            results = [work(item) for item in items]
            shutil.copy(kept, there)
        yield from results

    monkeypatch.setattr("s5lib.systems.workers.over_dask", over_another_machine)
    assert main(["infer", path, *models, "--out", str(tmp_path / "out"), "--dask", "there:1"]) == 1
    printed = capsys.readouterr().out
    assert ("must be on a file system that all machines share" if what == "out" else "sees another file") in printed
    assert not list((tmp_path / "out").glob("*.json"))


@pytest.mark.slow
def test_twenty_kills_of_commands_at_random_moments(tmp_path):
    script = Path(__file__).parents[1] / "faults/kill_commands.py"
    command = [sys.executable, str(script), "--kills", "20", "--folder", str(tmp_path / "kills")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["kills"] == 20
