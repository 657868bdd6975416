"""The true motion of the simulated belt, independent of any encoder."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from edge.encoders.encoder import HEALTHY, EncoderHealth


@dataclass(frozen=True)
class Stretch:
    """A period at one speed.

    Attributes:
        seconds: its duration, > 0.
        speed_mm_s: the belt speed; 0 is a stop, negative is a jog back.
        ramp_s: the first seconds, in which the speed changes linearly from the one before.
    """

    seconds: float
    speed_mm_s: float
    ramp_s: float = 0.0


@dataclass(frozen=True)
class _Leg:
    """Constant acceleration from one speed to another."""

    seconds: float
    from_mm_s: float
    to_mm_s: float

    def speed_mm_s(self, after_s: float) -> float:
        return self.from_mm_s + (self.to_mm_s - self.from_mm_s) * after_s / self.seconds

    def way_mm(self, after_s: float) -> float:
        return (self.from_mm_s + self.speed_mm_s(after_s)) / 2 * after_s


class BeltMotion:
    """The true position of the belt; also a perfect encoder (`edge.encoders.encoder`)."""

    def __init__(
        self, stretches: Sequence[Stretch], repeated: bool = True, started_at: float = 0.0
    ) -> None:
        """Start at 0 mm at `started_at`, at the first stretch's speed.

        Args:
            stretches: the stretches, in order.
            repeated: repeat them after the last one; else the last one continues forever.
            started_at: the start, seconds of the clock.

        Raises:
            ValueError: there is no stretch, or one is not longer than its ramp.
        """
        if not stretches:
            raise ValueError("a motion needs at least one stretch")
        if any(not 0 <= each.ramp_s < each.seconds for each in stretches):
            raise ValueError("each stretch must be longer than its ramp")
        self._repeated, self._started_at = repeated, started_at
        # In the first round the belt already runs; a repetition ramps from the last speed.
        self._first = _Round(_legs(stretches, stretches[0].speed_mm_s))
        self._again = _Round(_legs(stretches, stretches[-1].speed_mm_s))

    def position_mm(self, at_seconds: float) -> float:
        """Return the belt position, mm; 0 at `started_at`."""
        during, before_mm, after_s = self._round(at_seconds)
        return before_mm + during.way_mm(after_s)

    def speed_mm_s(self, at_seconds: float) -> float:
        """Return the belt speed, mm/s."""
        during, _, after_s = self._round(at_seconds)
        return during.speed_mm_s(after_s)

    def health(self) -> EncoderHealth:
        """Return that a perfect encoder has no fault."""
        return HEALTHY

    def _round(self, at_seconds: float) -> "tuple[_Round, float, float]":
        """Find the round of stretches at a time, the position where it began, and how long ago."""
        first, again = self._first, self._again
        after_s = at_seconds - self._started_at
        if after_s < first.seconds or not self._repeated:
            return first, 0.0, after_s
        rounds, left_s = divmod(after_s - first.seconds, again.seconds)
        return again, first.length_mm + rounds * again.length_mm, left_s


class _Round:
    """One round of all legs."""

    def __init__(self, legs: Sequence[_Leg]) -> None:
        self._legs = legs
        self._ends_s = list(accumulate(leg.seconds for leg in legs))
        self._begins_mm = [0.0, *accumulate(leg.way_mm(leg.seconds) for leg in legs)]
        self.seconds, self.length_mm = self._ends_s[-1], self._begins_mm[-1]

    def way_mm(self, after_s: float) -> float:
        place, in_leg_s = self._leg(after_s)
        over_s = max(0.0, in_leg_s - self._legs[place].seconds)
        leg = self._legs[place]
        return self._begins_mm[place] + leg.way_mm(in_leg_s - over_s) + leg.to_mm_s * over_s

    def speed_mm_s(self, after_s: float) -> float:
        place, in_leg_s = self._leg(after_s)
        leg = self._legs[place]
        return leg.speed_mm_s(min(in_leg_s, leg.seconds))

    def _leg(self, after_s: float) -> tuple[int, float]:
        place = min(bisect_right(self._ends_s, after_s), len(self._legs) - 1)
        return place, after_s - (self._ends_s[place] - self._legs[place].seconds)


def _legs(stretches: Sequence[Stretch], speed_mm_s: float) -> list[_Leg]:
    legs = []
    for stretch in stretches:
        if stretch.ramp_s:
            legs.append(_Leg(stretch.ramp_s, speed_mm_s, stretch.speed_mm_s))
        held_s = stretch.seconds - stretch.ramp_s
        legs.append(_Leg(held_s, stretch.speed_mm_s, stretch.speed_mm_s))
        speed_mm_s = stretch.speed_mm_s
    return legs
