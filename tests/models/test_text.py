import copy
import pickle
import sys

import pytest
import torch

from s5lib.errors import ConfigError
from s5lib.models import load_model, save_checkpoint
from s5lib.models.configs import ResUNetConfig, ResUNetKConfig
from s5lib.models.resunet import ResUNet
from s5lib.models.resunetk import ResUNetK
from s5lib.models.text import train_tokenizer

from . import reference

pytest.importorskip("sentencepiece")

LABELS = ("Doorbell", "Cough", "FootSteps", "CupboardOpenClose")
SIZES = dict(num_classes=4, num_sources=2, num_channels=1, n_fft=64, hop_length=16, channels=(4, 6), condition_size=16)
TEXT = dict(**SIZES, query="text", labels=LABELS, text_size=8)


def run(separator, *labels):
    known = list(separator.config.labels)
    slots = [None if label is None else known.index(label) for label in labels]
    with torch.no_grad():
        return separator.eval()(torch.ones(1, 1, 500).cumsum(-1).sin(), reference.query(slots, len(known)))


@pytest.mark.parametrize("kind", [(ResUNet, ResUNetConfig), (ResUNetK, ResUNetKConfig)])
def test_labels_can_be_added_and_reordered(kind):
    separator = kind[0](kind[1](**TEXT))
    before = run(separator, "Cough", "Doorbell")
    size = sum(parameter.numel() for parameter in separator.parameters())
    separator.set_labels(["Dog bark", *reversed(LABELS)])
    assert torch.equal(run(separator, "Cough", "Doorbell"), before)
    assert not torch.allclose(run(separator, "Dog bark", "Doorbell"), before, atol=1e-4)
    assert sum(parameter.numel() for parameter in separator.parameters()) == size
    assert separator.config.num_classes == 5


def test_silent_slots_and_gradients():
    separator = ResUNetK(ResUNetKConfig(**TEXT))
    assert (run(separator, "Cough", None)[:, 1] == 0).all()
    separator.train()(torch.randn(2, 1, 500), reference.query([1, 2], 4).expand(2, -1, -1)).square().sum().backward()
    assert separator.text.embedding.weight.grad.abs().sum() > 0


def test_a_checkpoint_holds_the_tokenizer(tmp_path):
    separator = ResUNetK(ResUNetKConfig(**TEXT))
    separator.set_labels([*LABELS, "Siren"])  # which the tokenizer was not trained on
    save_checkpoint(
        tmp_path / "a.safetensors", separator, "separator", "resunetk", "s5lib", "0.1.0", separator.config.labels
    )
    loaded, header = load_model(tmp_path / "a.safetensors")
    assert header["labels"] == [*LABELS, "Siren"]
    assert loaded.config == separator.config
    assert torch.equal(run(loaded, "Siren", "Cough"), run(separator, "Siren", "Cough"))


def test_copies_and_other_processes():
    separator = ResUNetK(ResUNetKConfig(**TEXT))
    for copied in (copy.deepcopy(separator), pickle.loads(pickle.dumps(separator))):
        assert torch.equal(run(copied, "Cough", "Doorbell"), run(separator, "Cough", "Doorbell"))


def test_tokenizer_from_a_file(tmp_path):
    import base64

    (tmp_path / "pieces.model").write_bytes(base64.b64decode(train_tokenizer(["a b", "c d"])))
    separator = ResUNetK(ResUNetKConfig(**TEXT, tokenizer=str(tmp_path / "pieces.model")))
    assert run(separator, "Cough", "Doorbell").isfinite().all()
    assert separator.config.tokenizer == train_tokenizer(["a b", "c d"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(labels=LABELS[:2]), "labels is .*; expected 4 labels, one for each class"),
        (dict(tokenizer="nowhere.model"), "nowhere.model cannot be read"),
        (dict(tokenizer="nowhere"), "expected the name of a sentencepiece file"),
        (dict(query="words"), "query is 'words'; expected onehot or text"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ConfigError, match=message):
        ResUNetK(ResUNetKConfig(**{**TEXT, **options}))


def test_one_hot_separators_know_their_labels_only():
    with pytest.raises(ConfigError, match="a fixed set of 4 labels"):
        ResUNetK(ResUNetKConfig(**SIZES)).set_labels(["a"])


def test_without_sentencepiece(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ConfigError, match="pip install"):
        ResUNetK(ResUNetKConfig(**TEXT))
