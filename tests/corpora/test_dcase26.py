import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from local_server import local_server
from scipy.io import wavfile
from test_split_archive import by_hand

from s5lib.bin.main import main
from s5lib.corpora import dcase26
from s5lib.corpora.dcase26 import Servers, Sources, add_clips, fetch_set, fetch_sources, missing_parts
from s5lib.errors import DataError
from s5lib.scenes import Corpus

CLASSES = ("Rain", "Zipper (clothing)")


def sound(seconds=0.5, peak=0.5):
    buffer = io.BytesIO()
    samples = peak * np.random.default_rng(0).uniform(-1, 1, int(16000 * seconds))
    wavfile.write(buffer, 16000, samples.astype(np.float32))
    return buffer.getvalue()


def zipped(contents):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def servers(small_corpus, tmp_path, monkeypatch):
    """All the data sets, tiny, on a server of this machine; only the clips of other sets are missing in dev_set."""
    root = small_corpus / "dev_set"
    dev_set = {
        f"Set/data/dev_set/{path.relative_to(root)}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "interference" not in path.parts
    }
    fsd50k = [{"file_name": f"train/{n}.wav", "t4_label": "Bell", "convert_path": f"train/Bell/{n}.wav"} for n in "ab"]
    ears = [{"file_name": "p007/x.wav", "t4_label": "Speech", "convert_path": "valid/Speech/p007/x.wav"}]
    files = {
        "Set/data/dev_set/config/FSD50K_config.json": json.dumps(fsd50k),
        "Set/data/dev_set/config/EARS_config.json": json.dumps(ears),
        "Set/data/dev_set/metadata/valid.json": "[]",
        "Set/data/dev_set/metadata/valid/v.json": "{}",
        "Set/data/dev_set/synthesized/test/soundscape/t.wav": sound(),
        "Set/data/dev_set/synthesized/test/oracle_target/t_0_Bell.wav": sound(),
        "Set/README.txt": "not wanted",
    }
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    by_hand(pieces, dev_set | files, 200_000)
    with local_server() as state:
        rows = []
        for path in pieces.iterdir():
            state.files[f"/{path.name}"] = path.read_bytes()
            rows.append(
                {"key": path.name, "size": path.stat().st_size, "links": {"self": f"{state.url}/{path.name}"}}
                | {"checksum": f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"}
            )
        state.files["/api/19328046"] = json.dumps({"files": rows}).encode()
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            names = ["FSD50K/train/a.wav", "FSD50K/train/b.wav", "FSD50K/train/unused.wav"]
            names += [f"bg_scaper_fmt/{split}/{label}/1.wav" for split in ("train", "val") for label in CLASSES]
            for name in names:
                data = sound(peak=0.001 if name.endswith("b.wav") else 0.5)
                member = tarfile.TarInfo(f"BinauralCuratedDataset/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        state.files["/semhear.tar"] = tar.getvalue()
        state.files["/ears/p007.zip"] = zipped({"p007/x.wav": sound(), "p007/y.wav": sound()})
        servers = Servers(f"{state.url}/api", f"{state.url}/semhear.tar", f"{state.url}/ears")
        monkeypatch.setattr(dcase26, "Servers", lambda: servers)
        state.files["/state"] = b""
        yield state


def test_from_nothing_to_a_complete_corpus(servers, tmp_path):
    root, downloads = tmp_path / "root", tmp_path / "downloads"
    dev_set = fetch_set("dev_set", root, downloads)
    assert not (root / "dev_set/README.txt").exists() and not (dev_set / "interference").exists()
    assert any("interference/train: no *.wav" in problem for problem in missing_parts(dev_set))
    sources = fetch_sources(dev_set, downloads)
    assert not (sources.semantic_hearing / "FSD50K/train/unused.wav").exists()
    assert not (sources.ears / "p007/y.wav").exists()
    left_out = add_clips(dev_set, sources, nj=2, classes=CLASSES)
    assert left_out == {"peak below 0.02": [str(sources.semantic_hearing / "FSD50K/train/b.wav")]}
    assert missing_parts(dev_set) == []
    corpus = Corpus(root, "valid")
    assert {clip.source for clip in corpus.events["Speech"]} >= {"p007"}
    assert sorted(corpus.interferences) == sorted(CLASSES)
    assert not (dev_set / "sound_event/train/Bell/b.wav").exists()

    asked = len(servers.requests)
    assert fetch_set("dev_set", root, downloads) == dev_set
    assert add_clips(dev_set, fetch_sources(dev_set, downloads), classes=CLASSES) == left_out
    assert not [request for request in servers.requests[asked:] if request[0] == "GET"]


def test_unpacking_goes_on_after_an_interruption(servers, tmp_path):
    root, downloads = tmp_path / "root", tmp_path / "downloads"
    dev_set = fetch_set("dev_set", root, downloads)
    (dev_set / ".unpacked").unlink()
    (dev_set / "metadata/valid.json").write_bytes(b"")
    clip = dev_set / "sound_event/train/Bell/source0/0_0.wav"
    before = clip.stat().st_mtime_ns
    fetch_set("dev_set", root, downloads)
    assert (dev_set / "metadata/valid.json").read_text() == "[]" and clip.stat().st_mtime_ns == before


def test_command_with_sources_on_disk(servers, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(add_clips, "__defaults__", (1, CLASSES, None))
    sources = fetch_sources(fetch_set("dev_set", tmp_path / "first", tmp_path / "downloads"), tmp_path / "downloads")
    options = ["--semhear_path", str(sources.semantic_hearing), "--ears_path", str(sources.ears)]
    asked = len(servers.requests)
    assert main(["fetch", "--data_root", str(tmp_path / "root"), *options]) == 0
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'root/dev_set'}: complete\n")
    assert not any("semhear" in path or "ears" in path for _, path, _ in servers.requests[asked:])
    assert main(["fetch", "--data_root", str(tmp_path / "root"), "--ears_path", str(tmp_path / "nowhere")]) == 1
    assert "--ears_path is" in capsys.readouterr().err


def test_missing_recordings_are_named(servers, tmp_path):
    dev_set = fetch_set("dev_set", tmp_path / "root", tmp_path / "downloads")
    with pytest.raises(DataError, match="missing: .*FSD50K/train/a.wav.* and 2 more. Are --semhear_path"):
        add_clips(dev_set, Sources(tmp_path, tmp_path), classes=CLASSES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"file_name": "../x.wav", "convert_path": "a.wav"}]', r"file_name: .*'../x.wav' leads out"),
        ('[{"file_name": "x.wav", "convert_path": "/a.wav"}]', "convert_path: .*'/a.wav' leads out"),
        ('[{"file_name": "x.wav"}]', "'convert_path' is missing"),
        ("nonsense", "not JSON.*rows with file_name and convert_path"),
    ],
)
def test_bad_lists(tmp_path, content, message):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/FSD50K_config.json").write_text(content)
    with pytest.raises(DataError, match=message):
        add_clips(tmp_path, Sources(tmp_path, tmp_path), classes=())
    with pytest.raises(DataError, match="EARS_config.json: no such file"):
        dcase26.read_config(tmp_path, "EARS")


def test_damaged_archives(servers, tmp_path):
    downloads = tmp_path / "downloads"
    dev_set = fetch_set("dev_set", tmp_path / "root", downloads)
    servers.files["/semhear.tar"] = b"nonsense" * 1000
    with pytest.raises(DataError, match="not an archive, or damaged"):
        fetch_sources(dev_set, downloads, ears_path=tmp_path)
