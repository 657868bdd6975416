"""How good a sensor is: measured by items whose truth a person has found out."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge.decision.sensing import ANSWERED, SensorFinding, finding_in
from edge.errors import BadInput
from edge.intervals import wilson
from edge.records.record import ItemRecord
from edge.records.review import SAMPLE

MOST_COUNTED = 10**9
SMALLEST_RATE, LARGEST_RATE = 0.001, 0.999
"""What the configuration takes: nobody has measured a sensor that never errs."""


@dataclass(frozen=True)
class CountedRate:
    """How often a sensor found something in so many items.

    Attributes:
        found: items that it found something in.
        items: all of them.
    """

    found: int
    items: int

    @property
    def rate(self) -> float:
        """The mean of the posterior from a uniform prior, Beta(1, 1): never 0 and never 1."""
        return (self.found + 1) / (self.items + 2)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %."""
        return wilson(self.found, self.items)

    @property
    def configured(self) -> float:
        """The rate as the configuration takes it, 0.001 to 0.999, three digits."""
        return min(LARGEST_RATE, max(SMALLEST_RATE, round(self.rate, 3)))


@dataclass(frozen=True)
class SensorRates:
    """What is known of a sensor.

    Attributes:
        with_it: of the items that are, or hold, what it finds.
        without_it: of all others.
    """

    with_it: CountedRate
    without_it: CountedRate

    @property
    def says_something(self) -> bool:
        """Whether it finds what is there more often than what is not, by what is configured."""
        return self.without_it.configured < self.with_it.configured


def measured_rates(
    records: Iterable[ItemRecord], sensor: str, finds: str, *, only_sample: bool = False
) -> SensorRates:
    """Count what a sensor that finds a class found in the items that a person has reviewed.

    Items without a clean answer of it are left out, and so are those without an answer of a person.

    Args:
        records: what the line recorded.
        sensor: its name.
        finds: the class.
        only_sample: only items that were drawn for review at random. What is reviewed since it is
            suspect may be so by the sensor's own finding, which makes its rates look better.
    """
    counts = dict.fromkeys(((there, found) for there in (0, 1) for found in (0, 1)), 0)
    for record in records:
        finding = finding_in(record.sensors, sensor)
        if finding not in ANSWERED or not (record.reviewed or record.no_class):
            continue
        if not only_sample or record.review == SAMPLE:
            counts[int(record.reviewed == finds), int(finding is SensorFinding.FOUND)] += 1
    return SensorRates(
        *(CountedRate(counts[at, 1], counts[at, 0] + counts[at, 1]) for at in (1, 0))
    )


def counted_pieces(text: str, option: str) -> CountedRate:
    """Read how many of the test pieces a sensor found, such as `91/100`.

    Raises:
        BadInput: it is no such pair of numbers.
    """
    found, slash, items = text.partition("/")
    if len(text) > 30 or not (slash and found.isdecimal() and items.isdecimal() and text.isascii()):
        raise BadInput(f"{option}: give two counts, such as 91/100")
    if not int(found) <= int(items) <= MOST_COUNTED or int(items) == 0:
        raise BadInput(f"{option} {text}: must be at most all of 1 to {MOST_COUNTED:,} pieces")
    return CountedRate(int(found), int(items))
