"""Folders that are no good as clips: all problems are reported at once, with counts, and nothing is left behind."""

import os

import numpy as np
import pytest
from small_corpus import write_wav

from s5lib.corpora.own import NewCorpus, build
from s5lib.errors import DataError

RATE = 16000
pytestmark = pytest.mark.usefixtures("small_surroundings")


def clip(path, seed, seconds=0.4, peak=0.5, channels=1):
    samples = np.random.default_rng([seed, *os.fsencode(path)[-20:]]).standard_normal((int(seconds * RATE), channels))
    write_wav(path, peak * samples / max(1e-9, np.abs(samples).max()), rate=RATE)


def good(folder, label, count=3):
    for take in range(count):
        clip(folder / label / f"{take}.wav", take)


def refused(folder, **options):
    """The lines of the refusal; there is no corpus then."""
    out = folder.parent / "out"
    with pytest.raises(DataError) as caught:
        build(NewCorpus(folder, out, num_rooms=1, noise_seconds=1.0, **options))
    assert not out.exists()
    return str(caught.value).splitlines()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "clips").mkdir()
    return tmp_path / "clips"


def test_no_folder(tmp_path):
    (line,) = refused(tmp_path / "nowhere")[1:]
    assert "nowhere" in line and "No such file" in line


def test_empty(folder):
    (line,) = refused(folder)[1:]
    assert "no recordings" in line and "LABEL/[SOURCE/]" in line


def test_one_class(folder):
    good(folder, "Bell")
    (line,) = refused(folder)[1:]
    assert "Bell" in line and "only class" in line


def test_one_clip(folder):
    good(folder, "Bell", 1)
    lines = refused(folder)[1:]
    assert len(lines) == 2 and "only class" in lines[0] and "1 of 1 clips" in lines[1] and "needs 3" in lines[1]


def test_the_same_clip_twice(folder):
    good(folder, "Bell")
    good(folder, "Dog", 2)
    (folder / "Dog/again.wav").write_bytes((folder / "Dog/0.wav").read_bytes())
    (line,) = refused(folder)[1:]
    assert "Dog: 2 of 3 clips" in line and "1 the same sound" in line


def test_one_sound_in_two_classes(folder, caplog):
    good(folder, "Bell", 5)
    good(folder, "Dog", 5)
    (folder / "Dog/bell.wav").write_bytes((folder / "Bell/0.wav").read_bytes())
    build(NewCorpus(folder, folder.parent / "out", num_rooms=1, noise_seconds=1.0))
    assert "2 clips, the same sound in several classes: Bell/0.wav, Dog/bell.wav. Keep it in one" in caplog.text
    report = (folder.parent / "out/REPORT.md").read_text()
    assert "the same sound in several classes: Bell, Dog" in report


def test_stereo_clips_are_used(folder):
    for label in ("Bell", "Dog"):
        for take in range(3):
            clip(folder / label / f"{take}.wav", take, channels=2)
    root = build(NewCorpus(folder, folder.parent / "out", num_rooms=1, noise_seconds=1.0))
    assert len(list((root / "sound_event").rglob("*.wav"))) == 6


def test_silent_short_and_corrupt_clips(folder):
    good(folder, "Bell")
    good(folder, "Dog", 2)
    clip(folder / "Dog/silent.wav", 1, peak=0.0)
    clip(folder / "Dog/quiet.wav", 2, peak=0.01)
    clip(folder / "Dog/short.wav", 3, seconds=0.05)
    (folder / "Dog/noise.wav").write_bytes(os.urandom(2000))
    (folder / "Dog/empty.wav").touch()
    (folder / "Dog/cut.wav").write_bytes((folder / "Bell/0.wav").read_bytes()[:5000])
    (line,) = refused(folder)[1:]
    for part in ("2 of 8 clips", "3 cannot be read", "1 peak below 0.02", "1 shorter than 0.1 s", "1 silent"):
        assert part in line


def test_nested(folder):
    good(folder / "all", "Bell")
    good(folder / "all", "Dog")
    first, second = refused(folder)[1:]
    assert "all: the only class" in first and str(folder / "all") in first and "from 2 sources" in second


def test_deep_folders_are_sources(folder):
    for label in ("Bell", "Dog"):
        for source in "abc":
            clip(folder / label / source / "2024/may/1.wav", ord(source))
    root = build(NewCorpus(folder, folder.parent / "out", num_rooms=1, noise_seconds=1.0))
    assert len(list((root / "sound_event").rglob("may/1.wav"))) == 6


def test_one_sub_folder_is_one_source(folder):
    good(folder, "Bell")
    good(folder / "Dog", "takes")
    (line,) = refused(folder)[1:]
    assert "Dog: 3 of 3 clips" in line and "from 1 source" in line and "Sub-folders are sources" in line


@pytest.mark.parametrize(
    "name", [b"a,b", b"a\x1b[2J", b"a\nb".replace(b"\n", b"\x07"), b"\xff\xfe", b"back\\slash", b"x" * 200]
)
def test_labels_that_cannot_be_file_names(folder, name):
    good(folder, "Bell")
    good(folder, "Dog")
    good(folder, os.fsdecode(name))
    (line,) = refused(folder)[1:]
    assert "label" in line and "Rename" in line and line.isprintable()


def test_labels_that_are_the_same(folder):
    for name in ("Door bell", "door_bell", "Dog"):
        good(folder, name)
    (line,) = refused(folder)[1:3]
    assert "same label" in line and "Door bell" in line


def test_white_space_in_labels(folder, caplog):
    caplog.set_level("INFO")
    good(folder, "001 - Dog bark")
    good(folder, "Bell")
    root = build(NewCorpus(folder, folder.parent / "out", num_rooms=1, noise_seconds=1.0))
    assert (root / "sound_event/train/001_-_Dog_bark").is_dir() and "is the class 001_-_Dog_bark" in caplog.text


def test_no_permission(folder, monkeypatch):
    good(folder, "Bell")
    good(folder, "Dog")
    good(folder, "Tap")
    scandir = os.scandir

    def denied(path):
        if str(path).endswith("Dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    (line,) = refused(folder)[1:]
    assert "Dog" in line and "Permission denied" in line and "chmod" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_to_a_clip(folder):
    good(folder, "Bell")
    good(folder, "Dog")
    (folder / "Dog/0.wav").chmod(0)
    (line,) = refused(folder)[1:]
    assert "Dog: 2 of 3 clips" in line and "1 cannot be read" in line


def test_all_classes_are_interference(folder):
    good(folder, "Bell")
    good(folder, "Dog")
    (line,) = refused(folder, interference="Bell,Dog")[1:]
    assert "no class is left" in line


@pytest.mark.parametrize("inside", [None, "Radio", "."])
def test_interference_without_a_usable_clip(folder, tmp_path, inside):
    good(folder, "Bell")
    good(folder, "Dog")
    others = tmp_path / "others"
    others.mkdir()
    if inside:
        clip(others / inside / "a.wav", 1, peak=0.0)
        clip(others / inside / "b.wav", 2, peak=0.01)
    (line,) = refused(folder, interference=str(others))[1:]
    why = f"none of 2 clips of {'others' if inside == '.' else inside} can be used (1 peak below 0.02, 1 silent)"
    assert (why if inside else f"{others}: no recordings") in line and "--interference" in line


def test_classes_of_interference_without_a_usable_clip(folder):
    for label in ("Bell", "Dog", "Radio"):
        good(folder, label)
    for take in range(3):
        clip(folder / f"Radio/{take}.wav", take, peak=0.0)
    (line,) = refused(folder, interference="Radio")[1:]
    assert "--interference: none of 3 clips of Radio can be used (3 silent)" in line


def test_loose_interference_beside_a_folder_of_the_same_label(folder, tmp_path):
    good(folder, "Bell")
    good(folder, "Dog")
    others = tmp_path / "Radio"
    clip(others / "Radio/0.wav", 1)
    clip(others / "1.wav", 2)
    (line,) = refused(folder, interference=str(others))[1:]
    assert f"recordings lie directly in {others}" in line and "1.wav" in line


def test_interference_of_no_name(folder):
    good(folder, "Bell")
    good(folder, "Dog")
    (line,) = refused(folder, interference="")[1:]
    assert "--interference ''" in line


def test_recordings_beside_the_folders_and_empty_folders(folder):
    good(folder, "Bell")
    good(folder, "Dog")
    clip(folder / "loose.wav", 1)
    (folder / "Empty").mkdir()
    lines = refused(folder)[1:]
    assert len(lines) == 2 and "loose.wav" in lines[0] and "Empty" in lines[1]


def test_everything_at_once(folder, tmp_path):
    good(folder, "Bell")
    good(folder, "a,b")
    good(folder, "Dog", 1)
    (folder / "Empty").mkdir()
    clip(folder / "loose.wav", 1)
    clip(tmp_path / "noise/six.wav", 1, channels=6)
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms/directions.csv").write_text("file,azimuth\n")
    (tmp_path / "rooms/x.sofa").write_bytes(b"no")
    lines = refused(folder, rooms=tmp_path / "rooms", noise=tmp_path / "noise", interference="Cat")
    assert "8 problems" in lines[0] and len(lines) == 9
    text = "\n".join(lines)
    for part in (
        "loose.wav",
        "Empty",
        "'a,b'",
        "--interference 'Cat'",
        "Dog: 1 of 1",
        "directions.csv",
        "x.sofa",
        "six.wav",
    ):
        assert part in text


@pytest.mark.parametrize(
    "table",
    [
        "",
        "file,azimuth\na.wav,1\n",
        "file,azimuth,elevation\na.wav,north,0\n",
        "file,azimuth,elevation\na.wav,0,100\n",
        "file,azimuth,elevation\na.wav,nan,0\n",
        "file,azimuth,elevation\n../a.wav,0,0\n",
        "file,azimuth,elevation\nmissing.wav,0,0\n",
        "file,azimuth,elevation,distance\na.wav,0,0,0\n",
        "file,azimuth,elevation\na.wav\n",
        "file,azimuth,elevation\na.wav,0,0\nb.wav,0,0\n",
    ],
)
def test_broken_tables_of_directions(folder, tmp_path, table):
    good(folder, "Bell")
    good(folder, "Dog")
    clip(tmp_path / "rooms/a.wav", 1, channels=4)
    clip(tmp_path / "rooms/b.wav", 1, channels=2)
    (tmp_path / "rooms/directions.csv").write_text(table)
    (line,) = refused(folder, rooms=tmp_path / "rooms")[1:]
    assert str(tmp_path / "rooms") in line


def test_all_that_is_wrong_with_rooms_and_noise(folder, tmp_path):
    good(folder, "Bell")
    good(folder, "Dog")
    clip(tmp_path / "rooms/a.wav", 1, channels=4)
    clip(tmp_path / "rooms/silent.wav", 1, channels=4, peak=0.0)
    table = "file,azimuth,elevation\na.wav,0,0\nsilent.wav,30,0\nnone.wav,0,0\na.wav,x,0\n"
    (tmp_path / "rooms/directions.csv").write_text(table)
    clip(tmp_path / "noise/a.wav", 1)
    clip(tmp_path / "noise/b.wav", 1, peak=0.0)
    half = np.random.default_rng(0).uniform(-0.1, 0.1, RATE)
    write_wav(tmp_path / "noise/c.wav", np.stack([half, -half], 1), rate=RATE)  # channels that cancel each other
    lines = refused(folder, rooms=tmp_path / "rooms", noise=tmp_path / "noise")[1:]
    assert len(lines) == 5
    for part in ("rooms/silent.wav: silent", "none.wav", "line 5", "b.wav: silent", "c.wav: silent"):
        assert any(part in line for line in lines)


def test_a_class_that_is_a_link_to_another(folder):
    good(folder, "Bell")
    good(folder, "Dog")
    (folder / "Hound").symlink_to("Dog")
    (line,) = refused(folder)[1:]
    assert "'Hound'" in line and "link to 'Dog'" in line


@pytest.mark.parametrize("option", ["noise", "rooms", "interference"])
@pytest.mark.parametrize("place", ["out", "out/dev_set", "."])
def test_options_that_name_the_output(folder, option, place):
    good(folder, "Bell")
    good(folder, "Dog")
    given = folder.parent / place
    given.mkdir(parents=True, exist_ok=True)
    value = str(given) if option == "interference" else given
    request = NewCorpus(folder, folder.parent / "out", num_rooms=1, noise_seconds=1.0, **{option: value})
    with pytest.raises(DataError, match=f"--{option} .*must not contain each other"):
        build(request)


@pytest.mark.parametrize("place", [".", "Bell", ".."])
def test_noise_and_interference_that_are_the_clips(folder, place):
    good(folder, "Bell")
    good(folder, "Dog")
    same, out = folder / place, folder.parent.parent / "elsewhere"
    with pytest.raises(DataError, match="--noise .*sounds to find"):
        build(NewCorpus(folder, out, num_rooms=1, noise_seconds=1.0, noise=same))
    with pytest.raises(DataError, match="--interference .*LABEL,LABEL"):
        build(NewCorpus(folder, out, num_rooms=1, noise_seconds=1.0, interference=str(same)))
    assert not out.exists()


def test_noise_of_a_few_samples(folder, tmp_path):
    good(folder, "Bell")
    good(folder, "Dog")
    clip(tmp_path / "noise/a.wav", 0, seconds=0.01)
    lines = refused(folder, noise=tmp_path / "noise")[1:]
    assert len(lines) == 3 and all("s of noise" in line and "--noise" in line for line in lines)


@pytest.mark.parametrize("table", ["x" * 200_000 + ",0,0", '"0.wav,0,0', "0.wav", "0.wav,nan,0", "a\rb,c"])
def test_tables_of_directions_that_are_none(folder, tmp_path, table):
    good(folder, "Bell")
    good(folder, "Dog")
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms/directions.csv").write_text(f"file,azimuth,elevation\n{table}\n")
    assert any("directions.csv" in line for line in refused(folder, rooms=tmp_path / "rooms")[1:])
