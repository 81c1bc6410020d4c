"""Every built-in component keeps its contract."""

from __future__ import annotations

from s5lib import plugins
from s5lib.testing import conformance

SMALL = {
    "m2d": {"embed_dim": 32, "depth": 2, "num_heads": 2, "head_dim": 32, "track_dim": 16},
    "resunetk": {"channels": "4,8", "n_fft": 128, "hop_length": 64, "condition_size": 16},
}


@conformance("tagger", "m2d", **SMALL["m2d"])
def test_m2d(check):
    check()


@conformance("separator", "resunetk", **SMALL["resunetk"])
def test_resunetk(check):
    check()


@conformance("aligner", "ca_pi")
def test_ca_pi(check):
    check()


@conformance("aligner", "ca")
def test_ca(check):
    check()


@conformance("aligner", "pi")
def test_pi(check):
    check()


def test_no_builtin_is_forgotten():
    from s5lib.plugins import builtin

    listed = {spec.name for hook in plugins.KINDS.values() for spec in getattr(builtin, hook, list)()}
    assert listed == {*SMALL, "ca_pi", "ca", "pi"}
