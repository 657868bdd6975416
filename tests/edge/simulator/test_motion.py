import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.simulator.motion import BeltMotion, Stretch

STRETCHES = st.lists(
    st.builds(
        lambda seconds, speed, ramp: Stretch(seconds, speed, ramp * seconds),
        st.floats(0.1, 20),
        st.floats(-400, 600),
        st.floats(0, 0.95),
    ),
    min_size=1,
    max_size=5,
)


def test_stops_ramps_and_jogs_back():
    belt = BeltMotion([Stretch(2, 100), Stretch(3, 0, 1), Stretch(1, -50)], started_at=10)
    assert belt.position_mm(10) == 0
    assert belt.position_mm(12) == 200
    assert belt.position_mm(12.5) == pytest.approx(200 + (100 + 50) / 2 * 0.5)
    assert belt.position_mm(13) == belt.position_mm(15) == pytest.approx(250)
    assert belt.speed_mm_s(14) == 0
    assert belt.position_mm(16) == pytest.approx(200)
    # And from the beginning again, at once at full speed as the first stretch has no ramp.
    assert belt.position_mm(17) == pytest.approx(300)
    assert belt.position_mm(22) == pytest.approx(400)


def test_the_last_stretch_goes_on_if_nothing_is_repeated():
    belt = BeltMotion([Stretch(1, 0), Stretch(1, 100)], repeated=False)
    assert belt.position_mm(11) == pytest.approx(1000)
    assert belt.speed_mm_s(11) == 100


@given(STRETCHES, st.floats(0, 200), st.floats(1e-4, 0.05))
def test_it_never_jumps_and_its_speed_is_its_slope(stretches, at, step_s):
    belt = BeltMotion(stretches)
    way_mm = belt.position_mm(at + step_s) - belt.position_mm(at)
    speeds = [abs(each.speed_mm_s) for each in stretches]
    assert abs(way_mm) <= max(speeds) * step_s + 1e-6
    assert abs(belt.speed_mm_s(at)) <= max(speeds) + 1e-6


def test_nonsense_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        BeltMotion([])
    with pytest.raises(ValueError, match="longer than its ramp"):
        BeltMotion([Stretch(1, 100, 1)])
