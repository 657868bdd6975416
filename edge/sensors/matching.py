"""Which reading is of which item, and what a sensor's readings say of one: pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from edge.belt.tracker import TrackedItem
from edge.decision.sensing import SensorAnswer, SensorFinding
from edge.encoders.position_history import REMEMBERED_S
from edge.sensors.reading import SensorReading

CLOCK_S = 0.05
"""Clocks of two machines differ by so much; a reading from further ahead is of the future."""


@dataclass(frozen=True)
class SensorPlace:
    """Where a sensor is, and when its answer comes.

    Attributes:
        name: of the sensor.
        distance_mm: down the belt from the camera line; negative: before it.
        window_mm: how far a reading may be from an item.
        least_delay_s, most_delay_s: from an item at the sensor to the arrival of its reading.
        silent_s: so long without a sign of life and the sensor is silent; None: it gives none.
    """

    name: str
    distance_mm: float
    window_mm: float
    least_delay_s: float
    most_delay_s: float
    silent_s: float | None


class Arrival(Enum):
    """How a reading arrived."""

    GOOD = "good"
    LATE = "late"
    """Later, or sooner, than the sensor can answer."""
    FUTURE = "of the future"
    OLD = "too old"
    """From a time that nobody knows the belt's position of any more."""


@dataclass(frozen=True)
class PlacedReading:
    """A reading with its place on the belt.

    Attributes:
        reading: what was read.
        low_mm, high_mm: the belt coordinates that were at the sensor, from and to.
        doubtful: it may only make an item suspect.
    """

    reading: SensorReading
    low_mm: float
    high_mm: float
    doubtful: bool = False

    def fits(self, item: TrackedItem, window_mm: float) -> bool:
        """Whether it may be of this item."""
        low_mm, high_mm = self.low_mm - window_mm, self.high_mm + window_mm
        return item.along.low <= high_mm and item.along.high >= low_mm


def arrival(
    reading: SensorReading, place: SensorPlace, now: float, at_mm: Callable[[float], float]
) -> Arrival:
    """How a reading arrived.

    Args:
        reading: of the sensor.
        place: of the sensor.
        now: seconds of the line's clock.
        at_mm: where the belt was at a time of that clock.
    """
    if reading.at is not None:
        age_s = reading.received_at - reading.at
        if age_s < -CLOCK_S:
            return Arrival.FUTURE
        if now - reading.at > REMEMBERED_S:
            return Arrival.OLD
        in_time = place.least_delay_s - CLOCK_S <= age_s <= place.most_delay_s + CLOCK_S
        return Arrival.GOOD if in_time else Arrival.LATE
    if reading.belt_mm is not None:
        latest_mm, earliest_mm = (
            at_mm(reading.received_at - delay_s)
            for delay_s in (place.least_delay_s, place.most_delay_s)
        )
        if reading.belt_mm > latest_mm + place.window_mm:
            return Arrival.FUTURE
        return Arrival.GOOD if reading.belt_mm >= earliest_mm - place.window_mm else Arrival.LATE
    return Arrival.GOOD if now - reading.received_at <= REMEMBERED_S else Arrival.OLD


def placed(
    reading: SensorReading, place: SensorPlace, how: Arrival, at_mm: Callable[[float], float]
) -> PlacedReading:
    """Find the place on the belt that a reading is of: what was at the sensor then.

    Args:
        reading: that arrived neither from the future nor too old.
        place: of the sensor.
        how: it arrived.
        at_mm: where the belt was at a time of the line's clock.
    """
    if reading.belt_mm is not None:
        ends = [reading.belt_mm]
    elif reading.at is not None:
        ends = [at_mm(reading.at)]
    else:
        ends = [
            at_mm(reading.received_at - delay_s)
            for delay_s in (place.most_delay_s, place.least_delay_s)
        ]
    low_mm, high_mm = min(ends) - place.distance_mm, max(ends) - place.distance_mm
    return PlacedReading(reading, low_mm, high_mm, doubtful=how is Arrival.LATE)


def answer_of(
    place: SensorPlace,
    item: TrackedItem,
    items: Sequence[TrackedItem],
    readings: Sequence[PlacedReading],
    *,
    silent: bool = False,
) -> SensorAnswer:
    """What a sensor says of an item.

    A reading that fits two items makes both suspect if something was found, and clears neither. So
    does one that is doubtful, and one beside another that says the contrary.

    Args:
        place: of the sensor.
        item: that is asked for.
        items: all that are known on the belt.
        readings: of this sensor.
        silent: the sensor gives no sign of life.
    """
    fitting = [each for each in readings if each.fits(item, place.window_mm)]
    found = [each.reading for each in fitting if each.reading.found]
    clean = [
        each.reading
        for each in fitting
        if not each.doubtful and _is_alone(each, item, items, place)
    ]
    if found:
        surest = max(found, key=lambda reading: reading.certainty)
        is_clear = len(found) == len(fitting) and surest in clean
        finding = SensorFinding.FOUND if is_clear else SensorFinding.SUSPECT
        return SensorAnswer(place.name, finding, surest.certainty, surest.value)
    if clean:
        least_sure = min(clean, key=lambda reading: reading.certainty)
        certainty, value = least_sure.certainty, least_sure.value
        return SensorAnswer(place.name, SensorFinding.CLEAR, certainty, value)
    return SensorAnswer(place.name, SensorFinding.SILENT if silent else SensorFinding.NONE)


def _is_alone(
    placed: PlacedReading,
    item: TrackedItem,
    items: Sequence[TrackedItem],
    place: SensorPlace,
) -> bool:
    """Whether a reading fits no other item."""
    return not any(
        other.number != item.number and placed.fits(other, place.window_mm) for other in items
    )
