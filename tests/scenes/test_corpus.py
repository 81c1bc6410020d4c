import shutil

import numpy as np
import pytest
import soundfile
from small_corpus import write_sofa, write_wav

from s5lib.audio import read_audio
from s5lib.errors import DataError
from s5lib.scenes import Corpus


def test_what_a_corpus_holds(small_corpus):
    corpus = Corpus(small_corpus, "valid")
    assert corpus.labels == ("Bell", "Dog", "Rain", "Speech")
    assert Corpus(small_corpus / "dev_set", "valid").root == corpus.root == small_corpus / "dev_set"
    folder = small_corpus / "dev_set/sound_event/valid/Dog"
    assert [(clip.path.relative_to(folder).as_posix(), clip.source) for clip in corpus.events["Dog"]][:3] == [
        ("source0/0_0.wav", "source0"),
        ("source0/0_1.wav", "source0"),
        ("source1/1_0.wav", "source1"),
    ]
    assert len({clip.source for clip in corpus.events["Rain"]}) == 6
    assert list(corpus.interferences) == ["Fan"] and len(corpus.noises) == 2
    assert [len(room) for room in corpus.rooms] == [12, 12] and corpus.num_channels == 4


def test_missing_parts(own_corpus, tmp_path):
    with pytest.raises(DataError, match="nowhere: not a corpus, no such folder"):
        Corpus(tmp_path / "nowhere")
    with pytest.raises(DataError, match="neither dev_set/sound_event nor sound_event is there"):
        Corpus(tmp_path)
    with pytest.raises(DataError, match="no split 'vaild'. Known: train, valid. Did you mean 'valid'"):
        Corpus(own_corpus, "vaild")
    root = own_corpus / "dev_set"
    shutil.move(root / "sound_event/train/Dog", root / "Dog")
    with pytest.raises(DataError, match="label 'Dog' is not in .*train"):
        Corpus(own_corpus, "valid")
    shutil.rmtree(root / "noise/train")
    with pytest.raises(DataError, match="noise/train: no noise recordings"):
        Corpus(own_corpus)
    shutil.copytree(root / "noise/valid", root / "noise/train")
    shutil.rmtree(root / "room_ir/train")
    with pytest.raises(DataError, match="room_ir/train: no SOFA files"):
        Corpus(own_corpus)


def test_labels_with_white_space(own_corpus):
    train = own_corpus / "dev_set/sound_event/train"
    (train / "Dog").rename(train / "Dog bark")
    with pytest.raises(DataError, match="Dog bark: a class label cannot have white space; rename"):
        Corpus(own_corpus)
    shutil.rmtree(train)
    train.mkdir()
    with pytest.raises(DataError, match="train: no LABEL folders"):
        Corpus(own_corpus)


def test_bad_files_are_found_when_it_is_opened(own_corpus):
    root = own_corpus / "dev_set"
    clip = root / "sound_event/train/Dog/source0/0_0.wav"
    good = clip.read_bytes()
    write_wav(clip, np.ones((100, 2)))
    with pytest.raises(DataError, match="0_0.wav: 2 channels, expected a recording of one channel"):
        Corpus(own_corpus)
    clip.write_bytes(good[:-100])
    with pytest.raises(DataError, match="0_0.wav: truncated"):
        Corpus(own_corpus)
    clip.write_bytes(good)
    write_wav(root / "noise/train/0.wav", np.ones(100))
    with pytest.raises(DataError, match="noise/train/0.wav: 1 channels, but .*a.sofa has 4"):
        Corpus(own_corpus)
    write_sofa(root / "room_ir/train/b.sofa", np.ones((2, 3, 10)), np.array([[1.0, 0, 0], [0, 1, 0]]))
    with pytest.raises(DataError, match="b.sofa: 3 channels, but .*a.sofa has 4"):
        Corpus(own_corpus)


def test_every_kind_of_file_and_no_rubbish(own_corpus):
    """Of a label whose sounds are AIFF files, none is missed; loops, hidden files and trash add none."""
    bell = own_corpus / "dev_set/sound_event/train/Bell"
    count = len(Corpus(own_corpus).events["Bell"])
    first = min(bell.rglob("*.wav"))
    samples, rate = read_audio(first)
    soundfile.write(bell / "one.AIF", samples.T, rate, format="AIFF")
    (bell / "loop").symlink_to(".")
    (bell / "._two.wav").write_bytes(b"resource fork")
    (bell / "notes.txt").touch()
    (bell.parent / "$RECYCLE.BIN").mkdir()
    corpus = Corpus(own_corpus)
    assert len(corpus.events["Bell"]) == count + 1 and "$RECYCLE.BIN" not in corpus.labels
    assert sum(map(len, corpus.skipped.values())) == 2
