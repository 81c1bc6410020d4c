"""What all tests share: one thread per process, memory that is given back, loggers as they were, a small corpus."""

from __future__ import annotations

import ctypes
import gc
import logging
import os

import pytest
from hypothesis import settings
from small_corpus import make_corpus

# The models here are so small that threads cost more than they save; programs that tests start inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A change, not chance, decides whether tests pass; `--hypothesis-profile default` draws new examples.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

collect_ignore_glob = ["*conftest.py"]  # as doctests, of which they have none: their names are not unique


def pytest_make_parametrize_id(val):
    """Name parameters that are not valid text by their escapes: pytest-xdist cannot send them otherwise."""
    if isinstance(val, str) and not val.isascii() and val != val.encode("utf-8", "ignore").decode():
        return ascii(val)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Keep what a test printed as valid text, for the same reason."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


def pytest_collection_finish():
    """Spare the garbage collector what all imports have left: it stays until the end anyway."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _memory_is_given_back():
    """After each module, free what it has used; ``s5lib infer`` and others make glibc keep it."""
    yield
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        trim_threshold, mmap_max = -1, -4
        libc.mallopt(trim_threshold, 128 * 1024)
        libc.mallopt(mmap_max, 65536)
        libc.malloc_trim(0)


@pytest.fixture(autouse=True)
def _logging_is_left_alone():
    """Undo what a command does to the logger, so that caplog and the next test's streams work."""
    logger = logging.getLogger("s5lib")
    before = logger.propagate, logger.level, list(logger.handlers)
    yield
    logger.propagate, logger.level, logger.handlers[:] = before


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory):
    """Folder that holds ``dev_set``; not to be changed (copy it, or use :func:`own_corpus`)."""
    return make_corpus(tmp_path_factory.mktemp("small_corpus"))


@pytest.fixture
def own_corpus(tmp_path):
    """A small corpus that a test may spoil."""
    return make_corpus(tmp_path / "own_corpus")
