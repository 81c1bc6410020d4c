"""What goes into a corpus: sounds, rooms and noise, as the user gives them, and the jobs that make its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from s5lib.corpora.clips import RATE
from s5lib.corpora.own.find import Clips, FoundClip, find_clips, label_of, safe_name
from s5lib.corpora.own.jobs import Job
from s5lib.corpora.own.judge import Judgement
from s5lib.corpora.own.noise import PIECE_SECONDS, NoisePiece, find_noise
from s5lib.corpora.own.request import NewCorpus
from s5lib.corpora.own.rooms import LONGEST_RESPONSE, POSITIONS, MeasuredRoom, find_rooms
from s5lib.corpora.own.split import LEAST_SOURCES, SPLITS, assign
from s5lib.errors import nearest
from s5lib.untrusted import shown

__all__ = ["KINDS", "Sounds", "Surroundings", "find_sounds", "find_surroundings", "plan_jobs", "split_sounds"]

KINDS = ("sound_event", "interference", "noise", "room_ir")
NOISES = {"train": 8, "valid": 3, "test": 3}  # synthesised ones
AMBISONICS = 4  # channels


@dataclass
class Sounds:
    """Targets and interference."""

    clips: Clips
    interference: set[str] = field(default_factory=set)
    """Labels of interference among the clips'."""

    @property
    def targets(self) -> set[str]:
        """Labels of the classes."""
        return set(self.clips.labels) - self.interference


@dataclass
class Surroundings:
    """Rooms and noise; those that are empty are simulated."""

    rooms: list[MeasuredRoom] = field(default_factory=list)
    noise: list[NoisePiece] = field(default_factory=list)
    splits: dict[str, dict[str, str]] = field(default_factory=dict)
    """The set of each room and of each recording of noise; without those that serve all sets."""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def num_channels(self) -> int:
        """M, the microphone's channels."""
        return self.rooms[0].num_channels if self.rooms else AMBISONICS


def find_sounds(request: NewCorpus) -> Sounds:
    """Return the clips of targets and interference, and what is wrong with them."""
    clips = find_clips(request.clips)
    if request.interference is None:
        return Sounds(clips)
    wanted = {label_of(name) for name in request.interference.split(",")}
    if wanted <= set(clips.labels):
        return Sounds(clips, wanted)
    folder = Path(request.interference)
    if not request.interference or not folder.is_dir():  # Path("") is the working folder
        unknown = min(wanted - set(clips.labels))
        clips.problems.append(
            f"--interference {shown(unknown)}: neither a class of {request.clips} nor a folder. "
            f"{nearest(unknown, clips.labels)}"
        )
        return Sounds(clips)
    others = find_clips(folder, own_label=True)
    if not others.clips and not others.problems:
        others.problems.append(f"--interference {folder}: no recordings there. Add some, or leave the option out.")
    for label in set(others.labels) & set(clips.labels):
        others.problems.append(f"{label}: a class, and interference in {folder} as well. Remove one of the two.")
    both = Clips(clips.folder, clips.clips + others.clips, clips.problems + others.problems, clips.notes + others.notes)
    return Sounds(both, set(others.labels) - set(clips.labels))


def find_surroundings(request: NewCorpus, known: Mapping[str, Mapping[str, str]]) -> Surroundings:
    """Return the user's rooms and noise, and what is wrong with them; ``known`` are the sets that they were in."""
    found = Surroundings()
    if request.rooms is not None:
        found.rooms, found.problems = find_rooms(request.rooms)
        names = [room.name for room in found.rooms]
        if len(names) >= LEAST_SOURCES:
            found.splits["room_ir"] = assign(names, known.get("room_ir", {}))
        elif names:
            found.notes.append(f"rooms: {len(names)}, fewer than sets; all sets have the same rooms")
    if request.noise is not None:
        noise, splits, problems, notes = find_noise(request.noise, found.num_channels, known.get("noise", {}))
        found.noise, found.splits["noise"] = noise, splits
        found.problems += problems
        found.notes += notes
    elif found.num_channels != AMBISONICS:
        found.problems.append(
            f"--rooms {request.rooms}: {found.num_channels} channels; noise is synthesised for first-order Ambisonics "
            "alone. Record some with the same microphone, and give its folder by --noise."
        )
    return found


def split_sounds(clips: list[FoundClip], interference: set[str], known: Mapping[str, Mapping[str, str]]) -> dict:
    """Return the set of each ``LABEL/SOURCE``, under ``sound_event`` and ``interference``."""
    splits: dict[str, dict[str, str]] = {"sound_event": {}, "interference": {}}
    for label in sorted({clip.label for clip in clips}):
        kind = "interference" if label in interference else "sound_event"
        found = {source_name(clip): _known_set(clip, known.get(kind, {})) for clip in clips if clip.label == label}
        splits[kind] |= assign(found, found)
    return splits


def _known_set(clip: FoundClip, known: Mapping[str, str]) -> str:
    """Return the set that a clip's source was in; empty if it is new.

    Early records name a file a.flac a.wav or, beside another a.*, a.flac.wav.  Thus a clip that is converted to
    another format stays in its set, too.
    """
    names = [clip.source, f"{clip.source}.wav"]
    if clip.source == safe_name(clip.path.name):  # no sub-folder
        names.append(f"{safe_name(clip.path.stem)}.wav")
    return next((known[key] for name in names if (key := f"{clip.label}/{name}") in known), "")


def source_name(clip: FoundClip) -> str:
    """Return ``LABEL/SOURCE``."""
    return f"{clip.label}/{clip.source}"


def plan_jobs(
    request: NewCorpus,
    clips: Mapping[FoundClip, Judgement],
    splits: Mapping[str, Mapping[str, str]],
    surroundings: Surroundings,
) -> list[Job]:
    """Return the jobs that make the corpus, the long ones first."""
    return [*_rooms(request, surroundings), *_noises(request, surroundings), *_clips(clips, splits)]


def _rooms(request: NewCorpus, surroundings: Surroundings) -> list[Job]:
    if not surroundings.rooms:
        size = POSITIONS * AMBISONICS * int(LONGEST_RESPONSE * RATE) * 4
        counts = {"train": request.num_rooms} | dict.fromkeys(("valid", "test"), max(1, request.num_rooms // 3))
        return [
            Job("simulated room", f"room_ir/{split}/room_{split}_{index}.sofa", size, options={"index": index})
            for split, count in counts.items()
            for index in range(count)
        ]
    splits, jobs = surroundings.splits.get("room_ir", {}), []
    for room in surroundings.rooms:
        size = sum(path.stat().st_size for path in room.files)
        options = {"positions": [list(position) for position in room.positions]}
        for split in [splits[room.name]] if room.name in splits else SPLITS:
            output = f"room_ir/{split}/{room.name}.sofa"
            jobs.append(Job("measured room", output, size, tuple(map(str, room.files)), options))
    return jobs


def _noises(request: NewCorpus, surroundings: Surroundings) -> list[Job]:
    channels, seconds = surroundings.num_channels, request.noise_seconds
    if not surroundings.noise:
        size = int(channels * seconds * RATE * 2)
        return [
            Job("ambience", f"noise/{split}/ambience_{split}_{index}.wav", size, options={"seconds": seconds})
            for split, count in NOISES.items()
            for index in range(count)
        ]
    jobs: list[Job] = []
    for piece in surroundings.noise:
        number = sum(job.output.startswith(f"noise/{piece.split}/") for job in jobs)
        jobs.append(
            Job(
                "noise",
                f"noise/{piece.split}/noise_{piece.split}_{number:03d}.wav",
                int(channels * max(seconds, min(PIECE_SECONDS, piece.end - piece.begin)) * RATE * 2),
                (str(piece.path),),
                {"begin": piece.begin, "end": piece.end, "num_channels": channels, "seconds": seconds},
            )
        )
    return jobs


def _clips(clips: Mapping[FoundClip, Judgement], splits: Mapping[str, Mapping[str, str]]) -> list[Job]:
    jobs = []
    for clip, judgement in clips.items():
        kind = next(kind for kind in ("sound_event", "interference") if source_name(clip) in splits[kind])
        output = f"{kind}/{splits[kind][source_name(clip)]}/{clip.target}"
        jobs.append(Job("clip", output, int(judgement.seconds * RATE * 2) + 44, (str(clip.path),)))
    return jobs
