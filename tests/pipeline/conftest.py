"""A prepared corpus and a trained system, tiny, for tests that need the whole path."""

from __future__ import annotations

import shutil

import pytest
import yaml

from s5lib.bin.main import main

from .recordings import save_models

TAGGER = {
    "tagger_conf": {
        "n_fft": 256,
        "hop_length": 128,
        "n_mels": 32,
        "embed_dim": 16,
        "depth": 1,
        "num_heads": 2,
        "head_dim": 16,
        "track_dim": 8,
    },
    "batch_size": 2,
    "valid_interval": 2,
    "save_interval": 1,
    "num_workers": 0,
    "steps": {"head": {"layers": "head", "max_steps": 2, "lr": 1e-3}, "finetune": {"max_steps": 3, "lr": 1e-5}},
}
SEPARATOR = {
    "separator_conf": {"n_fft": 256, "hop_length": 128, "channels": [4, 8], "condition_size": 8},
    "batch_size": 2,
    "max_steps": 4,
    "lr": 1e-3,
    "valid_interval": 2,
    "save_interval": 2,
    "num_workers": 0,
}
JOINT_MODEL = {
    "joint_model_conf": {"n_fft": 256, "hop_length": 128, "channels": [4, 8], "n_mels": 16, "label_channels": [4, 8]},
    "batch_size": 2,
    "max_steps": 4,
    "lr": 1e-3,
    "valid_interval": 2,
    "save_interval": 2,
    "num_workers": 0,
}


@pytest.fixture(scope="session")
def corpus_with_test(small_corpus, tmp_path_factory):
    """The small corpus with a test split, which is its valid split again."""
    root = tmp_path_factory.mktemp("corpus with test") / "root"
    shutil.copytree(small_corpus, root)
    for kind in ("sound_event", "interference", "noise", "room_ir"):
        shutil.copytree(root / "dev_set" / kind / "valid", root / "dev_set" / kind / "test")
    return root


@pytest.fixture(scope="session")
def configs(tmp_path_factory):
    """Folder with ``tagger.yaml``, ``separator.yaml`` and ``joint_model.yaml``."""
    folder = tmp_path_factory.mktemp("conf")
    for name, content in (("tagger", TAGGER), ("separator", SEPARATOR), ("joint_model", JOINT_MODEL)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def prepare(root, folder, *more):
    return main(
        [
            "prepare",
            "--corpus",
            "small",
            "--data_root",
            str(root),
            "--data_dir",
            str(folder / "data"),
            "--dump_dir",
            str(folder / "dump"),
            "--duration",
            "1",
            "--test_scenes",
            "5",
            "--valid_scenes",
            "3",
            "--zero_target",
            "1",
            *more,
        ]
    )


@pytest.fixture(scope="session")
def prepared(corpus_with_test, tmp_path_factory):
    """Folder with ``data`` and ``dump``."""
    folder = tmp_path_factory.mktemp("prepared here")
    assert prepare(corpus_with_test, folder) == 0
    return folder


@pytest.fixture(scope="session")
def trained(prepared, configs, tmp_path_factory):
    """Experiment folder with ``tagger`` and ``separator``."""
    folder = tmp_path_factory.mktemp("exp")
    for kind in ("tagger", "separator"):
        assert main(train_command(kind, prepared, configs, folder)) == 0
    return folder


@pytest.fixture(scope="session")
def trained_joint(prepared, configs, tmp_path_factory):
    """Experiment folder with ``joint_model``."""
    folder = tmp_path_factory.mktemp("exp of the joint model")
    assert main(train_command("joint_model", prepared, configs, folder)) == 0
    return folder


def train_command(kind, prepared, configs, folder, *more):
    return [
        "train",
        kind,
        "--config",
        str(configs / f"{kind}.yaml"),
        "--data_dir",
        str(prepared / "data"),
        "--expdir",
        str(folder / kind),
        *more,
    ]


def infer_command(prepared, trained, out, *more):
    return [
        "infer",
        "--data_dir",
        str(prepared / "data/test"),
        "--tagger",
        str(trained / "tagger/model.safetensors"),
        "--separator",
        str(trained / "separator/model.safetensors"),
        "--labels",
        "predicted",
        "oracle",
        "--out",
        str(out),
        *more,
    ]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Options that name untrained models, by their number of channels."""
    return {channels: save_models(tmp_path_factory.mktemp(f"models of {channels}"), channels) for channels in (1, 4)}
