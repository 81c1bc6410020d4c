"""The tagger's loss: cross-entropy under the best order of its slots."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s5lib.align import Aligner, resolve
from s5lib.errors import DataError
from s5lib.metrics.checks import check_tensors

__all__ = ["PITCrossEntropy"]


class PITCrossEntropy(nn.Module):
    """Cross-entropy in nats of K slots over C classes and silence, permutation invariant (arXiv 2601.22504, 3.1).

    ``loss(logits [B, K, C + 1], labels [B, K])`` is a scalar, the mean over slots and batch.  Silence is the last
    class; a label of -1 means silence, and a silent slot takes part in the permutation as any other.

    Args:
        aligner: the name of an aligner, or one; ``"pi"`` is permutation invariant training.

    Raises:
        DataError: (when called) shapes or dtypes disagree; on the CPU also for a label out of range or a NaN.

    >>> logits = torch.tensor([[[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]]])
    >>> loss = PITCrossEntropy()
    >>> loss(logits, torch.tensor([[0, 1]])).item() == loss(logits, torch.tensor([[1, 0]])).item() < 0.01
    True
    """

    def __init__(self, aligner: str | Aligner = "pi"):
        super().__init__()
        self.aligner = resolve(aligner)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar."""
        return self.per_item(logits, labels)[0].mean()

    def per_item(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each item ``[B]``, and ``[B, K]``: the index of each label's slot of ``logits``."""
        _check(logits, labels)
        silence = logits.shape[-1] - 1
        classes = torch.where(labels < 0, silence, labels).long()
        dtype = torch.promote_types(logits.dtype, torch.float32)
        log_probability = logits.to(dtype).log_softmax(-1)
        # [B, K, K]: of reference r under the distribution of slot e
        likelihood = log_probability.gather(-1, classes[:, None].expand(-1, logits.shape[1], -1)).mT
        order = self.aligner.permute(likelihood.detach(), classes)
        return -likelihood.gather(-1, order[..., None]).squeeze(-1).mean(-1), order


def _check(logits: Tensor, labels: Tensor) -> None:
    if not torch.compiler.is_compiling():
        check_tensors(logits=logits, labels=labels)
    if logits.ndim != 3 or labels.shape != logits.shape[:2] or logits.numel() == 0:
        raise DataError(
            f"logits have shape {list(logits.shape)} and labels {list(labels.shape)}; [B, K, C + 1] and [B, K] are "
            "expected, and not empty."
        )
    if not logits.is_floating_point() or labels.is_floating_point():
        raise DataError(
            f"logits are {logits.dtype} and labels {labels.dtype}; a float and an integer dtype are expected."
        )
    # Looking at the values would make a GPU wait.
    if labels.device.type == "cpu" and not torch.compiler.is_compiling():
        classes = logits.shape[-1] - 1
        if labels.max() >= classes or labels.min() < -1:
            wrong = labels[(labels >= classes) | (labels < -1)][0].item()
            raise DataError(
                f"labels hold {wrong}; with {classes} classes they run from 0 to {classes - 1}, and -1 is silence."
            )
