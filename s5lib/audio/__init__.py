"""The only package that opens or writes sound.

A recording is a file that libsndfile decodes, or ffmpeg if it is installed, or a place in a Kaldi archive,
``ARCHIVE.ark:OFFSET``.  Headers are checked against the content; see :mod:`s5lib.audio.containers`.
"""

from s5lib.audio.activity import ActivityDetector, active_segments, decibel
from s5lib.audio.archive import split_entry
from s5lib.audio.decoding import UnavailableError
from s5lib.audio.finding import FoundAudio, by_stem, find_audio_files, is_hidden
from s5lib.audio.layout import CHANNEL_ORDERS, NORMALISATIONS, ChannelLayout
from s5lib.audio.reader import AudioInfo, AudioReader, check_sample_rate, open_audio, probe, read_audio
from s5lib.audio.resampling import Resampling, resample
from s5lib.audio.store import AudioStore
from s5lib.audio.writing import AudioWriter, can_encode, data_uri, encode_audio, write_audio

__all__ = [
    "CHANNEL_ORDERS",
    "NORMALISATIONS",
    "ActivityDetector",
    "AudioInfo",
    "AudioReader",
    "AudioStore",
    "AudioWriter",
    "ChannelLayout",
    "FoundAudio",
    "Resampling",
    "UnavailableError",
    "active_segments",
    "by_stem",
    "can_encode",
    "check_sample_rate",
    "data_uri",
    "decibel",
    "encode_audio",
    "find_audio_files",
    "is_hidden",
    "open_audio",
    "probe",
    "read_audio",
    "resample",
    "split_entry",
    "write_audio",
]
