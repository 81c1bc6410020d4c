"""Aligners: which estimate belongs to which reference, from pairwise scores and labels.  They know no audio.

=========  ==============================  =====================================================================
name       class                           pairs
=========  ==============================  =====================================================================
``ca_pi``  ClassAwarePermutationInvariant  the best inside each class: the paper's loss (3) and metric (10)
``ca``     ClassAware                      by label, at random or in order inside a class: the 2025 task
``pi``     PermutationInvariant            the best whatever the labels: permutation invariant training
=========  ==============================  =====================================================================

>>> resolve("ca_pi").align([[0.0, 9.0], [1.0, 0.0]], ["Speech", "Speech"], ["Speech", "Speech"]).pairs
((0, 1), (1, 0))
"""

from __future__ import annotations

from s5lib.align.aligners import ClassAware, ClassAwarePermutationInvariant, PermutationInvariant
from s5lib.errors import ConfigError
from s5lib.interfaces import Aligner, Assignment

__all__ = ["Aligner", "Assignment", "ClassAware", "ClassAwarePermutationInvariant", "PermutationInvariant", "resolve"]

_BUILT_IN: dict[str, type[Aligner]] = {
    "ca_pi": ClassAwarePermutationInvariant,
    "ca": ClassAware,
    "pi": PermutationInvariant,
}


def resolve(aligner: str | Aligner) -> Aligner:
    """Return the aligner of that name, or ``aligner`` itself where it is one already.

    The three above are known here, so that a metric needs no plugin machinery; other names go to the registry.

    Raises:
        ConfigError: neither a name nor an aligner.
        PluginError: no aligner has this name, or the plugin that has it did not load.
    """
    if isinstance(aligner, Aligner):
        return aligner
    if not isinstance(aligner, str):
        raise ConfigError(f"aligner is {aligner!r}; a name ({', '.join(_BUILT_IN)}, ...) or an Aligner is expected.")
    if aligner in _BUILT_IN:
        return _BUILT_IN[aligner]()
    from s5lib import plugins

    created: Aligner = plugins.create("aligner", aligner)
    return created
