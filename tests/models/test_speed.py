import os
import shutil
import subprocess
import sys

import pytest
import torch

from s5lib.errors import ConfigError
from s5lib.models import accelerate, speed
from s5lib.models.configs import M2DConfig, ResUNetConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunet import ResUNet
from s5lib.models.resunetk import ResUNetK

from . import reference

SIZES = dict(num_classes=5, num_sources=2, num_channels=2)
UNET = dict(**SIZES, n_fft=128, hop_length=32, channels=(8, 12), condition_size=16)
M2D = dict(**SIZES, n_mels=32, embed_dim=32, depth=2, num_heads=2, head_dim=16, track_dim=16)


def model_of(name):
    torch.manual_seed(1)
    made = {
        "m2d": M2DTagger(M2DConfig(**M2D)),
        "resunet": ResUNet(ResUNetConfig(**UNET)),
        "resunetk": ResUNetK(ResUNetKConfig(**UNET)),
    }[name]
    return reference.fill(made)  # with statistics as after training


def inputs(name, batch=1):
    mixture = 0.1 * torch.randn(batch, 2, 4000)
    return (mixture,) if name == "m2d" else (mixture, reference.query([3, 0], 5).expand(batch, -1, -1))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["resunet", "resunetk"])
def test_folded_normalisations_give_the_same_values(name, batch):
    model, given = model_of(name), inputs(name, batch)
    with torch.no_grad():
        folded = model(*given)
    plain = model(*given).detach()  # with gradients, nothing is folded
    assert reference.relative_error(folded, plain) < 1e-5


@pytest.mark.parametrize("name", ["m2d", "resunet", "resunetk"])
def test_bfloat16_is_close_and_gives_float32(name):
    model, given = model_of(name), inputs(name)
    with torch.no_grad():
        exact = model(*given)
        rough = accelerate(model, precision="bfloat16")(*given)
    assert rough.dtype == torch.float32
    assert 0 < reference.relative_error(rough, exact) < 0.03  # sizes of the paper: below 0.01, see benchmarks/models.py


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("name", ["m2d", "resunet", "resunetk"])
def test_compiled_gives_the_same_values(name):
    model, given = model_of(name), inputs(name)
    names = list(model.state_dict())
    with torch.no_grad():
        exact = model(*given)
        assert reference.relative_error(accelerate(model, compiled=True)(*given), exact) < 1e-4
    assert list(model.state_dict()) == names


@pytest.mark.parametrize(
    ("capabilities", "is_reported"), [({"amx_bf16": False}, True), ({"amx_bf16": True}, False), ({}, False)]
)
def test_bfloat16_without_units_for_it_is_reported_once(capabilities, is_reported, monkeypatch, caplog):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    speed._tell_if_slow.cache_clear()
    model = accelerate(model_of("m2d"), precision="bfloat16")
    with torch.no_grad(), caplog.at_level("WARNING"):
        model(*inputs("m2d"))
        model(*inputs("m2d"))
    assert caplog.text.count("slower than float32") == int(is_reported)


def test_unknown_precision():
    with pytest.raises(ConfigError, match="'bf16'. Known: float32, bfloat16"):
        accelerate(model_of("m2d"), precision="bf16")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can")
def test_keeping_freed_memory():
    program = """if True:
        import numpy as np
        from s5lib.models import keep_freed_memory

        def resident_after_use():
            np.ones(25_000_000).sum()  # 200 MB
            return int(open("/proc/self/statm").read().split()[1])

        print(resident_after_use(), keep_freed_memory(), resident_after_use(), resident_after_use())
    """
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    before, can, *after = done.stdout.split()
    kept = [(int(pages) - int(before)) * os.sysconf("SC_PAGE_SIZE") > 150e6 for pages in after]
    assert kept == [can == "True"] * 2
