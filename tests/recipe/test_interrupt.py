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
BAR = r"""printf 'progress %s %s\n' "${S5LIB_PROGRESS-unset}" "${COLUMNS-}"; printf '10%%\r50%%\r100%%\n'"""


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_group_ends_the_run_with_one_line(bench, number, status):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": SLOW.format(status)}
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
    assert run.returncode == status and "interrupted in stage 1" in err and err.count("\n") == 1
    # what the command says while it ends is neither lost on the screen nor in the log
    assert out.splitlines()[-1] == "saved what there is"
    assert (bench.place / "exp/logs/stage1.log").read_text().splitlines()[-1] == "saved what there is"


def test_a_signal_to_the_command_alone_is_an_interruption_too(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": "kill -INT $$; sleep 9"}
    done = bench()
    assert done.returncode == 130 and "interrupted in stage 1" in done.stderr and "failed" not in done.stderr


def test_what_a_command_leaves_behind_is_not_waited_for(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": 'sleep 300 & echo $! >"${CALLS%/*}/left"'}
    with (bench.place / "screen").open("w") as screen:
        line = [RUN, *bench.arguments, "--stop_stage", "1"]
        status = subprocess.run(line, cwd=bench.place, env=bench.environment, stdout=screen, timeout=120).returncode
    os.kill(int((bench.place / "left").read_text()), signal.SIGTERM)  # it still lives, or this would raise
    assert status == 0


def on_terminal(bench, *arguments, keys=None):
    """Run run.sh on a terminal of its own; return the exit status and all that was shown."""
    pid, screen = pty.fork()
    if pid == 0:
        ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 111, 0, 0))
        default_signals()
        os.chdir(bench.place)
        os.execve(RUN, [str(RUN), *bench.arguments, *arguments], bench.environment)
    if keys:
        wait_for(bench.place / "started")
        os.write(screen, keys)
    shown = b""
    while True:
        try:
            part = os.read(screen, 4096)
        except OSError:  # the other end is closed
            break
        shown += part
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(screen)
    return status, shown.decode()


def test_progress_bars_work_on_a_terminal_and_only_their_end_is_logged(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": BAR}
    status, shown = on_terminal(bench, "--stop_stage", "1")
    assert status == 0 and "progress 1 111\r\n10%\r50%\r100%\r\n" in shown
    assert "progress 1 111\n100%\n" in (bench.place / "exp/logs/stage1.log").read_text()
    assert "progress unset " in bench("--stop_stage", "1").stdout  # none without a terminal


def test_ctrl_c_on_a_terminal(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": SLOW.format(130)}
    status, shown = on_terminal(bench, keys=b"\x03")
    assert status == 130 and shown.count("interrupted") == 1 and "saved what there is" in shown


def test_the_real_commands_show_their_progress_bars_through_the_log():
    program = (
        "import sys, types, tqdm\n"
        "from s5lib.bin import main\n"
        "command = types.ModuleType('command', '')\n"
        "command.add_arguments = lambda parser: None\n"
        "command.run = lambda args: list(tqdm.tqdm('ab', disable=None)) and None\n"
        "sys.modules['command'], main.COMMANDS['bar'] = command, ('command', '')\n"
        "sys.exit(main.main(['bar']))"
    )
    for variables, bars in (({"S5LIB_PROGRESS": "1", "COLUMNS": "60", "LINES": "9"}, True), ({}, False)):
        environment = {**os.environ, **variables}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert ("2/2" in done.stderr) == bars and done.returncode == 0
