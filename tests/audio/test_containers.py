"""Files with headers of every kind: what is intact is read as a whole, what is cut is never read as shorter."""

from __future__ import annotations

import functools
import io
import re

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.audio import open_audio
from s5lib.errors import DataError

from . import files

LENGTHS = st.integers(1, 300)
NAMES = st.sampled_from([b"LIST", b"bext", b"JUNK", b"id3 ", b"cue ", b"iXML", b"fact"])
CHUNKS = st.lists(st.tuples(NAMES, st.binary(max_size=40).map(lambda b: b.replace(b"\n", b" "))), max_size=3).map(tuple)
UNKNOWN = st.sampled_from([0, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFFFDB, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB, 0xFFFFFFFE])


def sound(length: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Return int16 noise ``[T, M]``, never a byte order that reads the same both ways."""
    return np.random.default_rng([seed, length]).integers(-30000, 30000, (length, channels)).astype(np.int16)


def read(content: bytes) -> np.ndarray:
    with open_audio(io.BytesIO(content), name="a.wav") as audio:
        whole = audio.read()
        assert audio.info.frames == whole.shape[1]
        middle = whole.shape[1] // 2
        np.testing.assert_allclose(audio.read(middle), whole[:, middle:], atol=1e-6)  # mpg123 is not exact
    return whole


def assert_whole(content: bytes, samples: np.ndarray) -> None:
    np.testing.assert_array_equal(read(content), samples.T / np.float32(32768))


def assert_never_shorter(content: bytes, cut: int, samples: np.ndarray) -> None:
    """Without its last ``cut`` bytes a file is rejected, unless no sample was lost."""
    try:
        found = read(content[:-cut])
    except DataError:
        return
    np.testing.assert_array_equal(found, samples.T / np.float32(32768))


class TestRiff:
    MAGIC = st.sampled_from([b"RIFF", b"RIFX", b"RF64", b"BW64"])

    @given(MAGIC, LENGTHS, st.integers(1, 3), CHUNKS, CHUNKS, CHUNKS, st.sampled_from([1, 0xFFFE]), st.booleans())
    def test_intact(self, magic, length, channels, before, between, after, kind, pad):
        samples = sound(length, channels)
        assert_whole(files.riff(samples, magic, before, between, after, kind, pad)[0], samples)

    @given(st.sampled_from([b"RIFF", b"RIFX"]), LENGTHS, CHUNKS, UNKNOWN, st.one_of(st.none(), UNKNOWN))
    def test_placeholders_for_sizes(self, magic, length, before, size, outer):
        samples = sound(length)
        assert_whole(files.riff(samples, magic, before, data_size=size, riff_size=outer)[0], samples)

    @given(st.sampled_from([b"RF64", b"BW64"]), LENGTHS, st.sampled_from([0, 2**63 - 1, 2**64 - 1]))
    def test_placeholders_for_64_bit_sizes(self, magic, length, size):
        samples = sound(length)
        assert_whole(files.riff(samples, magic, data_size=size, riff_size=size)[0], samples)

    @given(LENGTHS, CHUNKS, st.integers(0, 2**32 - 1))
    def test_the_size_of_the_whole_does_not_matter(self, length, after, outer):
        samples = sound(length)
        assert_whole(files.riff(samples, after=after, riff_size=outer)[0], samples)

    @given(LENGTHS, st.integers(1, 100))
    def test_samples_up_to_the_end_of_a_file_that_is_whole(self, length, excess):
        samples = sound(length)
        assert_whole(files.riff(samples, data_size=2 * length + excess)[0], samples)

    @given(MAGIC, LENGTHS, CHUNKS, CHUNKS, st.data())
    def test_cut(self, magic, length, before, after, data):
        samples = sound(length)
        content, _ = files.riff(samples, magic, before, after=after)
        assert_never_shorter(content, data.draw(st.integers(1, len(content) - 1)), samples)

    def test_the_format_after_the_samples(self):
        samples = sound(100, 2)
        assert_whole(files.riff(samples, format_last=True)[0], samples)

    def test_samples_of_an_odd_size_without_padding(self):
        samples = np.random.default_rng(0).integers(0, 255, 101)
        content = bytearray(files.riff(np.zeros((0, 1), np.int16))[0])
        content[32:36], content[40:44] = b"\x01\x00\x08\x00", (101).to_bytes(4, "little")
        for outer in (36 + 101, 36 + 102, 0):
            content[4:8] = outer.to_bytes(4, "little")
            found = read(bytes(content) + samples.astype(np.uint8).tobytes())
            np.testing.assert_array_equal(found[0], (samples - 128) / 128)

    def test_no_samples(self):
        for after in ((), ((b"LIST", b"abcd"),)):
            with pytest.raises(DataError, match="no samples"):
                read(files.riff(np.zeros((0, 1), np.int16), after=after)[0])

    def test_behind_an_id3_tag(self):
        samples = sound(100)
        assert_whole(b"ID3\x04\x00\x00\x00\x00\x00\x05hello" + files.riff(samples)[0], samples)


class TestOtherContainers:
    @given(LENGTHS, st.integers(1, 3), CHUNKS)
    def test_wave64(self, length, channels, before):
        samples = sound(length, channels)
        assert_whole(files.wave64(samples, before)[0], samples)

    @given(LENGTHS, st.sampled_from([0, 24, 2**63 - 1, 2**64 - 1]), st.sampled_from([None, 0, 2**64 - 1]))
    def test_wave64_placeholders(self, length, size, outer):
        samples = sound(length)
        assert_whole(files.wave64(samples, data_size=size, riff_size=outer)[0], samples)

    @given(LENGTHS, CHUNKS, CHUNKS, st.sampled_from([None, b"NONE", b"sowt", b"twos"]), st.booleans())
    def test_aiff(self, length, before, after, coding, sound_first):
        samples = sound(length, 2)
        assert_whole(files.aiff(samples, before, after, coding, sound_first)[0], samples)

    @given(
        LENGTHS,
        st.sampled_from([(0, 0, 0), (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF), (0x0FE0002E, 0x0FE00008, 0x07F00000)]),
    )
    def test_aiff_placeholders(self, length, sizes):
        samples = sound(length)
        assert_whole(files.aiff(samples, sizes=sizes)[0], samples)

    @given(LENGTHS, st.binary(max_size=30), st.sampled_from([None, 0xFFFFFFFF, 0]))
    def test_au(self, length, comment, size):
        samples = sound(length, 2)
        assert_whole(files.au(samples, comment, size)[0], samples)

    @given(LENGTHS, st.sampled_from([(), ((b"free", bytes(33)),)]), st.sampled_from([None, -1]))
    def test_caf(self, length, before, size):
        samples = sound(length, 2)
        assert_whole(files.caf(samples, before, size)[0], samples)

    @given(st.sampled_from([files.wave64, files.aiff, files.au, files.caf]), LENGTHS, st.data())
    def test_cut(self, make, length, data):
        samples = sound(length)
        content, _ = make(samples)
        assert_never_shorter(content, data.draw(st.integers(1, len(content) - 1)), samples)


@functools.cache
def encoded(
    format: str, subtype: str | None = None, length: int = 30000, seed: int = 0, bitrate_mode: str | None = None
) -> bytes:
    time = np.arange(length) / 16000
    wave = 0.4 * np.sin(2 * np.pi * (300 + 200 * np.sin(3 * time + seed)) * time) * (1 + np.sign(np.sin(4 * time))) / 2
    stream = io.BytesIO()
    soundfile.write(stream, np.stack([wave, 0.5 * wave], 1), 16000, subtype, format=format, bitrate_mode=bitrate_mode)
    return stream.getvalue()


CODED = {
    "flac": ("FLAC", "PCM_16", {}),
    "vorbis": ("OGG", "VORBIS", {}),
    "opus": ("OGG", "OPUS", {}),
    "mp3": ("MP3", None, dict(bitrate_mode="CONSTANT")),
    "vbr": ("MP3", None, dict(bitrate_mode="VARIABLE")),
}


class TestCoded:
    @pytest.mark.parametrize("name", CODED)
    def test_by_parts_as_whole(self, name):
        """libsndfile's own seek goes astray in Vorbis and in MP3 of variable bit rate."""
        format, subtype, options = CODED[name]
        content = encoded(format, subtype, **options)
        with open_audio(io.BytesIO(content)) as audio:
            whole = audio.read()
        expected = soundfile.read(io.BytesIO(content), dtype="float32")[0].T
        np.testing.assert_allclose(whole, expected, atol=1e-6)
        for starts in ((20000, 100, 9000, 29999), range(0, 30000, 997)):
            with open_audio(io.BytesIO(content)) as audio:
                for start in starts:
                    part = audio.read(start, start + 5000)
                    np.testing.assert_allclose(part, whole[:, start : start + 5000], atol=1e-6)

    @pytest.mark.parametrize("name", CODED)
    @given(data=st.data())
    @settings(max_examples=30)
    def test_cut(self, name, data):
        format, subtype, options = CODED[name]
        content = encoded(format, subtype, **options)
        cut = data.draw(st.integers(1, len(content) - 1))
        with pytest.raises(DataError, match="truncated|damaged|no samples|not a recording"):
            read(content[:-cut])

    @given(st.integers(1, 60000), st.binary(max_size=200).filter(lambda tag: b"\xff" not in tag))
    @settings(max_examples=25)
    def test_flac_of_unknown_length_and_with_tags_at_its_end(self, length, tag):
        content = encoded("FLAC", "PCM_16", length)
        expected = read(content)
        assert expected.shape == (2, length)
        streamed = bytearray(content)
        streamed[21], streamed[22:26] = streamed[21] & 0xF0, bytes(4)
        np.testing.assert_array_equal(read(bytes(streamed)), expected)
        np.testing.assert_array_equal(read(content + tag), expected)

    @pytest.mark.parametrize("options", [CODED["mp3"][2], CODED["vbr"][2]])
    def test_mp3_without_its_first_frame(self, options):
        """As a stream that could not be finished: nothing says how long it is."""
        content = encoded("MP3", None, 160000, **options)
        start = content.index(b"\xff\xf3", re.search(b"Info|Xing", content).end() + 140)
        found = read(content[start:])
        frames = found.shape[1]
        assert frames % 576 == 0 and 160000 <= frames <= 160000 + 4 * 576
        expected = read(content)
        offset = min(range(2000), key=lambda i: np.abs(found[:, i : i + 20000] - expected[:, :20000]).max())
        np.testing.assert_allclose(found[:, offset : offset + 150000], expected[:, :150000], atol=1e-4)

    @pytest.mark.parametrize("name", ["vorbis", "opus"])
    def test_chained_ogg(self, name):
        format, subtype, _ = CODED[name]
        links = [encoded(format, subtype, length, seed) for seed, length in enumerate((9000, 20000, 500))]
        np.testing.assert_array_equal(read(b"".join(links)), np.concatenate([read(link) for link in links], 1))

    def test_a_chain_of_different_rates_is_refused(self):
        other = io.BytesIO()
        soundfile.write(other, np.zeros(1000), 8000, format="OGG")
        with pytest.raises(DataError, match="8000 Hz with 1 channels, 16000 Hz with 2"):
            read(encoded("OGG") + other.getvalue())

    def test_a_length_that_cannot_be(self):
        content = encoded("OGG")
        last = content.rindex(b"OggS")
        content = content[: last + 6] + (1 << 50).to_bytes(8, "little") + content[last + 14 :]
        with pytest.raises(DataError, match="cannot be in"):
            read(content)
