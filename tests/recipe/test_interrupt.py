"""Ctrl-C, SIGTERM and what differs on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl

import pytest

from .conftest import RUN, default_signals

SLOW = """
trap 'echo saved what there is; exit {0}' INT TERM
: >"${{CALLS%/*}}/started"
sleep 60 &>/dev/null & wait $!
"""


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_group_ends_the_run_with_one_line(bench, number, status):
    bench.variables |= {"AT": "train", "BEHAVIOUR": SLOW.format(status)}
    run = subprocess.Popen(
        [RUN, *bench.arguments],
        cwd=bench.place,
        env=bench.environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,
    )
    wait_for(bench.place / "started")
    os.killpg(run.pid, number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == status
    assert err.strip() == "run.sh: interrupted in stage 2 (tagger). The same command goes on where it stopped."
    # what the command says while it ends is neither lost on the screen nor in the log
    assert out.splitlines()[-1] == "saved what there is"
    assert (bench.place / "exp/logs/stage2.log").read_text().splitlines()[-1] == "saved what there is"


def test_a_signal_to_the_command_alone_is_an_interruption_too(bench):
    bench.variables |= {"AT": "train", "BEHAVIOUR": "kill -INT $$; sleep 9"}
    done = bench()
    assert done.returncode == 130 and "interrupted in stage 2" in done.stderr and "failed" not in done.stderr


def test_what_a_command_leaves_behind_is_not_waited_for(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": 'sleep 300 & echo $! >"${CALLS%/*}/left"'}
    with (bench.place / "screen").open("w") as screen:
        line = [RUN, *bench.arguments, "--stop_stage", "1"]
        status = subprocess.run(line, cwd=bench.place, env=bench.environment, stdout=screen, timeout=120).returncode
    os.kill(int((bench.place / "left").read_text()), signal.SIGTERM)  # it still lives, or this would raise
    assert status == 0


class Terminal:
    """run.sh on a terminal of its own."""

    def __init__(self, bench, *arguments):
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 111, 0, 0))
            default_signals()
            os.chdir(bench.place)
            os.execve(RUN, [str(RUN), *bench.arguments, *arguments], bench.environment)

    def end(self):
        """Return the exit status and all that was shown."""
        shown = b""
        while True:
            try:
                part = os.read(self.screen, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.screen)
        return status, shown.decode()


BAR = r"""printf 'progress %s %s\n' "${S5LIB_PROGRESS-unset}" "${COLUMNS-}"; printf '10%%\r50%%\r100%%\n'"""


def test_progress_bars_work_on_a_terminal_and_only_their_end_is_logged(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": BAR}
    status, shown = Terminal(bench, "--stop_stage", "1").end()
    assert status == 0 and "progress 1 111\r\n10%\r50%\r100%\r\n" in shown
    assert "progress 1 111\n100%\n" in (bench.place / "exp/logs/stage1.log").read_text()


def test_the_real_commands_show_their_progress_bars_through_the_log(bench):
    program = "import tqdm; from s5lib.bin.main import main; main(['--version']); list(tqdm.tqdm('ab', disable=None))"
    line = [sys.executable, "-c", program]
    for variables, bars in (({"S5LIB_PROGRESS": "1", "COLUMNS": "60", "LINES": "9"}, True), ({}, False)):
        done = subprocess.run(line, env={**os.environ, **variables}, capture_output=True, text=True)
        assert ("2/2" in done.stderr) == bars and done.returncode == 0


def test_no_progress_bars_without_a_terminal(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": BAR}
    assert "progress unset " in bench("--stop_stage", "1").stdout


def test_ctrl_c_on_a_terminal(bench):
    bench.variables |= {"AT": "train", "BEHAVIOUR": SLOW.format(130)}
    terminal = Terminal(bench)
    wait_for(bench.place / "started")
    os.write(terminal.screen, b"\x03")
    status, shown = terminal.end()
    assert status == 130 and shown.count("interrupted") == 1 and "saved what there is" in shown
