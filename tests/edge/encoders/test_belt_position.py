from edge.belt.geometry import Geometry
from edge.clock import VirtualClock
from edge.encoders.belt_position import BeltPosition, TrustChange
from edge.encoders.encoder import HEALTHY, EncoderHealth, TimedEncoder
from edge.verdict import Reason, Unsafe

GEOMETRY = Geometry(width_px=640, height_px=360, mm_per_px=1.25)
CUT = EncoderHealth(trusted=False, message="no pulses")


class FailingEncoder(TimedEncoder):
    found = HEALTHY

    def health(self) -> EncoderHealth:
        return self.found


def test_each_change_of_trust_is_reported_once():
    encoder = FailingEncoder(250, 0.0)
    position = BeltPosition(encoder, VirtualClock(), GEOMETRY)
    assert position.check() is TrustChange.NONE and position.unsafe is None
    encoder.found = CUT
    assert [position.check(), position.check()] == [TrustChange.LOST, TrustChange.NONE]
    assert position.unsafe == Unsafe(Reason.ENCODER_FAULT, "no pulses")
    encoder.found = EncoderHealth(message="pulses made good by the camera")
    assert [position.check(), position.check()] == [TrustChange.REGAINED, TrustChange.NONE]
    assert position.unsafe is None and position.health == encoder.found


def test_positions_are_read_by_the_clock_of_the_line():
    clock = VirtualClock()
    position = BeltPosition(TimedEncoder(250, 0.0), clock, GEOMETRY)
    clock.sleep(2.0)
    assert (position.now(), position.now_mm(), position.at_mm(1.0)) == (2.0, 500.0, 250.0)
    assert position.moved_px(250.0, 500.0) == 200
    assert position.border_mm(500.0) == GEOMETRY.belt_position(640, 500.0)
