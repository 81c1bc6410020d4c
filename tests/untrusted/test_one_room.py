"""Foreign bytes have one way in: parsers and openers are called by the modules listed here, and by no other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import s5lib

ROOT = Path(s5lib.__file__).parent

ALLOWED = {
    # what is called: the modules that may
    "json.load": (),
    "json.loads": ("untrusted/documents.py",),
    "json.dump": (),
    "json.dumps": ("untrusted/documents.py",),
    "yaml.load": ("untrusted/documents.py",),
    "yaml.safe_load": (),
    "yaml.safe_dump": ("training/experiment.py",),  # its own options
    "zipfile.ZipFile": (
        "untrusted/archives.py",
        "models/torchfile.py",  # the directory of a file of torch, before torch reads it
        "submission/archive.py",  # packages: every fault is listed instead of raised
        "submission/build.py",  # writes
    ),
    "tarfile.open": ("untrusted/archives.py",),
    "h5py.File": ("untrusted/hdf5_process.py", "corpora/simulation/sofa.py"),  # the latter writes
    "torch.load": ("models/torchfile.py",),
    "pickle.load": (),
    "pickle.loads": ("testing/aligner.py",),  # what it has pickled itself
    "numpy.load": ("audio/store.py", "training/features.py"),  # what this machine has decoded, without pickles
    "eval": (),
    "exec": (),
    "os.system": (),
    "urllib.request.urlopen": ("corpora/download.py",),
}


def calls(path):
    """Yield the full name of what each call in a module calls, as far as imports tell, and its line."""
    tree, names = ast.parse(path.read_text()), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            parts, target = [], node.func
            while isinstance(target, ast.Attribute):
                parts.append(target.attr)
                target = target.value
            if isinstance(target, ast.Name):
                yield ".".join([names.get(target.id, target.id), *reversed(parts)]), node


MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_else_parses_or_opens(module):
    found = [
        f"line {node.lineno}: {name}"
        for name, node in calls(ROOT / module)
        if module not in ALLOWED.get(name, (module,))
    ]
    assert not found, "use s5lib.untrusted instead"


def test_every_exception_is_in_use():
    used = {(name, module) for module in MODULES for name, _ in calls(ROOT / module)}
    assert not [(name, module) for name, modules in ALLOWED.items() for module in modules if (name, module) not in used]


def test_numpy_reads_no_pickles():
    for module in ALLOWED["numpy.load"]:
        for name, node in calls(ROOT / module):
            if name == "numpy.load":
                assert not any(keyword.arg == "allow_pickle" and keyword.value.value for keyword in node.keywords)


def test_the_check_sees_what_it_looks_for(tmp_path):
    (tmp_path / "a.py").write_text(
        "import json as j\nfrom yaml import safe_load as s\nimport urllib.request\nimport h5py\n"
        "j.loads(s(urllib.request.urlopen('x')))\nwith h5py.File('x') as f: pass\n"
    )
    assert {name for name, _ in calls(tmp_path / "a.py")} == {
        "json.loads",
        "yaml.safe_load",
        "urllib.request.urlopen",
        "h5py.File",
    }
