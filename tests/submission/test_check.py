"""Every way to spoil a package that we could think of, each refused with its reason."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile

import numpy as np
import pytest
import soundfile

from s5lib.bin.main import main
from s5lib.submission import Rules, check_package
from s5lib.submission.rules import CHALLENGE_LABELS

NAME = "Suzuki_NTT_task4_1"
EVAL, DEV = f"{NAME}/eval_results.json", f"{NAME}/dev_set_test_results.json"
ONE, TWO = f"{NAME}/eval_out/eval_1_0_Speech.wav", f"{NAME}/eval_out/eval_1_1_Speech.wav"


def wav(samples=None, rate=32000, subtype="FLOAT", format="WAV"):
    stream = io.BytesIO()
    samples = 0.1 * np.random.default_rng(0).standard_normal(64) if samples is None else samples
    soundfile.write(stream, samples, rate, subtype=subtype, format=format)
    return stream.getvalue()


def estimate(file, label, probability=0.9):
    return {"filename": file, "label": label, "probability": probability}


@pytest.fixture
def content():
    """The members of a package without fault; what is a dict is JSON."""
    speech = [estimate("eval_1_0_Speech.wav", "Speech"), estimate("eval_1_1_Speech.wav", "Speech")]
    return {
        EVAL: {
            "nparams": 5,
            "config": {},
            "probabilities": [{"soundscape": "eval_1", "estimate": speech}, {"soundscape": "eval_10", "estimate": []}],
        },
        DEV: {
            "CAPI-SDRi": {"mean": 8.5},
            "label_metrics": {"accuracy_mix": 60.7, "accuracy_src": 70.4},
            "nparams": 5,
            "details": [],
            "config": {},
        },
        ONE: wav(),
        TWO: wav(),
    }


def write(path, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in content.items():
            file.writestr(name, json.dumps(part) if isinstance(part, dict | list) else part)
    return path


def problems(path, *rules):
    return [str(violation) for violation in check_package(path, *rules)]


def test_a_package_without_fault(tmp_path, content, capsys):
    path = write(tmp_path / f"{NAME}.zip", content)
    assert problems(path) == []
    assert problems(path, Rules(soundscapes={"eval_1": 64, "eval_10": 64})) == []
    assert main(["package", "--check", str(path)]) == 0
    assert "no violation" in capsys.readouterr().out


def drop(*names):
    return lambda content: [content.pop(name) for name in names]


def put(name, part):
    return lambda content: content.update({name: part})


def change(name, *keys, to):
    def spoil(content):
        place = content[name]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return spoil


FIRST = ("probabilities", 0, "estimate", 0)
SPOILT = {
    "no evaluation": (drop(EVAL), "eval_results.json: is missing"),
    "no development": (drop(DEV), "dev_set_test_results.json: is missing"),
    "extra file": (put(f"{NAME}/readme.txt", "x"), "readme.txt: has no place here"),
    "extra in eval_out": (put(f"{NAME}/eval_out/x.flac", "x"), "x.flac: has no place here"),
    "deeper folder": (put(f"{NAME}/eval_out/a/b.wav", wav()), "a/b.wav: has no place here"),
    "stray folder": (put("other/a.txt", "x"), "other: is outside the package's folder"),
    "stray file": (put("a.txt", "x"), "a.txt: is outside the package's folder"),
    "unlisted": (put(f"{NAME}/eval_out/eval_10_0_Pour.wav", wav()), "eval_10_0_Pour.wav: is not listed"),
    "not there": (drop(TWO), "lists 'eval_1_1_Speech.wav', which is not in eval_out"),
    "unknown label": (change(EVAL, *FIRST, "label", to="Speach"), "Did you mean 'Speech'?"),
    "label of another": (change(EVAL, *FIRST, "label", to="Pour"), "expected eval_1_I_Pour.wav"),
    "listed twice": (change(EVAL, *FIRST, "filename", to="eval_1_1_Speech.wav"), "is listed a second time"),
    "path as a name": (change(EVAL, *FIRST, "filename", to="../../x.wav"), "is no name of an estimate"),
    "probability": (change(EVAL, *FIRST, "probability", to=1.5), "expected a number from 0 to 1"),
    "no probability": (change(EVAL, *FIRST, "probability", to="high"), "is 'high'"),
    "soundscape twice": (change(EVAL, "probabilities", 1, "soundscape", to="eval_1"), "a second time"),
    "no list": (change(EVAL, "probabilities", to={}), "probabilities is missing, or is no list"),
    "four": (
        change(EVAL, "probabilities", 1, "estimate", to=[estimate(f"eval_10_{i}_Pour.wav", "Pour") for i in range(4)]),
        "4 estimates of eval_10; expected at most 3",
    ),
    "entry": (change(EVAL, "probabilities", 1, to="eval_10"), "expected a mapping with soundscape"),
    "nparams": (change(EVAL, "nparams", to="5M"), "nparams is '5M'"),
    "other nparams": (change(DEV, "nparams", to=6), "nparams is 6, in eval_results.json 5"),
    "no mean": (change(DEV, "CAPI-SDRi", to={}), "CAPI-SDRi: mean is None"),
    "accuracy": (change(DEV, "label_metrics", "accuracy_mix", to=101), "accuracy_mix is 101"),
    "no details": (change(DEV, "details", to=None), "details is missing"),
    "no config": (lambda content: content[EVAL].pop("config"), "config is missing"),
    "JSON": (put(EVAL, "{"), "is no JSON"),
    "JSON of another kind": (put(EVAL, []), "holds a list; expected a mapping"),
    "not a number": (put(DEV, '{"CAPI-SDRi": {"mean": NaN}}'), "mean is nan"),
    "nested deeply": (put(DEV, "[" * 100_000), "is no JSON"),
    "rate": (put(ONE, wav(rate=16000)), "16000 Hz; expected 32000"),
    "stereo": (put(ONE, wav(np.zeros((64, 2)))), "has 2 channels; expected 1"),
    "clipped": (put(ONE, wav(np.full(64, 1.5), subtype="PCM_16")), "is clipped: full scale for 3 samples"),
    "not finite": (put(ONE, wav(np.array([0, np.inf, 0.0]))), "sample 1 is not a finite number"),
    "other length": (put(TWO, wav(np.zeros(65))), "has 65 samples; expected 64"),
    "no samples": (put(ONE, wav(np.zeros(0))), "holds no samples"),
    "not a WAV": (put(ONE, b"no RIFF file"), "cannot be read as a WAV file"),
    "FLAC in disguise": (put(ONE, wav(subtype="PCM_16", format="FLAC")), "is FLAC by its content"),
    "lying header": (put(ONE, wav()[:-100]), "truncated: 100 of"),
    "path leading out": (put(f"{NAME}/../../x.wav", wav()), "is no path within"),
    "absolute": (put("/etc/x.wav", wav()), "is no path within"),
    "drive": (put("C:/x.wav", wav()), "is no path within"),
    "backslash": (put(f"{NAME}\\eval_out\\x.wav", wav()), "is no path within"),
    "upper case": (put(f"{NAME}/EVAL_RESULTS.json", "{}"), "is there 2 times"),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT.keys())
def test_what_is_wrong_is_reported(tmp_path, content, spoil, reason):
    spoil(content)
    lines = problems(write(tmp_path / f"{NAME}.zip", content))
    assert any(reason in line for line in lines), lines
    assert len(lines) <= 5


def test_all_faults_are_listed_and_the_status_is_1(tmp_path, content, capsys):
    for kind in ("extra file", "rate", "other nparams"):
        SPOILT[kind][0](content)
    assert main(["package", "--check", str(write(tmp_path / f"{NAME}.zip", content))]) == 1
    printed = capsys.readouterr().out
    assert "3 violations" in printed and all(
        SPOILT[kind][1] in printed for kind in ("extra file", "rate", "other nparams")
    )


@pytest.mark.parametrize(
    "name", ["Suzuki_task4_1", "Suzuki_NTT_task4_0", "Suzuki_NTT_task3_1", "Suzuki_NTT_task4_1 (1)", "x"]
)
def test_wrong_name(tmp_path, content, name):
    renamed = {key.replace(NAME, name): part for key, part in content.items()}
    (line,) = problems(write(tmp_path / f"{name}.zip", renamed))
    assert "expected AUTHOR_AFFILIATION_task4_N.zip" in line


def test_folder_of_another_name(tmp_path, content):
    lines = problems(write(tmp_path / "Suzuki_NTT_task4_2.zip", content))
    assert f"{NAME}: is outside the package's folder; expected everything in Suzuki_NTT_task4_2/" in lines[0]


def test_sets_recordings_and_lengths(tmp_path, content):
    path = write(tmp_path / f"{NAME}.zip", content)
    lines = "\n".join(problems(path, Rules(soundscapes={"eval_1": 65, "eval_11": 64})))
    assert (
        "soundscape 'eval_10' is unknown" in lines
        and "1 soundscapes of the set are missing, the first is 'eval_11'" in lines
    )
    assert "has 64 samples; expected 65" in lines


def test_duplicated_member(tmp_path, content):
    path = write(tmp_path / f"{NAME}.zip", content)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(ONE, wav())
    assert problems(path)[0] == f"{ONE}: is there 2 times (upper and lower case aside)"


def test_link(tmp_path, content):
    path = write(tmp_path / f"{NAME}.zip", content)
    with zipfile.ZipFile(path, "a") as file:
        info = zipfile.ZipInfo(f"{NAME}/eval_out/eval_10_0_Pour.wav")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    assert "is a link or a special file" in problems(path)[0]


def patched(path, offset_in_central, values):
    """Overwrite bytes in the central directory's first entry."""
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02") + offset_in_central
    content[start : start + len(values)] = values
    path.write_bytes(content)
    return path


def test_encrypted_member(tmp_path, content):
    path = patched(write(tmp_path / f"{NAME}.zip", content), 8, struct.pack("<H", 1))
    assert any("is encrypted" in line for line in problems(path))


def test_bombs(tmp_path, content):
    content[f"{NAME}/eval_out/eval_10_0_Pour.wav"] = bytes(65 << 20)  # 64 KB in the archive
    path = write(tmp_path / f"{NAME}.zip", content)
    assert path.stat().st_size < 1 << 17
    assert "a zip bomb?" in problems(path)[0]
    path = patched(path, 24, struct.pack("<I", 0xFFFFFFF0))  # a size that lies
    assert any("expected at most" in line for line in problems(path))


def test_not_a_zip_and_truncated(tmp_path, content):
    path = tmp_path / f"{NAME}.zip"
    path.write_bytes(b"this is text")
    assert "is no zip file, or is truncated" in problems(path)[0]
    whole = write(path, content).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is no zip file, or is truncated" in problems(path)[0]
    assert "is no zip file" in problems(tmp_path / "Suzuki_NTT_task4_9.zip")[0]


def test_damaged_member(tmp_path, content):
    path = write(tmp_path / f"{NAME}.zip", content)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"eval_1_0_Speech.wav") + 40] ^= 0xFF
    path.write_bytes(damaged)
    assert any("cannot be unpacked" in line for line in problems(path))


def test_any_single_byte_may_be_wrong(tmp_path, content):
    """Seeded: whatever is changed, the check ends with a list, not with an exception."""
    whole = write(tmp_path / f"{NAME}.zip", content).read_bytes()
    generator = np.random.default_rng(0)
    path = tmp_path / f"{NAME}.zip"
    for _ in range(200):
        damaged = bytearray(whole)
        for place in generator.integers(len(whole), size=generator.integers(1, 9)):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        assert isinstance(problems(path), list)


def test_labels_are_those_of_the_official_checkpoints():
    from s5lib.models.official import LABELS

    assert LABELS == CHALLENGE_LABELS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--name x", "--infer_dir, --scores, --out, --data_dir is missing"),
        ("--check a.zip --out b", "--check cannot be combined with --out"),
        ("--check a.zip --data_dir nowhere", "nowhere is neither a data directory"),
    ],
)
def test_wrong_usage(capsys, arguments, message):
    assert main(["package", *arguments.split()]) == 1
    assert message in capsys.readouterr().err
