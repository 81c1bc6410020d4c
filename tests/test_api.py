"""The names at the top level, ``dir(s5lib)``, and what importing them loads."""

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest

import s5lib

WHERE = {  # the names that users and plugins rely on -> where they come from
    "load_system": "s5lib.systems",
    "Source": "s5lib.systems",
    "open_audio": "s5lib.audio",
    "render": "s5lib.scenes",
    "ca_pi_sdri": "s5lib.metrics",
    "AlignedSDRLoss": "s5lib.losses",
    "create": "s5lib.plugins",
    "available": "s5lib.plugins",
}
PACKAGES = sorted(module.name for module in pkgutil.iter_modules(s5lib.__path__) if module.ispkg)


def run(program):
    """Run ``program`` in a new interpreter, without plugins that other tests have registered."""
    environment = {**os.environ, "S5LIB_PLUGINS": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_heavy_is_imported():
    program = "import sys, s5lib; names = dir(s5lib); s5lib.metrics.ca_pi_sdri; s5lib.available('separator')\n"
    heavy = "{'torch', 'torchaudio', 'lightning', 'scipy', 'matplotlib', 'soundfile'}"
    assert run(f"{program}print({heavy} & set(sys.modules))") == "set()\n"


def test_a_package_and_a_function_that_was_never_imported():
    run("import s5lib; assert s5lib.metrics.CAPISDRi().higher_is_better")
    run("from s5lib import AlignedSDRLoss; AlignedSDRLoss(aligner='ca')")


@pytest.mark.parametrize("name", WHERE)
def test_names(name):
    assert name in dir(s5lib) and name in s5lib.__all__ and name in s5lib.__doc__
    assert getattr(s5lib, name) is getattr(importlib.import_module(WHERE[name]), name)


@pytest.mark.parametrize("name", PACKAGES)
def test_packages(name):
    assert name in dir(s5lib) and name in s5lib.__all__
    package = getattr(s5lib, name)
    assert package is importlib.import_module(f"s5lib.{name}") and package.__doc__
    for exported in getattr(package, "__all__", []):
        assert exported in dir(package)
        assert getattr(package, exported) is not None


@pytest.mark.parametrize("module", [s5lib, s5lib.models])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="has no attribute 'load_sytem'"):
        _ = module.load_sytem
