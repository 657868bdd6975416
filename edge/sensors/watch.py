"""The other sensors of a line: their readings on the belt, and what they say of an item."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge.belt.tracker import TrackedItem
from edge.decision.sensing import SensorAnswer
from edge.sensors.matching import Arrival, PlacedReading, SensorPlace, answer_of, arrival, placed
from edge.sensors.reading import Sensor, SensorReading

log = logging.getLogger(__name__)

LEFT_BEHIND_MM = 5000.0
"""So far past camera and sensor every item has been decided on."""
READINGS_KEPT = 200
"""Of each sensor; more than there can be items on the belt."""
NUMBERS_KEPT = 256
"""By so many last numbers a reading is known that comes again."""


@dataclass
class SensorDesk:
    """One sensor and what is known of it.

    Attributes:
        place: where it is.
        sensor: the way to it.
        readings: the last ones, placed on the belt.
        numbers: number -> the reading of it, the last ones.
        unused: readings that no item was asked for yet.
        counts: what became of the readings: `good`, `late`, `of the future`, `too old`,
            `repeated`, `contradictory`, `of no item`.
    """

    place: SensorPlace
    sensor: Sensor
    readings: deque[PlacedReading] = field(default_factory=lambda: deque(maxlen=READINGS_KEPT))
    numbers: dict[int, SensorReading] = field(default_factory=dict)
    unused: deque[PlacedReading] = field(default_factory=lambda: deque(maxlen=READINGS_KEPT))
    counts: Counter[str] = field(default_factory=Counter)


class SensorWatch:
    """All other sensors of a line (`edge.decision.sensing.Sensing`); no method waits."""

    def __init__(
        self,
        sensors: Sequence[tuple[SensorPlace, Sensor]],
        now: Callable[[], float],
        at_mm: Callable[[float], float],
    ) -> None:
        """Take the sensors over.

        Args:
            sensors: each with its place.
            now: seconds of the line's clock.
            at_mm: where the belt was at a time of that clock, mm.
        """
        self._desks = [SensorDesk(place, sensor) for place, sensor in sensors]
        self._now, self._at_mm = now, at_mm

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Sensor -> what became of its readings, and how many."""
        return {desk.place.name: dict(desk.counts) for desk in self._desks}

    def listen(self) -> None:
        """Take in the readings since the last call."""
        now = self._now()
        for desk in self._desks:
            for reading in desk.sensor.readings():
                self._take(desk, reading, now)

    def heard_of(self, item: TrackedItem) -> bool:
        """Whether each sensor has had its time to answer for an item.

        Also for one before the camera: what lies close behind the item must have been seen, so
        that a reading of it is not taken for one of the item.
        """
        now = self._now()
        return all(
            self._at_mm(now - desk.place.most_delay_s)
            >= item.along.high + max(0.0, desk.place.distance_mm) + desk.place.window_mm
            for desk in self._desks
        )

    def answers(self, item: TrackedItem, items: Sequence[TrackedItem]) -> tuple[SensorAnswer, ...]:
        """What each sensor says of an item; `items` are all that are known on the belt."""
        return tuple(self._answer(desk, item, items) for desk in self._desks)

    def faults(self) -> dict[str, str]:
        """What is wrong: `sensor NAME` -> why, for each sensor that is silent or out of reach."""
        found = {}
        for desk in self._desks:
            state, place = desk.sensor.state, desk.place
            if state.error is not None:
                found[f"sensor {place.name}"] = f"sensor {place.name}: {state.error}"
            elif self._is_silent(desk):
                found[f"sensor {place.name}"] = (
                    f"sensor {place.name}: no sign of life for {place.silent_s:g} s"
                )
        return found

    def close(self) -> None:
        """Let go of all sensors, and report what became of their readings."""
        for desk in self._desks:
            desk.sensor.close()
            self._report_unused(desk, self._now(), everything=True)
            state = desk.sensor.state
            words = [f"{count} {what}" for what, count in sorted(desk.counts.items())]
            words += [f"{state.rejected} rejected"] if state.rejected else []
            words += [f"{state.dropped} dropped"] if state.dropped else []
            log.info("sensor %s: readings: %s", desk.place.name, ", ".join(words) or "none")

    def _take(self, desk: SensorDesk, reading: SensorReading, now: float) -> None:
        known = desk.numbers.get(reading.number)
        if known is not None:
            same = known.says_the_same(reading)
            desk.counts["repeated" if same else "contradictory"] += 1
            if same:
                return
            # Nobody knows which of the two is right: what was taken in counts as doubtful too.
            self._doubt(desk, reading.number)
        desk.numbers[reading.number] = reading
        while len(desk.numbers) > NUMBERS_KEPT:
            del desk.numbers[next(iter(desk.numbers))]
        how = arrival(reading, desk.place, now, self._at_mm)
        desk.counts[how.value] += 1
        if how in (Arrival.FUTURE, Arrival.OLD):
            return
        on_belt = placed(reading, desk.place, how, self._at_mm)
        if known is not None:
            on_belt = replace(on_belt, doubtful=True)
        desk.readings.append(on_belt)
        desk.unused.append(on_belt)

    def _doubt(self, desk: SensorDesk, number: int) -> None:
        changed = [
            replace(each, doubtful=True) if each.reading.number == number else each
            for each in desk.readings
        ]
        desk.readings.clear()
        desk.readings.extend(changed)

    def _answer(
        self, desk: SensorDesk, item: TrackedItem, items: Sequence[TrackedItem]
    ) -> SensorAnswer:
        place = desk.place
        used = [each for each in desk.unused if each.fits(item, place.window_mm)]
        for each in used:
            desk.unused.remove(each)
        self._report_unused(desk, self._now())
        silent = self._is_silent(desk)
        return answer_of(place, item, items, tuple(desk.readings), silent=silent)

    def _report_unused(self, desk: SensorDesk, now: float, everything: bool = False) -> None:
        """Count what was read of no item, once all that could be its item were asked for."""
        passed_mm = self._at_mm(now) - max(0.0, desk.place.distance_mm) - LEFT_BEHIND_MM
        while desk.unused and (everything or desk.unused[0].high_mm < passed_mm):
            gone = desk.unused.popleft()
            desk.counts["of no item"] += 1
            if desk.counts["of no item"] == 1:
                log.warning(
                    "sensor %s: reading %d fits no item (belt %.0f mm); check distance_mm and "
                    "window_mm",
                    desk.place.name,
                    gone.reading.number,
                    gone.low_mm,
                )

    def _is_silent(self, desk: SensorDesk) -> bool:
        if desk.place.silent_s is None:
            return False
        alive_at = desk.sensor.state.alive_at
        return alive_at is None or self._now() - alive_at > desk.place.silent_s
