"""Every built-in component keeps its contract; one that is added is checked without a word here."""

from __future__ import annotations

import pytest

from s5lib.plugins import KINDS, builtin
from s5lib.testing import conformance

UNET = {"channels": "4,8", "n_fft": 128, "hop_length": 64, "condition_size": 16}
SMALL = {
    "locoformer": {
        "n_fft": 128,
        "hop_length": 64,
        "band_widths": "1,2,4,8,16",
        "width": 8,
        "common_blocks": 1,
        "single_blocks": 1,
        "attention_size": 8,
        "num_heads": 2,
        "hidden_size": 8,
        "single_hidden": 8,
    },
    "m2d": {"embed_dim": 32, "depth": 2, "num_heads": 2, "head_dim": 32, "track_dim": 16},
    "resunet": UNET,
    "resunet_joint": {"channels": "4,8", "n_fft": 128, "hop_length": 64, "n_mels": 16, "label_channels": "4,8"},
    "resunetk": UNET,
}


def cases():
    """List the checks of all built-in components."""
    for kind, hook in KINDS.items():
        for spec in getattr(builtin, hook, list)():
            for case in conformance(kind, f"s5lib/{spec.name}", **SMALL.get(spec.name, {})).args[1]:
                costly = case.id == "spawned_process" and spec.name not in ("m2d", "resunetk")  # 2 s each
                marks = [pytest.mark.slow] if costly else []
                yield pytest.param(case.values[0], id=f"{spec.name}-{case.id}", marks=marks)


@pytest.mark.parametrize("check", cases())
def test_contract(check):
    check()
