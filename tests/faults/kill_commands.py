"""Kill prepare, synth, infer, score and package at random moments, again and again, and look at what they leave.

  python tests/faults/kill_commands.py --kills 100 --folder /tmp/kills

An attempt is the command that a user would give again; every third time two are started at once, and the moment is that
of one of them.  One process imports everything once and is forked for every attempt, so that an attempt costs what it
works and not what Python takes to start.  When a command has ended by itself, its files are compared with those of a
run that nobody disturbed: the same names and bytes, no scratch, no lock.  Trainings have :mod:`kills`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from small_corpus import make_corpus

from s5lib.bin.main import main
from s5lib.models import save_checkpoint
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK
from s5lib.version import __version__

LABELS = ["Bell", "Dog", "Rain", "Speech"]


def save_models(folder: Path) -> list[str]:
    """Write a tagger and a separator that nobody has trained; return the options that name them."""
    torch.manual_seed(0)
    sizes = {
        "num_classes": 4,
        "num_sources": 3,
        "num_channels": 4,
        "sample_rate": 8000,
        "n_fft": 256,
        "hop_length": 128,
    }
    tagger = {"n_mels": 32, "embed_dim": 16, "depth": 1, "num_heads": 2, "head_dim": 8, "track_dim": 4}
    models = {
        "tagger": ("m2d", M2DTagger(M2DConfig(**sizes, **tagger, input_channels=4))),
        "separator": ("resunetk", ResUNetK(ResUNetKConfig(**sizes, channels=(4, 6), condition_size=8))),
    }
    for kind, (name, model) in models.items():
        save_checkpoint(folder / f"{kind}.safetensors", model, kind, name, "s5lib", __version__, LABELS)
    return [f"--{kind}={folder / kind}.safetensors" for kind in models]


class Commands:
    """What is run: each command writes into a folder of its own, from the undisturbed results of those before."""

    def __init__(self, folder: Path):
        self.lone = folder / "lone"
        self.lone.mkdir(parents=True)
        self.root = make_corpus(folder / "corpus")
        for kind in ("sound_event", "interference", "noise", "room_ir"):
            shutil.copytree(self.root / f"dev_set/{kind}/valid", self.root / f"dev_set/{kind}/test")
        self.models = save_models(folder)

    def __call__(self, name: str, out: Path, nj: int = 1) -> list[str]:
        """Return the arguments of a command that writes into ``out / name``."""
        place, test = out / name, self.lone / "prepare/data/test"
        scenes = ["--zero_target", "1", "--nj", str(nj)]
        return {
            "prepare": [
                *("prepare", "--corpus", "small", "--data_root", self.root, "--data_dir", place / "data"),
                *(
                    "--dump_dir",
                    place / "dump",
                    "--duration",
                    "0.5",
                    "--test_scenes",
                    "8",
                    "--valid_scenes",
                    "4",
                    *scenes,
                ),
            ],
            "synth": [
                *("synth", "--data_root", self.root, "--split", "valid", "--out", place, "--num_scenes", "10", *scenes),
                *("--draw_conf", "duration=0.5", "sample_rate=8000"),
            ],
            "infer": ["infer", "--data_dir", test, "--labels", "predicted", "oracle", *self.models, "--out", place],
            "score": ["score", "--data_dir", test, "--infer_dir", self.lone / "infer", "--out", place / "RESULTS.md"],
            "package": [
                *("package", "--name", "Suzuki_NTT_task4_1", "--infer_dir", self.lone / "infer", "--data_dir", test),
                *("--scores", self.lone / "score/RESULTS.jsonl", "--out", place),
            ],
        }[name]


NAMES = ("prepare", "synth", "infer", "score", "package")


def start(arguments: list, log: Path) -> int:
    """Fork a process that runs a command, and return its number."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        status = main([str(argument) for argument in arguments])
        sys.stdout.flush()
    finally:
        os._exit(status)


def finish(process: int, log: Path) -> None:
    """Wait for a command, which has to end well."""
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code == 0, f"a command ended with status {code}:\n{log.read_text()[-3000:]}"


def kill_at(process: int, moment: float, log: Path) -> bool:
    """Kill a process at a time of ``time.monotonic``; return whether it was there still."""
    while time.monotonic() < moment:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            assert code == 0, f"a command ended with status {code}:\n{log.read_text()[-3000:]}"
            return False
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def content(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by name, without what says where the folder is and when its files were made."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = path.read_bytes()
        if path.suffix in (".json", ".jsonl", ".scp"):
            text = text.replace(os.fsencode(folder), b"FOLDER")
        if path.name == "prepared.json":
            text = json.dumps({key: value for key, value in json.loads(text).items() if key != "files"}).encode()
        if path.name == "prepared.stamps.jsonl":
            text = json.dumps([json.loads(line)[:3] for line in text.splitlines()]).encode()
        files[str(path.relative_to(folder))] = text
    return files


def kill_often(kills: int, folder: Path, seed: int, names: tuple[str, ...] = NAMES) -> dict[str, object]:
    """Run and kill until all kills are done; return counts."""
    torch.set_num_threads(1)
    commands, log, chance = Commands(folder), folder / "log.txt", random.Random(seed)
    seconds, expected = {}, {}
    for name in NAMES:
        since = time.monotonic()
        finish(start(commands(name, commands.lone), log), log)
        seconds[name], expected[name] = time.monotonic() - since, content(commands.lone / name)
    done, counts, since = 0, Counter(), time.monotonic()
    while done < kills:
        name, nj = names[counts["results"] % len(names)], chance.choice((1, 2))
        out = folder / f"run{counts['results']}"
        while True:
            arguments, two = commands(name, out, nj), chance.random() < 1 / 3
            processes = [start(arguments, log) for _ in range(1 + two)]
            moment = time.monotonic() + chance.uniform(0, seconds[name] * (1 + two))
            killed = kill_at(processes[0], moment, log)
            for other in processes[1:]:
                finish(other, log)
            done += killed
            counts[f"kills of {name}"] += killed
            counts["beside another run"] += killed and two
            if not killed or done >= kills:
                break
        finish(start(arguments, log), log)
        found = content(out / name)
        assert found.keys() == expected[name].keys(), f"{out}: {sorted(found.keys() ^ expected[name].keys())}"
        differing = [file for file, text in expected[name].items() if found[file] != text]
        assert not differing, f"{out}: other content of {differing}"
        shutil.rmtree(out)
        counts["results"] += 1
    assert "Traceback" not in log.read_text(), log.read_text()[-3000:]
    return {**counts, "kills": done, "seconds": round(time.monotonic() - since)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how often")
    parser.add_argument("--folder", type=Path, required=True, help="for the corpus and the results; must not exist")
    parser.add_argument("--commands", nargs="+", default=NAMES, choices=NAMES, help="which (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    print(json.dumps(kill_often(args.kills, args.folder, args.seed, tuple(args.commands))))
