"""What items of a class weigh before anything was weighed: published means, with wide errors.

Published: Statistics Netherlands, "Waste over Time", `htbl_Key_Weight.csv` (2012), the mean mass of
an appliance by UNU-KEY, in kg: washing machines (0104) 72.5; microwaves (0114) 22.9, in 1993 16.3;
small IT equipment (0301) 0.40; printers (0304) 10.3, in 1993 7.0; mobile phones (0306) 0.09, in
1993 0.12; portable audio and video (0402) 0.23; video (0404) 3.5; tube televisions (0407) 33; flat
ones (0408) 13.5. Keyboards and mice share a key, players have two, televisions too. Batteries and
bare boards have none: a round cell R6 weighs 23 g and a pack of a phone 45 g, a board 1 to 2 g for
each square centimeter. The error of each level says how little that fixes a site.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class TypicalItem:
    """What is known of the items of a class before a weighing.

    Attributes:
        grams: mean mass of the items of the typical area, g.
        area_mm2: the typical area, mm²; by `edge.bundle.sizes.TYPICAL_SIZES` and `fill`.
        error: standard deviation of the logarithm of `grams`, from site to site.
        spread: standard deviation of the logarithm of the mass of items of one area.
        area_spread: standard deviation of the logarithm of their area.
        fill: area over the square of the longer side.
    """

    grams: float
    area_mm2: float
    error: float
    spread: float
    area_spread: float
    fill: float


TYPICAL_ITEMS: Mapping[str, TypicalItem] = MappingProxyType(
    {
        "Battery": TypicalItem(40, 2_400, 0.7, 0.4, 0.6, 0.35),
        "Keyboard": TypicalItem(600, 45_000, 0.4, 0.3, 0.25, 0.35),
        "Microwave": TypicalItem(19_000, 174_000, 0.4, 0.25, 0.11, 0.75),
        "Mobile": TypicalItem(100, 8_700, 0.4, 0.3, 0.2, 0.48),
        "Mouse": TypicalItem(100, 6_800, 0.4, 0.3, 0.16, 0.55),
        "PCB": TypicalItem(150, 10_400, 0.7, 0.4, 0.9, 0.7),
        "Player": TypicalItem(900, 24_000, 0.8, 0.5, 0.84, 0.7),
        "Printer": TypicalItem(9_000, 131_000, 0.45, 0.35, 0.18, 0.75),
        "Television": TypicalItem(18_000, 243_000, 0.6, 0.4, 0.35, 0.6),
        "Washing Machine": TypicalItem(71_000, 387_000, 0.35, 0.2, 0.24, 0.8),
    }
)
"""They hold for labels of exactly these names."""
OTHER_ITEM = TypicalItem(400, 20_000, 1.0, 0.8, 1.0, 0.6)
"""Of any other label, and of `unknown`."""
SLOPE, SLOPE_ERROR = 1.25, 0.15
"""By which power of the area the mass rises, in all classes alike: plates of one thickness have 1,
bodies of one shape 1.5."""
COMMON_ERROR = 0.25
"""Standard deviation of what the levels of all classes of a site have in common, such as a camera
that measures too large: so a class that was never weighed learns from those that were."""


def typical(label: str) -> TypicalItem:
    """What is known of the items of a label."""
    return TYPICAL_ITEMS.get(label, OTHER_ITEM)
