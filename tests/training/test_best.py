"""Which weights are kept, averaged, and when a run stops early."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import command, history
from torch import nn

from s5lib.bin.main import main
from s5lib.errors import S5Error
from s5lib.training.best import BestWeights
from s5lib.training.experiment import Experiment


def validate(best, step, value, name="pi_sdri"):
    """One validation after ``step``, of a model whose only weight is the step."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, float(step))
    figures = {} if value is None else {name: torch.tensor(value)}
    trainer = SimpleNamespace(callback_metrics=figures, global_step=step, is_global_zero=True, should_stop=False)
    best.on_validation_end(trainer, SimpleNamespace(model=model))
    return trainer.should_stop


def test_mean_of_the_best(tmp_path):
    best = BestWeights(tmp_path, "pi_sdri", keep=2)
    for step, value in ((1, 3.0), (2, 5.0), (3, 4.0), (4, math.nan), (5, 5.0)):
        assert not validate(best, step, value)
    assert [value for value, _ in best.kept] == [5.0, 5.0]
    assert best.average()["weight"].item() == pytest.approx((2 + 5) / 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step_0000002.safetensors", "step_0000005.safetensors"]


def test_of_the_loss_the_lowest(tmp_path):
    best = BestWeights(tmp_path, "valid_loss", keep=1)
    for step, value in ((1, 3.0), (2, -5.0), (3, 4.0)):
        validate(best, step, value, "valid_loss")
    assert best.average()["weight"].item() == 2


def test_what_the_saved_state_counts_on_is_not_deleted(tmp_path):
    best = BestWeights(tmp_path, "pi_sdri", keep=1)
    validate(best, 1, 1.0)
    state = json.loads(json.dumps(best.state_dict()))
    validate(best, 2, 2.0)
    assert len(list(tmp_path.iterdir())) == 2  # a run that resumes from the state may still choose the first
    resumed = BestWeights(tmp_path, "pi_sdri", keep=1)
    resumed.load_state_dict(state)
    validate(resumed, 2, 0.5)
    assert resumed.average()["weight"].item() == 1
    assert [p.name for p in tmp_path.iterdir()] == ["step_0000001.safetensors"]


def test_early_stopping_counts_over_a_resume(tmp_path):
    values = [(1, 1.0), (2, 2.0), (3, 2.0), (4, 1.5), (5, 1.9), (6, 9.0)]
    for cut in range(1, 5):
        best = BestWeights(tmp_path, "pi_sdri", keep=1, patience=3)
        stops = [validate(best, *value) for value in values[:cut]]
        state, best = best.state_dict(), BestWeights(tmp_path, "pi_sdri", keep=1, patience=3)
        best.load_state_dict(state)
        stops += [validate(best, *value) for value in values[cut:5]]
        assert stops == [False, False, False, False, True]


def test_no_figure_is_reported(tmp_path):
    with pytest.raises(S5Error, match="no pi_sdri.*choose --monitor valid_loss"):
        validate(BestWeights(tmp_path, "pi_sdri", keep=1), 1, None)


def test_run_stops_early_and_monitor_is_checked(tiny_data, tmp_path, capsys):
    options = {"max_steps": 30, "valid_interval": 1, "early_stopping": 2, "monitor": "valid_loss", "keep_best": 1}
    assert main(command("tagger", tiny_data, tmp_path / "a", **options, save_interval=30, lr=1e-9)) == 0
    rows = history(tmp_path / "a")
    losses = [row["valid_loss"] for row in rows]
    assert len(rows) < 30 and "stopped early after step" in (tmp_path / "a/train.log").read_text()
    assert min(losses[-2:]) >= min(losses[:-2])
    assert main(command("tagger", tiny_data, tmp_path / "b", monitor="mixture_acuracy")) == 1
    assert "--monitor is 'mixture_acuracy'" in (error := capsys.readouterr().err) and "'mixture_accuracy'?" in error
    load_file(tmp_path / "a/model.safetensors")


def test_options_of_later_versions_count_as_their_defaults(tmp_path):
    old = {"steps": {"head": {"lr": 0.1}, "tail": {"lr": 0.1, "clip": 1.0}}}
    Experiment(tmp_path).open(old)

    def completed(found):
        defaults = {"lr": 0.5, "clip": 0.5, "new": 0}
        return {"steps": {name: defaults | found.record("steps").get(name) for name in ("head", "tail")}}

    same = {"steps": {"head": {"lr": 0.1, "clip": 0.5, "new": 0}, "tail": {"lr": 0.1, "clip": 1.0, "new": 0}}}
    Experiment(tmp_path).open(same, completed)
    same["steps"]["tail"]["new"] = 3
    with pytest.raises(S5Error, match=r"steps\.tail\.new was 0, now 3"):
        Experiment(tmp_path).open(same, completed)


def test_damaged_config_is_reported(tmp_path):
    for content in ("", "a: [", "just words"):
        (tmp_path / "config.yaml").write_text(content)
        with pytest.raises(S5Error, match="config.yaml.*(not YAML|names and values)"):
            Experiment(tmp_path).open({"a": 1})
