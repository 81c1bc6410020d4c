"""What the tests of reports share."""

from __future__ import annotations

import pytest
from report_experiment import make_data, make_model, make_outputs

from s5lib.bin.main import main
from s5lib.evaluation import score_recordings, write_results
from s5lib.report import write_report


@pytest.fixture(scope="session")
def experiments(tmp_path_factory):
    """Folder with ``data/mini/test`` and two experiments, ``exp/mini``, of two systems, and ``exp/other``, of one."""
    root = tmp_path_factory.mktemp("report")
    data = make_data(root)
    for name, suffixes in (("mini", ("", "_pi")), ("other", ("",))):
        folder = root / "exp" / name
        tagger = make_model(folder / "tagger", "tagger", "m2d", {"head": 1, "finetune": 4}, seed=len(name))
        for suffix in suffixes:
            separator = make_model(folder / f"separator{suffix}", "separator", "resunetk", {"train": 3}, seed=len(name))
            outputs = folder / f"infer{suffix}/test"
            models = {"tagger": {"file": "a", "sha256": tagger}, "separator": {"file": "b", "sha256": separator}}
            made_by = {"s5lib": "0.1.0", "models": models, "system": "tag_separate"}
            make_outputs(data, outputs, seed=len(name + suffix), noisier=1 + len(suffix), made_by=made_by)
            scores = list(score_recordings(root / "data/mini/test", outputs))
            write_results(scores, folder / f"RESULTS{suffix}.md", "Results")
    return root


@pytest.fixture(scope="session")
def single(experiments):
    """The page of one experiment's one system."""
    results = experiments / "exp/mini/RESULTS.jsonl"
    return write_report([results], experiments / "single.html", data_dir=experiments / "data/mini/test")


@pytest.fixture(scope="session")
def several(experiments):
    """The page of two experiments, found as the recipe lays them out."""
    out = experiments / "several.html"
    assert main(["report", str(experiments / "exp/mini"), str(experiments / "exp/other"), "--out", str(out)]) == 0
    return out
