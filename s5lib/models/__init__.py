"""The models: M2D tagger, ResUNetK and ResUNet separators, their checkpoints.  Importing this package loads no torch.

Create models with :func:`s5lib.plugins.create`; each has its own file.
"""

from typing import TYPE_CHECKING

from s5lib.lazy import lazy_names

__all__ = [
    "accelerate",
    "keep_freed_memory",
    "load_backbone",
    "load_checkpoint",
    "load_model",
    "load_official",
    "load_weights",
    "prepare_mixture",
    "read_header",
    "save_checkpoint",
    "sort_slots",
    "unsort_slots",
]

if TYPE_CHECKING:
    from s5lib.models.backbone import load_backbone
    from s5lib.models.checkpoint import load_checkpoint, load_model, load_weights, read_header, save_checkpoint
    from s5lib.models.mixture import prepare_mixture
    from s5lib.models.official import load_official
    from s5lib.models.slots import sort_slots, unsort_slots
    from s5lib.models.speed import accelerate, keep_freed_memory
else:
    __getattr__, __dir__ = lazy_names(__name__)
