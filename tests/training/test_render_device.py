"""Training on scenes that a device renders in batches: the same scenes, and a run that can be stopped."""

import signal

import numpy as np
import pytest
import torch
from test_resume import stop_at
from tiny_runs import assert_same, command, history

from s5lib.bin.main import main
from s5lib.data import DrawnScenes, collate
from s5lib.data.unrendered import UnrenderedScenes, rendered
from s5lib.scenes import Corpus, DrawSettings


@pytest.mark.parametrize(("sources", "num_channels"), [(True, None), (False, None), (True, 1)])
@pytest.mark.parametrize("in_loader", [True, False])
def test_batches_are_those_of_the_drawn_scenes(small_corpus, sources, num_channels, in_loader):
    settings = DrawSettings(duration=1.0, sample_rate=8000, zero_probability=0.2)
    options = {"sources": sources, "num_channels": num_channels}
    drawn = DrawnScenes(Corpus(small_corpus, "train"), settings, seed=4, size=8, start=5, **options)
    unrendered = UnrenderedScenes(drawn, in_loader)
    assert len(unrendered) == 8
    expected = collate([drawn[index] for index in range(8)])
    batch = unrendered.collate([unrendered[index] for index in range(8)])
    assert ("parts" in batch) is not in_loader
    batch = rendered(batch)
    assert batch.keys() == expected.keys() and batch["id"] == expected["id"]
    for name in ("labels", "query"):
        assert torch.equal(batch[name], expected[name])
    assert ("sources" in batch) is sources
    for name in ("mixture", *(["sources"] if sources else [])):
        np.testing.assert_allclose(batch[name], expected[name], atol=1e-5 * expected[name].abs().max().item())


@pytest.mark.parametrize("kind", ["tagger", "separator"])
def test_training_sees_the_same_mixtures(tiny_data, tmp_path, kind):
    for device in ("workers", "cpu"):
        assert main(command(kind, tiny_data, tmp_path / device, render_device=device)) == 0
    for one, other in zip(history(tmp_path / "workers"), history(tmp_path / "cpu"), strict=True):
        assert one.keys() == other.keys()
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stopped_run_ends_like_one_that_was_not(tiny_data, tmp_path, monkeypatch, workers):
    options = {"render_device": "cpu", "num_workers": workers}
    assert main(command("separator", tiny_data, tmp_path / "whole", **options)) == 0
    with monkeypatch.context() as patched:
        stop_at(patched, "on_train_batch_start", 4)
        with pytest.raises(SystemExit) as stopped:
            main(command("separator", tiny_data, tmp_path / "cut", **options))
    assert stopped.value.code == 128 + signal.SIGTERM
    assert main(command("separator", tiny_data, tmp_path / "cut", **options)) == 0
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_features_of_a_frozen_backbone(tiny_data, tmp_path):
    options = {"layers": "head", "tagger_cache": 4}
    for device in ("workers", "cpu"):
        assert main(command("tagger", tiny_data, tmp_path / device, render_device=device, **options)) == 0
    one, other = (history(tmp_path / device) for device in ("workers", "cpu"))
    assert [row["loss"] for row in one] == pytest.approx([row["loss"] for row in other], rel=1e-3)


def test_a_device_that_does_not_train_cannot_render(tiny_data, tmp_path, capfd):
    assert main(command("tagger", tiny_data, tmp_path / "run", render_device="cuda")) == 1
    error = capfd.readouterr().err
    assert "--render_device" in error and "--ngpu" in error and not (tmp_path / "run").exists()
