"""Training scenes of which the loader's processes read the parts only; a device renders a batch of them at once."""

from __future__ import annotations

from collections.abc import Sequence

from torch.utils.data import Dataset, default_collate

from s5lib.data.datasets import DrawnScenes, label_item
from s5lib.scenes.device_render import pack, render_batch
from s5lib.scenes.parts import SceneParts, gather

__all__ = ["UnrenderedScenes", "rendered"]


class UnrenderedScenes(Dataset):
    """The scenes of ``drawn``, with the same indices and ids.

    ``rendered(collate(items))`` is what :func:`s5lib.data.collate` makes of the scenes of ``drawn``, to 1e-5 of their
    peak.  Between the two, the batch may go to a GPU.

    Args:
        drawn: scenes.
        in_loader: whether :meth:`collate` already renders, on the CPU.
    """

    def __init__(self, drawn: DrawnScenes, in_loader: bool = False):
        self.drawn, self.in_loader = drawn, in_loader

    def __len__(self) -> int:
        return len(self.drawn)

    def __getitem__(self, index: int) -> tuple[dict, SceneParts]:
        drawn = self.drawn
        scene = drawn.describe(index)
        labels = [event.label for event in scene.targets]
        item = label_item(drawn.name(index), labels, drawn.corpus.labels, drawn.settings.max_targets)
        return item, gather(drawn.renderer, scene)

    def collate(self, items: Sequence[tuple[dict, SceneParts]]) -> dict:
        """Return a batch as :func:`s5lib.data.collate`, with ``parts`` in place of mixtures and sources."""
        batch = default_collate([item for item, _ in items])
        num_sources = self.drawn.settings.max_targets if self.drawn.sources else 0
        batch["parts"] = pack([parts for _, parts in items], num_sources)
        batch["num_channels"] = self.drawn.num_channels
        return rendered(batch) if self.in_loader else batch


def rendered(batch: dict) -> dict:
    """Return ``batch`` with mixtures and sources, made on the device of its parts; one that has no parts as it is."""
    if "parts" not in batch:
        return batch
    others = {name: value for name, value in batch.items() if name not in ("parts", "num_channels")}
    mixture, sources = render_batch(batch["parts"])
    asked = {"sources": sources} if sources.shape[1] else {}
    return {**others, "mixture": mixture[:, : batch["num_channels"]], **asked}
