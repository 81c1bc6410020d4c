"""Which clips a corpus uses: usable, each sound once, every class with sources for all sets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from humanfriendly import pluralize

from s5lib.corpora.own.find import Clips, FoundClip
from s5lib.corpora.own.judge import Judgement
from s5lib.corpora.own.split import LEAST_SOURCES

__all__ = ["ADVICE", "Selection", "select"]

LEAST_CLASSES = 2
MOST_NAMED = 5
IN_SEVERAL = "the same sound in several classes"
ADVICE = {
    "peak below": "Record louder, or amplify.",
    "shorter than": "Record longer, or join short ones.",
    "longer than": "Cut it into clips.",
    "below 0.02 for": "Cut it into its sounds.",
    "cannot be read": "Copy it again, or convert it.",
    IN_SEVERAL: "Keep it in one of them.",
    "the same": "One is enough.",
    "silent": "Remove it.",
}
"""What to do about clips that are left out, by the beginning of the reason."""


@dataclass
class Selection:
    """Clips to use, and why others are not."""

    used: list[FoundClip] = field(default_factory=list)
    left_out: dict[str, list[FoundClip]] = field(default_factory=dict)
    """Under the reason."""
    problems: list[str] = field(default_factory=list)

    def sources(self) -> dict[str, list[str]]:
        """The sources of each label."""
        found: dict[str, set[str]] = defaultdict(set)
        for clip in self.used:
            found[clip.label].add(clip.source)
        return {label: sorted(sources) for label, sources in sorted(found.items())}

    def left_out_lines(self) -> list[str]:
        """Return a line for each reason: how many clips, some of their names, and what to do."""
        grouped: dict[str, list[str]] = defaultdict(list)
        for reason, clips in self.left_out.items():
            grouped[_short(reason)] += [clip.shown for clip in clips]
        lines = []
        for reason, names in sorted(grouped.items()):
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            advice = next((text for begin, text in ADVICE.items() if reason.startswith(begin)), "")
            count = f"{len(names)} clip{'s' * (len(names) > 1)}"
            lines.append(f"{count}, {reason}: {', '.join(sorted(names)[:MOST_NAMED])}{more}. {advice}")
        return lines

    def leave_out(self, reason: str, clip: FoundClip) -> None:
        """Note that a clip is not used."""
        self.left_out.setdefault(reason, []).append(clip)


def select(clips: Clips, judged: Mapping[FoundClip, Judgement], targets: set[str]) -> Selection:
    """Return the clips to use.

    Args:
        clips: all that were found.
        judged: what became of each.
        targets: labels of the classes; the others are interference, which needs no source in every set.
    """
    chosen = Selection()
    same: dict[str, list[FoundClip]] = defaultdict(list)
    for clip in clips.clips:
        if reason := judged[clip].reason:
            chosen.leave_out(reason, clip)
        else:
            same[judged[clip].sound].append(clip)
    for group in same.values():
        labels = sorted({clip.label for clip in group})
        if len(labels) > 1:
            for clip in group:
                chosen.leave_out(f"{IN_SEVERAL}: {', '.join(labels)}", clip)
            continue
        chosen.used.append(group[0])
        for clip in group[1:]:
            chosen.leave_out(f"the same sound as {group[0].shown}", clip)
    chosen.used.sort(key=lambda clip: clip.target)
    chosen.problems += _problems(clips, chosen, targets)
    return chosen


def _problems(clips: Clips, chosen: Selection, targets: set[str]) -> list[str]:
    problems = []
    if not targets and clips.labels:
        problems.append(f"{clips.folder}: no class is left, as all are interference.")
    elif not targets and not clips.problems:
        problems.append(f"{clips.folder}: no recordings in folders named after classes, LABEL/[SOURCE/]*.wav.")
    elif len(targets) == 1:
        (label,) = targets
        problems.append(
            f"{label}: the only class; a system needs {LEAST_CLASSES} to tell apart. Add folders of other sounds"
            + (f", or give {clips.folder / label} if its folders are the classes." if _is_nested(clips, label) else ".")
        )
    sources, found = chosen.sources(), Counter(clip.label for clip in clips.clips)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for reason, left in chosen.left_out.items():
        for clip in left:
            reasons[clip.label][_short(reason)] += 1
    interference = found.keys() - targets
    if interference and not interference & sources.keys():
        counts = sum((reasons[label] for label in interference), Counter())
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
        problems.append(
            f"--interference: none of {pluralize(counts.total(), 'clip')} of {', '.join(sorted(interference))} can be "
            f"used ({why}). Add clips, or leave the option out."
        )
    for label in sorted(targets):
        if len(sources.get(label, ())) >= LEAST_SOURCES:
            continue
        used = sum(clip.label == label for clip in chosen.used)
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons[label].items()))
        advice = "Add clips, or remove the folder."
        if used >= LEAST_SOURCES:
            advice = "Sub-folders are sources: if these clips are independent, take them out of their sub-folders."
        problems.append(
            f"{label}: {used} of {found[label]} clips can be used{f' ({why})' if why else ''}, from "
            f"{pluralize(len(sources.get(label, ())), 'source')}; a class needs {LEAST_SOURCES}, one each for "
            f"training, validation and test. {advice}"
        )
    return problems


def _is_nested(clips: Clips, label: str) -> bool:
    return any(clip.target.startswith(f"{label}/") and clip.target.count("/") > 1 for clip in clips.clips)


def _short(reason: str) -> str:
    return next(
        (begin for begin in (IN_SEVERAL, "the same sound", "cannot be read") if reason.startswith(begin)), reason
    )
