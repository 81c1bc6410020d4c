"""The page about separated recordings: ``s5lib report SEPARATED``."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
import soundfile
from pages import read_page

from s5lib.bin.main import main
from s5lib.provenance import FileStamp
from s5lib.report import is_separated
from s5lib.systems import Source
from s5lib.systems.outputs import SourceWriter
from s5lib.systems.streaming import Block

RATE = 16000
EVIL = "<script>alert(1)</script>"


def separate(folder, name, labels, recording, remainder=True, seconds=1.0, **details):
    """Write what ``s5lib infer`` writes; each source is a tone of its own, and the recording their sum."""
    time = np.arange(int(seconds * RATE)) / RATE
    tones = [0.1 * np.sin(2 * np.pi * 300 * (i + 1) * time).astype(np.float32) for i in range(len(labels))]
    mixture = sum(tones, np.full(len(time), 0.01, np.float32))
    recording.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(recording, np.stack([mixture] * 4, 1), RATE, subtype="FLOAT")
    sources = [Source(label, 0.9 - 0.1 * i, tone) for i, (label, tone) in enumerate(zip(labels, tones, strict=True))]
    with SourceWriter(folder, name, RATE) as writer:
        writer.add(Block(len(time), sources))
        writer.finish(
            reference=(lambda start, stop: mixture[start:stop]) if remainder else None,
            recording=str(recording),
            recording_stamp=FileStamp.of(recording).as_json(),
            labels="predicted",
            made_by={
                "s5lib": "1",
                "models": {"tagger": {"file": "t.safetensors", "sha256": "0"}},
                "window_seconds": 10,
            },
            **details,
        )
    return mixture


@pytest.fixture
def separated(tmp_path):
    folder = tmp_path / "separated"
    separate(folder, "street", ["Speech", "Dog", "Dog"], tmp_path / "in/street.wav", warnings=["heard as W"])
    separate(folder / "day 1", "quiet", [], tmp_path / "in/quiet.wav", remainder=False)
    separate(folder, "long", [EVIL], tmp_path / "in/long.wav", seconds=40.0)
    (folder / "other.json").write_text("{}")
    return folder


def heard(page, label):
    """Return the samples of the clips whose name begins with a text."""
    found = [clip for clip in page.all("audio") if clip.attributes["aria-label"].startswith(label)]
    contents = (base64.b64decode(clip.attributes["src"].partition("base64,")[2]) for clip in found)
    return [soundfile.read(io.BytesIO(content))[0] for content in contents]


def test_everything_is_there_and_what_is_played_adds_up(separated):
    assert is_separated(separated)
    assert main(["report", str(separated), "--audio", "flac", "--scenes", "street"]) == 0
    page = read_page((separated / "report.html").read_text())
    assert "3 separated recordings, 1 of them below" in page.text
    assert "heard as W" in page.text and "Speech, Dog, Dog" in page.text and "90 %, active from" in page.text
    (mixture,), (remainder,) = heard(page, "Recording"), heard(page, "Remainder")
    sources = heard(page, "Speech") + heard(page, "Dog")
    assert len(sources) == 3 and np.abs(mixture).max() == pytest.approx(0.9, abs=1e-3)
    np.testing.assert_allclose(sum(sources) + remainder, mixture, atol=5 * 2**-15)


def test_all_recordings_and_nothing_that_runs_or_loads(separated):
    assert main(["report", str(separated), "--out", str(separated / "page.html"), "--audio", "none"]) == 0
    text = (separated / "page.html").read_text()
    page = read_page(text)
    assert [scene.all("h3")[0].text for scene in page.all("details")] == ["day 1/quiet", "long", "street"]
    assert EVIL not in text
    assert "no source; 1 s" in page.text and "the first 30 s of 40 s" in page.text
    assert not page.all("audio") and text.count("<script>") == 1


def test_a_recording_that_has_changed_is_not_shown(separated, tmp_path):
    soundfile.write(tmp_path / "in/street.wav", np.zeros((100, 4)), RATE)
    (tmp_path / "in/long.wav").unlink()
    assert main(["report", str(separated), "--audio", "none"]) == 0
    assert (separated / "report.html").read_text().count("<span>not found, or changed since</span>") == 2


def test_errors(separated, tmp_path, capsys):
    assert main(["report", str(separated), "--scenes", "stret"]) == 1
    assert "Nearest: street" in capsys.readouterr().err
    assert main(["report", str(separated), "--data_dir", str(tmp_path)]) == 1
    assert "--data_dir is for experiments" in capsys.readouterr().err
    (separated / "street_0_Speech.wav").write_bytes(b"RIFF")
    assert main(["report", str(separated)]) == 1
    assert "street_0_Speech.wav" in capsys.readouterr().err
    assert not (separated / "report.html").exists()


@pytest.mark.parametrize(
    "change", [{"made_by": 3}, {"warnings": 1}, {"recording": None}, {"remainder": []}, {"made_by": {}}]
)
def test_odd_records(separated, change):
    record = json.loads((separated / "street.json").read_text())
    (separated / "street.json").write_text(json.dumps({**record, **change}))
    assert main(["report", str(separated), "--audio", "none"]) == 0


def test_the_folder_of_an_experiment_is_none(tmp_path):
    separate(tmp_path / "exp/infer/test/predicted", "a", ["Dog"], tmp_path / "a.wav")
    (tmp_path / "exp/RESULTS.jsonl").write_text("")
    assert not is_separated(tmp_path / "exp") and is_separated(tmp_path / "exp/infer/test")
    assert not is_separated(tmp_path / "nowhere")
