"""How many processes separate recordings where nobody says."""

import multiprocessing

import pytest

from s5lib import parallel
from s5lib.systems import workers

GIGABYTE = 1 << 30


@pytest.fixture
def job(tmp_path):
    """A job whose models' files have a GB together."""
    for name in ("tagger", "separator"):
        with open(tmp_path / name, "wb") as stream:
            stream.truncate(GIGABYTE // 2)
    system = ("tagger", str(tmp_path / "tagger")), ("separator", str(tmp_path / "separator")), ("joint_model", None)
    return workers.Job((*system, ("rounds", 2)), 10.0, "float", "{}")


def test_as_many_as_cores_and_memory_allow(job, monkeypatch):
    monkeypatch.setattr(workers, "available_cores", lambda: 8)
    for gigabytes, processes in ((0, 1), (4, 1), (15, 3), (1000, 8)):
        monkeypatch.setattr(workers, "_available_memory", lambda gigabytes=gigabytes: gigabytes * GIGABYTE)
        assert workers._processes(job) == processes


def test_cores_are_those_that_torch_would_use(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert parallel.available_cores() == 3
    for nothing in ("", "0", "4,2"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert 1 <= parallel.available_cores() <= multiprocessing.cpu_count()


def test_processes_that_imported_early(tmp_path):
    parallel.import_early("json", "no_such_module")
    found = list(parallel.over_processes(abs, range(-5, 0), 2, start_method="forkserver"))
    assert sorted(found) == [1, 2, 3, 4, 5]
