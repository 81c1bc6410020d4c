import numpy as np
import pytest
import torch
from small_corpus import write_wav
from torch.utils.data import DataLoader

from s5lib.corpora.layout import data_directory_from_synthesized
from s5lib.data import DataDirectory, DrawnScenes, MetadataScenes, RecordedScenes, Recording, collate
from s5lib.errors import DataError
from s5lib.scenes import Corpus, DrawSettings, compose_metadata, draw, render, synthesize, write_metadata

SETTINGS = DrawSettings(duration=1.5, sample_rate=8000, zero_probability=0.2)
CLASSES = ("Bell", "Dog", "Rain", "Speech")


@pytest.fixture(scope="module")
def corpus(small_corpus):
    return Corpus(small_corpus, "train")


@pytest.fixture(scope="module")
def drawn(corpus):
    return DrawnScenes(corpus, SETTINGS, seed=1, size=8)


def assert_contract(batch, size, classes=4, slots=3):
    length = batch["mixture"].shape[-1]
    assert batch["mixture"].shape == (size, 4, length) and batch["mixture"].dtype == torch.float32
    assert batch["sources"].shape == (size, slots, length) and batch["sources"].dtype == torch.float32
    assert batch["labels"].shape == (size, slots) and batch["labels"].dtype == torch.int64
    assert batch["query"].shape == (size, slots, classes) and batch["query"].dtype == torch.float32
    assert len(batch["id"]) == size == len(set(batch["id"]))
    active = batch["labels"] >= 0
    assert torch.equal(active, active.sort(dim=1, descending=True, stable=True).values)  # silent slots come last
    assert torch.equal(batch["query"].sum(-1), active.float())
    assert torch.equal(batch["query"].argmax(-1)[active], batch["labels"][active])
    assert not batch["sources"][~active].any()


def test_drawn_scenes(corpus, drawn):
    batch = collate([drawn[index] for index in range(len(drawn))])
    assert_contract(batch, 8)
    assert batch["mixture"].shape[-1] == 12000
    for index in range(8):
        scene = render(draw(corpus, SETTINGS, 1, index), corpus.root)
        np.testing.assert_array_equal(batch["mixture"][index], scene.mixture)
        np.testing.assert_array_equal(batch["sources"][index, : len(scene.sources)], scene.sources)
        assert [CLASSES[label] for label in batch["labels"][index] if label >= 0] == list(scene.labels)
    assert {0, 1} < {int((row >= 0).sum()) for row in batch["labels"]}


def test_indices_count_on(corpus, drawn):
    later = DrawnScenes(corpus, SETTINGS, seed=1, size=8, start=5)
    assert later[2]["id"] == drawn[7]["id"] == "train-1-000000007"
    assert torch.equal(later[2]["mixture"], drawn[7]["mixture"])
    assert torch.equal(later[20]["mixture"], drawn[25]["mixture"])  # beyond len, for a sampler that counts over epochs


def test_same_items_from_worker_processes(drawn):
    alone = list(DataLoader(drawn, 4, collate_fn=collate))
    shared = list(DataLoader(drawn, 4, collate_fn=collate, num_workers=2))
    for one, other in zip(alone, shared, strict=True):
        assert one["id"] == other["id"]
        assert all(torch.equal(one[key], other[key]) for key in ("mixture", "sources", "labels", "query"))


def test_without_sources(corpus, drawn):
    item = DrawnScenes(corpus, SETTINGS, seed=1, size=8, sources=False)[0]
    assert torch.equal(item["mixture"], drawn[0]["mixture"]) and torch.equal(item["labels"], drawn[0]["labels"])
    assert "sources" not in item and "sources" not in collate([item, item])


def test_metadata_scenes(own_corpus, corpus):
    folder = own_corpus / "dev_set/metadata/valid"
    for index in range(3):
        write_metadata(compose_metadata(draw(corpus, SETTINGS, 4, index), corpus, SETTINGS), folder / f"v_{index}.json")
    scenes = MetadataScenes(own_corpus, "valid")
    batch = collate([scenes[index] for index in range(len(scenes))])
    assert_contract(batch, 3)
    assert batch["id"] == ["v_0", "v_1", "v_2"]
    np.testing.assert_array_equal(batch["mixture"][1], render(folder / "v_1.json", own_corpus / "dev_set").mixture)
    three = DrawSettings(duration=1.5, sample_rate=8000, min_targets=3)
    metadata = compose_metadata(draw(corpus, three, 4, 0), corpus, three)
    metadata["fg_events"][0]["label"] = "Dgo"
    write_metadata(metadata, folder / "v_0.json")
    with pytest.raises(DataError, match="v_0: unknown label 'Dgo'.*Did you mean 'Dog'"):
        scenes[0]
    with pytest.raises(DataError, match="v_0: 3 targets .* 2 slots"):
        MetadataScenes(own_corpus, "valid", num_sources=2)[0]


@pytest.fixture(scope="module")
def data_dir(small_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    settings = DrawSettings(duration=1.5, sample_rate=8000)
    synthesize(small_corpus, "valid", folder / "set", 5, zero_target=1, settings=settings)
    return data_directory_from_synthesized(folder / "set", folder / "data").path


def test_recorded_scenes(data_dir):
    recorded = RecordedScenes(data_dir, CLASSES, 4, sample_rate=8000, num_channels=4)
    batch = collate([recorded[index] for index in range(len(recorded))])
    assert_contract(batch, 6, slots=4)
    for index, recording in enumerate(recorded.directory):
        assert [CLASSES[label] for label in batch["labels"][index] if label >= 0] == list(recording.labels)
        assert batch["sources"][index].any(dim=1).sum() == len(recording.labels)


def test_first_channels(corpus, drawn, data_dir):
    recorded = RecordedScenes(data_dir, CLASSES)
    for few, all_channels in (
        (RecordedScenes(data_dir, CLASSES, num_channels=2)[1], recorded[1]),
        (DrawnScenes(corpus, SETTINGS, seed=1, size=8, num_channels=2)[1], drawn[1]),
    ):
        assert torch.equal(few["mixture"], all_channels["mixture"][:2])
        assert torch.equal(few["sources"], all_channels["sources"])


@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        (("Bell", "Dog", "Rain", "Speach"), {}, "unknown label 'Speech'.*Did you mean 'Speech'|Did you mean 'Speach'"),
        (CLASSES, {"num_sources": 2}, "3 targets .* but there are 2 slots"),
    ],
)
def test_labels_that_do_not_fit_are_found_when_it_is_opened(data_dir, classes, options, message):
    with pytest.raises(DataError, match=message):
        RecordedScenes(data_dir, classes, **options)


def test_recordings_that_do_not_fit(data_dir, tmp_path):
    with pytest.raises(DataError, match="8000 Hz, expected 32000 as the model has them"):
        RecordedScenes(data_dir, CLASSES, sample_rate=32000)[0]
    with pytest.raises(DataError, match="4 channels, the model needs 5"):
        RecordedScenes(data_dir, CLASSES, num_channels=5)[0]
    write_wav(tmp_path / "mix.wav", np.ones((100, 4)))
    write_wav(tmp_path / "short.wav", np.ones(99))
    paths = [str(tmp_path / name) for name in ("mix.wav", "short.wav")]
    DataDirectory.write(tmp_path / "data", [Recording("a", paths[0], ("Dog",), (paths[1],))])
    with pytest.raises(DataError, match="short.wav: 1 channels, 99 samples, 8000 Hz; expected 1, 100, 8000"):
        RecordedScenes(tmp_path / "data", CLASSES)[0]
    DataDirectory.write(tmp_path / "data", [Recording("a", paths[0])])
    with pytest.raises(DataError, match="no file 'labels'"):
        RecordedScenes(tmp_path / "data", CLASSES)


def test_collate_pads_and_refuses_other_channels(drawn):
    long = drawn[0]
    short = {**drawn[1], "mixture": drawn[1]["mixture"][:, :50], "sources": drawn[1]["sources"][:, :50]}
    batch = collate([long, short])
    assert batch["mixture"].shape == (2, 4, 12000) and not batch["mixture"][1, :, 50:].any()
    with pytest.raises(DataError, match="has 4 channels, .* has 1"):
        collate([long, {**short, "mixture": short["mixture"][:1]}])
