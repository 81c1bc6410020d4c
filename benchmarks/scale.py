"""A large corpus and large data directories: ``python benchmarks/scale.py --data_dir egs/dcase26_s5/data/mini``.

The corpus has --clips sounds and --rooms rooms, the data directories have --entries recordings of 0.1 s with two
references and two estimates.  Files are links to a few small ones, so that the numbers are those of names, headers and
tables, with a file system that has them in its cache.  Each row is a process of its own; memory is what its resident
size grew by (for a worker, what it does not share with the process that started it).  Times are the processor's.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

LINKS = 30_000  # to one file; file systems allow so many


def corpus(root: Path, source: Path, clips: int, rooms: int) -> None:
    """Make a corpus of links to the files of ``source``, a corpus of the same layout."""
    for kind, count in (
        ("sound_event", clips * 4 // 5),
        ("interference", clips // 5),
        ("noise", 100),
        ("room_ir", rooms),
    ):
        files = sorted(path for path in (source / kind / "train").rglob("*") if path.is_file())
        for index in range(count):
            file = files[index % len(files)]
            folder = root / kind / "train" / file.relative_to(source / kind / "train").parent
            folder.mkdir(parents=True, exist_ok=True)
            link(file, folder / f"{index:07d}{file.suffix}", root)


def link(file: Path, target: Path, root: Path) -> None:
    """Link to ``file``, or to a copy of it that has not too many links yet."""
    global _made
    number, _made[file] = divmod(_made.get(file, 0), LINKS)[0], _made.get(file, 0) + 1
    copy = root / "originals" / f"{number}_{abs(hash(file))}{file.suffix}"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    os.link(copy, target)


_made: dict[Path, int] = {}


def open_corpus(root: Path):
    """Open the corpus, with all headers and rooms."""
    from s5lib.scenes import Corpus

    return Corpus(root, "train")


def digest(root: Path) -> str:
    """Return the digest of all files, as a training's start needs it."""
    from s5lib.data.identity import corpus_digest
    from s5lib.provenance import Stamps

    return corpus_digest(root, "train", Stamps())


def scenes(root: Path, seconds: float):
    """Return training scenes of the corpus."""
    from s5lib.data import DrawnScenes
    from s5lib.scenes import DrawSettings

    opened = open_corpus(root)
    rate = next(iter(opened.events.values()))[0].info.sample_rate
    return DrawnScenes(opened, DrawSettings(duration=seconds, sample_rate=rate), seed=0, size=10**6)


def first_mixture(drawn) -> None:
    """Make the first scene."""
    drawn[0]


def worker(drawn, count: int) -> dict:
    """Make scenes in a forked process, and return its own memory and its speed."""
    receiver, sender = multiprocessing.Pipe()
    pid = os.fork()
    if pid == 0:
        start = time.process_time()
        for index in range(count):
            drawn[index]
        kilobytes = re.findall(r"^Private_\w+: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
        own = sum(map(int, kilobytes))
        sender.send({"scenes_per_s": count / (time.process_time() - start), "own_mb": own / 1000})
        os._exit(0)
    os.waitpid(pid, 0)
    return receiver.recv()


def data_directory(folder: Path, entries: int) -> None:
    """Make a data directory, and what ``s5lib infer`` would have left of it, without stamps of the recordings."""
    import soundfile

    from s5lib.data import DataDirectory, Recording

    rng, files = np.random.default_rng(0), folder / "files"
    files.mkdir(parents=True)
    for name, channels in (("mixture", 4), ("one", 1), ("other", 1)):
        soundfile.write(files / f"{name}.wav", 0.1 * rng.standard_normal((3200, channels)), 32000, subtype="FLOAT")
    mixture, *sources = (str(files / f"{name}.wav") for name in ("mixture", "one", "other"))
    recordings = (Recording(f"r{i:07d}", mixture, ("Cough", "Dog"), tuple(sources), 3200) for i in range(entries))
    DataDirectory.write(folder / "data", recordings, 2)
    outputs = folder / "infer/predicted"
    outputs.mkdir(parents=True)
    listed = []
    for label in ("Cough", "Dog"):
        soundfile.write(outputs / f"{label}.wav", 0.1 * rng.standard_normal(3200), 32000, subtype="FLOAT")
        listed.append({"label": label, "file": f"{label}.wav", "probability": 1.0})
    record = files / "record.json"
    record.write_text(json.dumps({"sources": listed, "recording": mixture}), encoding="utf-8")
    for index in range(entries):
        link(record, outputs / f"r{index:07d}.json", folder)


def read(folder: Path):
    """Read the tables."""
    from s5lib.data import DataDirectory

    return DataDirectory.read(folder / "data")


def validate(folder: Path) -> None:
    """Check every header."""
    from s5lib.data.validate import validate_data_directory

    if found := validate_data_directory(folder / "data", decode=False):
        raise RuntimeError(found[0].message)


def score(folder: Path) -> None:
    """Score the estimates by the command, tables and intervals included."""
    from s5lib.bin.main import main as s5lib

    arguments = [
        "score",
        "--data_dir",
        folder / "data",
        "--infer_dir",
        folder / "infer",
        "--out",
        folder / "RESULTS.md",
    ]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        status = s5lib(list(map(str, arguments)))
    if status:
        raise RuntimeError(said.getvalue())


def measured(title: str, function: Callable, *arguments, before: Callable | None = None, per: int = 0) -> None:
    """Print seconds and memory of ``function(*arguments)``, or of what it gets from ``before(*arguments)``."""

    def run(sender) -> None:
        import s5lib.bin.score
        import s5lib.data.validate
        import s5lib.scenes.render  # noqa: F401  # what the others import is not measured

        given = (before(*arguments),) if before else arguments
        resident = _resident()
        start = time.process_time()
        result = function(*given)
        elapsed = time.process_time() - start
        # The present size counts where the result stays, else the peak.
        grown = (
            _resident() if result is not None else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ) - resident
        sender.send(result if isinstance(result, dict) else {"s": elapsed, "mb": max(0, grown) / 1e6})

    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=run, args=(sender,))
    process.start()
    sender.close()
    try:
        found = receiver.recv()
    except EOFError:
        raise SystemExit(f"{title}: failed") from None
    process.join()
    if per and "s" in found:
        found["us_per_entry"] = 1e6 * found["s"] / per
    print(
        f"{title:<44}" + ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in found.items()), flush=True
    )


def _resident() -> int:
    return os.sysconf("SC_PAGE_SIZE") * int(Path("/proc/self/statm").read_text().split()[1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, required=True, help="of 's5lib prepare --corpus mini', for its sounds")
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--rooms", type=int, default=1000)
    parser.add_argument("--entries", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--most", type=int, default=100_000, help="entries to validate; a tenth of them is scored")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a scene")
    parser.add_argument("--scenes", type=int, default=100, help="that a worker makes")
    args = parser.parse_args()
    from gpu_scenes import long_corpus

    from s5lib.data import CorpusDescription

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "large"
        source = long_corpus(Path(CorpusDescription.read(args.data_dir).root), Path(folder) / "long", args.seconds)
        corpus(root, source / "dev_set", args.clips, args.rooms)
        title = f"{args.clips} clips, {args.rooms} rooms"
        measured(f"{title}: open", open_corpus, root)
        measured(f"{title}: digest", digest, root)
        measured(f"{title}: first mixture", first_mixture, root, args.seconds, before=scenes)
        measured(f"{title}: a worker", lambda drawn: worker(drawn, args.scenes), root, args.seconds, before=scenes)
        shutil.rmtree(root)
        for entries in args.entries:
            folder_of = Path(folder) / str(entries)
            data_directory(folder_of, entries)
            measured(f"{entries} entries: read", read, folder_of, per=entries)
            if entries <= args.most:
                measured(f"{entries} entries: validate headers", validate, folder_of, per=entries)
            if entries <= args.most / 10:
                measured(f"{entries} entries: score", score, folder_of, per=entries)
            shutil.rmtree(folder_of)


if __name__ == "__main__":
    main()
