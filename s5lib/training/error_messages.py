"""Errors around a run, as messages for the person who has to fix them.

Failures of memory, disk, recordings and data workers surface as errors of various libraries; here each becomes one
message: what happened, which option or file is concerned, and which progress is kept.
"""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch

from s5lib.errors import DataError, PluginError, S5Error
from s5lib.plugins import Component
from s5lib.training.settings import TrainSettings
from s5lib.untrusted import failure

__all__ = ["in_plain_words"]

_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED", "bad_alloc")


@contextlib.contextmanager
def in_plain_words(
    settings: TrainSettings, resume_file: Path, on_gpu: bool, component: Component | None = None
) -> Iterator[None]:
    """Turn errors of memory, disk, recordings and mixing processes into :class:`S5Error`; others pass.

    Args:
        settings: of the run, for what to lower.
        resume_file: from which the same command resumes, if it exists by then.
        on_gpu: whether the model is on a GPU.
        component: the model's; one of a plugin is named where its code raises something unexpected.
    """
    try:
        yield
    except Exception as error:
        found = _from_worker(error) or _memory(error, settings, on_gpu) or _worker(error)
        found = found or _plugin(error, component) or _system(error)
        if found is None or (isinstance(error, S5Error) and found is error):
            raise
        if resume_file.exists() and not isinstance(error, S5Error | MemoryError):
            found = type(found)(f"{found} {resume_file} is intact: the same command resumes from it.")
        raise found from None


def _from_worker(error: Exception) -> S5Error | None:
    """Undo what the loader does to an error of a mixing process: its message is a whole traceback."""
    text = str(error)
    if not text.startswith("Caught ") or "in DataLoader worker" not in text:
        return error if isinstance(error, S5Error) else None
    if isinstance(error, S5Error):
        name = f"{type(error).__module__}.{type(error).__qualname__}: "
        return type(error)(text.rpartition(f"\n{name}")[2].strip())
    if isinstance(error, MemoryError):
        return S5Error(
            "out of memory in a process that mixes scenes. Lower --num_workers, each has a cache of its own, or choose "
            "shorter scenes (--scenes_conf duration=5)."
        )
    if isinstance(error, OSError):
        return DataError(f"a process that mixes scenes could not read a file: {text.strip().splitlines()[-1]}.")
    return None


def _memory(error: Exception, settings: TrainSettings, on_gpu: bool) -> S5Error | None:
    text = str(error)
    if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not (
        isinstance(error, RuntimeError) and any(sign in text for sign in _MEMORY)
    ):
        return None
    precision = " --precision bfloat16 in place of float32;" if on_gpu and settings.precision == "float32" else ""
    return S5Error(
        f"out of memory on the {'GPU' if on_gpu else 'machine'} ({_first_sentence(text)}). Try in this order: split "
        f"each step into more parts, --accumulate {2 * settings.accumulate} instead of {settings.accumulate}, with the "
        f"same --batch_size;{precision} a smaller --batch_size than {settings.batch_size}; shorter scenes, "
        "--scenes_conf duration=5. Use a new --expdir, because the options are part of a run."
    )


def _worker(error: Exception) -> S5Error | None:
    """Report a data worker that has died."""
    text = str(error)
    if not isinstance(error, RuntimeError) or "DataLoader worker" not in text:
        return None
    if "Bus error" in text or "shared memory" in text:
        return S5Error(
            "a process that mixes scenes found no room in the shared memory (/dev/shm). Enlarge it (docker run "
            "--shm-size=8g), or choose --num_workers 0."
        )
    numbers = re.search(r"pid(?:\(s\))? ([\d, ]+\d)", text)
    signal = re.search(r"killed by signal: ([\w ]+)", text)
    return S5Error(
        f"a process that mixes scenes{f' ({numbers[1]})' if numbers else ''} was "
        f"killed{f' (signal: {signal[1].strip()})' if signal else ''} by someone, or by the system for lack of "
        "memory; then lower --num_workers."
    )


def _plugin(error: Exception, component: Component | None) -> S5Error | None:
    """Report an error that comes out of a plugin's code."""
    if component is None or component.namespace == "s5lib":
        return None
    module = sys.modules.get(component.spec.target.partition(":")[0])
    file = getattr(module, "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    if file is None or not own:
        return None
    place = f"{own[-1].name} of {file}, line {own[-1].lineno}"
    said = failure(error.with_traceback(None) if own[-1] is frames[-1] else error)  # it adds the last frame
    return PluginError(f"{component} failed in {place}: {said}.")


def _system(error: Exception) -> S5Error | None:
    """Report a full disk, a missing folder, and the like."""
    if not isinstance(error, OSError):
        return None
    what = f"{error.filename}: " if error.filename else "a file of the experiment: "
    return DataError(f"{what}{error.strerror or _first_sentence(str(error))}. Earlier files are kept.")


def _first_sentence(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "cause unknown"
    return re.split(r"\. (?=[A-Z])", line)[0].rstrip(".")
