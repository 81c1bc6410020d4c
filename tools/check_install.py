#!/usr/bin/env python3
"""Reports what is installed, whether it works, and how to fix what does not.

usage: tools/check_install.py [--quick [EXTRA ...]]

Looks at the Python that runs it; where that one has no s5lib but tools/venv is set up, at that of tools/venv.
Exit status 1 when something that s5lib cannot do without is missing or broken.

--quick only looks up versions, imports nothing heavy and prints the folder of the commands, or nothing and status 1.

Needs nothing installed, and starts with older Pythons than s5lib does, in order to say so.
"""

import ast
import os
import re
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, "tools", "venv")
OLDEST_PYTHON = (3, 10)
MODULES = {"PyYAML": "yaml"}
PURPOSES = {
    "kaldi": "Kaldi archives and cached embeddings",
    "text": "labels as text",
    "dask": "sharded jobs beyond one machine",
    "sofa": "writing and verifying SOFA files",
    "wandb": "training logs on Weights & Biases",
    "test": "running the tests",
    "doc": "building the documentation",
}


def declared():
    """Return what setup.py asks for: the list of requirements, and the lists of the extras by name."""
    with open(os.path.join(ROOT, "setup.py"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("INSTALL", "EXTRAS"):
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return found["INSTALL"], found["EXTRAS"]


def release(version):
    """Return the numbers of a version, without what follows them.

    >>> release("2.11.0+cu130"), release("7.3") < release("7.10")
    ((2, 11, 0), True)
    """
    return tuple(int(part) for part in re.match(r"\d+(?:\.\d+)*", version).group().split("."))


def version_of(name):
    """Return the installed version of a distribution, or None."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def problem_of(requirement):
    """Return ``(name, version, problem)`` of a requirement such as ``"scipy>=1.11"``; problem is None if it is met."""
    name, _, least = requirement.partition(">=")
    version = version_of(name)
    if version is None:
        return name, "-", "missing"
    if release(version) < release(least):
        return name, version, f"too old, {least} or newer is needed"
    return name, version, None


def pair_problem():
    """Return what is wrong with torch beside torchaudio, or None: their compiled parts fit only at equal releases."""
    torch, torchaudio = version_of("torch"), version_of("torchaudio")
    if torch and torchaudio and release(torch) != release(torchaudio):
        return f"torch {torch} and torchaudio {torchaudio} are of different releases"
    return None


def commands():
    """Return the folder of this Python's commands."""
    import sysconfig

    return sysconfig.get_path("scripts")


def quick(extras):
    """Print the folder of the commands and return 0 if versions promise a working s5lib, else return 1."""
    if sys.version_info < OLDEST_PYTHON:
        return 1
    install, known = declared()
    if "all" in extras:
        extras = sorted(known)
    wanted = install + [item for extra in extras for item in known[extra]]
    script = os.path.join(commands(), "s5lib")
    if version_of("s5lib") is None or not os.path.exists(script) or pair_problem():
        return 1
    if any(problem_of(requirement)[2] for requirement in wanted):
        return 1
    print(commands())
    return 0


def import_problem(name):
    """Return why the module of a distribution cannot be imported, or None."""
    import importlib

    try:
        importlib.import_module(MODULES.get(name, name))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a broken package may raise anything, SystemExit too
        return "{}: {}".format(type(error).__name__, (str(error).splitlines() or [""])[0])
    return None


def row(name, version, remark):
    """Print one line of the report."""
    print(f"  {name:<16} {version:<14} {remark}")


def report_required(install):
    """Print the packages that s5lib cannot do without, importing each; return what is wrong with them."""
    problems = []
    print("packages")
    for requirement in install:
        name, version, problem = problem_of(requirement)
        problem = problem or import_problem(name)
        row(name, version, "ok" if problem is None else problem)
        if problem:
            problems.append(f"{name}: {problem}")
    if pair_problem():
        problems.append(pair_problem())
    return problems


def report_extras(extras):
    """Print which optional packages are there and how to get the others."""
    print("extras")
    for extra in sorted(extras):
        missing = [name for name, _, problem in map(problem_of, extras[extra]) if problem]
        remark = "" if not missing else ": without {}; tools/install.sh {}".format(", ".join(missing), extra)
        row(extra, "missing" if missing else "ok", PURPOSES.get(extra, "") + remark)


def report_devices():
    """Print what torch can compute on."""
    print("devices")
    row("CPU", "", f"{len(os.sched_getaffinity(0))} cores")
    try:
        import torch
    except BaseException:  # reported above
        return
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            row(f"GPU {index}", "", f"{properties.name}, {properties.total_memory / 1e9:.0f} GB")
    elif os.path.exists("/dev/nvidia0") or os.path.exists("/proc/driver/nvidia/version"):
        row("GPU", "", f"there is one, but torch {torch.__version__} cannot use it: is the driver new enough?")
    else:
        row("GPU", "", "none found; everything runs on the CPU")


def report():
    """Print everything and return the exit status."""
    print("python\n  {}.{}.{}  {}".format(*sys.version_info[:3], sys.executable))
    if sys.version_info < OLDEST_PYTHON:
        print("\nThis Python is too old: s5lib needs 3.10 or newer. PYTHON=python3.12 tools/install.sh uses another.")
        return 1
    install, extras = declared()
    version = version_of("s5lib")
    print("s5lib\n  {}".format("not installed" if version is None else version))
    problems = report_required(install)
    report_extras(extras)
    report_devices()
    found = shutil.which("ffmpeg") or "not installed; only recordings such as m4a, aac and wma need it"
    print("other\n  ffmpeg           " + found)
    if version is None:
        problems.insert(0, "s5lib is not installed in this Python")
    if not problems:
        print("\nAll that s5lib needs is there and can be imported.")
        return 0
    print("\nNot usable:")
    for problem in problems:
        print(f"  - {problem}")
    print(
        "What to do: tools/install.sh makes an environment that fits, in tools/venv. Into this Python:\n"
        "  {} -m pip install -c {} -e '{}[test]'".format(sys.executable, os.path.join(ROOT, "constraints.txt"), ROOT)
    )
    return 1


def main(argv):
    """Run the command line."""
    if argv[:1] == ["--quick"]:
        return quick(argv[1:])
    if argv:
        print(__doc__.strip())
        return 0 if argv[0] in ("-h", "--help") else 2
    python = os.path.join(VENV, "bin", "python3")
    usable = sys.version_info >= OLDEST_PYTHON and version_of("s5lib") is not None
    if not usable and os.path.exists(os.path.join(VENV, ".complete")) and sys.prefix != VENV:
        os.execv(python, [python, os.path.abspath(__file__)])
    return report()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:  # as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
