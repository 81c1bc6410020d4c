import pytest
from own_clips import make_clips

from s5lib.corpora.own import plan, rooms
from s5lib.corpora.own.split import SPLITS


@pytest.fixture(scope="session")
def small_surroundings():
    """Corpora of one's own with few positions in a room and little noise, which are made faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "POSITIONS", 8)
        patch.setattr(plan, "NOISES", dict.fromkeys(SPLITS, 2))
        yield


@pytest.fixture
def clips(tmp_path):
    return make_clips(tmp_path / "clips")
