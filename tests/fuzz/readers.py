"""Every reader of documents, tables, archives and rooms, given a spoilt one; and the sound ones to begin with."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import yaml

from s5lib.bin.train import add_arguments
from s5lib.config.parser import CommandParser
from s5lib.corpora import dcase26
from s5lib.corpora.download import zenodo_files
from s5lib.corpora.layout import data_directory_from_metadata
from s5lib.corpora.preparation import Preparation, unfinished
from s5lib.corpora.split_archive import open_split_archive
from s5lib.data import CorpusDescription, DataDirectory
from s5lib.data.validate import fix_data_directory, validate_data_directory
from s5lib.errors import S5Error
from s5lib.evaluation.results import read_results, write_results
from s5lib.evaluation.scoring import score_recordings
from s5lib.report.experiment import read_experiments
from s5lib.scenes import Corpus, DrawSettings, SceneDrawer
from s5lib.scenes.dcase_json import compose_metadata, write_metadata
from s5lib.scenes.sofa import open_room, read_responses
from s5lib.submission.check import check_package
from s5lib.systems.calibration import Calibration, find_calibration
from s5lib.training.experiment import Experiment
from s5lib.training.history import read_history
from s5lib.training.replay import replay
from s5lib.training.resume import resume_step
from s5lib.untrusted.archives import reported

from .mutate import mutate_bytes, mutate_json

SETTINGS = DrawSettings(sample_rate=8000, duration=2.0)
OPTIONS = {"kind": "tagger", "seed": 0, "steps": {"head": {"max_steps": 5, "lr": 0.001}}, "tagger_conf": {"depth": 1}}
NAME = "Suzuki_NTT_task4_1"


def write_documents(folder: Path, corpus: Path) -> None:
    """Write a sound document of each kind below ``folder``."""
    opened, drawer = Corpus(corpus), SceneDrawer(Corpus(corpus), SETTINGS)
    (folder / "scenes/dev_set/metadata/valid").mkdir(parents=True)
    for path in (corpus / "dev_set").iterdir():
        (folder / "scenes/dev_set" / path.name).symlink_to(path)
    for index in range(2):
        scene = compose_metadata(drawer(0, index, targets=2), opened, SETTINGS)
        write_metadata(scene, folder / f"scenes/dev_set/metadata/valid/{index}.json")
    rows = [{"metadata_path": f"valid/{index}.json"} for index in range(2)]
    (folder / "scenes/dev_set/metadata/valid.json").write_text(json.dumps(rows))
    shutil.copy(corpus / "dev_set/room_ir/train/b.sofa", folder / "room.sofa")
    scores = list(score_recordings(folder / "data/test", folder / "infer"))
    (folder / "exp/tagger/head").mkdir(parents=True)
    write_results(scores, folder / "exp/RESULTS.md", "results")
    history = [{"step": step, "loss": 1.5, "valid_loss": 2.0, "accuracy": 0.5} for step in (1, 2, 3)]
    (folder / "exp/tagger/head/history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
    Experiment(folder / "exp/tagger").open(OPTIONS)
    Calibration(0.5, (("Dog", -1.0),)).write(folder / "tagger.calibration.json", folder / "tagger.safetensors", {})
    batch = {"drawing": {"duration": 2.0}, "seed": 1, "corpus": str(corpus), "split": "train"}
    (folder / "bad_batch.json").write_text(json.dumps(batch | {"scenes": [{"id": "a", "index": 1}]}))
    record = {"key": "a.zip", "size": 3, "checksum": "md5:00", "links": {"self": "https://zenodo.org/a.zip"}}
    (folder / "record.json").write_text(json.dumps({"files": [record, {**record, "key": "b.z01"}]}))
    rows = [{"file_name": f"p007/{name}.wav", "t4_label": "Bell", "convert_path": f"train/{name}.wav"} for name in "ab"]
    (folder / "clips.json").write_text(json.dumps(rows))
    package = {
        "eval_results.json": {
            "nparams": 3,
            "config": {},
            "probabilities": [
                {"soundscape": "a", "estimate": [{"filename": "a_0_Speech.wav", "label": "Speech", "probability": 0.5}]}
            ],
        },
        "dev_set_test_results.json": {
            "CAPI-SDRi": {"mean": 1.0},
            "label_metrics": {"accuracy_mix": 1.0, "accuracy_src": 2.0},
            "nparams": 3,
            "details": [],
            "config": {},
        },
    }
    (folder / "package.json").write_text(json.dumps(package))
    with zipfile.ZipFile(folder / "sounds.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "ab":
            archive.writestr(f"p007/{name}.wav", (folder / "b.wav").read_bytes()[:2000])
    with tarfile.open(folder / "sounds.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("FSD50K/p007/a.wav", "bg_scaper_fmt/train/Fan/é.wav"):
            member = tarfile.TarInfo(name)
            member.size = 700
            archive.addfile(member, io.BytesIO(bytes(700)))
    torch.save({"global_step": 3, "state_dict": {"weight": torch.zeros(3)}}, folder / "resume.ckpt")


def spoil(source, target, generator, head=256):
    """Write a spoilt copy: of JSON and YAML the values, of others the bytes; of JSON lines, one line."""
    content = source.read_bytes()
    if source.suffix == ".json":
        content = mutate_json(content, generator)
    elif source.suffix == ".yaml":
        plain = json.dumps(yaml.safe_load(content)).encode()
        content = mutate_json(plain, generator) if generator.random() < 0.7 else mutate_bytes(content, generator)
    elif source.suffix == ".jsonl":
        lines = content.splitlines()
        index = int(generator.integers(len(lines)))
        lines[index] = mutate_json(lines[index], generator)
        content = b"\n".join(lines) + b"\n"
    else:
        content = mutate_bytes(content, generator, head)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def a_corpus_description(seeds, folder, generator):
    spoil(seeds / "data/corpus.json", folder / "corpus.json", generator)
    CorpusDescription.read(folder)


def scene_metadata(seeds, folder, generator):
    """Rendered, and written as a data directory."""
    root = folder / "dev_set"
    (root / "metadata/valid").mkdir(parents=True)
    for path in (seeds / "scenes/dev_set").iterdir():
        if path.name != "metadata":
            (root / path.name).symlink_to(path)
    for name in ("valid.json", "valid/0.json", "valid/1.json"):
        shutil.copy(seeds / "scenes/dev_set/metadata" / name, root / "metadata" / name)
    name = str(generator.choice(["valid.json", "valid/0.json", "valid/0.json"]))
    spoil(root / "metadata" / name, root / "metadata" / name, generator)
    data_directory_from_metadata(folder, "valid", folder / "data", folder / "audio")


def a_results_file(seeds, folder, generator):
    path = spoil(seeds / "exp/RESULTS.jsonl", folder / "RESULTS.jsonl", generator)
    write_results(read_results(path), folder / "again.md", "again")
    for line in (folder / "again.md").read_text().splitlines():
        assert "\x1b" not in line and "<c" not in line
    for line in (folder / "again.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: 1 / 0)


def a_history(seeds, folder, generator):
    shutil.copytree(seeds / "exp", folder / "exp")
    path = folder / "exp/tagger/head/history.jsonl"
    spoil(path, path, generator)
    for row in read_history(path):
        assert np.isfinite(list(row.values())).all()
    read_experiments([folder / "exp"])


def a_config(seeds, folder, generator):
    """``config.yaml`` of a run, as the run and the report read it, and as options of a command."""
    shutil.copytree(seeds / "exp", folder / "exp")
    path = folder / "exp/tagger/config.yaml"
    spoil(path, path, generator)
    for read in (
        lambda: Experiment(folder / "exp/tagger").open(OPTIONS),
        lambda: read_experiments([folder / "exp"]),
        lambda: options_of(path),
    ):
        with contextlib.suppress(S5Error):
            read()


def options_of(path):
    parser = CommandParser(prog="s5lib train")
    add_arguments(parser)
    with contextlib.suppress(SystemExit):
        parser.parse_args(["tagger", "--data_dir", "d", "--expdir", "e", "--config", str(path)])


def a_calibration(seeds, folder, generator):
    path = spoil(seeds / "tagger.calibration.json", folder / "a.json", generator)
    found = find_calibration(path, seeds / "tagger.safetensors")
    assert found is None or np.isfinite(found.biases(["Bell", "Dog", "Rain"])).all()


def a_preparation(seeds, folder, generator):
    request = Preparation("own", seeds / "scenes", folder / "data", folder / "dump")
    (folder / "data").mkdir()
    made, stamps = folder / "data/prepared.json", folder / "data/prepared.stamps.jsonl"
    files = {"corpus.json": {"size": 3, "sha256": "x"}}
    made.write_text(json.dumps({**request.as_json(), "files": files}))
    stamps.write_text(f'["{made}", "x", 3, 4, 5, 6]\n')
    spoilt = made if generator.random() < 0.7 else stamps
    spoil(spoilt, spoilt, generator)
    unfinished(request, with_statistics=False)


def a_package(seeds, folder, generator):
    """Spoilt texts in a sound archive, or a spoilt archive."""
    members = json.loads((seeds / "package.json").read_text())
    path, spoilt = folder / f"{NAME}.zip", str(generator.choice([*members, "archive"]))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            text = json.dumps(content).encode()
            archive.writestr(f"{NAME}/{name}", mutate_json(text, generator) if name == spoilt else text)
        archive.writestr(f"{NAME}/eval_out/a_0_Speech.wav", (seeds / "b.wav").read_bytes())
    if spoilt == "archive":
        path.write_bytes(mutate_bytes(path.read_bytes(), generator))
    for violation in check_package(path):
        assert str(violation)


def a_zenodo_record(seeds, folder, generator):
    content = io.BytesIO(mutate_json((seeds / "record.json").read_bytes(), generator))
    with mock.patch("urllib.request.urlopen", return_value=content):
        for file in zenodo_files(7):
            assert file.url.startswith("https://zenodo.org") and Path(file.name).name == file.name


def lists_of_clips(seeds, folder, generator):
    for name in ("EARS", "FSD50K"):
        spoil(seeds / "clips.json", folder / f"config/{name}_config.json", generator)
    dcase26.add_clips(folder, dcase26.Sources(folder, folder), classes=())


def a_data_directory(seeds, folder, generator):
    shutil.copytree(seeds / "data/test", folder / "data")
    name = str(generator.choice(["wav.scp", "labels", "src1.scp", "utt2num_samples"]))
    path = folder / "data" / name
    if generator.random() < 0.3:
        words = [b"9" * 400, b"9" * 5000, b"-1", b"1e9", b"\xff\xfe", b"\xd9\xa3", b"../../escaped", b"touch x |"]
        path.write_bytes(path.read_bytes().split(b" ")[0] + b" " + words[generator.integers(len(words))] + b"\n")
    else:
        spoil(path, path, generator)
    try:
        for recording in DataDirectory.read(folder / "data"):
            assert recording.num_samples is None or 0 < recording.num_samples < 1 << 63
    finally:
        for tried in (validate_data_directory, fix_data_directory):
            with contextlib.suppress(S5Error):
                tried(folder / "data")


def a_split_archive(seeds, folder, generator):
    content = mutate_bytes((seeds / "sounds.zip").read_bytes(), generator)
    cut = int(generator.integers(len(content) + 1))
    (folder / "set.z01").write_bytes(content[:cut])
    (folder / "set.zip").write_bytes(content[cut:])
    with reported("set"), open_split_archive(folder / "set.zip") as archive:
        for member in archive.infolist():
            archive.read(member) if member.file_size < 1 << 20 else None


def archives(seeds, folder, generator):
    wanted = {"p007/a.wav", "p007/b.wav"}
    if generator.random() < 0.5:
        path = spoil(seeds / "sounds.zip", folder / "a.zip", generator)
        dcase26._unpack_speaker(path, folder / "out", wanted)
    else:
        path = spoil(seeds / "sounds.tar", folder / "a.tar", generator)
        dcase26._unpack_tar(path, folder / "out", {"FSD50K/p007/a.wav"})
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < 1 << 20


def a_room(seeds, folder, generator):
    path = spoil(seeds / "room.sofa", folder / "room.sofa", generator, head=4096)
    room = open_room(path)
    assert np.isfinite(room.directions).all() and np.isfinite(read_responses(path, 8000)).all()


def a_bad_batch(seeds, folder, generator):
    path = spoil(seeds / "bad_batch.json", folder / "bad_batch.json", generator)
    for name, _, scene in replay(path):
        assert name and np.isfinite(scene.mixture).all()


def a_state_to_resume(seeds, folder, generator):
    assert resume_step(spoil(seeds / "resume.ckpt", folder / "resume.ckpt", generator, head=2048)) >= 0


READERS = {
    "corpus": a_corpus_description,
    "scene": scene_metadata,
    "results": a_results_file,
    "history": a_history,
    "config": a_config,
    "calibration": a_calibration,
    "prepared": a_preparation,
    "package": a_package,
    "zenodo": a_zenodo_record,
    "clips": lists_of_clips,
    "tables": a_data_directory,
    "split": a_split_archive,
    "archive": archives,
    "room": a_room,
    "batch": a_bad_batch,
    "resume": a_state_to_resume,
}
