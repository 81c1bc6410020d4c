"""``new_corpus.json``: what each file of a corpus was made from, and what was found out about the clips."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s5lib.corpora.own.judge import Judgement
from s5lib.errors import DataError
from s5lib.provenance import Stamps, problem_of, stamp_output, write_json
from s5lib.untrusted import is_file_name, json_record

__all__ = ["RECORD", "CorpusRecord"]

RECORD = "new_corpus.json"
STAMPS = "new_corpus.stamps.jsonl"


@dataclass
class CorpusRecord:
    """The record of one corpus.

    Args:
        folder: that holds ``dev_set``.
    """

    folder: Path
    clips_folder: str = ""
    stamps: Stamps = field(default_factory=Stamps)
    """Of the inputs."""
    clips: dict[str, str] = field(default_factory=dict)
    """Digest of each clip, by its path below the folder of clips."""
    judgements: dict[str, Judgement] = field(default_factory=dict)
    """By digest."""
    splits: dict[str, dict[str, str]] = field(default_factory=dict)
    """The set of each source, for each kind of folder."""
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of each file below ``dev_set``: ``made_from`` and, once it is written, size and digest."""

    @classmethod
    def read(cls, folder: Path) -> CorpusRecord:
        """Return the record of a folder; an empty one where there is none.

        Raises:
            DataError: it is damaged.
        """
        path = folder / RECORD
        if not path.exists():
            return cls(folder)
        content = json_record(path, advice=f"Delete {folder} to begin anew.")
        judged = content.record("judgements").values
        outputs = content.record("outputs").values
        for name, entry in outputs.items():
            if not isinstance(entry, Mapping) or not all(map(is_file_name, name.split("/"))):
                content.fail(f"outputs: {name!r} is not a file of a corpus")
        return cls(
            folder,
            content.path("clips_folder"),
            Stamps.read(folder / STAMPS),
            dict(content.record("clips").values),
            {digest: found for digest, row in judged.items() if (found := Judgement.read(row))},
            {kind: dict(content.record("splits").record(kind).values) for kind in content.record("splits").values},
            {name: dict(entry) for name, entry in outputs.items()},
        )

    def write(self) -> None:
        """Write the record."""
        content = {
            "clips_folder": self.clips_folder,
            "clips": self.clips,
            "judgements": {digest: found.as_json() for digest, found in sorted(self.judgements.items())},
            "splits": self.splits,
            "outputs": dict(sorted(self.outputs.items())),
        }
        self.stamps.write(self.folder / STAMPS)
        write_json(self.folder / RECORD, content)

    def is_finished(self, output: str, made_from: str) -> bool:
        """Whether a file is there as it would be made now."""
        entry = self.outputs.get(output, {})
        if entry.get("made_from") != made_from or "sha256" not in entry:
            return False
        return not problem_of(self.folder / RECORD, {f"dev_set/{output}": entry})

    def finish(self, output: str) -> None:
        """Note that a file is written."""
        self.outputs[output] |= stamp_output(self.folder / "dev_set" / output)

    def remove(self, outputs: Iterable[str]) -> None:
        """Remove files that are made no more, and folders that are empty then."""
        root = self.folder / "dev_set"
        for output in list(outputs):
            path = root / output
            path.unlink(missing_ok=True)
            del self.outputs[output]
            for folder in list(path.parents)[: len(path.relative_to(root).parts) - 1]:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def check_foreign(self, kinds: Iterable[str], endings: frozenset[str]) -> None:
        """Check that every recording and room in the corpus's folders is one of the record's.

        Raises:
            DataError: somebody else has put files there.
        """
        root = self.folder / "dev_set"
        foreign = [
            os.path.relpath(os.path.join(folder, name), root)
            for kind in kinds
            for folder, _, names in os.walk(root / kind)
            for name in names
            if os.path.splitext(name)[1].lower() in endings and not name.startswith(".")
        ]
        foreign = sorted(name for name in foreign if name not in self.outputs)
        if foreign:
            raise DataError(
                f"{root} holds {len(foreign)} files that new-corpus did not write, such as {foreign[0]}. Choose "
                "another --out; put your clips into the folder that the corpus is made from."
            )
