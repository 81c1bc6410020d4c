"""A corpus of synthetic sounds, small enough to be made anew by every test session."""

from __future__ import annotations

import pytest
from small_corpus import make_corpus


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory):
    """Folder that holds ``dev_set``; not to be changed (copy it, or use :func:`own_corpus`)."""
    return make_corpus(tmp_path_factory.mktemp("small_corpus"))


@pytest.fixture
def own_corpus(tmp_path):
    """A small corpus that a test may spoil."""
    return make_corpus(tmp_path / "own_corpus")
