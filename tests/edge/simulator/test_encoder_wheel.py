import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import VirtualClock
from edge.encoders.pulses import PulseEncoder
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.scenario import Pulses
from edge.simulator.wheel import SimulatedWheel

STOP_AND_GO = [Stretch(2, 250, 0.3), Stretch(1, 0, 0.3), Stretch(1, -150, 0.3)]


def turned(seconds, step_s=0.1, seed=0, **faults):
    """The wheel after some time, its counter, and the true position."""
    motion, clock, pulses = BeltMotion(STOP_AND_GO), VirtualClock(), PulseEncoder(1.0)
    wheel = SimulatedWheel(motion, pulses, Pulses(**faults), clock, seed)
    while clock.now() < seconds:
        clock.sleep(step_s)
        wheel.turn()
    return wheel, pulses, motion.position_mm(clock.now()), clock.now()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 20), st.floats(0.01, 0.5), st.floats(0, 1))
def test_a_wheel_that_only_jitters_is_off_by_no_more_than_two_pulses(seconds, step_s, jitter):
    _, pulses, true_mm, at = turned(seconds, step_s, jitter=jitter)
    assert abs(pulses.position_mm(at) - true_mm) <= 2.0


def test_pulses_are_lost_and_invented_at_their_rates():
    all_of_them = turned(60)[0].sent
    assert turned(60, missed=0.1)[0].sent == pytest.approx(0.9 * all_of_them, rel=0.03)
    assert turned(60, spurious=0.1)[0].sent == pytest.approx(1.1 * all_of_them, rel=0.03)


def test_a_cut_cable_sends_nothing():
    wheel, *_ = turned(1.5, silent_s=((0.0, 100.0),))
    assert wheel.sent == 0
    assert turned(1.5, silent_s=((1.0, 100.0),))[0].sent > 0
