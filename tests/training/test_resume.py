"""A run that was stopped, at whatever moment, ends like one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import assert_same, command, history

from s5lib.bin.main import main
from s5lib.training.resume import ResumePoint, resume_step


@pytest.fixture(scope="module")
def whole(tiny_data, tmp_path_factory):
    """Folder of a tagger with dropout, trained without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(command("tagger", tiny_data, folder)) == 0
    return folder


def stop_at(monkeypatch, hook, number):
    """Send SIGTERM to this process where a callback's hook is called for the given time."""
    calls, usual = [0], getattr(ResumePoint, hook)

    def stopping(self, *arguments, **options):
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return usual(self, *arguments, **options)

    monkeypatch.setattr(ResumePoint, hook, stopping)


@pytest.mark.parametrize(
    ("hook", "number", "step"),
    [
        ("on_train_batch_start", 1, 1),
        ("on_train_batch_start", 4, 4),  # a validation is due: it is made up for
        ("on_validation_batch_end", 2, 2),  # amid a validation: it is begun anew
        ("on_validation_end", 3, 6),  # the last one: only the final model is to be made
    ],
)
def test_same_end_with_dropout(tiny_data, whole, tmp_path, monkeypatch, hook, number, step):
    with monkeypatch.context() as patched:
        stop_at(patched, hook, number)
        with pytest.raises(SystemExit) as stopped:
            main(command("tagger", tiny_data, tmp_path / "cut"))
    assert stopped.value.code == 128 + signal.SIGTERM
    assert resume_step(tmp_path / "cut/train/resume.ckpt") == step
    assert main(command("tagger", tiny_data, tmp_path / "cut")) == 0
    assert_same(whole, tmp_path / "cut")


def test_stopped_between_accumulated_parts(tiny_data, tmp_path, monkeypatch):
    options = {"accumulate": 2, "max_steps": 4, "num_workers": 1}
    assert main(command("tagger", tiny_data, tmp_path / "whole", **options, batch_size=4)) == 0
    with monkeypatch.context() as patched:
        stop_at(patched, "on_train_batch_start", 5)
        with pytest.raises(SystemExit):
            main(command("tagger", tiny_data, tmp_path / "cut", **options, batch_size=4))
    assert resume_step(tmp_path / "cut/train/resume.ckpt") == 3
    assert main(command("tagger", tiny_data, tmp_path / "cut", **options, batch_size=4)) == 0
    assert_same(tmp_path / "whole", tmp_path / "cut")


def fail_at(monkeypatch, hook, number):
    """Raise an error where a callback's hook is called for the given time, after the other callbacks' hooks."""
    calls, usual = [0], getattr(ResumePoint, hook)

    def failing(self, *arguments, **options):
        calls[0] += 1
        if calls[0] == number:
            raise OSError("no more")
        return usual(self, *arguments, **options)

    monkeypatch.setattr(ResumePoint, hook, failing)


@pytest.mark.parametrize("more", [{}, {"accumulate": 2, "batch_size": 4}])
def test_the_last_step_is_validated_whatever_the_interval(tiny_data, tmp_path, monkeypatch, more):
    """Once, also if the run is stopped before, amid or after that validation, or fails before its state is saved."""
    options = {"max_steps": 5, "valid_interval": 3, "save_interval": 2, **more}
    arguments = command("tagger", tiny_data, tmp_path / "whole", **options)
    assert main(arguments) == 0
    assert [row["step"] for row in history(tmp_path / "whole")] == [3, 5]
    batches = 5 * options.get("accumulate", 1)
    stops = [(stop_at, "on_train_batch_start", batches, 5), (fail_at, "on_validation_end", 2, 4)]
    stops += [(stop_at, "on_validation_batch_end", 4, 5)] if not more else []  # of three each
    for way, hook, number, step in stops:
        folder = tmp_path / f"{hook}{number}"
        arguments = command("tagger", tiny_data, folder, **options)
        with monkeypatch.context() as patched:
            way(patched, hook, number)
            try:
                assert main(arguments) == 1
            except SystemExit:
                assert way == stop_at
        assert resume_step(folder / "train/resume.ckpt") == step
        assert main(arguments) == 0
        assert_same(tmp_path / "whole", folder)


def test_without_an_interval_that_short_the_last_step_is_the_model(tiny_data, tmp_path):
    assert main(command("tagger", tiny_data, tmp_path, max_steps=3, valid_interval=1000)) == 0
    assert [row["step"] for row in history(tmp_path)] == [3]


def test_killed_process_goes_on_and_a_second_one_is_refused(tiny_data, tmp_path, capfd):
    options = {"max_steps": 12, "save_interval": 2, "valid_interval": 6, "num_workers": 1}
    assert main(command("separator", tiny_data, tmp_path / "whole", **options)) == 0
    arguments, folder = command("separator", tiny_data, tmp_path / "cut", **options), tmp_path / "cut/train"
    with subprocess.Popen([sys.executable, "-m", "s5lib.bin.main", *arguments], stdout=subprocess.DEVNULL) as process:
        while not (folder / "resume.ckpt").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)  # so that it is still there, however slow this process is
        capfd.readouterr()
        assert main(arguments) == 1
        assert f"cut is in use by process {process.pid}. Wait for it" in capfd.readouterr().err
        process.kill()
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "cut/model.safetensors").exists()
    assert 0 < resume_step(folder / "resume.ckpt") < 12
    assert main(arguments) == 0  # at once, although the killed one's mixing process may live for some seconds more
    assert "resumed from" in (tmp_path / "cut/train.log").read_text()
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_damaged_state_is_reported(tiny_data, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patched:
        stop_at(patched, "on_train_batch_start", 1)
        with pytest.raises(SystemExit):
            main(command("tagger", tiny_data, tmp_path))
    path = tmp_path / "train/resume.ckpt"
    path.write_bytes(path.read_bytes()[:5000])
    assert main(command("tagger", tiny_data, tmp_path)) == 1
    assert "resume.ckpt is no file of torch.save" in capsys.readouterr().err


@pytest.mark.slow
def test_thirty_kills_at_random_moments(tmp_path):
    script = Path(__file__).parents[1] / "faults/kills.py"
    done = subprocess.run(
        [sys.executable, str(script), "--kills", "30", "--folder", str(tmp_path), "--num_workers", "1"],
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
