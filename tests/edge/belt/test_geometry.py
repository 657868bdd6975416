from hypothesis import given
from hypothesis import strategies as st

from edge.belt.geometry import Box, Geometry
from edge.encoders.encoder import TimedEncoder
from edge.simulator.motion import BeltMotion, Stretch

finite = st.floats(-1e5, 1e5)


def test_default_view_is_800_by_450_mm_and_moves_to_the_right():
    view = Geometry()
    assert (view.width_mm, view.height_mm) == (800.0, 450.0)
    assert view.belt_position(640, encoder_mm=1000.0) == 1000.0
    assert view.belt_position(1280, 1000.0) == 600.0  # further down the belt: passed earlier
    assert view.column(1000.0, encoder_mm=1000.0 + 62.5) == 740.0
    assert view.belt_offset(720) == 225.0
    assert view.row(-225.0) == 0.0


@given(x_px=st.floats(-2000, 4000), encoder_mm=finite)
def test_column_inverts_belt_position(x_px, encoder_mm):
    view = Geometry(640, 480, 0.8)
    assert abs(view.column(view.belt_position(x_px, encoder_mm), encoder_mm) - x_px) < 1e-6


def test_boxes_are_half_open():
    box = Box(10, 20, 30, 60)
    assert (box.width, box.height, box.center) == (20, 40, (20.0, 40.0))
    assert box.union(Box(0, 50, 12, 80)) == Box(0, 20, 30, 80)


def test_timed_encoder_is_speed_times_time():
    assert TimedEncoder(250.0, started_at=10.0).position_mm(12.0) == 500.0


def test_profile_stops_and_jogs_back_and_goes_on():
    encoder = BeltMotion(
        [Stretch(2, 100), Stretch(1, 0), Stretch(1, -50), Stretch(1, 200)],
        started_at=5.0,
        repeated=False,
    )
    seconds = (5.0, 6.0, 7.0, 7.5, 8.5, 9.0, 11.0)
    assert [encoder.position_mm(at) for at in seconds] == [0, 100, 200, 200, 175, 150, 550]
