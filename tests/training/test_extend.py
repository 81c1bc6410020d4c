"""A finished run goes on with more steps, as if it had been asked for them from the beginning."""

import json

import pytest
from test_resume import stop_at
from tiny_runs import assert_same, command, history

from s5lib.bin.main import main
from s5lib.models import load_model


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
