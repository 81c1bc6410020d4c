"""The metric is light: no torch for arrays, no plugin machinery, nothing else that is slow to import."""

import subprocess
import sys

import pytest

import s5lib.metrics

PROGRAM = """
import sys
import numpy as np
from s5lib.metrics import ca_pi_sdri
references = np.random.default_rng(0).standard_normal((3, 100))
assert ca_pi_sdri(0.9 * references, ["a"] * 3, references, ["a"] * 3, references.sum(0)).tp == 3
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def test_arrays_need_only_numpy():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    heavy = {"h5py", "lightning", "matplotlib", "pluggy", "scipy", "soundfile", "torch", "torchmetrics", "yaml"}
    found = set(done.stdout.split())
    assert {"numpy", "s5lib"} <= found and not found & heavy


def test_all_names_are_there():
    assert all(getattr(s5lib.metrics, name) for name in s5lib.metrics.__all__)
    with pytest.raises(AttributeError, match="no attribute 'SISDR'"):
        _ = s5lib.metrics.SISDR
