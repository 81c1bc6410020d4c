"""``corpus.json``: what the data stage found out about a corpus, for the stages after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from s5lib.data.paths import portable_path, resolve_path
from s5lib.data.statistics import MixtureStatistics
from s5lib.errors import DataError
from s5lib.provenance.files import write_text
from s5lib.untrusted import json_record, to_json

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

    statistics: MixtureStatistics | None = None
    """of its training mixtures; None: an earlier version has prepared the corpus"""

    def write(self, data_dir: str | Path) -> None:
        """Write ``data_dir/corpus.json``, with ``root`` as :func:`s5lib.data.paths.portable_path` has it."""
        content = {**asdict(self), "root": portable_path(self.root, data_dir)}
        write_text(Path(data_dir) / "corpus.json", to_json(content, indent=1) + "\n")

    @classmethod
    def read(cls, data_dir: str | Path) -> CorpusDescription:
        """Read ``data_dir/corpus.json``.

        Raises:
            DataError: there is none, or it is not what :meth:`write` writes.
        """
        path = Path(data_dir) / "corpus.json"
        if not path.exists():
            raise DataError(f"{path} is missing: run the data stage first (run.sh --stage 1 --stop_stage 1).")
        advice = "Delete it and run the data stage again."
        content = json_record(path, advice=advice)
        return cls(
            root=resolve_path(content.path("root"), data_dir),
            labels=content.names("labels"),
            sample_rate=content.integer("sample_rate", least=1, most=768_000),
            num_channels=content.integer("num_channels", least=1, most=1024),
            max_sources=content.integer("max_sources", least=1, most=1024),
            draw_options=dict(content.record("draw_options").values) if "draw_options" in content else {},
            statistics=MixtureStatistics.read(content.record("statistics")) if "statistics" in content else None,
        )
