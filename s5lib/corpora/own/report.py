"""``REPORT.md``: what a corpus holds, what was left out and why, what is too little and what to do."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping

from s5lib.corpora.own.find import FoundClip
from s5lib.corpora.own.jobs import Job
from s5lib.corpora.own.judge import Judgement
from s5lib.corpora.own.plan import source_name
from s5lib.corpora.own.request import NewCorpus
from s5lib.corpora.own.select import Selection
from s5lib.corpora.own.split import SPLITS
from s5lib.untrusted import as_markdown

__all__ = ["report_text", "summary_lines"]

FEW_SOURCES, FEW_SECONDS, IMBALANCE, LOW_RATE, MANY_CLIPPED = 10, 30.0, 5.0, 16000, 0.1
Used = Mapping[FoundClip, Judgement]
Splits = Mapping[str, Mapping[str, str]]


def report_text(
    request: NewCorpus, used: Used, chosen: Selection, splits: Splits, jobs: list[Job], notes: list[str]
) -> str:
    """Return the report in Markdown."""
    lines = ["# Corpus report", "", f"Made by `s5lib new-corpus` from `{request.clips}`.", ""]
    for kind, title in (("sound_event", "Classes"), ("interference", "Interference")):
        rows = _rows(used, splits[kind])
        if rows:
            lines += [
                f"## {title}",
                "",
                "| label | clips | sources: train, valid, test | minutes | median clip | level |",
            ]
            lines += ["|---|---|---|---|---|---|", *rows, ""]
    rooms, noises = (
        Counter(job.output.split("/")[1] for job in jobs if job.output.startswith(kind))
        for kind in ("room_ir", "noise")
    )
    lines += ["## Rooms and noise", "", "| | train | valid | test | |", "|---|---|---|---|---|"]
    for name, counts, given in (("rooms", rooms, request.rooms), ("noises", noises, request.noise)):
        origin = f"from `{given}`" if given else "simulated" if name == "rooms" else "synthesised"
        lines.append(f"| {name} | {' | '.join(str(counts[split]) for split in SPLITS)} | {origin} |")
    lines += ["", *(f"- {as_markdown(note)}" for note in notes), ""] if notes else [""]
    if chosen.left_out:
        lines += ["## Left out", ""]
        for reason, clips in sorted(chosen.left_out.items()):
            lines += [f"- {as_markdown(reason)}: {as_markdown(', '.join(clip.shown for clip in clips))}"]
        lines.append("")
    lines += [
        "## What to improve",
        "",
        *(f"- {text}" for text in _advice(request, used, splits)),
        "",
    ]
    return "\n".join(lines)


def summary_lines(used: Used, splits: Splits) -> list[str]:
    """Return the corpus in a few lines."""
    lines = []
    for kind, what in (("sound_event", "targets"), ("interference", "interference")):
        clips = {clip: found for clip, found in used.items() if source_name(clip) in splits[kind]}
        if clips:
            labels, counts = {clip.label for clip in clips}, Counter(splits[kind].values())
            minutes = sum(found.seconds for found in clips.values()) / 60
            shares = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
            lines.append(
                f"{what}: {len(clips)} clips of {len(labels)} labels, {minutes:.1f} minutes; sources: {shares}"
            )
    return lines


def _rows(used: Used, splits: Mapping[str, str]) -> list[str]:
    by_label = _by_label(used, splits)
    rows = []
    for label, clips in sorted(by_label.items()):
        sets = Counter(splits[name] for name in {source_name(clip) for clip in clips})
        seconds = [found.seconds for found in clips.values()]
        level = statistics.median(found.rms_db for found in clips.values())
        rows.append(
            f"| {as_markdown(label)} | {len(clips)} | {', '.join(str(sets[split]) for split in SPLITS)} | "
            f"{sum(seconds) / 60:.1f} | {statistics.median(seconds):.1f} s | {level:.0f} dB |"
        )
    return rows


def _by_label(used: Used, splits: Mapping[str, str]) -> dict[str, dict[FoundClip, Judgement]]:
    by_label: dict[str, dict[FoundClip, Judgement]] = defaultdict(dict)
    for clip, found in used.items():
        if source_name(clip) in splits:
            by_label[clip.label][clip] = found
    return by_label


def _advice(request: NewCorpus, used: Used, splits: Splits) -> list[str]:
    classes, texts = _by_label(used, splits["sound_event"]), []
    sources = {label: len({clip.source for clip in clips}) for label, clips in classes.items()}
    seconds = {label: sum(found.seconds for found in clips.values()) for label, clips in classes.items()}

    def name(labels: list[str]) -> str:
        return as_markdown(", ".join(sorted(labels)))

    if few := [label for label, count in sources.items() if count < FEW_SOURCES]:
        texts.append(
            f"{name(few)}: fewer than {FEW_SOURCES} sources. Recordings of other things, people and places help most."
        )
    if short := [label for label, total in seconds.items() if total < FEW_SECONDS]:
        texts.append(f"{name(short)}: less than {FEW_SECONDS:g} s in all. Record more.")
    most = max(seconds.values())
    if rare := [label for label, total in seconds.items() if total * IMBALANCE < most]:
        texts.append(f"{name(rare)}: less than a fifth of the longest class. Scenes use all classes equally often.")
    if dull := [label for label, clips in classes.items() if _share(clips, lambda f: f.rate < LOW_RATE) > 0.5]:
        texts.append(
            f"{name(dull)}: mostly sampled below {LOW_RATE} Hz, so without treble. Record at 32000 Hz or more."
        )
    if cut := [label for label, clips in classes.items() if _share(clips, lambda f: f.clipped) > MANY_CLIPPED]:
        texts.append(f"{name(cut)}: many clips are clipped (but used). Record at a lower level.")
    if not splits["interference"]:
        texts.append(
            "No interference: a system that has never heard other sounds mistakes them for its classes. Name some "
            "of the classes, or another folder, with `--interference`."
        )
    if request.noise is None:
        texts.append("Noise is synthesised. A minute of the real background, even in mono, helps: `--noise FOLDER`.")
    if request.rooms is None:
        texts.append("Rooms are simulated. Impulse responses of the real microphone help: `--rooms FOLDER`.")
    return texts


def _share(clips: Used, holds) -> float:
    return sum(map(holds, clips.values())) / len(clips)
