"""A data directory for short trainings."""

from __future__ import annotations

import pytest

from s5lib.corpora.layout import data_directory_from_synthesized
from s5lib.data import CorpusDescription
from s5lib.scenes import Corpus, DrawSettings, synthesize


@pytest.fixture(scope="session")
def tiny_data(small_corpus, tmp_path_factory):
    """Data directory of the small corpus: scenes of 0.5 s, up to 2 sources, 5 of them for validation."""
    folder, options = tmp_path_factory.mktemp("tiny_data"), {"duration": 0.5, "max_targets": 2}
    corpus = Corpus(small_corpus, "train")
    settings = DrawSettings(sample_rate=8000, **options)
    synthesize(small_corpus, "valid", folder / "dump", 5, seed=0, settings=settings)
    data_directory_from_synthesized(folder / "dump", folder / "valid", corpus.labels)
    CorpusDescription(str(corpus.root.absolute()), corpus.labels, 8000, 4, 2, options).write(folder)
    return folder
