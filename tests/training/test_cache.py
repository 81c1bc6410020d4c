"""The features of a frozen backbone, computed once: the same training, resumable, and never another backbone's."""

from __future__ import annotations

import contextlib
import json
import re
import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from small_corpus import write_wav
from test_resume import stop_at

from s5lib.audio import read_audio
from s5lib.bin.main import main
from s5lib.data.paths import resolve_path
from s5lib.errors import ConfigError
from s5lib.models.m2d import M2DTagger
from s5lib.training import features

OPTIONS = [
    "n_fft=256",
    "hop_length=128",
    "n_mels=32",
    "embed_dim=16",
    "depth=1",
    "num_heads=2",
    "head_dim=16",
    "track_dim=8",
]
CHECK = [3, 1, 1, 3, 2, 2]  # mixtures whose features are computed to see whether they can be cached


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(features, "SHARD", 5)


def train(data, expdir, *more, kind="tagger", sizes=OPTIONS):
    options = [word for option in sizes for word in ("--tagger_conf", option)] if kind == "tagger" else []
    return main(
        [
            "train",
            kind,
            "--data_dir",
            str(data),
            "--expdir",
            str(expdir),
            *options,
            "--batch_size",
            "4",
            "--max_steps",
            "3",
            "--valid_interval",
            "1",
            "--num_workers",
            "0",
            "--lr",
            "1e-2",
            "--layers",
            "head",
            *more,
        ]
    )


def rows(expdir):
    return [json.loads(line) for line in (expdir / "train/history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def plain(tiny_data, tmp_path_factory):
    """A training without a cache."""
    folder = tmp_path_factory.mktemp("plain")
    assert train(tiny_data, folder) == 0
    return folder


@pytest.fixture(scope="module")
def cached(tiny_data, tmp_path_factory):
    """The same from features, each of 12 mixtures seen once."""
    folder = tmp_path_factory.mktemp("cached")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "SHARD", 5)
        assert train(tiny_data, folder, "--tagger_cache", "100") == 0
    return folder


def test_losses_figures_and_weights_are_those_without_a_cache(plain, cached):
    for found, expected in zip(rows(cached), rows(plain), strict=True):
        for name in ("step", "loss", "valid_loss", "source_accuracy", "mixture_accuracy"):
            assert found[name] == pytest.approx(expected[name], abs=1e-4), name
    found, expected = (load_file(folder / "model.safetensors") for folder in (cached, plain))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_shards_and_log(cached):
    folder = cached / "train/features"
    assert sorted(path.name for path in folder.glob("*/*")) == [
        "00000.npy",
        "00000.npy",
        "00001.npy",
        "00002.npy",
        "key.json",
        "key.json",
    ]
    table = np.load(folder / "train/00002.npy", mmap_mode="r")
    assert (len(table), table["features"].shape[1], table["labels"].shape[1]) == (2, 4 * 2 * 16, 2)
    assert "trains on the features of 12 mixtures, each seen 1 times" in (cached / "train.log").read_text()


def test_pool_is_gone_through_in_turn():
    table = np.zeros(7, [("labels", "<i8", (2,)), ("features", "<f4", (3,))])
    table["features"][:, 0] = range(7)
    scenes = features.FeatureScenes([table[:5], table[5:]], "train-0")
    batch = scenes.__getitems__([5, 6, 7, 15])
    assert batch["features"][:, 0].tolist() == [5, 6, 0, 1]
    assert batch["id"] == ["train-0-000000005", "train-0-000000006", "train-0-000000000", "train-0-000000001"]
    assert batch["labels"].shape == (4, 2) and scenes[6]["features"].tolist() == [6, 0, 0]


def stop_after(monkeypatch, calls):
    """Let the tagger's features fail after some calls, and return the list of the batches that were computed."""
    computed, real = [], M2DTagger.features

    def counted(self, mixture):
        if len(computed) == calls:
            raise KeyboardInterrupt
        computed.append(len(mixture))
        return real(self, mixture)

    monkeypatch.setattr(M2DTagger, "features", counted)
    return computed


def test_filling_goes_on_where_it_was_stopped(tiny_data, tmp_path, cached, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, len(CHECK) + 3)  # then 4 and 1 of the first shard, 4 of the second
        with pytest.raises(SystemExit, match="130"):
            train(tiny_data, tmp_path, "--tagger_cache", "12")
    folder = tmp_path / "train/features/train"
    assert sorted(path.name for path in folder.iterdir()) == ["00000.npy", "key.json"]
    computed = stop_after(monkeypatch, None)
    assert train(tiny_data, tmp_path, "--tagger_cache", "12") == 0
    assert computed == [
        *CHECK,
        1,
        4,
        1,
        2,
        4,
        1,
    ]  # the first mixture again; the second shard, the third; the validation set
    again = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(again[name], value) for name, value in load_file(cached / "model.safetensors").items())


def test_the_number_may_change_until_something_is_trained(tiny_data, tmp_path, capsys, monkeypatch):
    def recorded():
        whole, step = (
            yaml.safe_load((folder / "config.yaml").read_text()) for folder in (tmp_path, tmp_path / "train")
        )
        assert whole["steps"]["train"] == step["train"]
        return step["train"]["tagger_cache"]

    for cache in (12, 9, 11, 0):  # killed while the features are computed; without them, in the first step
        with monkeypatch.context() as patch:
            stop_after(patch, {12: 2 + 3, 0: 1}.get(cache, 2))
            with contextlib.suppress(SystemExit):
                train(tiny_data, tmp_path, "--tagger_cache", str(cache))
        assert recorded() == cache
    with monkeypatch.context() as patch:
        stop_at(patch, "on_train_batch_start", 2)
        with pytest.raises(SystemExit):
            train(tiny_data, tmp_path, "--tagger_cache", "9")
    assert recorded() == 9 and (tmp_path / "train/resume.ckpt").exists()
    for _ in ("interrupted", "finished"):
        assert train(tiny_data, tmp_path, "--tagger_cache", "12") == 1
        assert "steps.train.tagger_cache was 9, now 12" in capsys.readouterr().err
        assert train(tiny_data, tmp_path, "--tagger_cache", "9") == 0
    assert "finished already" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "train")
    assert train(tiny_data, tmp_path, "--tagger_cache", "12") == 1  # the model is there
    assert train(tiny_data, tmp_path / "whole", "--tagger_cache", "9") == 0
    first, second = (load_file(folder / "model.safetensors") for folder in (tmp_path, tmp_path / "whole"))
    assert all(torch.equal(first[name], value) for name, value in second.items())


def test_another_backbone_and_damaged_shards_are_computed_anew(tiny_data, tmp_path, cached, capsys, monkeypatch):
    shutil.copytree(cached / "train/features", tmp_path / "train/features")
    (tmp_path / "train/features/train/00001.npy").write_bytes(b"half")
    computed = stop_after(monkeypatch, None)
    assert train(tiny_data, tmp_path, "--tagger_cache", "12", "--max_steps", "3") == 0
    assert computed == [*CHECK, 1, 4, 1, 1]  # the one shard, and the first mixture of both sets
    other = tmp_path / "other"
    shutil.copytree(cached / "train/features", other / "train/features")
    capsys.readouterr()
    assert train(tiny_data, other, "--tagger_cache", "12", "--seed", "1") == 0
    printed = capsys.readouterr().out
    assert "train: the cached features are of another backbone, seed; they are recomputed" in printed


def scaled(features):
    return 1.01 * features


def reordered(features):
    return features.flip(1)


@pytest.mark.parametrize("edit", [scaled, reordered])
def test_features_of_code_that_was_edited_are_computed_anew(tiny_data, tmp_path, cached, capsys, monkeypatch, edit):
    real = M2DTagger.features
    monkeypatch.setattr(M2DTagger, "features", lambda self, mixture: edit(real(self, mixture)))
    shutil.copytree(cached / "train/features", tmp_path / "again/train/features")
    (tmp_path / "again/train/features/train/00002.npy").unlink()  # as if killed then
    for folder in ("again", "new"):
        assert train(tiny_data, tmp_path / folder, "--tagger_cache", "12") == 0
        printed = capsys.readouterr().out
        assert printed.count("no longer computes the cached features") == (2 if folder == "again" else 0)
    found, expected = (load_file(tmp_path / folder / "model.safetensors") for folder in ("again", "new"))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_what_trains_is_not_kept(tiny_data, tmp_path, capsys):
    assert train(tiny_data, tmp_path, "--tagger_cache", "12", "--layers", "last1", "--max_steps", "1") == 0
    assert "features are not cached: with --layers last1 they change during training" in capsys.readouterr().out
    assert not (tmp_path / "train/features").exists()


def test_models_without_features_are_reported(tiny_data, tmp_path, capsys, monkeypatch):
    assert train(tiny_data, tmp_path, "--tagger_cache", "12", kind="separator") == 1
    assert "--tagger_cache is for taggers" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(M2DTagger, "forward", lambda self, mixture: self.head(self.features(mixture)))
    monkeypatch.delattr(M2DTagger, "classify")
    assert train(tiny_data, tmp_path, "--tagger_cache", "12") == 0
    assert "M2DTagger lacks features(mixture) and classify(features)" in capsys.readouterr().out
    assert not (tmp_path / "train/features").exists()


@pytest.mark.parametrize("kind", ["m2d", "resnet"])
def test_recordings_of_several_lengths_are_validated_as_without_a_cache(tiny_data, tmp_path, kind):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    (data / "valid/utt2num_samples").unlink(missing_ok=True)
    table = data / "valid/wav.scp"
    lines = [line.split(maxsplit=1) for line in table.read_text().splitlines()]
    table.write_text("".join(f"{name} {tmp_path / name}.wav\n" for name, _ in lines))
    for file in (data / "valid").glob("src*.scp"):
        file.unlink()
    for number, (name, path) in enumerate(lines):
        samples, rate = read_audio(resolve_path(path, data / "valid"))
        write_wav(tmp_path / f"{name}.wav", samples[:, : samples.shape[1] - 500 * number].T, rate)
    small = ["n_fft=256", "hop_length=128", "n_mels=16", "widths=[4]", "head_dim=16", "track_dim=8"]
    sizes, more = (OPTIONS, []) if kind == "m2d" else (small, ["--tagger", kind, "--layers", "all"])
    for folder, cache in (("plain", "0"), ("cached", "100")):
        assert train(data, tmp_path / folder, *more, "--tagger_cache", cache, sizes=sizes) == 0
    for found, expected in zip(rows(tmp_path / "cached"), rows(tmp_path / "plain"), strict=True):
        for name in ("valid_loss", "source_accuracy", "mixture_accuracy"):
            assert found[name] == pytest.approx(expected[name], abs=1e-4), name
    assert [path.name for path in (tmp_path / "cached/train/features").iterdir()] == ["train"]


@pytest.mark.parametrize(("count", "stored"), [(4, 0), (5, 0), (12, 0), (12, 5), (12, 10)])
def test_only_what_is_to_come_needs_room(tmp_path, monkeypatch, count, stored):
    """The last of the shards of 5 is not full, and those that are there need no more."""
    scenes = [{"mixture": torch.randn(1, 8), "labels": torch.tensor([0]), "id": str(n)} for n in range(count)]
    shards, model = features.FeatureShards(tmp_path, {}), torch.nn.Module()
    model.features = lambda mixture: mixture[:, 0]

    def fill(count, free):
        monkeypatch.setattr(features.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, free))
        options = {"precision": "float32", "batch_size": 2, "num_workers": 0}
        shards.fill(scenes, model, count, device=torch.device("cpu"), **options)

    fill(stored, free=10**6)
    needed = (count - stored) * (8 + 8 * 4)  # a label and eight float32
    with pytest.raises(ConfigError, match="need"):
        fill(count, free=needed - 1)
    fill(count, free=needed)
    assert len(shards.scenes(count, "train")) == count


def test_an_estimate_counts_the_pool_once_and_every_step(tiny_data, tmp_path, capsys):
    def seconds(steps, cache, layers="head"):
        options = ["--max_steps", str(steps), "--valid_interval", str(steps), "--layers", layers]
        assert train(tiny_data, tmp_path / "exp", *options, "--tagger_cache", str(cache), "--estimate") == 0
        return float(re.search(r": ([\d.]+) s\n", capsys.readouterr().out)[1])

    longer, shorter = seconds(100000, 8), seconds(1000, 8)
    assert 10 < longer / shorter < 1000  # a hundred, on a machine that does nothing else
    assert seconds(100000, 10**6) > longer  # 400,000 mixtures to make, not 8
    assert 0.1 < seconds(10000, 8, "all") / seconds(10000, 0, "all") < 10  # there nothing is cached
    assert not (tmp_path / "exp").exists()


def test_no_room(tiny_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(features.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))
    assert train(tiny_data, tmp_path, "--tagger_cache", "12") == 1
    assert "--tagger_cache: the features need" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # so that the same folder takes the smaller number that is advised
