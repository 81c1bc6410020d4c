"""Executes runs side by side, one process each; what a run finished earlier is recognised by its own commands."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from s5lib.errors import Interrupted, S5Error
from s5lib.sweep.runs import SweepRun, as_typed

__all__ = ["execute", "signals_end", "training_seconds"]

log = logging.getLogger(__name__)
PROGRAM = [sys.executable, "-m", "s5lib.bin.main"]


class _Active:
    """A run on its way through its commands."""

    def __init__(self, run: SweepRun, environment: Mapping[str, str], launchers: Mapping[str, Sequence[str]]) -> None:
        self.run, self._environment, self._launchers = run, environment, launchers
        self._commands = iter(run.commands)
        run.folder.mkdir(parents=True, exist_ok=True)
        log.info("%s: started, log in %s", run.folder, run.log)
        self.process: subprocess.Popen[bytes]
        self.advance()

    def advance(self) -> bool:
        """Start the next command; return whether there is one."""
        command = next(self._commands, None)
        if command is None:
            return False
        with self.run.log.open("ab") as output:
            output.write(f"{as_typed(command)}\n".encode())
            output.flush()
            self.process = subprocess.Popen(
                [*self._launchers.get(command[0], ()), *PROGRAM, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,  # so that whatever it starts can be stopped with it
            )
        return True


def execute(
    runs: Sequence[SweepRun], jobs: int, threads: int, launchers: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Execute ``runs``, ``jobs`` at a time with ``threads`` threads each.

    Args:
        runs: independent of each other.
        jobs: how many run at the same time.
        threads: ``OMP_NUM_THREADS`` of each.
        launchers: words to put before `s5lib COMMAND`, by command.

    Raises:
        S5Error: some failed, after all others are done; the message names their logs.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    waiting, active, failed = deque(runs), list[_Active](), list[SweepRun]()
    since = time.monotonic()
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                active.append(_Active(waiting.popleft(), environment, launchers or {}))
            time.sleep(0.05)
            for one in [one for one in active if one.process.poll() is not None]:
                if one.process.returncode == 0 and one.advance():
                    continue
                active.remove(one)
                left = len(waiting) + len(active)
                seconds = (time.monotonic() - since) * left / (len(runs) - left)
                if one.process.returncode:
                    failed.append(one.run)
                _log_end(one, left, seconds)
    finally:
        _stop([one.process for one in active])
    if failed:
        logs = "".join(f"\n  {run.log}" for run in failed)
        raise S5Error(
            f"{len(failed)} of {len(runs)} runs failed, the others are done. Fix what their logs report, and give the "
            f"same command again:{logs}"
        )


def training_seconds(runs: Sequence[SweepRun], threads: int) -> float:
    """Return how long the trainings of ``runs`` take one after the other, by a short trial of each kind of training.

    A folder that has its final model counts as trained.

    Raises:
        S5Error: a trial fails.
    """
    trainings: dict[str, list[list[str]]] = {}
    for command in (command for run in runs for command in run.commands if command[0] == "train"):
        if not (Path(command[command.index("--expdir") + 1]) / "model.safetensors").exists():
            trainings.setdefault(command[1], []).append(command)
    return sum(len(commands) * _trial(commands[0], threads) for commands in trainings.values())


def _trial(command: list[str], threads: int) -> float:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([*PROGRAM, *command, "--estimate"], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise S5Error(f"a short trial of the training failed: {as_typed(command)}\n{done.stderr.strip()[-2000:]}")
    return float(done.stdout.split()[-2])  # "...: 12.3 s"


def _log_end(ended: _Active, left: int, seconds: float) -> None:
    from humanfriendly import format_timespan

    if ended.process.returncode:
        lines = ended.run.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        log.info("%s: failed; its last lines:\n    %s", ended.run.folder, "\n    ".join(lines))
    else:
        rest = f"; {left} left, about {format_timespan(round(seconds), max_units=2)}" if left else ""
        log.info("%s: done%s", ended.run.folder, rest)


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    for process in processes:
        process.wait()


@contextlib.contextmanager
def signals_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the sweep by an exception, as Ctrl-C does, so that its processes are stopped, too."""

    def end(number: int, _: object) -> None:
        raise Interrupted(128 + number)

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
