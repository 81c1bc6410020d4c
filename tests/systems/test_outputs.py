"""What is written for a recording, and read again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from s5lib.errors import ConfigError, DataError
from s5lib.systems import Source
from s5lib.systems.format_summary import format_summary
from s5lib.systems.outputs import SourceWriter, read_sources, write_sources
from s5lib.systems.streaming import Block

RATE = 8000


def two(level=0.1):
    waveforms = level * np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    return [Source("Dog", 0.9, waveforms[0]), Source("Rain", 0.4, waveforms[1])]


@pytest.mark.parametrize(("format", "tolerance"), [("float", 0), ("pcm24", 4e-7), ("flac", 4e-7)])
@pytest.mark.parametrize("level", [0.1, 3.0])
def test_every_format_gives_the_values_back_loud_ones_too(tmp_path, format, tolerance, level):
    record = write_sources(str(tmp_path), "a", two(level), RATE, format)
    labels, waveforms = read_sources(tmp_path, "a", 1000)
    assert labels == ["Dog", "Rain"]
    np.testing.assert_allclose(waveforms, [s.waveform for s in two(level)], atol=tolerance * max(1, 20 * level))
    loud = level > 1 and format != "float"
    assert (record["gain"] < 1) is loud
    if format != "float":
        for entry in record["sources"]:
            samples = soundfile.read(tmp_path / entry["file"])[0]
            assert np.abs(samples).max() < 1 - 2**-23  # nothing is clipped
    assert ("times as loud as found" in format_summary("a.wav", {**record, "labels": "given"})) is loud


def test_what_is_in_the_json(tmp_path):
    tone = np.zeros(8000, np.float32)
    tone[2000:6000] = 0.5 * np.sin(np.arange(4000))
    with SourceWriter(tmp_path, "a", RATE) as writer:
        writer.add(Block(4000, [Source("Dog", 0.7, tone[:4000])]))
        writer.add(Block(4000, [Source("Dog", 0.8, tone[4000:]), Source("Rain", 0.5, np.zeros(4000))]))
        writer.finish(mixture_energy=1000.0, labels="predicted")
    record = json.loads((tmp_path / "a.json").read_text())
    dog, rain = record["sources"]
    assert record["duration"] == 1 and record["sample_rate"] == RATE and record["gain"] == 1
    assert dog["file"] == "a_0_Dog.wav" and dog["probability"] == 0.8
    assert dog["active"] == [[0.24, 0.76]] or dog["active"] == [[0.25, 0.75]]
    assert dog["level_dbfs"] == pytest.approx(10 * np.log10(0.125), abs=0.2)
    assert dog["peak_dbfs"] == pytest.approx(20 * np.log10(0.5), abs=0.01)
    assert dog["level_to_mixture_db"] == pytest.approx(10 * np.log10(0.125 * 4000 / 1000), abs=0.01)
    assert rain["active"] == [] and rain["level_dbfs"] is rain["peak_dbfs"] is rain["level_to_mixture_db"] is None
    assert soundfile.info(tmp_path / "a_1_Rain.wav").frames == 8000  # silent before it was found


def test_other_sources_of_an_earlier_run_are_removed_and_other_recordings_stay(tmp_path):
    write_sources(tmp_path, "a", two(), RATE)
    write_sources(tmp_path, "a.b", two(), RATE)
    write_sources(tmp_path, "a", [Source("Cat", 1.0, np.ones(10))], RATE)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.b.json",
        "a.b_0_Dog.wav",
        "a.b_1_Rain.wav",
        "a.json",
        "a_0_Cat.wav",
    ]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    bad = Source("Dog", 1.0, np.array([0, np.inf, 0], np.float32))
    with pytest.raises(DataError, match="estimate of Dog is not finite at sample 1"):
        write_sources(tmp_path, "a", [bad], RATE)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="Did you mean 'flac'"):
        write_sources(tmp_path, "a", two(), RATE, "flak")
    for name in ("../a", "", "a/b", "..", "a\0"):
        with pytest.raises(DataError, match="cannot be a part of file names"):
            write_sources(tmp_path / "out", name, two(), RATE)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write into"):
        write_sources(tmp_path / "file", "a", two(), RATE)


@pytest.mark.parametrize("label", ["../../x", "/etc/passwd", "a\0b", "x" * 400, ".", "..", "Hündin", "a b\nc"])
def test_no_label_leaves_the_folder(tmp_path, label):
    write_sources(tmp_path / "out", "n", [Source(label, 1.0, np.zeros(4, np.float32))], RATE)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert read_sources(tmp_path / "out", "n", 4)[0] == [label]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda record: record["sources"][0].update(file="../../x.wav"), "'file' is '../../x.wav'"),
        (lambda record: record["sources"][0].update(file=7), "is damaged"),
        (lambda record: record["sources"][0].update(label=["Dog"]), "is damaged"),
        (lambda record: record["sources"][0].update(probability="high"), "is damaged"),
        (lambda record: record.update(gain=0), "is damaged"),
        (lambda record: record.update(sources={"a": 1}), "is damaged"),
        (lambda record: record.update(sources=None), "is damaged"),
    ],
)
def test_a_damaged_json_is_told(tmp_path, spoil, message):
    record = write_sources(tmp_path, "a", two(), RATE)
    spoil(record)
    (tmp_path / "a.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=message):
        read_sources(tmp_path, "a", 1000)
