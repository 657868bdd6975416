"""When a belt stands: measured, for some seconds, and without an item under way."""

import math

from edge.standstill import STILL_MM, STILL_SECONDS, BeltRest, Standstill


def test_a_belt_stands_after_some_seconds_without_motion() -> None:
    belt = Standstill()
    assert belt.rest(False) is BeltRest.NOT_MEASURED
    for step in range(20):
        belt.see(step * 0.1, step * 20.0)
        assert belt.rest(False) is BeltRest.MOVES
    stopped_at, at_mm = 1.9, 19 * 20.0
    for step in range(1, 60):
        at = stopped_at + 0.1 * step
        belt.see(at, at_mm + 0.4 * (step % 3))
        if abs(at - stopped_at - STILL_SECONDS) > 1e-6:
            stands = at - stopped_at > STILL_SECONDS
            assert belt.rest(False) is (BeltRest.STANDS if stands else BeltRest.MOVES)
    assert belt.rest(True) is BeltRest.CARRIES
    belt.see(9.0, at_mm - STILL_MM)
    assert belt.rest(False) is BeltRest.MOVES, "backwards is a motion too"


def test_what_creeps_or_is_not_measured_does_not_stand() -> None:
    belt = Standstill()
    for step in range(100):
        belt.see(step * 0.5, step * 1.1)
        assert belt.rest(False) is BeltRest.MOVES
    belt.see(51.0, None)
    assert belt.rest(True) is BeltRest.NOT_MEASURED
    for step in range(100):
        belt.see(52.0 + step, math.nan)
        assert belt.rest(False) is BeltRest.MOVES
