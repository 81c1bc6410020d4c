"""Installs a package by setuptools alone, which needs neither a network nor the package ``wheel``, as pip would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SETUP = "from setuptools import setup; setup()"


def build(package: Path, site: Path) -> None:
    """Put the package and its entry points into the folder ``site``."""
    site.mkdir(exist_ok=True)
    command = ["build", "--build-base", f"{site}.build", "--build-lib", str(site), "egg_info", "--egg-base", str(site)]
    done = subprocess.run(
        [sys.executable, "-c", SETUP, "-q", *command], cwd=package, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)


if __name__ == "__main__":  # as the command `pip install FOLDER` of a guide
    assert sys.argv[2] == "install", sys.argv
    build(Path(sys.argv[3]), Path(sys.argv[1]))
