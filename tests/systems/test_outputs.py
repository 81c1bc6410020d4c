"""What is written for a recording, and read again."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s5lib.errors import ConfigError, DataError
from s5lib.evaluation.estimate_files import list_estimates
from s5lib.systems import Source, outputs
from s5lib.systems.format_summary import format_summary
from s5lib.systems.outputs import SourceWriter, read_sources, write_sources
from s5lib.systems.records import WRITTEN_BY, discard, owned_files, separate_own_outputs
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
        with pytest.raises(DataError, match="cannot be part of a file name"):
            write_sources(tmp_path / "out", name, two(), RATE)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write into"):
        write_sources(tmp_path / "file", "a", two(), RATE)


@pytest.mark.parametrize("earlier", [(), ("Cat",)])
@pytest.mark.parametrize("at", range(1, 12))
def test_an_error_at_any_move_leaves_a_result_or_none(tmp_path, earlier, at):
    """The recording can be written again, and what is there until then is whole."""
    replace, moves = os.replace, itertools.count(1)

    def failing(source, target):
        if next(moves) == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    if earlier:
        write_sources(tmp_path, "a", [Source("Cat", 1.0, np.ones(1000, np.float32))], RATE)
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(DataError):
        patch.setattr(os, "replace", failing)
        write_sources(tmp_path, "a", two(), RATE)
    found = {path.name for path in tmp_path.iterdir()}
    assert found in ({"a.json", "a_0_Cat.wav"} if earlier else set(), {"a.json", "a_0_Dog.wav", "a_1_Rain.wav"})
    if found:
        assert read_sources(tmp_path, "a", 1000)[0] in (["Cat"], ["Dog", "Rain"])
    write_sources(tmp_path, "a", two(2.0), RATE)


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
def test_a_damaged_json_is_reported(tmp_path, spoil, message):
    record = write_sources(tmp_path, "a", two(), RATE)
    spoil(record)
    (tmp_path / "a.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=message):
        read_sources(tmp_path, "a", 1000)


def tones(rate, samples):
    """Two sources well below half of any rate used here, so that resampling changes nothing but the rate."""
    time = np.arange(samples) / rate
    ramp = np.minimum(1, np.minimum(np.arange(samples), np.arange(samples)[::-1]) / (0.05 * rate))
    return [(ramp * np.sin(2 * np.pi * f * time)).astype(np.float32) for f in (440, 1100)]


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000])
def test_files_at_another_rate_than_the_sources(tmp_path, rate, monkeypatch):
    monkeypatch.setattr(outputs, "_BLOCK", 1000)  # pieces join without a seam
    frames = 3 * rate // 4 + 1
    with SourceWriter(tmp_path, "a", RATE, written_rate=rate, written_samples=frames) as writer:
        samples = -(-frames * RATE // rate)
        sources = [Source(label, 0.5, w) for label, w in zip(("Dog", "Rain"), tones(RATE, samples), strict=True)]
        writer.add(Block(samples, sources))
        record = writer.finish()
    labels, waveforms = read_sources(tmp_path, "a", frames)
    assert labels == ["Dog", "Rain"] and record["sample_rate"] == rate
    assert record["duration"] == pytest.approx(frames / rate, abs=1e-4)
    edge = rate // 10
    np.testing.assert_allclose(waveforms[:, edge:-edge], np.stack(tones(rate, frames))[:, edge:-edge], atol=0.01)
    peaks = 20 * np.log10(np.abs(waveforms).max(1))
    np.testing.assert_allclose([entry["peak_dbfs"] for entry in record["sources"]], peaks, atol=0.01)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rate=st.sampled_from([8000, 11025, 44100, 48000]),
    format=st.sampled_from(["float", "pcm24", "flac"]),
    count=st.integers(0, 3),
    level=st.sampled_from([1e-3, 0.1, 5.0]),
    frames=st.integers(1, 5000),
    seed=st.integers(0, 99),
)
def test_sources_and_remainder_add_up_to_the_reference(tmp_path, rate, format, count, level, frames, seed):
    random = np.random.default_rng(seed)
    reference = (level * random.standard_normal(frames)).astype(np.float32)
    samples = -(-frames * RATE // rate)
    with SourceWriter(tmp_path, "a", RATE, format, written_rate=rate, written_samples=frames) as writer:
        noise = (level * random.standard_normal((count, samples))).astype(np.float32)
        writer.add(Block(samples, [Source("Dog", 0.5, waveform) for waveform in noise]))
        record = writer.finish(reference=lambda start, stop: reference[start:stop])
    _, sources = read_sources(tmp_path, "a", frames)
    file = record["remainder"]["file"]
    remainder, written_rate = soundfile.read(tmp_path / file, dtype="float32")
    assert written_rate == rate and file.startswith("a_remainder.") and file in record["files"]
    total = sources.sum(0, dtype=np.float64) + remainder / record["gain"]
    step = 2.0**-23 / record["gain"] * (count + 1) if format != "float" else 0
    np.testing.assert_allclose(total, reference, atol=1e-6 * max(level, 0.01) * 10 + step)
    assert np.abs(remainder).max() < 1 or format == "float"  # nothing is clipped


def test_a_remainder_is_not_separated_again_and_goes_with_its_recording(tmp_path):
    with SourceWriter(tmp_path, "a", RATE) as writer:
        writer.add(Block(1000, two()))
        writer.finish(reference=lambda start, stop: np.zeros(stop - start))
    (tmp_path / "b_remainder.wav").write_bytes(b"somebody else's")
    files = [str(path) for path in tmp_path.glob("*.wav")]
    others, own = separate_own_outputs(files)
    assert others == [str(tmp_path / "b_remainder.wav")] and len(own) == 3
    write_sources(str(tmp_path), "a", two(), RATE)
    assert not (tmp_path / "a_remainder.wav").exists() and (tmp_path / "b_remainder.wav").exists()
    estimates = list_estimates(tmp_path, ["a", "b"], ["Dog", "Rain"])
    assert [file.label for file in estimates["a"]] == ["Dog", "Rain"] and estimates["b"] == []


@given(level=st.floats(1e-4, 100.0), format=st.sampled_from(["float", "pcm24", "flac"]))
def test_files_of_a_folder_have_the_gains_of_their_record(tmp_path_factory, level, format):
    folder = tmp_path_factory.mktemp("estimates")
    write_sources(str(folder), "a", two(level), RATE, format)
    for file, source in zip(list_estimates(folder, ["a"], ["Dog", "Rain"])["a"], two(level), strict=True):
        waveform = soundfile.read(file.path, dtype="float32")[0] / file.gain
        np.testing.assert_allclose(waveform, source.waveform, rtol=1e-6, atol=3e-7 * max(1, 5 * level))


def test_gains_of_others_files_are_one(tmp_path):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}_0_Dog.wav", np.zeros(9), RATE)
    (tmp_path / "a.json").write_text('{"gain": 0.5, "sources": [{"file": "a_0_Dog.wav", "label": "Dog"}]}')
    write_sources(str(tmp_path), "b", [Source("Rain", 1.0, np.full(9, 5, np.float32))], RATE, "flac")
    (tmp_path / "b_0_Dog.wav").rename(tmp_path / "b_7_Dog.wav")
    found = list_estimates(tmp_path, ["a", "b"], ["Dog", "Rain"])
    assert [file.gain for file in found["a"]] == [1.0] and found["b"][-1].gain == 1.0


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.text(min_size=1, max_size=60).filter(lambda text: text.strip(".") and not set(text) & {"/", "\0"}),
    labels=st.lists(st.text(max_size=40) | st.sampled_from(["Dog", "Door_bell", "x" * 300, "é" * 90]), max_size=3),
    format=st.sampled_from(outputs.FORMATS),
)
def test_a_record_owns_what_was_written_with_it(tmp_path_factory, name, labels, format):
    folder = tmp_path_factory.mktemp("out")
    with SourceWriter(folder, name, RATE, format) as writer:
        writer.add(Block(50, [Source(label, 0.5, np.zeros(50, np.float32)) for label in labels]))
        record = writer.finish(reference=lambda start, stop: np.zeros(stop - start))
    (path,) = folder.glob("*.json")
    assert owned_files(path) == set(record["files"]) and len(record["files"]) == len(labels) + 1
    discard(folder, name)
    assert list(folder.iterdir()) == []


FOREIGN = [
    *("a.wav", "thesis.docx", "a.thesis.docx", "a_0_Dog.docx", "a_0_Dog.wav.docx", "a_0_Dog", "a_Dog.wav", "a_0.wav"),
    *("a_01_Drums.wav", "a_-1_Dog.wav", "a_0_Dog bark.wav", "a_remainder.docx", "a_remainder_2.wav", "b_0_Dog.wav"),
    *("a.b_0_Dog.wav", "a.b_remainder.wav", "xa_0_Dog.wav", "A_0_Dog.wav", "b.json", "day1/a_0_Dog.wav"),
]


@pytest.mark.parametrize("replaced", [True, False])
@given(listed=st.lists(st.sampled_from(FOREIGN) | st.sampled_from(["../precious", "/etc/x", 7, None, ["a.wav"]])))
@settings(max_examples=20, deadline=None)
def test_a_record_that_came_with_the_folder_owns_nothing_else(tmp_path_factory, replaced, listed):
    folder = tmp_path_factory.mktemp("host") / "host"
    for file in (*FOREIGN, "../precious"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(file)
    sources = [{"label": "Dog", "file": file} for file in listed]
    record = {WRITTEN_BY: "s5lib 0.2.0", "sources": sources, "files": {str(file): {} for file in listed}}
    (folder / "a.json").write_text(json.dumps(record, indent=1))
    if replaced:
        write_sources(folder, "a", two(), RATE)
    else:
        discard(folder, "a")
    assert all((folder / file).read_text() == file for file in (*FOREIGN, "../precious"))
    assert (folder / "a_0_Dog.wav").exists() is (folder / "a.json").exists() is replaced


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_mp3_is_of_the_same_length_and_sounds_alike(tmp_path, rate):
    waves = tones(rate, rate)
    write_sources(str(tmp_path), "a", [Source("Dog", 1.0, w / 2) for w in waves], rate, "mp3")
    _, waveforms = read_sources(tmp_path, "a", rate)
    error = ((waveforms - np.stack(waves) / 2) ** 2).mean()
    assert 10 * np.log10((np.stack(waves) ** 2).mean() / 4 / error) > 20


@pytest.mark.parametrize(("format", "rate"), [("mp3", 96000), ("flac", 768000)])
def test_a_rate_that_a_format_does_not_have(tmp_path, format, rate):
    with pytest.raises(DataError, match=f"no {format} file can be written at {rate} Hz.*--sample_rate"):
        SourceWriter(tmp_path, "a", RATE, format, written_rate=rate)
