"""Items of one class, summed up: how many, and how large they are."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import numpy as np

from edge.mass.typical import TypicalItem, typical

SMALLEST_MM2, LARGEST_MM2 = 1.0, 4e8
"""Areas that are measured, mm², and squares of longer sides; others count as not measured."""
CONFUSED = 0.05
"""The share of all items that is recorded as another class, by the share of test photos that the
shipped bundle gets wrong."""
MOST_WRONG = 0.5
LEAST_MEAN = 1e-300
SIDE_ERROR = 0.25
"""Standard deviation of the logarithm of an area that is known by the longer side alone."""


class Basis(str, Enum):
    """What is known of the size of an item."""

    AREA = "area"
    SIDE = "side"
    NONE = "none"


LOW, HIGH = (1.0, 1.25, 1.5), (2.0, 2.5, 3.0)
"""The powers of the areas that are summed up: those around the slope, and around its double."""
EXPONENTS = np.array((*LOW, *HIGH))


@dataclass(frozen=True)
class ItemSums:
    """Items of one label and bin, summed up.

    Attributes:
        label: what they were recorded as.
        bin: where they went.
        basis: what is known of their sizes.
        items: number of items.
        powers: the sums of `EXPONENTS` of their areas over the typical area; 0 without a size.
    """

    label: str
    bin: str
    basis: Basis
    items: int
    powers: tuple[float, ...] = (0.0,) * len(EXPONENTS)


@dataclass(frozen=True)
class Sizes:
    """How the areas of some items are distributed, as multiples of the typical area.

    Attributes:
        powers: logarithms of the means of `EXPONENTS` of them. In between they are interpolated.
    """

    powers: tuple[float, ...]


class LevelName(NamedTuple):
    """A level: that of a class, or that of a class of which no item is measured.

    The second holds what the sizes of such items at the site do to their mass.
    """

    label: str
    guessed: bool = False


@dataclass(frozen=True)
class SizedItems:
    """Items of one label whose sizes are known as well as they can be.

    Attributes:
        label, bin: as in `ItemSums`.
        items: number of items.
        sizes: of these, or of others of the label.
        measured: each area is known; otherwise only how the areas are distributed.
        error: standard deviation of the logarithm of each area.
        guessed: no item of the label has a size, so the typical ones are taken.
        wrong: the share of them that is likely of another class.
    """

    label: str
    bin: str
    items: int
    sizes: Sizes
    measured: bool
    error: float = 0.0
    guessed: bool = False
    wrong: float = CONFUSED

    @property
    def level(self) -> LevelName:
        """Which level their mass depends on."""
        return LevelName(self.label, self.guessed)


def sized(sums: Iterable[ItemSums]) -> list[SizedItems]:
    """Give all items of a time sizes: those without one get those of the others of their label.

    Where none of a label was measured, they get the typical areas, and a level of their own. What
    is recorded as a class wrongly comes from all other classes; so of a class that is rare at the
    time, a larger share is wrong.
    """
    given = [each for each in sums if each.items > 0]
    measured = [_measured(each) for each in given if each.basis is not Basis.NONE]
    known: dict[str, list[SizedItems]] = defaultdict(list)
    for group in measured:
        known[group.label].append(group)
    lacking = [
        _lacking(each, known.get(each.label, ())) for each in given if each.basis is Basis.NONE
    ]
    shares = _wrong_shares(given)
    return [replace(each, wrong=shares[each.label]) for each in (*measured, *lacking)]


def of_bin(items: Iterable[SizedItems], bin_name: str) -> list[SizedItems]:
    """Those that went to a bin."""
    return [each for each in items if each.bin == bin_name]


def of_label(items: Iterable[SizedItems], label: str) -> list[SizedItems]:
    """Those of a label."""
    return [each for each in items if each.label == label]


def summed(
    label: str, bin_name: str, areas_mm2: np.ndarray, longer_mm: np.ndarray
) -> list[ItemSums]:
    """Sum up items of one label and bin.

    Args:
        label: what they were recorded as.
        bin_name: where they went.
        areas_mm2: float64 [items], the area of each; NaN: not measured.
        longer_mm: float64 [items], the longer side of each; NaN: not measured.
    """
    known = typical(label)
    with np.errstate(over="ignore"):  # what is infinite counts as not measured
        squares = longer_mm**2
    by_area = (areas_mm2 >= SMALLEST_MM2) & (areas_mm2 <= LARGEST_MM2)
    by_side = ~by_area & (longer_mm > 0) & (squares >= SMALLEST_MM2) & (squares <= LARGEST_MM2)
    sizes = {
        Basis.AREA: areas_mm2[by_area] / known.area_mm2,
        Basis.SIDE: squares[by_side] * known.fill / known.area_mm2,
    }
    found = [
        ItemSums(label, bin_name, basis, len(each), tuple(_powers(each).tolist()))
        for basis, each in sizes.items()
        if len(each)
    ]
    lacking = len(areas_mm2) - sum(each.items for each in found)
    return [*found, ItemSums(label, bin_name, Basis.NONE, lacking)] if lacking else found


def _powers(sizes: np.ndarray) -> np.ndarray:
    return (sizes[:, np.newaxis] ** EXPONENTS).sum(axis=0)


def added(parts: Iterable[ItemSums]) -> list[ItemSums]:
    """Add up the sums of several times, by label, bin, and basis."""
    found: dict[tuple[str, str, Basis], ItemSums] = {}
    for part in parts:
        key = part.label, part.bin, part.basis
        before = found.get(key)
        found[key] = part if before is None else _together(before, part)
    return list(found.values())


def _together(some: ItemSums, others: ItemSums) -> ItemSums:
    powers = tuple(a + b for a, b in zip(some.powers, others.powers, strict=True))
    return replace(some, items=some.items + others.items, powers=powers)


def _wrong_shares(sums: Sequence[ItemSums]) -> dict[str, float]:
    """Label -> the share of its items that is likely of another class."""
    counts: dict[str, int] = defaultdict(int)
    for each in sums:
        counts[each.label] += each.items
    everything, others = sum(counts.values()), max(1, len(counts) - 1)
    return {
        label: min(MOST_WRONG, max(CONFUSED, CONFUSED * (everything - own) / others / own))
        for label, own in counts.items()
    }


def _measured(sums: ItemSums) -> SizedItems:
    error = SIDE_ERROR if sums.basis is Basis.SIDE else 0.0
    means = tuple(math.log(max(each / sums.items, LEAST_MEAN)) for each in sums.powers)
    return SizedItems(sums.label, sums.bin, sums.items, Sizes(means), measured=True, error=error)


def _lacking(sums: ItemSums, others: Sequence[SizedItems]) -> SizedItems:
    """Items without a size, given those of their label that have one."""
    known = typical(sums.label)
    sizes = _pooled(others) if others else _typical_sizes(known)
    return SizedItems(sums.label, sums.bin, sums.items, sizes, measured=False, guessed=not others)


def _typical_sizes(known: TypicalItem) -> Sizes:
    """Those of a log-normal distribution around the typical area."""
    return Sizes(tuple((EXPONENTS**2 * known.area_spread**2 / 2).tolist()))


def _pooled(groups: Sequence[SizedItems]) -> Sizes:
    """The sizes of several groups taken together."""
    counts = np.array([each.items for each in groups], np.float64)
    means = np.exp([each.sizes.powers for each in groups])
    return Sizes(tuple(np.log(counts @ means / counts.sum()).tolist()))
