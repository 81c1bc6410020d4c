import json
import shutil

import numpy as np
import pytest
import soundfile
from small_corpus import write_wav

from s5lib.corpora.layout import data_directory_from_metadata, data_directory_from_synthesized
from s5lib.data import DataDirectory
from s5lib.errors import DataError
from s5lib.scenes import Corpus, DrawSettings, compose_metadata, draw, render, synthesize, write_metadata
from s5lib.scenes.corpus import metadata_files

SETTINGS = DrawSettings(duration=1.5, sample_rate=8000)


def rendered_set(root, references):
    for name in ("eval_1", "eval_10"):
        write_wav(root / f"soundscape/{name}.wav", np.ones((100, 4)))
    for name in references:
        write_wav(root / f"oracle_target/{name}.wav", np.ones(100))
    return root


def labels_of(directory):
    return {recording.id: recording.labels for recording in directory}


def test_names_are_compared_as_a_whole(tmp_path):
    root = rendered_set(tmp_path / "set", ["eval_1_0_Dog", "eval_10_0_Cat", "eval_10_1_Cat"])
    directory = data_directory_from_synthesized(root, tmp_path / "data")
    assert labels_of(directory) == {"eval_1": ("Dog",), "eval_10": ("Cat", "Cat")}
    assert [source.rsplit("/", 1)[1] for source in directory.recordings[1].sources] == [
        "eval_10_0_Cat.wav",
        "eval_10_1_Cat.wav",
    ]
    assert directory.recordings[0].num_samples == 100


def test_the_names_of_2025(tmp_path):
    root = rendered_set(tmp_path / "set", ["eval_1_Dog", "eval_10_Cat", "eval_10_Dog"])
    directory = data_directory_from_synthesized(root, tmp_path / "data", ("Cat", "Dog"))
    assert labels_of(directory) == {"eval_1": ("Dog",), "eval_10": ("Cat", "Dog")}


def test_mixtures_without_targets_and_sets_without_references(tmp_path):
    root = rendered_set(tmp_path / "set", ["eval_1_0_Dog"])
    assert labels_of(data_directory_from_synthesized(root, tmp_path / "data")) == {"eval_1": ("Dog",), "eval_10": ()}
    shutil.rmtree(root / "oracle_target")
    directory = data_directory_from_synthesized(root, tmp_path / "data")
    assert labels_of(directory) == {"eval_1": None, "eval_10": None}
    assert not (tmp_path / "data/labels").exists()


@pytest.mark.parametrize(
    ("references", "message"),
    [
        (["eval_1_1_Dog"], "'eval_1' has references number \\[1\\]; some are missing"),
        (["eval_1_0_Dog", "eval_1_0_Cat"], "number 0 of 'eval_1' a second time"),
        (["eval_100_0_Dog"], "eval_100_0_Dog.wav: belongs to no mixture"),
        (["eval_1_0_Dgo"], "unknown label 'Dgo'.*Did you mean 'Dog'"),
    ],
)
def test_bad_references(tmp_path, references, message):
    root = rendered_set(tmp_path / "set", references)
    with pytest.raises(DataError, match=message):
        data_directory_from_synthesized(root, tmp_path / "data", ("Cat", "Dog"))


def test_a_reference_that_could_be_of_two_mixtures(tmp_path):
    root = rendered_set(tmp_path / "set", ["eval_1_0_Dog"])
    write_wav(root / "soundscape/eval_1_0.wav", np.ones((100, 4)))
    with pytest.raises(DataError, match="can be number 0 of 'eval_1', Dog or number 0 of 'eval_1_0', Dog: rename"):
        data_directory_from_synthesized(root, tmp_path / "data", ("Cat", "Dog"))


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="soundscape: no recordings there"):
        data_directory_from_synthesized(tmp_path, tmp_path / "data")


def test_a_written_set_becomes_a_data_directory(small_corpus, tmp_path):
    out = synthesize(small_corpus, "valid", tmp_path / "set", 5, zero_target=1, settings=SETTINGS)
    directory = data_directory_from_synthesized(out, tmp_path / "data")
    for recording in directory:
        metadata = json.loads((out / f"metadata/{recording.id}.json").read_text())
        assert recording.labels == tuple(event["label"] for event in metadata["fg_events"])
        assert recording.num_samples == 12000


@pytest.fixture
def corpus_with_metadata(own_corpus):
    folder = own_corpus / "dev_set/metadata"
    corpus = Corpus(own_corpus, "valid")
    for index in range(3):
        metadata = compose_metadata(draw(corpus, SETTINGS, 0, index), corpus, SETTINGS)
        write_metadata(metadata, folder / f"valid/v_{index}.json")
    rows = [{"metadata_path": f"valid/v_{index}.json"} for index in range(2)]
    (folder / "valid.json").write_text(json.dumps(rows))
    return own_corpus


def test_sets_of_metadata_are_rendered(corpus_with_metadata, tmp_path):
    assert [path.name for path in metadata_files(corpus_with_metadata, "valid")] == ["v_0.json", "v_1.json"]
    arguments = (corpus_with_metadata, "valid", tmp_path / "data", tmp_path / "audio")
    directory = data_directory_from_metadata(*arguments)
    assert [recording.id for recording in directory] == ["v_0", "v_1"]
    for recording in directory:
        root = corpus_with_metadata / "dev_set"
        scene = render(root / f"metadata/valid/{recording.id}.json", root)
        np.testing.assert_array_equal(soundfile.read(recording.mixture, dtype="float32")[0].T, scene.mixture)
        assert recording.labels == scene.labels
    before = [(tmp_path / f"audio/soundscape/v_{index}.wav").stat().st_mtime_ns for index in range(2)]
    assert data_directory_from_metadata(*arguments) == directory == DataDirectory.read(tmp_path / "data")
    assert before == [(tmp_path / f"audio/soundscape/v_{index}.wav").stat().st_mtime_ns for index in range(2)]


def test_two_scenes_of_one_name(corpus_with_metadata, tmp_path):
    folder = corpus_with_metadata / "dev_set/metadata"
    (folder / "more").mkdir()
    (folder / "valid/v_1.json").rename(folder / "more/v_0.json")
    rows = [{"metadata_path": "valid/v_0.json"}, {"metadata_path": "more/v_0.json"}]
    (folder / "valid.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"valid/v_0.json and .*more/v_0.json: two scenes of one name"):
        data_directory_from_metadata(corpus_with_metadata, "valid", tmp_path / "data", tmp_path / "audio")


def test_bad_lists_of_metadata(corpus_with_metadata):
    folder = corpus_with_metadata / "dev_set/metadata"
    with pytest.raises(DataError, match="no scenes of 'vaild'.*Did you mean 'valid'"):
        metadata_files(corpus_with_metadata, "vaild")
    (folder / "valid.json").write_text("[1]")
    with pytest.raises(DataError, match="valid.json: .*a list of"):
        metadata_files(corpus_with_metadata, "valid")
    (folder / "valid.json").unlink()
    assert len(metadata_files(corpus_with_metadata, "valid")) == 3


def test_two_mixtures_of_one_name(tmp_path):
    """One of them was left out without a word."""
    root = rendered_set(tmp_path / "set", ["eval_1_0_Dog"])
    soundfile.write(root / "soundscape/eval_1.flac", np.ones((100, 4)), 8000)
    with pytest.raises(DataError, match=r"eval_1\.wav.*eval_1\.flac|eval_1\.flac.*eval_1\.wav"):
        data_directory_from_synthesized(root, tmp_path / "data")


def test_a_mixture_whose_name_no_line_can_hold(tmp_path):
    write_wav(tmp_path / "set/soundscape/take 1.wav", np.ones((100, 4)))
    with pytest.raises(DataError, match=r"take 1\.wav.*Rename"):
        data_directory_from_synthesized(tmp_path / "set", tmp_path / "data")
