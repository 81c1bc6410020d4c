"""Clips of noise by class, and the small corpora that are made of them."""

import numpy as np
from small_corpus import write_wav

from s5lib.corpora.own import NewCorpus
from s5lib.provenance import file_digest

RATE = 16000


def sound(seed, seconds=0.5, peak=0.5):
    samples = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    return peak * samples / np.abs(samples).max()


def make_clips(folder, labels=("Bell", "Dog", "Tap"), count=5):
    for label in labels:
        for take in range(count):
            write_wav(folder / label / f"{take}.wav", sound([*label.encode(), take]), rate=RATE)
    return folder


def small(clips, out, **options):
    return NewCorpus(clips, out, num_rooms=1, noise_seconds=1.0, **options)


def state(root):
    """Content and time of every file of a corpus."""
    return {
        path.relative_to(root).as_posix(): (file_digest(path), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def sources_of(root, kind="sound_event"):
    """The set of each ``LABEL/CLIP`` of a corpus."""
    return {
        "/".join(path.relative_to(root / kind).parts[1:]): path.relative_to(root / kind).parts[0]
        for path in (root / kind).rglob("*.wav")
    }
