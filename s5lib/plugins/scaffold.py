"""Writes a new plugin: a complete, installable, tested package from the templates beside this file."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from string import Template

from s5lib.errors import ConfigError, nearest
from s5lib.plugins import builtin
from s5lib.plugins.spec import KINDS
from s5lib.provenance.files import atomic_folder
from s5lib.version import __version__

__all__ = ["write_plugin"]

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_SUMMARIES = {
    "tagger": "dilated convolutions over the spectrograms, averaged over time",
    "separator": "masks of the spectrogram from dilated convolutions, queried by all labels at once",
    "joint_model": "masks of the spectrogram and labels from dilated convolutions",
    "aligner": "the largest score first, inside each class",
}


def write_plugin(kind: str, name: str, folder: str | Path = ".") -> Path:
    """Write the package of a new component into ``folder/name`` and return that path.

    Args:
        kind: one of :data:`s5lib.plugins.KINDS`.
        name: what users will write; small letters, digits, ``_`` and ``-``.
        folder: where the package's folder is made; made too if it does not exist.

    Raises:
        ConfigError: the kind, the name or the place cannot be used.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of component {kind!r}. {nearest(kind, KINDS)}")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"name is {name!r}; expected a small letter, then small letters, digits, '_' or '-', up to 40."
        )
    if name in [spec.name for spec in getattr(builtin, KINDS[kind], list)()] or name == "s5lib":
        raise ConfigError(f"name is {name!r}, which s5lib reserves; choose another.")
    target = Path(folder) / name
    if target.exists():
        raise ConfigError(f"{target} already exists; remove it, or choose another name or --folder.")
    try:
        with atomic_folder(target) as draft:
            for path, text in _files(kind, name):
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                (draft / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write into {target.parent}: {error.strerror}.") from error
    return target


def _files(kind: str, name: str):
    """Yield the path and the text of each file."""
    package, module = f"s5lib_{name.replace('-', '_')}", "aligner" if kind == "aligner" else "model"
    class_name = "".join(part.capitalize() for part in re.split("[-_]", name))
    config = f'            config="{package}.config:{class_name}Config",\n'
    capabilities = {
        "aligner": "            capabilities=Capabilities(optimal=False),  # see Capabilities for what can be said\n"
    }
    words = {
        "name": name,
        "kind": kind,
        "title": kind.replace("_", " "),
        "hook": KINDS[kind],
        "package": package,
        "distribution": package.replace("_", "-"),
        "module": module,
        "class_name": class_name,
        "summary": _SUMMARIES[kind],
        "s5lib_version": __version__,
        "options_row": "" if kind == "aligner" else f"| `{package}/config.py` | its options |\n",
        "spec_lines": capabilities.get(
            kind,
            config + "            capabilities=Capabilities(),  # any sources, channels, rates; equal labels too\n",
        ),
    }
    templates = resources.files("s5lib.plugins") / "templates"
    places = {
        "common/gitignore": ".gitignore",
        "common/pyproject.toml": "pyproject.toml",
        "common/README.md": "README.md",
        "common/plugin.py": f"{package}/plugin.py",
        f"{kind}/config.py": f"{package}/config.py",
        f"{kind}/{module}.py": f"{package}/{module}.py",
        f"{kind}/test.py": f"tests/test_{package.removeprefix('s5lib_')}.py",
    }
    yield f"{package}/__init__.py", f'"""The {words["title"]} {name} for s5lib."""\n'
    for template, place in places.items():
        if kind == "aligner" and template == "aligner/config.py":
            continue  # its options are the keywords of its constructor
        yield place, Template((templates / f"{template}.in").read_text(encoding="utf-8")).substitute(words)
