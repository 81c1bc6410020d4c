"""Checks a package against all rules and lists every violation."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from s5lib.audio import open_audio
from s5lib.errors import DataError, nearest
from s5lib.submission.archive import Package
from s5lib.submission.rules import NAME_PATTERN, Rules, Violation
from s5lib.systems.outputs import file_label
from s5lib.untrusted import is_number, parse_json

__all__ = ["check_package"]

_CLIPPED_RUN = 3  # this many samples in a row at full scale mean clipping
_EVAL, _DEV = "eval_results.json", "dev_set_test_results.json"


def check_package(path: str | Path, rules: Rules | None = None) -> list[Violation]:
    """Return all violations in the zip file ``path``.

    Nothing is written to disk, and no more is read than a valid package can have.
    """
    return _Check(Package(path), rules or Rules()).run()


class _Check:
    def __init__(self, package: Package, rules: Rules):
        self.package, self.rules = package, rules
        self.violations = package.violations
        self.folder = package.path.stem

    def report(self, where: str, what: str) -> None:
        self.violations.append(Violation(where, what))

    def run(self) -> list[Violation]:
        try:
            self._check_name()
            if self.package.members or not self.violations:
                waveforms = self._check_members()
                self._check_waveforms(waveforms, self._check_results(waveforms))
        finally:
            self.package.close()
        return self.violations

    def _check_name(self) -> None:
        name = self.package.path.name
        if self.package.path.suffix != ".zip" or not NAME_PATTERN.fullmatch(self.folder):
            self.report(
                name, "is not a package name; expected AUTHOR_AFFILIATION_task4_N.zip, such as Suzuki_NTT_task4_1.zip"
            )

    def _check_members(self) -> set[str]:
        """Check where files are; return the names of those in eval_out."""
        waveforms = set()
        outside = sorted({name.split("/")[0] for name in self.package.members} - {self.folder})
        for name in outside:
            wanted = f"expected everything in {self.folder}/, named as the zip file"
            self.report(name, f"is outside the package's folder; {wanted}")
        for name in self.package.members:
            first, *rest = name.split("/")
            if first != self.folder:
                continue
            if rest[0] == "eval_out" and len(rest) == 2 and rest[1].endswith(".wav"):
                waveforms.add(rest[1])
            elif rest not in ([_EVAL], [_DEV]):
                self.report(name, f"has no place here; expected eval_out/*.wav, {_EVAL} and {_DEV} alone")
        return waveforms

    def _json(self, file: str) -> dict[str, Any] | None:
        name = f"{self.folder}/{file}"
        if name not in self.package.members:
            if not any(violation.where == name for violation in self.violations):
                self.report(name, "is missing")
            return None
        content = self.package.read(name)
        if content is None:
            return None
        try:
            parsed = parse_json(content, file)
        except DataError as error:
            self.report(name, f"is no JSON ({error})")
            return None
        if not isinstance(parsed, dict):
            self.report(name, f"holds a {type(parsed).__name__}; expected a mapping")
            return None
        return parsed

    def _check_results(self, waveforms: set[str]) -> dict[str, list[str]]:
        """Check both JSON files; return the files of each soundscape."""
        evaluation, development = self._json(_EVAL), self._json(_DEV)
        counts = [
            self._nparams(file, content) for file, content in ((_EVAL, evaluation), (_DEV, development)) if content
        ]
        if len(counts) == 2 and None not in counts and counts[0] != counts[1]:
            self.report(_DEV, f"nparams is {counts[1]}, in {_EVAL} {counts[0]}; expected the same system")
        for file, content in ((_EVAL, evaluation), (_DEV, development)):
            if content is not None and "config" not in content:
                self.report(file, "config is missing")
        if development is not None:
            self._check_scores(development)
        if evaluation is None:
            return {}
        files = self._check_probabilities(evaluation.get("probabilities"))
        listed = {file for group in files.values() for file in group}
        for file in sorted(waveforms - listed):
            self.report(f"eval_out/{file}", f"is not listed in {_EVAL}")
        for file in sorted(listed - waveforms):
            self.report(_EVAL, f"lists {file!r}, which is not in eval_out")
        return files

    def _nparams(self, file: str, content: dict) -> int | None:
        value = content.get("nparams")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.report(file, f"nparams is {value!r}; expected the number of parameters")
            return None
        return value

    def _check_scores(self, content: dict) -> None:
        for group, key, low, high in (
            ("CAPI-SDRi", "mean", -200, 200),
            ("label_metrics", "accuracy_mix", 0, 100),
            ("label_metrics", "accuracy_src", 0, 100),
        ):
            part = content.get(group)
            value = part.get(key) if isinstance(part, dict) else None
            if not is_number(value) or not low <= value <= high:
                self.report(_DEV, f"{group}: {key} is {value!r}; expected a number from {low} to {high}")
        if not isinstance(content.get("details"), list):
            self.report(_DEV, "details is missing, or is no list")

    def _check_probabilities(self, entries: Any) -> dict[str, list[str]]:
        files: dict[str, list[str]] = {}
        if not isinstance(entries, list):
            self.report(_EVAL, "probabilities is missing, or is no list")
            return files
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            where = f"{_EVAL}, probabilities[{index}]"
            name = entry.get("soundscape") if isinstance(entry, dict) else None
            estimates = entry.get("estimate") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not isinstance(estimates, list):
                self.report(where, "expected a mapping with soundscape (a name) and estimate (a list)")
                continue
            name = name.removesuffix(".wav")
            if name in files:
                self.report(where, f"soundscape {name!r} a second time")
            elif self.rules.soundscapes is not None and name not in self.rules.soundscapes:
                self.report(where, f"soundscape {name!r} is unknown. {nearest(name, self.rules.soundscapes)}")
            if len(estimates) > self.rules.max_sources:
                self.report(where, f"{len(estimates)} estimates of {name}; expected at most {self.rules.max_sources}")
            group = files.setdefault(name, [])
            for estimate in estimates:
                file = self._check_estimate(where, name, estimate)
                if file is not None and file in seen:
                    self.report(where, f"{file!r} is listed a second time")
                elif file is not None:
                    seen.add(file)
                    group.append(file)
        if self.rules.soundscapes is not None:
            missing = sorted(set(self.rules.soundscapes) - set(files))
            if missing:
                self.report(_EVAL, f"{len(missing)} soundscapes of the set are missing, the first is {missing[0]!r}")
        return files

    def _check_estimate(self, where: str, soundscape: str, estimate: Any) -> str | None:
        file, label = (estimate.get(key) if isinstance(estimate, dict) else None for key in ("filename", "label"))
        if not isinstance(file, str) or not isinstance(label, str):
            self.report(where, "an estimate without filename and label, which are words")
            return None
        if label not in self.rules.labels:
            self.report(where, f"label {label!r} of {file!r} is unknown. {nearest(label, self.rules.labels)}")
        number = file.removeprefix(f"{soundscape}_").removesuffix(f"_{file_label(label)}.wav")
        if file != f"{soundscape}_{number}_{file_label(label)}.wav" or not (number.isascii() and number.isdecimal()):
            wanted = f"{soundscape}_I_{file_label(label)}.wav, I a number"
            self.report(where, f"{file!r} is no name of an estimate; expected {wanted}")
        probability = estimate.get("probability")
        if not is_number(probability) or not 0 <= probability <= 1:
            self.report(where, f"probability of {file!r} is {probability!r}; expected a number from 0 to 1")
        return file

    def _check_waveforms(self, waveforms: set[str], files: dict[str, list[str]]) -> None:
        soundscape_of = {file: name for name, group in files.items() for file in group}
        lengths: dict[str, int] = dict(self.rules.soundscapes or {})
        for file in sorted(waveforms):
            content = self.package.read(f"{self.folder}/eval_out/{file}")
            length = self._check_waveform(f"eval_out/{file}", content) if content is not None else None
            name = soundscape_of.get(file)
            if length is not None and name is not None and lengths.setdefault(name, length) != length:
                wanted = f"{lengths[name]}, as its soundscape {name} has"
                self.report(f"eval_out/{file}", f"has {length} samples; expected {wanted}")

    def _check_waveform(self, where: str, content: bytes) -> int | None:
        """Check one file; return its number of samples."""
        try:
            with open_audio(io.BytesIO(content), name=where) as audio:
                info = audio.info
                if info.format not in ("WAV", "WAVEX"):
                    self.report(where, f"is {info.format} by its content; expected WAV")
                    return None
                if info.channels != 1:
                    self.report(where, f"has {info.channels} channels; expected 1")
                    return None
                if info.frames > 8 * len(content):
                    self.report(where, f"has a header of {info.frames} samples, but {len(content)} bytes in all")
                    return None
                samples = audio.read()[0]
        except DataError as error:
            self.report(where, f"cannot be read as a WAV file: {str(error).removeprefix(f'{where}: ')}")
            return None
        if info.sample_rate != self.rules.sample_rate:
            self.report(where, f"has a sampling rate of {info.sample_rate} Hz; expected {self.rules.sample_rate}")
        if info.subtype not in ("FLOAT", "DOUBLE") and (at := _clipped(samples)) is not None:
            run = f"full scale for {_CLIPPED_RUN} samples or more from sample {at} on"
            self.report(where, f"is clipped: {run}; write 32-bit floats")
        return info.frames


def _clipped(samples: np.ndarray) -> int | None:
    """Return where several samples in a row are at full scale; None if nowhere."""
    full = np.concatenate([[0], (np.abs(samples) >= 1 - 2**-14).astype(int), [0]])
    edges = np.flatnonzero(np.diff(full)).reshape(-1, 2)
    long = edges[(edges[:, 1] - edges[:, 0]) >= _CLIPPED_RUN]
    return int(long[0, 0]) if len(long) else None
