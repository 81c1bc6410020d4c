"""The rendering of scenes written down plainly: float64, one convolution after the other, files opened every time."""

from __future__ import annotations

import math

import h5py
import numpy as np
import soundfile
from scipy.signal import fftconvolve, resample_poly


def plain_render(metadata, root, signed_peak=False):
    """Return mixture [M, T] and dry targets [K, T]."""
    config, rate = metadata["config"], metadata["config"]["sr"]
    length = round(config["duration"] * rate)
    mixture, dry = 0, []

    def below(path):
        return root / path.split("dev_set/", 1)[1]

    for event in metadata["bg_events"]:
        start = int(event["source_time"] * rate)
        noise, _ = soundfile.read(below(config["background_dir"]) / event["source_file"], start=start, frames=length)
        mixture = mixture + noise.T * 10 ** ((config["ref_db"] - 10 * math.log10(np.mean(noise**2))) / 20)
    for event in metadata["fg_events"] + metadata["int_events"]:
        target = event["role"] == "foreground"
        folder = below(config["foreground_dir" if target else "interference_dir"])
        start, frames = int(event["source_time"] * rate), round(event["event_duration"] * rate)
        sound, _ = soundfile.read(folder / event["source_file"], start=start, frames=frames)
        sound = sound / np.max(np.abs(sound))
        response = _response(below(metadata["room"]["args"]["metadata"]["sofa_path"]), event["event_position"][0], rate)
        response = response / math.sqrt(np.mean(np.sum(response**2, axis=1)))
        wet = np.stack([fftconvolve(sound, channel) for channel in response])
        gain = 10 ** ((config["ref_db"] + event["snr"] - 10 * math.log10(np.mean(wet**2))) / 20)
        onset = int(event["event_time"] * rate)
        stop = min(length, onset + wet.shape[1])
        mixture[:, onset:stop] += gain * wet[:, : max(0, stop - onset)]
        if target:
            before, after = (int(ms * rate / 1000) for ms in metadata["room"]["args"]["metadata"]["direct_range_ms"])
            peak = int(np.argmax(response[0] if signed_peak else np.abs(response[0])))
            direct = response[0].copy()
            direct[: max(peak - before, 0)] = 0
            direct[peak + after + 1 :] = 0
            dry.append(np.zeros(length))
            dry[-1][onset:stop] = gain * fftconvolve(sound, direct)[: max(0, stop - onset)]
    return mixture, np.array(dry).reshape(-1, length)


def _response(path, position, rate):
    with h5py.File(path) as file:
        responses, stored, kind = file["Data.IR"][()], file["SourcePosition"][()], file["SourcePosition"].attrs["Type"]
        own_rate = int(file["Data.SamplingRate"][0])
    if kind == "spherical":
        a, e, r = np.radians(stored[:, 0]), np.radians(stored[:, 1]), stored[:, 2]
        stored = np.stack([r * np.cos(e) * np.cos(a), r * np.cos(e) * np.sin(a), r * np.sin(e)], axis=1)
    response = responses[np.argmin(np.linalg.norm(stored - np.array(position), axis=1))]
    return resample_poly(response, rate, own_rate, axis=1) if rate != own_rate else response
