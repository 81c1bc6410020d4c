"""Kill a training at random moments, again and again, and look at what is left each time.

  python tests/faults/kills.py --kills 100 --folder /tmp/kills

One process imports everything once and is forked for every attempt, so that an attempt costs what it trains and not
what Python takes to start.  An attempt is the command that a user would give again; SIGKILL comes at a random moment,
also while a checkpoint is being written.  After every kill:

* ``resume.ckpt`` loads, and is not older than the last one seen: at most the work since the last checkpoint is lost;
* the best weights that the state counts on are there and load, as does a final model, where there is one;
* ``history.jsonl`` has complete lines, one for each validation, in order.

A run that has reached its end is compared with one that was never killed: all weights and all figures are equal to the
bit.  Then the next run begins, until all kills are done.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from s5lib.bin.main import main
from s5lib.corpora.layout import data_directory_from_synthesized
from s5lib.data import CorpusDescription
from s5lib.scenes import Corpus, DrawSettings, synthesize
from s5lib.training.resume import StepRandomness

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from small_corpus import make_corpus

STEPS, SAVE, VALID = 15, 3, 4
SIZES = [
    "n_fft=256",
    "hop_length=128",
    "n_mels=16",
    "embed_dim=16",
    "depth=1",
    "num_heads=2",
    "head_dim=16",
    "track_dim=8",
    "dropout=0.3",
]


def make_data(folder: Path) -> Path:
    """Write a corpus and its data directory: scenes of 0.25 s."""
    root, options = make_corpus(folder / "corpus"), {"duration": 0.25, "max_targets": 2}
    corpus, data = Corpus(root, "train"), folder / "data"
    synthesize(root, "valid", folder / "dump", 2, settings=DrawSettings(sample_rate=8000, **options))
    data_directory_from_synthesized(folder / "dump", data / "valid", corpus.labels)
    CorpusDescription(str(corpus.root.absolute()), corpus.labels, 8000, 4, 2, options).write(data)
    return data


def command(data: Path, expdir: Path, workers: int) -> list[str]:
    """Return the training's arguments: a tagger with dropout, the mean of its two best states."""
    options = {
        "batch_size": 2,
        "max_steps": STEPS,
        "save_interval": SAVE,
        "valid_interval": VALID,
        "keep_best": 2,
        "lr": 0.001,
        "monitor": "valid_loss",
        "num_workers": workers,
    }
    arguments = ["train", "tagger", "--data_dir", str(data), "--expdir", str(expdir)]
    for size in SIZES:
        arguments += ["--tagger_conf", size]
    return arguments + [item for name, value in options.items() for item in (f"--{name}", str(value))]


def start(arguments: list[str], log: Path, progress: mmap.mmap) -> int:
    """Fork a process that trains, and notes in ``progress`` how many steps are done; return its number."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        usual = StepRandomness.on_train_batch_start

        def noting(self, trainer, *others):
            progress[:4] = trainer.global_step.to_bytes(4, "little")
            usual(self, trainer, *others)

        StepRandomness.on_train_batch_start = noting
        status = main(arguments)
        sys.stdout.flush()
    finally:
        os._exit(status)


def check(expdir: Path, step_before: int) -> int:
    """Look at what a killed run has left; return the step that it will go on from."""
    folder, step = expdir / "train", step_before
    if (folder / "history.jsonl").exists():
        steps = [json.loads(line)["step"] for line in (folder / "history.jsonl").read_text().splitlines()]
        assert steps == sorted(set(steps)) and all(s % VALID == 0 or s == STEPS for s in steps), steps
    if (folder / "resume.ckpt").exists():
        state = torch.load(folder / "resume.ckpt", weights_only=True)
        step = state["global_step"]
        assert step >= step_before, f"resume.ckpt went back from step {step_before} to {step}"
        values = sorted(state["callbacks"]["BestWeights"]["values"], key=lambda item: item[1])[:2]
        for kept, _ in values:
            load_file(folder / "best" / f"step_{kept:07d}.safetensors")
    for model in (folder / "model.safetensors", expdir / "model.safetensors"):
        if model.exists():
            load_file(model)
            step = STEPS  # nothing is left to do
    return step


def figures(expdir: Path) -> list[dict]:
    """Return the rows of the history without what depends on the clock."""
    rows = [json.loads(line) for line in (expdir / "train/history.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("mixtures_per_second", "waiting_for_data")} for row in rows]


def finish(process: int, log: Path) -> None:
    """Wait for a training, which has to end well."""
    report(os.waitpid(process, 0)[1], log)


def report(status: int, log: Path) -> None:
    code = os.waitstatus_to_exitcode(status)
    assert code == 0, f"a training ended with status {code}:\n{log.read_text()[-3000:]}"


def kill_at(process: int, moment: float, expdir: Path | None, log: Path) -> bool:
    """Kill a process; return whether it was there still.

    Args:
        process: its number.
        moment: not before; of ``time.monotonic``.
        expdir: wait, from then on, for a file that is being written below this folder.  None: do not.
        log: of the process, to be shown where it ended badly by itself.
    """
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            report(status, log)
            return False
        if time.monotonic() > moment and (expdir is None or any(expdir.glob("**/.*.part"))):
            os.kill(process, signal.SIGKILL)
            # What the system has to say of a process that was ending just then: its own status.
            return os.waitpid(process, 0)[1] == signal.SIGKILL
        time.sleep(0.001)


def kill_often(kills: int, folder: Path, workers: int, seed: int) -> dict[str, int]:
    """Train and kill until all kills are done; return counts."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    data, log, chance = make_data(folder), folder / "log.txt", random.Random(seed)
    progress = mmap.mmap(-1, 4)  # shared with the trainings
    since = time.monotonic()
    finish(start(command(data, folder / "whole", workers), log, progress), log)
    duration = time.monotonic() - since
    whole, rows = load_file(folder / "whole/model.safetensors"), figures(folder / "whole")
    counts = {"kills": 0, "in_a_write": 0, "amid_a_run": 0, "most_steps_lost": 0, "runs": 0}
    while counts["kills"] < kills:
        expdir, step = folder / f"run{counts['runs']}", 0
        while True:
            progress[:4] = bytes(4)
            process = start(command(data, expdir, workers), log, progress)
            if counts["kills"] >= kills:
                finish(process, log)
                break
            moment = time.monotonic() + chance.uniform(0, duration)
            # Writes are short and rarely hit by chance: a third of the kills waits for one.
            if not kill_at(process, moment, expdir if chance.random() < 1 / 3 else None, log):
                break
            counts["kills"] += 1
            counts["in_a_write"] += any(expdir.glob("**/.*.part"))
            step = check(expdir, step)
            counts["amid_a_run"] += step > 0
            lost = int.from_bytes(progress[:4], "little") - step
            counts["most_steps_lost"] = max(counts["most_steps_lost"], lost)
            assert lost <= SAVE, f"{lost} steps were lost, checkpoints are {SAVE} steps apart"
        final = load_file(expdir / "model.safetensors")
        assert all(torch.equal(final[key], whole[key]) for key in whole), f"{expdir}: other weights"
        assert figures(expdir) == rows, f"{expdir}: another history"
        assert not list(expdir.glob("**/.*.part")), f"{expdir}: temporary files are left"
        shutil.rmtree(expdir)
        counts["runs"] += 1
    return {**counts, "seconds": round(time.monotonic() - since)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how often")
    parser.add_argument("--folder", type=Path, required=True, help="for the corpus and the runs")
    parser.add_argument("--num_workers", type=int, default=0, help="mixing processes of each training")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    print(json.dumps(kill_often(args.kills, args.folder, args.num_workers, args.seed)))
