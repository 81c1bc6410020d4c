"""Writing a set of drawn scenes: audio and metadata, over several processes, the same files whatever their number.

::

    s5lib synth --data_root corpora/dcase26 --split valid --out dump/paper_test --num_scenes 3000

For the files see :mod:`s5lib.scenes.scene_folder`.  Another request into the same folder is refused; if the corpus has
changed, the scenes are made again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from s5lib.errors import ConfigError, DataError
from s5lib.parallel import over_dask, over_processes
from s5lib.provenance import Stamps, folder_lock
from s5lib.scenes.corpus import Corpus, find_root
from s5lib.scenes.dcase_json import compose_metadata
from s5lib.scenes.description import SceneDescription
from s5lib.scenes.draw import SceneDrawer
from s5lib.scenes.reader import DEFAULT_MEMORY
from s5lib.scenes.render import Renderer
from s5lib.scenes.scene_folder import SceneFolder, digest_of
from s5lib.scenes.settings import DrawSettings

__all__ = ["SynthesisRequest", "plan_groups", "synthesize"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SynthesisRequest:
    """A set of scenes to write; with it and the corpus, every file is determined."""

    data_root: str
    split: str
    out: str
    num_scenes: int
    zero_target: int
    seed: int
    preset: str
    settings: DrawSettings

    def name(self, index: int) -> str:
        """Return the name of a scene."""
        return f"{self.split}_{index:05d}"


def plan_groups(settings: DrawSettings, num_scenes: int, zero_target: int, seed: int) -> list[tuple[int, bool]]:
    """Return ``(targets, same class)`` of each scene: the settings' shares, as exact as whole numbers can be, shuffled.

    >>> from collections import Counter
    >>> sorted(Counter(plan_groups(DrawSettings(), 3000, 100, seed=0)).items())   # the paper's test set, and silence
    [((0, False), 100), ((1, False), 600), ((2, False), 600), ((2, True), 600), ((3, False), 600), ((3, True), 600)]
    """
    shares = {(0, False): settings.zero_probability}
    for count, share in settings.target_shares.items():
        share *= 1 - settings.zero_probability
        same = settings.same_class_probability if count > 1 else 0.0
        shares[count, False], shares[count, True] = share * (1 - same), share * same
    wanted = {group: share * num_scenes for group, share in shares.items()}
    plan = [group for group, number in wanted.items() for _ in range(int(number + 1e-9))]
    by_remainder = sorted(wanted, key=lambda group: int(wanted[group] + 1e-9) - wanted[group])
    plan += by_remainder[: num_scenes - len(plan)]
    plan += [(0, False)] * zero_target
    order = np.random.default_rng([seed, 0]).permutation(len(plan))
    return [plan[index] for index in order]


def synthesize(
    data_root: str | os.PathLike,
    split: str,
    out: str | os.PathLike,
    num_scenes: int,
    *,
    zero_target: int = 0,
    seed: int = 0,
    preset: str = "paper",
    settings: DrawSettings | None = None,
    nj: int = 1,
    dask: str | None = None,
    progress: Callable[..., Iterable] | None = None,
    derived: Collection[str] = (),
) -> Path:
    """Write a set of drawn scenes; those that an earlier call has made from the same files are kept.

    Args:
        data_root: the corpus.
        split: what to draw from.
        out: the folder to write.
        num_scenes: in the proportions of the settings; with ``paper`` five equal groups: 1, 2, 3 targets of distinct
            classes, 2 and 3 with same-class ones.
        zero_target: scenes without a target, in addition.
        seed: not negative.
        preset: of drawing and rendering.
        settings: of drawing, in place of the preset's.
        nj: processes.
        dask: address of a Dask scheduler, in place of processes; its workers must see the same files under the same
            paths, which is checked.
        progress: called as ``progress(iterable, total=n)``; ``tqdm``, for one.
        derived: names of what may differ from an earlier call into ``out``, such as ``num_scenes``, as it follows from
            the corpus.

    Returns:
        ``out``.

    Raises:
        DataError: the corpus cannot give the scenes; ``out`` holds another set; a file cannot be written.
        ConfigError: an option is out of its range.
    """
    least = {"num_scenes": (num_scenes, 0), "zero_target": (zero_target, 0), "nj": (nj, 1), "seed": (seed, 0)}
    for name, (value, low) in least.items():
        if value < low:
            raise ConfigError(f"{name} is {value}, expected at least {low}.")
    if num_scenes + zero_target == 0:
        raise ConfigError("num_scenes and zero_target are both 0; there is nothing to write.")
    settings = DrawSettings.preset(preset) if settings is None else settings
    root, out = find_root(data_root).absolute(), Path(out).absolute()
    request = SynthesisRequest(os.fspath(root), split, os.fspath(out), num_scenes, zero_target, seed, preset, settings)
    state = _open(request)  # an impossible request fails here, before anything is written
    try:
        with folder_lock(out):
            _synthesize(request, state, nj, dask, progress, derived)
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: {error.strerror or error}. Make room, or choose another folder."
        ) from error
    return out


def _synthesize(
    request: SynthesisRequest, state: State, nj: int, dask: str | None, progress, derived: Collection[str]
) -> None:
    corpus = state[0].corpus
    folder, total = SceneFolder(request.out), request.num_scenes + request.zero_target
    asked = {key: value for key, value in asdict(request).items() if key not in ("out", "data_root")}
    stamps = folder.claim(asked, derived)
    version = digest_of({**asked, "corpus": stamps.digest(corpus.files, corpus.root)})
    folder.note(asked, stamps)
    folder.keep_only({request.name(index) for index in range(total)})
    _states.clear()
    _states[version] = state  # for this process and those that are forked from it
    digests = {index: _made_from(request, state, index, stamps) for index in range(total)}
    missing = [item for item in digests.items() if not folder.is_finished(request.name(item[0]), item[1])]
    if 0 < len(missing) < total:
        log.info("%s: %d of %d scenes are finished already", folder.folder, total - len(missing), total)
    work = partial(_write, request, version, dask is not None)
    if dask:
        written = over_dask(work, missing, dask)
    elif nj > 1 and missing:
        written = over_processes(work, missing, min(nj, len(missing)))
    else:
        written = map(work, missing)
    for index, seen in progress(written, total=len(missing)) if progress else written:
        if dask:
            _check_worker(folder, request.name(index), digests[index], seen, stamps)


State = tuple[SceneDrawer, Renderer, list[tuple[int, bool]]]
_states: dict[str, State] = {}  # what this process needs for the scenes that it made last


def _open(request: SynthesisRequest) -> State:
    drawer = SceneDrawer(Corpus(request.data_root, request.split), request.settings)
    plan = plan_groups(request.settings, request.num_scenes, request.zero_target, request.seed)
    return drawer, Renderer(request.data_root, request.preset, DEFAULT_MEMORY // 2), plan


def _draw(request: SynthesisRequest, state: State, index: int) -> tuple[SceneDescription, dict]:
    """Return a scene and its metadata."""
    drawer, _, plan = state
    scene = drawer(request.seed, index, *plan[index])
    return scene, compose_metadata(scene, drawer.corpus, drawer.settings)


def _made_from(request: SynthesisRequest, state: State, index: int, stamps: Stamps) -> str:
    """Return one digest of a scene's description and files: of all that its waveforms depend on."""
    scene, metadata = _draw(request, state, index)
    return digest_of({"preset": request.preset, "scene": metadata, "of": [stamps[path] for path in scene.files]})


def _write(request: SynthesisRequest, version: str, stamped: bool, item: tuple[int, str]) -> tuple[int, dict[str, str]]:
    """Write a scene; return its index and, if ``stamped``, the digests of the files that it was made from."""
    if version not in _states:
        _states.clear()
        _states[version] = _open(request)
    index, made_from = item
    description, metadata = _draw(request, _states[version], index)
    scene = _states[version][1](description)
    SceneFolder(request.out).write(request.name(index), scene, metadata, made_from)
    return index, {os.fspath(path): _seen[path] for path in scene.description.files} if stamped else {}


_seen = Stamps()  # of the files that a Dask worker has used


def _check_worker(folder: SceneFolder, name: str, made_from: str, seen: dict[str, str], stamps: Stamps) -> None:
    """Check that a Dask worker sees the same files as this machine, before and after."""
    differing = [path for path, sha256 in seen.items() if stamps[path] != sha256]
    if differing:
        folder.discard(name)
        raise DataError(f"a Dask worker sees another file {differing[0]} than this machine: both need the same corpus.")
    if not folder.is_finished(name, made_from):
        raise DataError(
            f"a Dask worker wrote into a folder {folder.folder} of its own: --out must be on a file system that all "
            "machines share."
        )
