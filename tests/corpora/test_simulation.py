"""The rooms: the direct path by hand, the whole response against pyroomacoustics' own simulation."""

import numpy as np
import pytest
from scipy import signal

from s5lib.corpora.simulation import rooms
from s5lib.corpora.simulation.ambience import ambisonic_gains, diffuse_noise
from s5lib.corpora.simulation.reverberation import absorption_for, reverberant_response, reverberation_time
from s5lib.corpora.simulation.rooms import SPEED_OF_SOUND, Room, draw_room, image_sources, impulse_response
from s5lib.corpora.simulation.signals import SAMPLE_RATE

ANECHOIC = {
    "size": np.array([5.0, 6.0, 3.0]),
    "microphone": np.array([2.4, 3.1, 1.5]),
    "absorption": 1.0,
    "damping": 1.0,
}


def at(azimuth, elevation, distance=1.0):
    return distance * np.array(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
    )


@pytest.mark.parametrize("degrees", [(0, 0), (90, 0), (180, 0), (-90, 0), (30, 20), (-135, -15), (0, 60)])
def test_direct_path_has_the_gains_of_its_direction(degrees):
    azimuth, elevation = np.radians(degrees)
    position = at(azimuth, elevation, 1.2)
    response = impulse_response(Room(**ANECHOIC, positions=position[None]), position, 0.15)
    expected = [1.0, np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    peak = np.argmax(np.abs(response[0]))
    assert peak == pytest.approx(1.2 / SPEED_OF_SOUND * SAMPLE_RATE, abs=1.0)
    np.testing.assert_allclose(response[:, peak] / response[0, peak], expected, atol=1e-6)
    # one metre: 1; energy between 100 Hz and 14 kHz is (1 / distance)^2 per sample of bandwidth
    magnitude = np.abs(np.fft.rfft(response[0]))
    band = slice(int(100 * 0.15), int(14000 * 0.15))
    np.testing.assert_allclose(magnitude[band], 1 / 1.2, rtol=0.02)


@pytest.fixture(scope="module")
def room():
    return draw_room(np.random.default_rng(7))


def test_positions_surround_the_microphone_inside_the_room(room):
    assert room.positions.shape == (36, 3)
    distance = np.linalg.norm(room.positions, axis=1)
    assert np.all((distance >= 0.75) & (distance <= 1.5))
    inside = room.microphone + room.positions
    assert np.all(inside > 0.2) and np.all(inside < room.size - 0.2)
    azimuth = np.sort(np.degrees(np.arctan2(room.positions[:, 1], room.positions[:, 0])))
    assert np.max(np.diff(np.append(azimuth, azimuth[0] + 360))) < 20


def test_first_reflections_mirror_the_source_at_the_walls(room):
    position = room.positions[5]
    vectors, walls, orders = image_sources(room, position)
    assert np.allclose(vectors[orders == 0], position, atol=1e-5)
    source = room.microphone + position
    mirrored = []
    for axis in range(3):
        for wall in (0.0, room.size[axis]):
            image = source.copy()
            image[axis] = 2 * wall - source[axis]
            mirrored.append(image - room.microphone)
    got = vectors[orders == 1]
    assert len(got) == 6
    for image in mirrored:
        assert np.min(np.linalg.norm(got - image, axis=1)) < 1e-4
    np.testing.assert_allclose(walls, (1 - room.absorption) ** (orders / 2), rtol=1e-4)


def test_agrees_with_four_coincident_microphones_of_pyroomacoustics(room, monkeypatch):
    import pyroomacoustics as pra
    from pyroomacoustics.directivities import DirectionVector, FigureEight, Omnidirectional

    monkeypatch.setattr(rooms, "MAX_ORDER", 6)
    undamped = Room(room.size, room.microphone, room.absorption, 1.0, room.positions)
    position = room.positions[11]
    ours = impulse_response(undamped, position, 0.15)

    box = pra.ShoeBox(room.size, fs=SAMPLE_RATE, materials=pra.Material(room.absorption), max_order=6)
    patterns = [
        Omnidirectional(),
        FigureEight(DirectionVector(azimuth=90, colatitude=90)),
        FigureEight(DirectionVector(azimuth=0, colatitude=0)),
        FigureEight(DirectionVector(azimuth=0, colatitude=90)),
    ]
    microphones = np.stack([room.microphone] * 4, axis=1)
    box.add_microphone_array(pra.MicrophoneArray(microphones, SAMPLE_RATE, directivity=patterns))
    box.add_source(room.microphone + position)
    box.compute_rir()
    theirs = np.zeros_like(ours)
    shift = pra.constants.get("frac_delay_length") // 2
    for channel in range(4):
        found = box.rir[channel][0][shift:]
        theirs[channel, : min(len(found), 4800)] = found[:4800]
    # where both are unfiltered: their high-pass, our taper and the two fades lie outside
    band = signal.butter(6, [400.0, 10000.0], "bandpass", fs=SAMPLE_RATE, output="sos")
    a, b = (signal.sosfiltfilt(band, x, axis=1)[:, 40:4000].ravel() for x in (ours, theirs))
    # one scale for all channels: some versions divide by 4 pi
    scale = np.dot(a, b) / np.dot(b, b)
    assert 10 * np.log10(np.sum(a**2) / np.sum((a - scale * b) ** 2)) > 25.0


def test_room_is_mildly_reverberant_without_rumble(room):
    response = impulse_response(room, room.positions[0], 0.15)
    peak = np.argmax(np.abs(response[0]))
    assert peak == pytest.approx(np.linalg.norm(room.positions[0]) / SPEED_OF_SOUND * SAMPLE_RATE, abs=1.0)
    assert np.max(np.abs(response[:, : peak - 30])) < 1e-3 * np.abs(response[0, peak])
    energy = np.cumsum(response[0, ::-1] ** 2)[::-1]
    assert 10 * np.log10(energy[peak + 1600] / energy[0]) < -10.0
    assert 10 * np.log10(energy[peak + 1600] / energy[0]) > -40.0
    spectrum = np.abs(np.fft.rfft(response[0], SAMPLE_RATE))
    assert np.max(spectrum[:10]) < 0.3 * np.median(spectrum[100:10000])


def test_ambience_is_diffuse():
    noise = diffuse_noise(np.random.default_rng(3), 5.0)
    assert noise.shape == (4, 5 * SAMPLE_RATE)
    covariance = np.cov(noise) / np.var(noise[0])
    # SN3D in a diffuse field: each figure-of-eight has a third of the omni's power, and nothing is correlated
    np.testing.assert_allclose(np.diag(covariance), [1, 1 / 3, 1 / 3, 1 / 3], atol=0.1)
    assert np.max(np.abs(covariance - np.diag(np.diag(covariance)))) < 0.1
    assert np.max(np.abs(noise)) < 1.0
    assert np.all(np.abs(noise.mean(1)) < 1e-3)


def test_ambisonic_gains_ignore_the_distance():
    near = ambisonic_gains(at(0.5, 0.3)[None])
    np.testing.assert_allclose(near, ambisonic_gains(at(0.5, 0.3, 7.0)[None]))
    assert np.sum(near[1:] ** 2) == pytest.approx(1.0)


@pytest.mark.parametrize(("size", "seconds"), [((5, 4, 2.5), 0.4), ((3, 2.5, 2.3), 0.25), ((10, 8, 3.5), 0.7)])
def test_tail_continues_the_image_sources(size, seconds, monkeypatch):
    size = np.array(size, float)
    position = np.array([1.0, 0.3, 0.1])
    room = Room(size, 0.47 * size, absorption_for(size, seconds), 1.0, position[None])
    assert reverberation_time(room) == pytest.approx(seconds)
    response = reverberant_response(room, position, seconds, np.random.default_rng(0))
    assert response.shape == (4, round(seconds * SAMPLE_RATE))
    decay = 10 * np.log10(np.cumsum(response[0, ::-1] ** 2)[::-1] + 1e-20)
    begin, end = (np.searchsorted(decay[0] - decay, level) for level in (5, 25))
    assert 3 * (end - begin) / SAMPLE_RATE == pytest.approx(seconds, rel=0.1)
    monkeypatch.setattr(rooms, "MAX_ORDER", 40)
    images = impulse_response(room, position, 0.12)
    late = slice(round(0.06 * SAMPLE_RATE), round(0.1 * SAMPLE_RATE))
    powers = [np.square(found[:, late]).sum() for found in (response, images)]
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(0, abs=2.0)
    np.testing.assert_allclose(response[:, :900], images[:, :900], atol=1e-5)  # before the crossfade
