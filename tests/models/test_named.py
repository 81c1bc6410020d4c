"""Published models by name, from a server on this machine."""

import hashlib
import io
import json
import logging
import os
import zipfile

import pytest
from local_server import local_server

from s5lib.bin.main import main
from s5lib.errors import CheckpointError, ConfigError, DataError
from s5lib.models import named
from s5lib.models.named import PublishedArchive, fetch_models, fetch_weights
from s5lib.systems.model_choice import default_models, find_models

FILES = {"tagger.ckpt": b"of a tagger", "separator.ckpt": b"of a separator"}
PLACE = "/owner/name/releases/download/v1/models.zip"
RELEASE = "/repos/owner/name/releases/tags/v1"


def packed(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"some folder/{name}", content)
    return buffer.getvalue()


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server with an archive and its release, of which the name ``test`` is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with local_server() as state:
        archive = PublishedArchive(
            state.url + PLACE, {"tagger": "tagger.ckpt", "separator": "separator.ckpt"}, api=state.url
        )
        monkeypatch.setitem(named.MODELS, "test", archive)
        monkeypatch.setitem(named.WEIGHTS, "test", PublishedArchive(state.url + PLACE, {"weights": "tagger.ckpt"}))
        state.files[PLACE] = packed(FILES)
        publish(state, hashlib.sha256(state.files[PLACE]).hexdigest())
        yield state


def publish(state, digest):
    asset = {"browser_download_url": state.url + PLACE, **({"digest": f"sha256:{digest}"} if digest else {})}
    state.files[RELEASE] = json.dumps({"assets": [{"browser_download_url": "other"}, asset]}).encode()


def test_models_are_downloaded_once(server, tmp_path):
    for _ in range(2):
        found = fetch_models("test")
        assert {kind: path.read_bytes() for kind, path in found.items()} == {
            "tagger": FILES["tagger.ckpt"],
            "separator": FILES["separator.ckpt"],
        }
        assert found["tagger"].is_relative_to(tmp_path / "cache")
    assert [path for _, path, _ in server.requests].count(PLACE) == 1
    assert fetch_weights("test") == found["tagger"]  # of the same archive
    assert sorted(path.name for path in found["tagger"].parent.iterdir() if not path.name.startswith(".")) == [
        "separator.ckpt",
        "tagger.ckpt",
    ]


def test_archive_that_is_not_the_published_one(server, tmp_path):
    publish(server, "0" * 64)
    with pytest.raises(DataError, match=f"{PLACE}.*hash"):
        fetch_models("test")
    assert not list((tmp_path / "cache").rglob("*.ckpt"))
    monkey = named.MODELS["test"]
    named.MODELS["test"] = PublishedArchive(monkey.url, monkey.files, sha256="1" * 64, api="http://nowhere.invalid")
    with pytest.raises(DataError, match="hash"):  # what the table says counts more than what the release says
        fetch_models("test")


def test_release_without_a_checksum(server, caplog, monkeypatch):
    publish(server, None)
    monkeypatch.setattr(logging.getLogger("s5lib"), "propagate", True)
    with caplog.at_level(logging.WARNING, "s5lib"):
        fetch_models("test")
    assert hashlib.sha256(server.files[PLACE]).hexdigest() in caplog.text


@pytest.mark.parametrize("content", [packed({"tagger.ckpt": b"alone"}), b"no archive"])
def test_archive_without_the_models(server, content):
    server.files[PLACE] = content
    publish(server, hashlib.sha256(content).hexdigest())
    with pytest.raises(DataError, match="models.zip.*(separator.ckpt|not an archive)"):
        fetch_models("test")


def test_server_that_has_nothing(server):
    server.files.clear()
    with pytest.raises(DataError, match=r"Is the network reachable\? Without it, put the files of .*\.zip into"):
        fetch_models("test")


def test_unknown_names():
    with pytest.raises(ConfigError, match="Did you mean 'dcase26-baseline'"):
        fetch_models("dcase26-basline")
    with pytest.raises(CheckpointError, match="Did you mean 'dcase26-baseline'"):
        find_models("dcase26-basline")
    with pytest.raises(ConfigError):
        fetch_weights("m2")


def test_table_has_whole_addresses():
    for archive in (*named.MODELS.values(), *named.WEIGHTS.values()):
        assert archive.url.startswith("https://github.com/nttcslab/") and archive.url.endswith(".zip")
        repository, tag = archive.url.split("/")[3:5], archive.url.split("/")[-2]
        assert archive.release == f"https://api.github.com/repos/{'/'.join(repository)}/releases/tags/{tag}"


@pytest.fixture
def experiments(tmp_path):
    def make(name, time):
        file = tmp_path / "exp" / name / "model.safetensors"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
        os.utime(file, (time, time))
        return file

    return make


def test_models_of_a_folder(experiments, tmp_path):
    folder = tmp_path / "exp/mini"
    joint_model = experiments("mini/joint_model", 1)
    experiments("mini/tagger_old", 9)
    assert find_models(str(folder)) == {"joint_model": joint_model}
    separator, tagger = experiments("mini/separator_new", 5), experiments("mini/tagger", 2)
    experiments("mini/separator_older", 4)
    assert find_models(str(folder)) == {"tagger": tagger, "separator": separator}
    with pytest.raises(CheckpointError, match="no finished models"):
        find_models(str(tmp_path))


def test_default_models_are_the_newest(experiments, tmp_path, server, monkeypatch):
    monkeypatch.setattr("s5lib.systems.model_choice._DEFAULT", "test")
    assert default_models(tmp_path / "exp")["tagger"].read_bytes() == FILES["tagger.ckpt"]
    for name, time in (("old", 1), ("new", 2)):
        experiments(f"{name}/tagger", time)
        separator = experiments(f"{name}/separator", time)
    assert default_models(tmp_path / "exp")["separator"] == separator


def test_models_and_single_checkpoints_exclude_each_other(capsys):
    assert main(["infer", "a.wav", "--models", "dcase26-baseline", "--tagger", "a.safetensors"]) == 1
    assert "leave out --tagger" in capsys.readouterr().err
