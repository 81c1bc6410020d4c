"""The benchmark for machines with a GPU, in its small form for the CPU."""

import json
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/gpu.sh"


def measured(out, *arguments):
    """Run the benchmark; return its exit status and its rows by part and title."""
    command = [SCRIPT, "--device", "cpu", "--quick", "--out", out, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    rows = json.loads((out / "gpu.json").read_text())
    assert all(row["what"] in (out / "gpu.md").read_text() and row["what"] in done.stdout for row in rows)
    return done.returncode, {(row["part"], row["what"]): row for row in rows}


def test_a_part_of_it_and_a_failure_that_loses_no_other_row(tiny_data, tmp_path):
    status, rows = measured(tmp_path, "--data_dir", tiny_data, "--parts", "peaks", "parity", "--only", "ring")
    rendering = rows["parity", "rendering"]
    assert status == 0 and max(rendering["mixture"], rendering["sources"]) < 1e-5
    assert rows["peaks", "matrix product, float32"]["tflops"] > 0 and ("parity", "cross-entropy") not in rows
    status, rows = measured(tmp_path, "--data_dir", tmp_path, "--parts", "scenes", "parity", "--only", "cross")
    assert status == 1 and "status 1" in rows["scenes", "the part itself"]["error"]
    assert rows["parity", "cross-entropy"]["difference"] < 1e-6


def test_parts_without_time_are_left_out(tiny_data, tmp_path):
    status, rows = measured(tmp_path, "--data_dir", tiny_data, "--parts", "peaks", "training", "--budget", "0")
    assert status == 0 and all("left out" in rows[part, "the part itself"]["error"] for part in ("peaks", "training"))


@pytest.mark.slow
def test_all_parts(tmp_path):
    status, rows = measured(tmp_path)
    assert status == 0 and not any("error" in row for row in rows.values())
    assert {part for part, _ in rows} >= {"peaks", "parity", "scenes", "steps", "inference", "training", "compiled"}
    (compiled,) = (row for (part, what), row in rows.items() if part == "compiled" and "mixtures" in what)
    assert compiled["graph_breaks"] == 0 and compiled["loss_differs_by"] < 0.05
    scores = [row for (_, what), row in rows.items() if what.startswith("scores")]
    assert scores and all("CA-PI-SDRi [dB]" in row for row in scores)
