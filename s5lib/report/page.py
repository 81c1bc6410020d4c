"""A self-contained HTML page from a template: style and script inside, nothing else allowed to run or to load."""

from __future__ import annotations

import base64
import hashlib
import logging
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from s5lib.errors import ConfigError, nearest
from s5lib.provenance.files import write_text
from s5lib.report.spectrogram import AUDIO_FORMATS
from s5lib.version import __version__

__all__ = ["check_audio", "page", "write_page"]

log = logging.getLogger(__name__)


def check_audio(audio: str) -> None:
    """Raise ConfigError if ``audio`` is none of the formats that a page has."""
    if audio not in AUDIO_FORMATS:
        raise ConfigError(f"--audio {audio}. {nearest(audio, AUDIO_FORMATS)}")


def page(template: str, **values: Any) -> str:
    """Return the page of a template of this package; ``values`` are escaped where they are no markup."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("s5lib.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = Path(__file__).parent
    style, script = (Markup((folder / name).read_text("utf-8").strip()) for name in ("style.css", "script.js"))
    return environment.get_template(template).render(
        version=__version__,
        today=date.today().isoformat(),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        **values,
    )


def write_page(out: Path, text: str) -> Path:
    """Write a page and return its path; an older one is replaced once the new one is complete.

    Raises:
        ConfigError: it cannot be written.
    """
    text = text.encode("utf-8", "replace").decode()  # a folder's name need not be UTF-8
    try:
        write_text(out, text)
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written ({error.strerror or error}). Choose another file.") from None
    log.info("written to %s (%.1f MB)", out, out.stat().st_size / 1e6)
    return out


def _hash(text: str) -> str:
    """Return what the content security policy allows ``text`` by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
