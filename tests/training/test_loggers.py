"""TensorBoard, CSV and Weights & Biases say what ``history.jsonl`` says, at the same steps."""

import csv
import json
import subprocess
import sys
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tiny_runs import command, history

from s5lib.bin.main import main
from s5lib.errors import ConfigError
from s5lib.training import loggers

ALL = ["--logger", "tensorboard", "csv"]


@pytest.fixture(scope="module")
def run(tiny_data, tmp_path_factory):
    """A separator's training with both loggers and the validation's scenes."""
    expdir = tmp_path_factory.mktemp("loggers")
    assert main([*command("separator", tiny_data, expdir, tensorboard_scenes=1), *ALL]) == 0
    return expdir


def events(expdir):
    found = EventAccumulator(str(expdir / "train/tensorboard"), {"tensors": 0, "scalars": 0, "audio": 0})
    found.Reload()
    return found


def csv_rows(expdir):
    with open(expdir / "train/csv/metrics.csv", newline="") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def test_steps_and_figures_are_those_of_the_history(run):
    rows, board = history(run), events(run)
    for name in ("pi_sdri", "valid_loss"):
        expected = [(row["step"], pytest.approx(row[name], abs=1e-3)) for row in rows]
        assert [(event.step, event.value) for event in board.Scalars(name)] == expected
        assert [(row["step"], row[name]) for row in csv_rows(run) if name in row] == expected
    # the loss of a single step, every 6 steps here; lr after the last of 6
    assert [event.step for event in board.Scalars("loss")] == [6]


def test_options_and_final_figures(run):
    board = events(run)
    best = max(history(run), key=lambda row: row["pi_sdri"])
    (final,) = board.Scalars("final/pi_sdri")
    assert final.value == pytest.approx(best["pi_sdri"], abs=1e-3) and final.step == 6
    assert [row["final/pi_sdri"] for row in csv_rows(run) if "final/pi_sdri" in row] == [pytest.approx(final.value)]
    content = board.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert start.hparams["batch_size"].number_value == 2 and start.hparams["aligner"].string_value == "ca_pi"
    assert start.hparams["model/condition_size"].number_value == 8
    text = (run / "train/csv/hparams.yaml").read_text()
    assert "aligner: ca_pi" in text and "condition_size: 8" in text


def test_sounds_are_named_by_their_labels(run):
    tags = events(run).Tags()["audio"]
    references = [tag.partition(" reference ")[2] for tag in tags if " reference " in tag]
    estimates = [tag.partition(" estimate ")[2] for tag in tags if " estimate " in tag]
    assert references and references == estimates  # a separator is given the labels


def test_a_resumed_run_goes_on_in_the_same_files(tiny_data, run, tmp_path):
    arguments = [*command("separator", tiny_data, tmp_path, save_interval=2), *ALL]
    stop = (
        "import sys, s5lib.training.history as h\n"
        "from s5lib.bin.main import main\n"
        "usual = h.History.on_validation_end\n"
        "def once(self, trainer, module):\n"
        "    usual(self, trainer, module)\n"
        "    if trainer.global_step == 4: import os; os._exit(9)\n"  # a power cut, after the save at step 2
        "h.History.on_validation_end = once\n"
        "main(sys.argv[1:])\n"
    )
    assert subprocess.run([sys.executable, "-c", stop, *arguments], check=False, capture_output=True).returncode == 9
    time.sleep(1.1)  # TensorBoard orders its files by the second in their names
    assert main(arguments) == 0
    steps = [row["step"] for row in csv_rows(tmp_path) if "pi_sdri" in row]
    assert steps == [event.step for event in events(tmp_path).Scalars("pi_sdri")] == [2, 4, 6]
    assert history(tmp_path) == history(run)


def test_none_and_unknown(tiny_data, tmp_path, capsys):
    assert main([*command("separator", tiny_data, tmp_path, max_steps=2, tensorboard_scenes=1), "--logger"]) == 0
    assert not (tmp_path / "train/tensorboard").exists() and history(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main([*command("separator", tiny_data, tmp_path), "--logger", "tensorbord"])
    with pytest.raises(ConfigError, match="Did you mean 'csv'"):
        loggers.check_loggers(["cvs"])


def test_wandb_that_is_not_installed_is_said_before_the_training(tiny_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda name: None)
    expdir = tmp_path / "exp"
    assert main([*command("separator", tiny_data, expdir), "--logger", "wandb"]) == 1
    assert "s5lib[wandb]" in capsys.readouterr().err and not expdir.exists()


def test_wandb_gets_the_same(tiny_data, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert main([*command("separator", tiny_data, tmp_path), "--logger", "wandb"]) == 0
    wandb.finish()
    run_id = (tmp_path / "train/wandb_run").read_text()
    (folder,) = (tmp_path / "train/wandb").glob(f"offline-run-*-{run_id}")
    assert list(folder.glob("*.wandb")) and json.dumps(history(tmp_path))
