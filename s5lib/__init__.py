"""s5lib: spatial semantic segmentation of sound scenes (S5).

From a multichannel recording to its single sources, each with a class label, even where several sources share a class.

>>> import s5lib
>>> "resunetk" in s5lib.available("separator")
True

========================  =============================================================================================
:func:`load_system`       checkpoints, s5lib's own or official ones -> a system
:class:`Source`           what a system returns: one separated source, its label and probability
:func:`open_audio`        a sound file, or an entry of a Kaldi archive, whole, in parts or resampled
:func:`render`            scene metadata -> mixture and dry sources
:func:`ca_pi_sdri`        the metric: class-aware, permutation-invariant SDR improvement of one scene
:class:`AlignedSDRLoss`   the loss with the same pairing
:func:`available`         the names of all taggers, separators, joint models or aligners, plugins included
:func:`create`            a component by kind, name and options
========================  =============================================================================================

The packages, in the order in which data flows through them::

    audio -> scenes -> data -> models -> systems -> align -> metrics -> evaluation -> report

``import s5lib`` loads neither torch nor any model: names and packages are imported on first use.
"""

from typing import TYPE_CHECKING

from s5lib.lazy import lazy_names
from s5lib.version import __version__

__all__ = [
    "AlignedSDRLoss",
    "Source",
    "__version__",
    "align",
    "audio",
    "available",
    "bin",
    "ca_pi_sdri",
    "config",
    "corpora",
    "create",
    "data",
    "errors",
    "evaluation",
    "interfaces",
    "load_system",
    "losses",
    "metrics",
    "models",
    "open_audio",
    "plugins",
    "provenance",
    "render",
    "report",
    "scenes",
    "submission",
    "sweep",
    "systems",
    "testing",
    "training",
    "untrusted",
]

if TYPE_CHECKING:
    from s5lib import (
        align,
        audio,
        bin,
        config,
        corpora,
        data,
        errors,
        evaluation,
        interfaces,
        losses,
        metrics,
        models,
        plugins,
        provenance,
        report,
        scenes,
        submission,
        sweep,
        systems,
        testing,
        training,
        untrusted,
    )
    from s5lib.audio import open_audio
    from s5lib.losses import AlignedSDRLoss
    from s5lib.metrics import ca_pi_sdri
    from s5lib.plugins import available, create
    from s5lib.scenes import render
    from s5lib.systems import Source, load_system
else:
    __getattr__, __dir__ = lazy_names(__name__)
