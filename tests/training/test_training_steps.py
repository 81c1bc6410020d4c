"""A training's steps and validations: how often the model runs, and what the optimiser does."""

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import command, history

from s5lib.bin.main import main
from s5lib.models.resunetk import ResUNetK


def test_a_validation_runs_the_model_once_for_each_batch(tiny_data, tmp_path, monkeypatch):
    forward, batches = ResUNetK.forward, []

    def counted(self, mixture, query):
        if not self.training:
            batches.append(len(mixture))
        return forward(self, mixture, query)

    monkeypatch.setattr(ResUNetK, "forward", counted)
    options = {"max_steps": 2, "valid_interval": 1, "tensorboard_scenes": 3}
    assert main(command("separator", tiny_data, tmp_path, **options)) == 0
    assert batches == 2 * [2, 2, 1] and len(history(tmp_path)) == 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_are_those_of_adamw_with_clipped_gradients(tiny_data, tmp_path, monkeypatch, precision):
    """Against the equations (https://arxiv.org/abs/1711.05101), from the gradients that the optimiser is given."""
    seen, step = [], torch.optim.AdamW.step

    def recorded(self, closure=None):
        (group,) = self.param_groups
        before = [p.detach().double() for p in group["params"]]
        loss = step(self, closure)
        gradients = [p.grad.double() for p in group["params"]]
        seen.append((group["lr"], before, gradients, [p.detach().double() for p in group["params"]]))
        return loss

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    options = {"max_steps": 3, "amsgrad": False, "weight_decay": 0.1, "clip": 0.5, "precision": precision}
    assert main(command("separator", tiny_data, tmp_path, **options)) == 0
    assert len(seen) == 3
    first, second = [0.0] * len(seen[0][1]), [0.0] * len(seen[0][1])
    for number, (rate, before, gradients, after) in enumerate(seen, 1):
        assert sum(g.square().sum() for g in gradients) ** 0.5 <= 0.5 + 1e-5
        for k, (weight, gradient) in enumerate(zip(before, gradients, strict=True)):
            first[k] = 0.9 * first[k] + 0.1 * gradient
            second[k] = 0.999 * second[k] + 0.001 * gradient**2
            change = (first[k] / (1 - 0.9**number)) / ((second[k] / (1 - 0.999**number)).sqrt() + 1e-8)
            torch.testing.assert_close(after[k], weight * (1 - rate * 0.1) - rate * change, rtol=1e-4, atol=1e-6)
    assert all(weights.isfinite().all() for weights in load_file(tmp_path / "model.safetensors").values())
