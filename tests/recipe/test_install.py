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
    *version_info*) exec {shlex.quote(sys.executable)} "$@" ;;
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


def run(root, line, **variables):
    return subprocess.run(
        shlex.split(line), cwd=root, env=environment(root, **variables), capture_output=True, text=True, timeout=60
    )


def calls(root):
    return (root / "calls").read_text().splitlines() if (root / "calls").exists() else []


def test_makes_an_environment_once(checkout):
    done = run(checkout, "tools/install.sh")
    assert done.returncode == 0, done.stderr
    assert "making" in done.stderr and "s5lib is ready" in done.stderr
    venv, pip = calls(checkout)
    assert venv == f"-m venv {checkout}/tools/venv"
    assert pip.endswith("-c constraints.txt -e .[test]") and pip.startswith("-m pip install ")
    assert (checkout / "tools/venv/.complete").exists()
    again = run(checkout, "tools/install.sh")
    assert again.returncode == 0 and "making" not in again.stderr and len(calls(checkout)) == 2


def test_leaves_a_working_active_python_alone(checkout):
    (checkout.parent / "bin/s5lib").touch()
    done = run(checkout, "tools/install.sh")
    assert done.returncode == 0 and calls(checkout) == [] and not (checkout / "tools/venv").exists()


def test_commands_and_code_are_those_of_this_checkout(checkout):
    script = '. tools/install.sh; s5lib_setup; s5lib_setup; printf "%s\\n" "${PATH}" "${PYTHONPATH}"'
    done = run(checkout, f"bash -euc {shlex.quote(script)}")
    path, code = done.stdout.splitlines()
    assert path.startswith(f"{checkout}/tools/venv/bin:") and path.count(f"{checkout}/tools/venv/bin") == 1
    assert code == str(checkout)


def test_is_brought_up_to_date_when_requirements_change(checkout):
    run(checkout, "tools/install.sh")
    with (checkout / "constraints.txt").open("a") as file:
        file.write("numpy<99\n")
    assert run(checkout, "tools/install.sh").returncode == 0
    assert [call.split()[1] for call in calls(checkout)] == ["venv", "pip", "pip"]


def test_extras(checkout):
    run(checkout, "tools/install.sh kaldi doc")
    assert calls(checkout)[-1].endswith("-e .[test,kaldi,doc]")
    unknown = run(checkout, "tools/install.sh kaldo")
    assert unknown.returncode == 2 and "no extra 'kaldo'" in unknown.stderr and "kaldi" in unknown.stderr


def test_an_installation_that_failed_is_not_taken_as_done(checkout):
    done = run(checkout, "tools/install.sh", NO_PIP="1")
    assert done.returncode == 1 and "pip could not install s5lib" in done.stderr and "no space left" in done.stderr
    assert not (checkout / "tools/venv/.complete").exists()
    assert run(checkout, "tools/install.sh").returncode == 0 and (checkout / "tools/venv/.complete").exists()


def test_python_without_venv(checkout):
    done = run(checkout, "tools/install.sh", NO_VENV="1")
    assert done.returncode == 1 and "apt install python3-venv" in done.stderr
    assert not (checkout / "tools/venv").exists()


def test_python_too_old(checkout):
    write_script(checkout.parent / "bin/python3", OLD_PYTHON)
    done = run(checkout, "tools/test.sh")
    assert done.returncode == 1 and calls(checkout) == []
    assert "'python3' is Python 3.8.10 (/usr/bin/python3), and s5lib needs 3.10 or newer" in done.stderr
    assert "PYTHON=python3.12" in done.stderr


def test_no_python(checkout):
    done = run(checkout, "tools/install.sh", PYTHON="python3.99")
    assert done.returncode == 1 and "there is no 'python3.99' that starts" in done.stderr


def test_two_at_once_install_once(checkout):
    runs = [
        subprocess.Popen(
            [checkout / "tools/install.sh"],
            env=environment(checkout, PIP_TIME="0.5"),
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = "".join(run.communicate(timeout=60)[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert [call.split()[1] for call in calls(checkout)] == ["venv", "pip"]
    assert "another run is installing; waiting for it" in told


def test_a_broken_environment_is_made_anew(checkout):
    run(checkout, "tools/install.sh")
    (checkout / "tools/venv/bin/python3").unlink()  # as after the system's Python has gone
    assert run(checkout, "tools/install.sh").returncode == 0
    assert [call.split()[1] for call in calls(checkout)] == ["venv", "pip", "venv", "pip"]


def test_the_recipe_stops_where_nothing_can_be_installed(bench, tmp_path):
    write_script(bench.commands / "python3", OLD_PYTHON)
    done = bench(script=copy_recipe(tmp_path / "copy"))
    assert done.returncode == 1 and bench.calls == [] and "s5lib needs 3.10 or newer" in done.stderr
    assert done.stderr.startswith("install: error: ") and done.stderr.count("\n") == 1


def test_the_test_entry_hands_its_arguments_to_pytest(checkout):
    (checkout / "tests").mkdir()
    (checkout / "tests/test_x.py").touch()
    (checkout.parent / "bin/s5lib").touch()
    assert run(checkout, "tools/test.sh").stdout.splitlines() == [str(checkout), "-m", "pytest"]
    assert run(checkout, "tools/test.sh --slow -x").stdout.splitlines()[3:] == ["-m", "slow", "-x"]
    done = subprocess.run(
        ["../tools/test.sh", "test_x.py::test_a", "-k", "silence"],
        cwd=checkout / "tests",
        env=environment(checkout),
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[3:] == [f"{checkout}/tests/test_x.py::test_a", "-k", "silence"]
    assert "--slow" in run(checkout, "tools/test.sh --help").stdout


def test_help_and_unknown_options(checkout):
    assert "tools/install.sh kaldi doc" in run(checkout, "tools/install.sh --help").stdout
    done = run(checkout, "tools/install.sh --frobnicate")
    assert done.returncode == 2 and "no option '--frobnicate'" in done.stderr and calls(checkout) == []
