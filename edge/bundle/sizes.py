"""How large the items of a class are: a log-normal distribution of their longer side."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from edge.limits import within

RANGE_SPREADS = 4.0
"""From the low to the high end of a typical range, in standard deviations: 95 % lie within."""
LEAST_SPREAD, MOST_SPREAD = 0.05, 2.0
"""A narrower distribution would take the error of a measurement for another class."""
SHORTEST_MM, LONGEST_MM = 1.0, 20_000.0


class SizeDistribution(BaseModel):
    """The longer side of the items of one class; its logarithm is normally distributed.

    Attributes:
        median_mm: half of the items are longer, mm.
        spread: the standard deviation of the natural logarithm of the longer side; 0.1 means that
            two of three items are within 10 % of the median.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    median_mm: Annotated[float, within(SHORTEST_MM, LONGEST_MM)]
    spread: Annotated[float, within(LEAST_SPREAD, MOST_SPREAD)]

    def deviation(self, longer_mm: float) -> float:
        """How far a longer side (mm, > 0) is from the median, in standard deviations."""
        return (math.log(longer_mm) - math.log(self.median_mm)) / self.spread

    @property
    def low_mm(self) -> float:
        """The longer side that 2 of 100 items fall short of, mm."""
        return self.median_mm * math.exp(-RANGE_SPREADS / 2 * self.spread)

    @property
    def high_mm(self) -> float:
        """The longer side that 2 of 100 items exceed, mm."""
        return self.median_mm * math.exp(RANGE_SPREADS / 2 * self.spread)


def of_range(low_mm: float, high_mm: float) -> SizeDistribution:
    """The distribution of a class of which 95 % of the items are in a range, mm."""
    spread = math.log(high_mm / low_mm) / RANGE_SPREADS
    return SizeDistribution(
        median_mm=math.sqrt(low_mm * high_mm), spread=max(LEAST_SPREAD, min(MOST_SPREAD, spread))
    )


def fitted(longer_mm: Sequence[float]) -> SizeDistribution:
    """The distribution of measured items: the mean and standard deviation of the logarithms.

    Args:
        longer_mm: the longer side of each item, mm, finite and > 0; at least two.

    The maximum likelihood of a log-normal distribution, with the unbiased variance: few items must
    not make a class look narrower than it is.
    """
    logarithms = [math.log(each) for each in longer_mm]
    mean = math.fsum(logarithms) / len(logarithms)
    variance = math.fsum((each - mean) ** 2 for each in logarithms) / (len(logarithms) - 1)
    median_mm = min(LONGEST_MM, max(SHORTEST_MM, math.exp(mean)))
    spread = min(MOST_SPREAD, max(LEAST_SPREAD, math.sqrt(variance)))
    return SizeDistribution(median_mm=median_mm, spread=spread)


TYPICAL_SIZES: Mapping[str, SizeDistribution] = {
    "Battery": of_range(45, 150),
    "Keyboard": of_range(280, 460),
    "Microwave": of_range(430, 540),
    "Mobile": of_range(110, 165),
    "Mouse": of_range(95, 130),
    "PCB": of_range(50, 300),
    "Player": of_range(80, 430),
    "Printer": of_range(350, 500),
    "Television": of_range(450, 900),
    "Washing Machine": of_range(550, 880),
}
"""The sizes of real items of the shipped classes; they hold for labels of exactly these names."""
