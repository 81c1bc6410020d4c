import h5py
import numpy as np
import pytest
from small_corpus import write_sofa

from s5lib.errors import DataError
from s5lib.scenes.rooms import RoomStore, direct_path
from s5lib.scenes.sofa import open_room, read_responses

SPHERICAL = np.array([[0.0, 0.0, 1.0], [90.0, 0.0, 2.0], [180.0, 30.0, 1.5], [270.0, -10.0, 1.0]])
CARTESIAN = np.array(
    [[1, 0, 0], [0, 2, 0], [-1.5 * 3**0.5 / 2, 0, 0.75], [0, -np.cos(np.radians(10)), -np.sin(np.radians(10))]]
)


@pytest.fixture
def responses():
    return np.random.default_rng(0).standard_normal((4, 4, 200)) * np.exp(-np.arange(200) / 30)


def change(path, action):
    with h5py.File(path, "r+") as file:
        action(file)


@pytest.mark.parametrize(("kind", "positions"), [("spherical", SPHERICAL), ("cartesian", CARTESIAN)])
def test_positions_are_the_same_however_they_are_written(tmp_path, responses, kind, positions):
    write_sofa(tmp_path / "room.sofa", responses, positions, kind=kind)
    room = open_room(tmp_path / "room.sofa")
    np.testing.assert_allclose(room.positions, CARTESIAN, atol=1e-12)
    assert (len(room), room.num_channels, room.num_samples, room.sample_rate) == (4, 4, 200, 8000)
    np.testing.assert_allclose(room.angles(0)[:2], [0, 90], atol=1e-5)
    assert room.angles(0)[2] == pytest.approx(150)
    assert [room.position_index(position) for position in room.positions] == [0, 1, 2, 3]
    assert room.position_index(positions[2]) == 2
    with pytest.raises(DataError, match="no source position at .*the nearest of 4"):
        room.position_index([5, 5, 5])


def test_directions_are_seen_from_the_microphone(tmp_path, responses):
    write_sofa(tmp_path / "room.sofa", responses, CARTESIAN)
    change(tmp_path / "room.sofa", lambda file: file.create_dataset("ListenerPosition", data=[[0.0, 1.0, 0.0]]))
    room = open_room(tmp_path / "room.sofa")
    np.testing.assert_allclose(room.directions[1], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(room.directions[0], np.array([1, -1, 0]) / 2**0.5, atol=1e-12)


def test_resampling_keeps_a_band_limited_response(tmp_path):
    def response(rate):
        time = np.arange(int(0.05 * rate)) / rate
        return np.exp(-(((time - 0.02) / 0.002) ** 2)) * np.cos(2 * np.pi * 700 * (time - 0.02))

    write_sofa(tmp_path / "room.sofa", np.tile(response(12000), (1, 4, 1)), np.array([[1.0, 0, 0]]), rate=12000)
    ours = read_responses(tmp_path / "room.sofa", 8000)
    assert ours.shape == (1, 4, 400)
    np.testing.assert_allclose(ours[0, 0], response(8000), atol=3e-3)


def test_direct_path_keeps_both_ends_of_the_window():
    response = np.zeros(20)
    response[3:17] = 1.0
    response[10], response[12] = -5.0, 4.0
    kept = direct_path(response, before=2, after=3)
    np.testing.assert_array_equal(np.flatnonzero(kept), [8, 9, 10, 11, 12, 13])
    np.testing.assert_array_equal(np.flatnonzero(direct_path(response, 0, 0, signed_peak=True)), [12])
    np.testing.assert_array_equal(np.flatnonzero(direct_path(response, 100, 100)), np.arange(3, 17))


def test_spectra_stay_under_the_memory_limit_and_do_not_change(tmp_path, responses):
    path = str(tmp_path / "room.sofa")
    write_sofa(path_of := tmp_path / "room.sofa", responses, CARTESIAN)
    assert path_of.exists()
    roomy, tight = RoomStore(8000, 10**7), RoomStore(8000, 30_000)
    for index in (0, 1, 2, 3, 0, 1):
        wanted, got = (store.spectra(path, index, 10, 20, False) for store in (roomy, tight))
        np.testing.assert_array_equal(wanted.channels, got.channels)
        np.testing.assert_array_equal(wanted.kernel, got.kernel)
        assert tight.nbytes <= 30_000
    assert roomy.nbytes > 30_000


def read_room(path):
    return open_room(path), read_responses(path, 8000)


def delete(name):
    return lambda file: file.__delitem__(name)


def replace(name, values):
    def action(file):
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)

    return action


def attribute(name, key, value):
    return lambda file: file[name].attrs.__setitem__(key, value)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (delete("SourcePosition"), "no SourcePosition"),
        (delete("Data.IR"), "no Data.IR; expected a SOFA file"),
        (delete("Data.SamplingRate"), "no Data.SamplingRate"),
        (replace("Data.IR", np.ones((4, 200))), "Data.IR has shape \\[4, 200\\], expected"),
        (replace("Data.IR", np.full((4, 4, 200), np.nan)), "Data.IR of position 0 holds values that are not finite"),
        (replace("Data.IR", np.zeros((4, 4, 200))), "position 0 is silent in channel 0"),
        (replace("SourcePosition", CARTESIAN[:3]), "SourcePosition has shape \\[3, 3\\], expected \\[4, 3\\]"),
        (replace("SourcePosition", np.full((4, 3), np.nan)), "SourcePosition holds values that are not finite"),
        (replace("SourcePosition", CARTESIAN * 0), "source position 0 is at the microphone"),
        (replace("Data.SamplingRate", np.array([0.0])), "Data.SamplingRate: .* 0.0 Hz"),
        (replace("Data.SamplingRate", np.array([8000.0, 16000.0])), "expected one number"),
        (attribute("Data.SamplingRate", "Units", "kilohertz"), "in 'kilohertz', expected hertz"),
        (attribute("SourcePosition", "Type", "interaural"), "Type 'interaural', expected cartesian or spherical"),
        (attribute("SourcePosition", "Units", "feet"), "cartesian in 'feet', expected 'metre'"),
        (lambda file: file.create_dataset("Data.Delay", data=[[1.0, 0, 0, 0]]), "Data.Delay is not zero"),
    ],
)
def test_bad_rooms(tmp_path, responses, action, message):
    path = tmp_path / "room.sofa"
    write_sofa(path, responses, CARTESIAN)
    change(path, action)
    with pytest.raises(DataError, match=message):
        read_room(path)


def test_missing_truncated_and_other_files(tmp_path, responses):
    with pytest.raises(DataError, match="no such file"):
        open_room(tmp_path / "gone.sofa")
    path = tmp_path / "room.sofa"
    write_sofa(path, responses, CARTESIAN)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="HDF5 file, or damaged"):
        open_room(path)
    path.write_text("hello")
    with pytest.raises(DataError, match="not an HDF5 file"):
        open_room(path)


def test_a_file_written_by_sofar(tmp_path, responses):
    sofar = pytest.importorskip("sofar")
    sofa = sofar.Sofa("GeneralFIR")
    sofa.Data_IR, sofa.Data_SamplingRate, sofa.Data_Delay = responses, 8000, np.zeros((1, 4))
    sofa.SourcePosition, sofa.SourcePosition_Type = SPHERICAL, "spherical"
    sofa.SourcePosition_Units, sofa.ReceiverPosition = "degree, degree, metre", np.zeros((4, 3))
    sofar.write_sofa(str(tmp_path / "room.sofa"), sofa)
    np.testing.assert_allclose(open_room(tmp_path / "room.sofa").positions, CARTESIAN, atol=1e-12)
    ours = read_responses(tmp_path / "room.sofa", 8000)
    np.testing.assert_allclose(ours, responses / np.abs(responses).max(), atol=1e-6)
