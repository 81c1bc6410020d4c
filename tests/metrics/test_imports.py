"""The metric is light: no torch for arrays, no plugin machinery, fast to import."""

import subprocess
import sys

import pytest

SCENE = """
import numpy as np
from s5lib.evaluation import aggregate
from s5lib.metrics import ca_pi_sdri
references = np.random.default_rng(0).standard_normal((6, 100))
score = ca_pi_sdri(0.9 * references, ["a"] * 6, references, ["a"] * 6, references.sum(0))
assert abs(aggregate([score])[0].sdri.value - score.value) < 1e-9
"""


def run(code):
    """Return what a new interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_arrays_need_no_torch():
    absent = run(SCENE + "import sys\nprint(*({'torch', 'torchmetrics', 'pluggy'} & set(sys.modules)), sep='\\n')")
    assert absent == []


def test_import_is_fast():
    code = "import time\nstart = time.perf_counter()\nimport s5lib.metrics\nprint(time.perf_counter() - start)"
    # the best of three: other processes may take the processor
    assert min(float(run(code)[0]) for _ in range(3)) < 0.5


def test_all_names_are_there():
    import s5lib.metrics

    assert all(getattr(s5lib.metrics, name) for name in s5lib.metrics.__all__)
    with pytest.raises(AttributeError, match="no attribute 'SISDR'"):
        _ = s5lib.metrics.SISDR
