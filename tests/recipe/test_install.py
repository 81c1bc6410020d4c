"""tools/install.sh and tools/test.sh, with a Python whose `venv` and `pip` only pretend."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from .conftest import copy_recipe, write_script

# "Installed" is a file s5lib beside it; what it is asked to do goes into $CALLS.
PRETENDING_PYTHON = f"""#!/bin/bash
here=$(dirname "$0")
case "$*" in
    *check_install.py\\ --quick*) [[ -e ${{here}}/s5lib ]] && echo "${{here}}" ;;
    '-m venv '*)
        echo "$*" >>"${{CALLS}}"
        [[ -z ${{NO_VENV-}} ]] || {{ echo 'No module named venv' >&2; exit 1; }}
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python3" ;;
    '-c import pip') [[ ${{here}} == */tools/venv/bin ]] ;;
    '-m pip '*)
        echo "$*" >>"${{CALLS}}"
        sleep "${{PIP_TIME-0}}"
        [[ -z ${{NO_PIP-}} ]] || {{ echo 'no space left' >&2; exit 1; }}
        : >"${{here}}/s5lib" ;;
    '-m pytest'*) printf '%s\\n' "$PWD" "$@" ;;
    *) exec {shlex.quote(sys.executable)} "$@" ;;
esac
"""
OLD_PYTHON = """#!/bin/bash
case "$*" in *'< (3, 10)'*) exit 1 ;; *version_info*) echo 3.8.10 /usr/bin/python3 ;; *) exit 1 ;; esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of what installs, in a folder with a space in its name, and a Python on PATH that pretends."""
    root = tmp_path / "a checkout"
    copy_recipe(root)
    write_script(tmp_path / "bin/python3", PRETENDING_PYTHON)
    return root


def environment(root, **variables):
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHON")}
    path = f"{root.parent / 'bin'}:{os.environ['PATH']}"
    return {**kept, "PATH": path, "CALLS": str(root / "calls"), **variables}


def run(root, line, folder=".", **variables):
    return subprocess.run(
        shlex.split(line),
        cwd=root / folder,
        env=environment(root, **variables),
        capture_output=True,
        text=True,
        timeout=60,
    )


def calls(root):
    """What venv and pip were asked for, by name."""
    lines = (root / "calls").read_text().splitlines() if (root / "calls").exists() else []
    return [line.split()[1] for line in lines]


def test_makes_an_environment_once_and_brings_it_up_to_date(checkout):
    done = run(checkout, "tools/install.sh")
    assert done.returncode == 0 and "s5lib is ready" in done.stderr, done.stderr
    assert (checkout / "calls").read_text().endswith("-c constraints.txt -e .[test]\n")
    assert run(checkout, "tools/install.sh").returncode == 0 and calls(checkout) == ["venv", "pip"]
    with (checkout / "constraints.txt").open("a") as file:
        file.write("numpy<99\n")
    assert run(checkout, "tools/install.sh").returncode == 0 and calls(checkout) == ["venv", "pip", "pip"]
    (checkout / "tools/venv/bin/python3").unlink()  # as after the system's Python has gone
    assert run(checkout, "tools/install.sh kaldi doc").returncode == 0
    assert calls(checkout)[3:] == ["venv", "pip"]
    assert (checkout / "calls").read_text().endswith("-e .[test,kaldi,doc]\n")


def test_leaves_a_working_active_python_alone(checkout):
    (checkout.parent / "bin/s5lib").touch()
    done = run(checkout, "tools/install.sh")
    assert done.returncode == 0 and calls(checkout) == [] and not (checkout / "tools/venv").exists()


def test_commands_and_code_are_those_of_this_checkout(checkout):
    script = '. tools/install.sh; s5lib_setup; s5lib_setup; printf "%s\\n" "${PATH}" "${PYTHONPATH}"'
    path, code = run(checkout, f"bash -euc {shlex.quote(script)}").stdout.splitlines()
    assert path.startswith(f"{checkout}/tools/venv/bin:") and path.count(f"{checkout}/tools/venv/bin") == 1
    assert code == str(checkout)


def test_a_failed_installation_does_not_count_as_done(checkout):
    done = run(checkout, "tools/install.sh", NO_VENV="1")
    assert done.returncode == 1 and "apt install python3-venv" in done.stderr
    assert not (checkout / "tools/venv").exists()
    done = run(checkout, "tools/install.sh", NO_PIP="1")
    assert done.returncode == 1 and "pip could not install" in done.stderr and "no space left" in done.stderr
    assert not (checkout / "tools/venv/.complete").exists()
    assert run(checkout, "tools/install.sh").returncode == 0 and (checkout / "tools/venv/.complete").exists()


def test_python_too_old_or_missing(checkout, bench):
    write_script(checkout.parent / "bin/python3", OLD_PYTHON)
    done = run(checkout, "tools/test.sh")
    assert done.returncode == 1 and calls(checkout) == []
    assert all(words in done.stderr for words in ("3.8.10 (/usr/bin/python3)", "3.10 or newer", "PYTHON=python3.12"))
    done = run(checkout, "tools/install.sh", PYTHON="python3.99")
    assert done.returncode == 1 and "python3.99" in done.stderr
    write_script(bench.commands / "python3", OLD_PYTHON)
    done = bench(script=checkout / "egs/dcase26_s5/run.sh")
    assert done.returncode == 1 and bench.calls == [] and done.stderr.startswith("install: error: ")


def test_two_at_once_install_once(checkout):
    line, variables = [checkout / "tools/install.sh"], environment(checkout, PIP_TIME="0.5")
    runs = [subprocess.Popen(line, env=variables, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = "".join(run.communicate(timeout=60)[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0] and calls(checkout) == ["venv", "pip"]
    assert "another run is installing" in messages


def test_the_test_entry_hands_its_arguments_to_pytest(checkout):
    (checkout / "tests").mkdir()
    (checkout / "tests/test_x.py").touch()
    (checkout.parent / "bin/s5lib").touch()
    assert run(checkout, "tools/test.sh --slow -x").stdout.splitlines() == [
        str(checkout),
        *("-m", "pytest", "-m", "slow", "-x"),
    ]
    done = run(checkout, "../tools/test.sh test_x.py::test_a -k silence", folder="tests")
    assert done.stdout.splitlines()[3:] == [f"{checkout}/tests/test_x.py::test_a", "-k", "silence"]


def test_help_and_unknown_words(checkout):
    assert "--slow" in run(checkout, "tools/test.sh --help").stdout
    assert "tools/install.sh kaldi doc" in run(checkout, "tools/install.sh --help").stdout
    for word in ("kaldo", "--frobnicate"):
        done = run(checkout, f"tools/install.sh {word}")
        assert done.returncode == 2 and f"'{word}'" in done.stderr
    assert calls(checkout) == []
