"""Writing a set of drawn scenes: audio and metadata, over several processes, the same files whatever their number.

::

    OUT/soundscape/NAME.wav                     [M, T] float32
    OUT/oracle_target/NAME_I_LABEL.wav          [T] float32, dry
    OUT/metadata/NAME.json                      written last: a scene that has it is whole
    OUT/synth.json                              what was asked for; another request into the same folder is refused
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from s5lib.errors import ConfigError, DataError
from s5lib.parallel import over_dask, over_processes
from s5lib.scenes.corpus import Corpus, find_root
from s5lib.scenes.dcase_json import compose_metadata, write_metadata
from s5lib.scenes.draw import SceneDrawer
from s5lib.scenes.render import DEFAULT_MEMORY, Renderer
from s5lib.scenes.settings import DrawSettings
from s5lib.scenes.writing import write_scene
from s5lib.untrusted import Record, parse_json, read_json, shown, to_json

__all__ = ["SynthesisRequest", "plan_groups", "synthesize"]


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
) -> Path:
    """Write a set of drawn scenes; what an earlier, interrupted call has finished is kept.

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
        dask: address of a Dask scheduler, in place of processes; its workers must see the same folders.
        progress: called as ``progress(iterable, total=n)``; ``tqdm``, for one.

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
    _state(request)  # an impossible request fails here, before anything is written
    _claim(request)
    missing = [index for index in range(num_scenes + zero_target) if not _finished(request, index)]
    work = partial(_write, request)
    if dask:
        finished = over_dask(work, missing, dask)
    elif nj > 1 and missing:
        finished = over_processes(work, missing, min(nj, len(missing)))
    else:
        finished = map(work, missing)
    for _ in progress(finished, total=len(missing)) if progress else finished:
        pass
    return out


def _claim(request: SynthesisRequest) -> None:
    """Write ``synth.json``, or compare with the one that is there."""
    content = parse_json(to_json({key: value for key, value in asdict(request).items() if key != "out"}), "the request")
    path = Path(request.out) / "synth.json"
    if path.is_file():
        advice = f"Delete {request.out} to begin anew."
        earlier = Record(read_json(path, advice=advice), path, advice=advice)
        for key, value in content.items():
            if earlier.get(key) != value:
                raise DataError(
                    f"{request.out}: holds scenes made with {key}={shown(earlier.get(key))}, not {shown(value)}. "
                    "Choose another folder, or delete this one."
                )
    write_metadata(content, path)


def _finished(request: SynthesisRequest, index: int) -> bool:
    name = request.name(index)
    return (
        Path(request.out, "metadata", f"{name}.json").is_file()
        and Path(request.out, "soundscape", f"{name}.wav").is_file()
    )


@lru_cache(maxsize=1)
def _state(request: SynthesisRequest) -> tuple[SceneDrawer, Renderer, list[tuple[int, bool]]]:
    """Return what a process needs, made once in each."""
    drawer = SceneDrawer(Corpus(request.data_root, request.split), request.settings)
    plan = plan_groups(request.settings, request.num_scenes, request.zero_target, request.seed)
    return drawer, Renderer(request.data_root, request.preset, DEFAULT_MEMORY // 2), plan


def _write(request: SynthesisRequest, index: int) -> int:
    drawer, renderer, plan = _state(request)
    targets, same_class = plan[index]
    scene = renderer(drawer(request.seed, index, targets, same_class))
    name = request.name(index)
    write_scene(request.out, name, scene.mixture, scene.sources, scene.labels, scene.sample_rate)
    metadata = compose_metadata(scene.description, drawer.corpus, drawer.settings)
    write_metadata(metadata, Path(request.out, "metadata", f"{name}.json"))
    return index
