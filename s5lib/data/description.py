"""``corpus.json``: what the data stage found out about a corpus, for the stages after it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from s5lib.data.paths import portable_path, resolve_path
from s5lib.errors import DataError
from s5lib.provenance.files import write_text

__all__ = ["CorpusDescription"]


@dataclass(frozen=True)
class CorpusDescription:
    """A corpus as the later stages see it."""

    root: str
    """folder that holds ``sound_event/``, ``room_ir/`` and so on"""
    labels: tuple[str, ...]
    """class labels, in the order of the class indices"""
    sample_rate: int
    """in Hz"""
    num_channels: int
    max_sources: int
    """K_max, the most target sources in a mixture"""
    draw_options: dict = field(default_factory=dict)
    """options of :class:`s5lib.scenes.DrawSettings` that this corpus asks for, as the duration of its scenes"""

    def write(self, data_dir: str | Path) -> None:
        """Write ``data_dir/corpus.json``, with ``root`` as :func:`s5lib.data.paths.portable_path` has it."""
        content = {**asdict(self), "root": portable_path(self.root, data_dir)}
        write_text(Path(data_dir) / "corpus.json", json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, data_dir: str | Path) -> CorpusDescription:
        """Read ``data_dir/corpus.json``.

        Raises:
            DataError: there is none, or it is not what :meth:`write` writes.
        """
        path = Path(data_dir) / "corpus.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            root = resolve_path(content["root"], data_dir)
            return cls(**{**content, "root": root, "labels": tuple(content["labels"])})
        except FileNotFoundError:
            raise DataError(f"{path} is missing: run the data stage first (run.sh --stage 1 --stop_stage 1).") from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path} cannot be read ({error}): delete it and run the data stage again.") from None
