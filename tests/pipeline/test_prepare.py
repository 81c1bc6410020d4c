"""The data stage."""

import json
import shutil
from collections import Counter

import pytest

from s5lib.data import CorpusDescription, DataDirectory

from .conftest import prepare


def test_sets_have_the_papers_proportions(prepared):
    test = DataDirectory.read(prepared / "data/test")
    kinds = Counter((len(r.labels), len(set(r.labels)) < len(r.labels)) for r in test)
    assert kinds == {(0, False): 1, (1, False): 1, (2, False): 1, (2, True): 1, (3, False): 1, (3, True): 1}
    assert all(r.num_samples == 8000 for r in test)
    assert len(DataDirectory.read(prepared / "data/valid")) == 3


def test_description_tells_later_stages_about_the_corpus(prepared, corpus_with_test):
    description = CorpusDescription.read(prepared / "data")
    assert description.labels == ("Bell", "Dog", "Rain", "Speech")
    assert (description.sample_rate, description.num_channels, description.max_sources) == (8000, 4, 3)
    assert description.root == str(corpus_with_test / "dev_set")
    assert description.draw_options == {"duration": 1.0, "max_targets": 3}


def test_again_is_quick_and_says_so(prepared, corpus_with_test, capsys):
    before = (prepared / "data/corpus.json").stat().st_mtime_ns
    assert prepare(corpus_with_test, prepared) == 0
    assert "finished already" in capsys.readouterr().out
    assert (prepared / "data/corpus.json").stat().st_mtime_ns == before


def test_other_options_into_the_same_folder_are_refused(prepared, corpus_with_test, capsys):
    assert prepare(corpus_with_test, prepared, "--seed", "1") == 1
    assert "prepared with other options: seed was 0, now 1" in capsys.readouterr().err


def test_what_the_corpus_brings_is_used(prepared, corpus_with_test, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(corpus_with_test, root)
    shutil.copytree(prepared / "dump/test/soundscape", root / "dev_set/synthesized/test/soundscape")
    shutil.copytree(prepared / "dump/test/oracle_target", root / "dev_set/synthesized/test/oracle_target")
    shutil.copytree(prepared / "dump/valid/metadata", root / "dev_set/metadata/valid")
    assert prepare(root, tmp_path) == 0
    test = DataDirectory.read(tmp_path / "data/test")
    assert len(test) == 6
    assert all(r.mixture.startswith(str(root)) for r in test)
    rendered = {p.name: p.read_bytes() for p in (prepared / "dump/valid/soundscape").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "dump/valid/soundscape").iterdir()} == rendered


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"root": "x"})])
def test_damaged_description_is_named(tmp_path, content):
    (tmp_path / "corpus.json").write_text(content)
    with pytest.raises(ValueError, match="corpus.json: .* Delete it and run the data stage again"):
        CorpusDescription.read(tmp_path)


def test_missing_corpus(tmp_path, capsys):
    assert prepare(tmp_path / "nowhere", tmp_path) == 1
    assert "nowhere: not a corpus, no such folder" in capsys.readouterr().err
