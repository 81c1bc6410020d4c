"""A finished run goes on with more steps, as if it had been asked for them from the beginning."""

import json

import pytest
import torch
from test_resume import stop_at
from tiny_runs import assert_same, command, history

from s5lib.bin.main import main
from s5lib.models import load_model
from s5lib.training.modules import TaggerTraining
from s5lib.training.resume import resume_step
from s5lib.training.step import Step

FIGURES = [0.1, 0.2, 0.5, 0.4, 0.3, 0.45, 0.6, 0.1, 0.1, 0.7]
"""Of the steps from 1 on: with a patience of 2, a run stops after step 5, and, extended there, after step 9."""
EARLY = {"max_steps": 30, "valid_interval": 1, "early_stopping": 2}


def rates(expdir):
    rows = [json.loads(line) for line in (expdir / "train/history.jsonl").read_text().splitlines()]
    return {row["step"]: row["lr"] for row in rows}


@pytest.mark.parametrize("kind", ["tagger", "separator"])
def test_extended_run_is_the_longer_one(tiny_data, tmp_path, capsys, kind):
    assert main(command(kind, tiny_data, tmp_path / "whole", max_steps=12)) == 0
    assert main(command(kind, tiny_data, tmp_path / "short", max_steps=6)) == 0
    before = (tmp_path / "short/model.safetensors").read_bytes()
    assert main(command(kind, tiny_data, tmp_path / "short", max_steps=12)) == 0
    assert "extended from 6 to 12 steps" in capsys.readouterr().out
    assert_same(tmp_path / "whole", tmp_path / "short")
    assert (tmp_path / "short/model_6_steps.safetensors").read_bytes() == before
    assert main(command(kind, tiny_data, tmp_path / "short", max_steps=12)) == 0
    assert "finished already" in capsys.readouterr().out


def test_schedule_is_that_of_the_new_length(tiny_data, tmp_path):
    options = {"schedule": "cosine", "warmup_steps": 2, "valid_interval": 1}
    assert main(command("separator", tiny_data, tmp_path / "whole", max_steps=12, **options)) == 0
    assert main(command("separator", tiny_data, tmp_path / "short", max_steps=6, **options)) == 0
    assert rates(tmp_path / "short")[6] < 2e-4
    assert main(command("separator", tiny_data, tmp_path / "short", max_steps=12, **options)) == 0
    expected, found = rates(tmp_path / "whole"), rates(tmp_path / "short")
    assert found.keys() == expected.keys()
    assert {step: found[step] for step in range(7, 13)} == {step: expected[step] for step in range(7, 13)}
    assert history(tmp_path / "short")[6]["loss"] != history(tmp_path / "whole")[6]["loss"]


def test_an_unfinished_run_is_extended_too(tiny_data, tmp_path, capsys, monkeypatch):
    assert main(command("separator", tiny_data, tmp_path / "whole", max_steps=12)) == 0
    with monkeypatch.context() as patched:
        stop_at(patched, "on_train_batch_start", 3)
        with pytest.raises(SystemExit):
            main(command("separator", tiny_data, tmp_path / "cut", max_steps=6))
    assert main(command("separator", tiny_data, tmp_path / "cut", max_steps=12)) == 0
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_what_cannot_go_on_is_left_as_it_is(tiny_data, tmp_path, capsys):
    folder = tmp_path / "short"
    assert main(command("separator", tiny_data, folder, max_steps=6)) == 0
    before = (folder / "model.safetensors").read_bytes()
    for options in ({"max_steps": 4}, {"max_steps": 12, "lr": 1e-4}):
        assert main(command("separator", tiny_data, folder, **options)) == 1
        assert "other options" in capsys.readouterr().err
    (folder / "train/resume.ckpt").unlink()
    assert main(command("separator", tiny_data, folder, max_steps=12)) == 1
    assert "--init" in capsys.readouterr().err
    assert (folder / "model.safetensors").read_bytes() == before and load_model(folder / "model.safetensors")


def test_an_odd_number_of_steps_is_extended(tiny_data, tmp_path):
    """The validation of what was the last step stays."""
    assert main(command("separator", tiny_data, tmp_path / "whole", max_steps=8)) == 0
    assert main(command("separator", tiny_data, tmp_path / "short", max_steps=5)) == 0
    assert main(command("separator", tiny_data, tmp_path / "short", max_steps=8)) == 0
    rows = [{row["step"]: row for row in history(tmp_path / name)} for name in ("whole", "short")]
    assert list(rows[0]) == [2, 4, 6, 8] and list(rows[1]) == [2, 4, 5, 6, 8]
    assert all(rows[1][step] == rows[0][step] for step in (2, 4, 8))


@pytest.fixture
def figures(monkeypatch):
    """Validations measure :data:`FIGURES`."""

    def measure(self, outputs, batch):
        return {name: [FIGURES[self.trainer.global_step - 1]] for name in self.measured}

    monkeypatch.setattr(TaggerTraining, "measure", measure)


def steps(expdir):
    return [row["step"] for row in history(expdir)]


@pytest.mark.parametrize("save_interval", [2, 30])
def test_a_run_that_stopped_early_goes_on_where_it_stopped(tiny_data, tmp_path, capsys, figures, save_interval):
    whole, short = tmp_path / "whole", tmp_path / "short"
    assert main(command("tagger", tiny_data, whole, max_steps=9, valid_interval=1)) == 0
    options = {**EARLY, "save_interval": save_interval}
    assert main(command("tagger", tiny_data, short, **options)) == 0
    assert steps(short) == [1, 2, 3, 4, 5] and resume_step(short / "train/resume.ckpt") == 5
    state = torch.load(short / "train/resume.ckpt", weights_only=True)["callbacks"]["BestWeights"]
    best = sorted(state["values"], key=lambda item: -item[1])[:2]
    assert all((short / f"train/best/step_{step:07d}.safetensors").exists() for step, _ in best)
    before = (short / "model.safetensors").read_bytes()

    assert main(command("tagger", tiny_data, short, **{**options, "max_steps": 40})) == 0
    assert "extended from 5 to 40 steps" in capsys.readouterr().out
    assert (short / "model_5_steps.safetensors").read_bytes() == before
    assert steps(short) == list(range(1, 10))
    assert "stopped early after step 9" in (short / "train.log").read_text()
    assert_same(whole, short)

    (short / "train/resume.ckpt").unlink()
    assert main(command("tagger", tiny_data, short, **{**options, "max_steps": 50})) == 1
    assert "finished after 9 steps" in capsys.readouterr().err


def test_a_run_that_stopped_early_and_was_interrupted_ends_the_same(tiny_data, tmp_path, monkeypatch, figures):
    """Before the validation that ends it, before its model is written, and when it is extended."""
    whole, failed, cut = (tmp_path / name for name in ("whole", "failed", "cut"))
    longer = {**EARLY, "max_steps": 40}

    def stop(number, step, options):
        with monkeypatch.context() as patched:
            stop_at(patched, "on_train_batch_start", number)
            with pytest.raises(SystemExit):
                main(command("tagger", tiny_data, cut, **options))
        assert resume_step(cut / "train/resume.ckpt") == step

    def fail(self, *arguments):
        raise OSError("no more")

    assert main(command("tagger", tiny_data, whole, **EARLY)) == 0
    with monkeypatch.context() as patched:
        patched.setattr(Step, "_finish", fail)
        assert main(command("tagger", tiny_data, failed, **EARLY)) == 1
    stop(5, 5, EARLY)
    for folder in (failed, cut):
        assert main(command("tagger", tiny_data, folder, **EARLY)) == 0
        assert_same(whole, folder)
    stop(2, 7, longer)
    for folder in (whole, cut):
        assert main(command("tagger", tiny_data, folder, **longer)) == 0
    assert steps(whole)[-1] == 9
    assert_same(whole, cut)


def test_models_of_the_new_spacing_alone_are_kept(tiny_data, tmp_path):
    for max_steps, kept in ((6, [2, 4, 6]), (12, [4, 8, 12])):
        assert main(command("separator", tiny_data, tmp_path, max_steps=max_steps, keep_models=3)) == 0
        found = sorted(path.name for path in (tmp_path / "train/steps").iterdir())
        assert found == [f"step_{step:07d}.safetensors" for step in kept]
