"""How often the stated 95 % interval of the mass of a class holds its true mass.

Simulated sites: true levels and slope are drawn from the priors, each item gets an area and a mass,
some are recorded as another class, some without an area, and bins are weighed on a scale with an
error; some weighings are entered wrongly. The shift after the last weighing is estimated.
"""

from edge.process_setup import limit_threads

limit_threads()  # before numpy is imported

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from edge.intervals import wilson
from edge.labels import MANUAL, UNKNOWN
from edge.mass.calibration import Weighing, calibrated
from edge.mass.estimate import estimate
from edge.mass.items import ItemSums, LevelName, of_bin, of_label, sized, summed
from edge.mass.levels import first_levels
from edge.mass.typical import TYPICAL_ITEMS

LABELS = tuple(TYPICAL_ITEMS)
BINS = {
    "hazardous": ("Battery",),
    "boards": ("Mobile", "PCB"),
    "small": ("Keyboard", "Mouse", "Player"),
    "screens": ("Television",),
    "appliances": ("Microwave", "Printer", "Washing Machine"),
}
"""As in the shipped bundle."""
DAYS = (0, 1, 3, 10, 30)
"""Numbers of days on which each bin was weighed before the shift; each shift has one of them."""
MOST_WIDTH_SHOWN = 1e3


@dataclass(frozen=True)
class Site:
    """What is wrong at a simulated site; shares and standard deviations of logarithms.

    Attributes:
        items: mean number of items of a shift.
        wrong_label: share that is recorded as another class whose sizes fit.
        to_manual: share that gets no label and goes to `manual`.
        no_area: share without an area; half of those have a longer side.
        area_error: of the area of each item.
        scale_error: of each weighing.
        wrong_entry: share of weighings that are entered 10 times too large, or half as large.
        spread: factor on the spread of the masses of a class.
        sizes: standard deviation of how much the sizes of a class at the site differ from typical.
    """

    items: int = 1500
    wrong_label: float = 0.05
    to_manual: float = 0.15
    no_area: float = 0.12
    area_error: float = 0.05
    scale_error: float = 0.005
    wrong_entry: float = 0.02
    spread: float = 1.0
    sizes: float = 0.1


VARIANTS = {
    "as assumed": Site(),
    "spread of items 1.5 times": Site(spread=1.5),
    "10 % wrong labels": Site(wrong_label=0.1),
    "half without an area": Site(no_area=0.5),
    "scale off by 3 %": Site(scale_error=0.03),
    "300 items a shift": Site(items=300),
}


@dataclass(frozen=True, eq=False)
class Shift:
    """The items of one shift: what was recorded of them, and their true mass by label and bin."""

    sums: list[ItemSums]
    grams: dict[tuple[str, str], float]

    def of(self, *, label: str | None = None, bin_name: str | None = None) -> float:
        """The true mass of a label or a bin, g."""
        return sum(
            mass
            for (each, to), mass in self.grams.items()
            if label in (None, each) and bin_name in (None, to)
        )


class Plant:
    """A site whose truth is drawn once."""

    def __init__(self, site: Site, draw: np.random.Generator) -> None:
        """Draw what the classes of the site truly weigh, how large they are, and their mix."""
        self.site, self.draw = site, draw
        prior = first_levels(LABELS)
        truth = draw.multivariate_normal(prior.mean, prior.covariance)
        places = [prior.names.index(LevelName(label)) for label in LABELS]
        self.levels, self.slope = truth[places], truth[-1]
        known = list(TYPICAL_ITEMS.values())
        self.spreads = site.spread * np.array([each.spread for each in known])
        self.area_spreads = np.array([each.area_spread for each in known])
        self.areas = np.log([each.area_mm2 for each in known])
        self.fills = np.array([each.fill for each in known])
        self.shift_of_sizes = site.sizes * draw.standard_normal(len(known))
        self.mix = draw.dirichlet(np.full(len(known), 2.0))
        self.camera = 0.02 * draw.standard_normal()
        self.bins = [next(name for name, has in BINS.items() if label in has) for label in LABELS]

    def shift(self) -> Shift:
        """Draw the items of one shift."""
        site, draw = self.site, self.draw
        count = max(1, int(draw.poisson(site.items)))
        true = draw.choice(len(LABELS), count, p=self.mix)
        size = self.shift_of_sizes[true] + self.area_spreads[true] * draw.standard_normal(count)
        own = self.spreads[true]
        noise = own * draw.standard_normal(count) - own**2 / 2
        grams = np.exp(self.levels[true] + self.slope * size + noise)
        log_area = self.areas[true] + size
        recorded = self._recorded(true, log_area)
        seen = np.exp(log_area + self.camera + site.area_error * draw.standard_normal(count))
        by_hand = draw.random(count) < site.to_manual
        lacking = draw.random(count)
        areas = np.where(lacking < site.no_area, np.nan, seen)
        sides = np.sqrt(seen / self.fills[true] * np.exp(0.2 * draw.standard_normal(count)))
        sides[lacking < site.no_area / 2] = np.nan
        labels = np.where(by_hand, len(LABELS), recorded)
        return self._summed(labels, areas, sides, grams)

    def _recorded(self, true: np.ndarray, log_area: np.ndarray) -> np.ndarray:
        """The recorded class: now and then another one whose sizes fit."""
        z = (log_area[:, np.newaxis] - self.areas) / self.area_spreads
        fit = np.exp(-(z**2) / 2) / self.area_spreads + 1e-12
        fit[np.arange(len(true)), true] = 0
        steps = np.cumsum(fit, axis=1)
        place = self.draw.random(len(true)) * steps[:, -1]
        other = np.minimum((steps < place[:, np.newaxis]).sum(axis=1), len(LABELS) - 1)
        wrong = self.draw.random(len(true)) < self.site.wrong_label
        return np.where(wrong, other, true)

    def _summed(
        self, labels: np.ndarray, areas: np.ndarray, sides: np.ndarray, grams: np.ndarray
    ) -> Shift:
        sums: list[ItemSums] = []
        true: dict[tuple[str, str], float] = {}
        for place, (name, bin_name) in enumerate(
            zip((*LABELS, UNKNOWN), (*self.bins, MANUAL), strict=True)
        ):
            own = labels == place
            if own.any():
                sums += summed(name, bin_name, areas[own], sides[own])
                true[name, bin_name] = float(grams[own].sum())
        return Shift(sums, true)

    def weighings(self, days: int) -> list[Weighing]:
        """Weigh each bin on so many days."""
        found = []
        for _day in range(days):
            shift = self.shift()
            items = sized(shift.sums)
            for name in (*BINS, MANUAL):
                own = tuple(of_bin(items, name))
                grams = shift.of(bin_name=name)
                if not own:
                    continue
                entered = grams * math.exp(self.site.scale_error * self.draw.standard_normal())
                if self.draw.random() < self.site.wrong_entry:
                    entered *= self.draw.choice([10, 0.5])
                found.append(Weighing(len(found) + 1, name, entered / 1000, own))
        return found


@dataclass(frozen=True)
class Judged:
    """Whether an interval held the truth, and how wide it was: its higher end over its lower."""

    days: int
    of: str
    held: bool
    width: float


def judge_shift(site: Site, days: int, seed: int) -> list[Judged]:
    """Simulate a site for some days and estimate the shift after them."""
    plant = Plant(site, np.random.default_rng(seed))
    weighings = plant.weighings(days)
    shift = plant.shift()
    calibration = calibrated(weighings, [*LABELS, UNKNOWN])
    items = sized(shift.sums)
    found = []
    asked = [(label, shift.of(label=label), of_label(items, label)) for label in LABELS]
    asked += [(f"bin {name}", shift.of(bin_name=name), of_bin(items, name)) for name in BINS]
    asked.append((f"bin {MANUAL}", shift.of(bin_name=MANUAL), of_bin(items, MANUAL)))
    for name, grams, own in asked:
        if not own:
            continue
        mass = estimate(calibration.levels, own, calibration.dispersions)
        held = mass.low_kg <= grams / 1000 <= mass.high_kg
        found.append(Judged(days, name, held, mass.high_kg / mass.low_kg))
    return found


def rate(judged: Sequence[Judged]) -> dict[str, float]:
    """How often the truth was held, and the median width."""
    held = sum(each.held for each in judged)
    low, high = wilson(held, len(judged))
    width = float(np.median([each.width for each in judged]))
    return {
        "intervals": len(judged),
        "held": held / len(judged),
        "held_low": low,
        "held_high": high,
        "width": min(width, MOST_WIDTH_SHOWN),
    }


def table(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """The rates of classes and bins, by class, and by number of days with weighings."""
    by: dict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        is_bin = each.of.startswith("bin ")
        by["all bins" if is_bin else "all classes"].append(each)
        by[f"{'bins' if is_bin else 'classes'}, weighed on {each.days} days"].append(each)
        by[each.of].append(each)
    return {name: rate(each) for name, each in sorted(by.items())}


def main(
    *,
    shifts: Annotated[int, typer.Option(min=1, help="simulated shifts")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="seed of the first shift")] = 0,
    variants: Annotated[bool, typer.Option(help="also where the assumptions are wrong")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure how often the stated intervals of mass hold. Exit code: 0 done."""
    sites = VARIANTS if variants else {"as assumed": VARIANTS["as assumed"]}
    figures = {}
    for name, site in sites.items():
        judged = [
            each
            for number in range(shifts)
            for each in judge_shift(site, DAYS[number % len(DAYS)], seed + number)
        ]
        figures[name] = table(judged)
    if as_json:
        print(json.dumps({"shifts": shifts, "sites": figures}))
        return
    for name, rows in figures.items():
        print(f"{name}, {shifts} shifts")
        print(f"  {'':32} held     95 % interval of that  high/low")
        for of, row in rows.items():
            interval = f"{row['held_low']:.1%} to {row['held_high']:.1%}"
            print(f"  {of:32} {row['held']:6.1%}   {interval:21}  {row['width']:8.2f}")


if __name__ == "__main__":
    typer.run(main)
