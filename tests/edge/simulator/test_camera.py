import pytest

from edge.belt.geometry import Geometry
from edge.clock import VirtualClock
from edge.encoders.encoder import TimedEncoder
from edge.simulator.camera import SimulatedCamera
from edge.simulator.scene import Scene

VIEW = Geometry(320, 180, 2.5)


@pytest.fixture
def clock():
    return VirtualClock(start=100.0)


def camera(clock, **options):
    return SimulatedCamera(Scene([], VIEW, seed=0), TimedEncoder(250.0, 100.0), clock, **options)


def test_frames_come_one_period_apart_until_the_belt_has_run_out(clock):
    source = camera(clock, fps=10, end_mm=101.0)
    frames = []
    while (frame := source.read()) is not None:
        assert clock.now() == pytest.approx(frame.captured_at)
        frames.append(frame)
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.captured_at for frame in frames] == pytest.approx(
        [100, 100.1, 100.2, 100.3, 100.4]
    )
    assert frames[0].pixels.shape == (180, 320, 3)
    source.close()
    source.close()


def test_in_real_time_a_slow_reader_loses_frames(clock):
    source = camera(clock, fps=10, realtime=True)
    assert source.read().sequence == 0
    clock.sleep(0.35)
    frame = source.read()
    assert (frame.sequence, source.skipped) == (3, 2)
    assert source.read().sequence == 4
    assert clock.now() == pytest.approx(100.4)


def test_otherwise_a_slow_reader_gets_every_frame(clock):
    source = camera(clock, fps=10)
    source.read()
    clock.sleep(0.35)
    assert (source.read().sequence, source.skipped) == (1, 0)
