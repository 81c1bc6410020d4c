"""What the tests of reports share."""

from __future__ import annotations

import json

import pytest
from report_experiment import make_data, make_model, make_outputs

from s5lib.report.results import write_results
from s5lib.report.scoring import score_recordings


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
            make_outputs(data, outputs, seed=len(name + suffix), noisier=1 + len(suffix))
            (outputs / "models.json").write_text(
                json.dumps({"system": "tag_separate", "tagger": tagger, "separator": separator})
            )
            scores = list(score_recordings(root / "data/mini/test", outputs))
            write_results(scores, folder / f"RESULTS{suffix}.md", "Results")
    return root
