"""The guide to sounds of one's own: its commands, from clips to a separated recording, with the smallest models."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from s5lib.bin.main import build_parser, main
from s5lib.evaluation import read_results

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "doc/own_sounds.md"
SMALL = "--num_rooms 1 --duration 2 --test_scenes 5 --valid_scenes 3 --zero_target 1 --nj 2 --ngpu 0"


@pytest.fixture
def home(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    for number, label in enumerate(("Kettle", "Knock", "Speech", "Radio")):
        for take in range(6):
            folder = tmp_path / "clips" / label / (f"speaker{take}" if label == "Speech" else "")
            folder.mkdir(parents=True, exist_ok=True)
            time = np.arange(11025) / 22050
            sound = np.sin(2 * np.pi * (300 + 200 * number + 20 * take) * time) + 0.1 * generator.standard_normal(11025)
            soundfile.write(folder / f"{take}.flac", 0.3 * sound, 22050)
    soundfile.write(tmp_path / "street.wav", 0.1 * generator.standard_normal((64000, 4)), 32000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("s5lib.models.keep_freed_memory", lambda: True)  # it would concern all tests after this one
    return tmp_path


def run_recipe(words: list[str], home: Path) -> None:
    configs = [
        word
        for kind in ("tagger", "separator")
        for word in (f"--{kind}_config", str(ROOT / f"egs/dcase26_s5/conf/ci/{kind}.yaml"))
    ]
    places = ["--datadir", "data", "--dumpdir", "dump", "--expdir", "exp/kitchen"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / words[0], *words[1:], *SMALL.split(), *configs, *places],
        cwd=home,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_copy_of_the_corpus_keeps_ten_clips_of_a_class(tmp_path, monkeypatch):
    (block,) = re.findall(r"<!-- shown -->\n```sh\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    train = "dev_set/sound_event/train"
    for label, count in (("Kettle", 12), ("Knock", 3)):
        for number in range(count):
            path = tmp_path / f"corpora/kitchen/{train}/{label}/source {number % 4}/{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    block = block.replace("egs/dcase26_s5/run.sh", f"{ROOT}/egs/dcase26_s5/run.sh --dry_run")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", block], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    clips = sorted((tmp_path / "corpora/ten" / train).rglob("*.wav"))
    assert [sum(label in path.parts for path in clips) for label in ("Kettle", "Knock")] == [10, 3]
    lines = [shlex.split(line) for line in done.stdout.splitlines() if line.startswith("s5lib ")]
    monkeypatch.chdir(ROOT / "egs/dcase26_s5")  # where the configurations are
    commands = [build_parser(words[1]).parse_args(words[2:]) for words in lines]
    assert [words[1] for words in lines] == ["prepare", "train", "train", "infer", "score"]
    assert commands[1].scenes_conf == ["duration=3"] and commands[2].max_steps == 400


@pytest.mark.slow
def test_from_clips_to_a_separated_recording(home):
    blocks = re.findall(r"<!-- run -->\n```sh\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    lines = [shlex.split(line.replace("~/", f"{home}/")) for block in blocks for line in block.splitlines()]
    assert [words[0] for words in lines] == ["egs/dcase26_s5/run.sh", "s5lib", "s5lib"]
    for words in lines:
        if words[0].startswith("egs/"):
            run_recipe(words, home)
        else:
            assert main([word.replace("egs/dcase26_s5/", "") for word in words[1:]]) == 0
    assert "| Speech | 6 | 4, 1, 1 |" in (home / "corpora/kitchen/REPORT.md").read_text()
    assert len(read_results(home / "exp/kitchen/RESULTS.jsonl")) == 6
    assert (home / "separated/street.json").exists()
