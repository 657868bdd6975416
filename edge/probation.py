"""Probation: whether a new bundle does worse on the belt than the one before it.

Three things are compared: how many items the model left unknown or sent to `manual`, how often it
failed, and how long it took. The first two are shares, which must differ by more than chance and by
more than a trifle; the last is a ratio of medians.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from edge.labels import MANUAL, UNKNOWN
from edge.records.store import Store
from edge.verdict import Reason

CHANCE = 1e-4
"""The confidence is 99.99 %: so improbable must a difference be, if the true shares are the same,
to be taken for a worse bundle. Two shares are looked at up to four times, so chance alone rolls
back less than one of 1,000 bundles that are as good as the one before."""
LEAST_DIFFERENCE = 0.05
"""Of a share. With many items a trifle is significant too."""
SLOWER = 1.5
"""The median time of an inference may grow by this factor."""
LEAST_SLOWER_MS = 5.0
"""And by this: a smaller difference delays no gate."""
LEAST_ITEMS = 25
"""Fewer items than this are not judged, or not judged by."""
LOOKS = (8, 4, 2, 1)
"""The items are judged when an eighth of them is there, a quarter, the half, and all."""
READ_FOR_ONE = 20
"""So many records are looked at for each item that is asked for, at most."""
DOUBTS = frozenset(
    {
        Reason.UNSURE,
        Reason.OUT_OF_DISTRIBUTION,
        Reason.HAZARD_SUSPECTED,
        Reason.NO_BIN,
        Reason.NOT_CLASSIFIED,
        Reason.TOO_LATE,
        Reason.INVALID,
        Reason.MODEL_FAULT,
        Reason.TOUCHING,
    }
)
"""Why an item is unknown or goes to `manual` for the model's answer, or for want of one in time. A
pause or a camera fault says nothing about the model, nor does an item that touches another one by
its outline alone: it has no views."""
COUNTED = DOUBTS | {
    Reason.SORTED,
    Reason.NO_GATE,
    Reason.GATE_CLOSED,
    Reason.NEIGHBOR_TOO_NEAR,
}


@dataclass(frozen=True)
class ItemSample:
    """What the items of one bundle come to.

    Attributes:
        items: that the model decided on, or was to.
        doubtful: of these, those that are unknown or went to `manual` for a doubt.
        faults: of these, those that the model failed at.
        median_ms: of one inference; NaN: there was none.
    """

    items: int
    doubtful: int
    faults: int
    median_ms: float


class Measure(str, Enum):
    """What is compared."""

    DOUBTFUL = "items unknown or by hand"
    FAULTS = "items that the model failed at"
    LATENCY = "time of an inference"


@dataclass(frozen=True)
class Worse:
    """By what a bundle is worse than the one before it.

    Attributes:
        measure: what was compared.
        trial, reference: the share, or the median in ms, of the new bundle and of the one before.
        items, compared: number of items of each.
    """

    measure: Measure
    trial: float
    reference: float
    items: int
    compared: int

    @property
    def in_words(self) -> str:
        """One line for a person."""
        shown = "{:.1f} ms" if self.measure is Measure.LATENCY else "{:.1%}"
        trial, reference = shown.format(self.trial), shown.format(self.reference)
        return (
            f"{self.measure.value}: {trial} over {self.items} items, "
            f"{reference} over {self.compared} before"
        )


def find_worse(trial: ItemSample, reference: ItemSample) -> Worse | None:
    """By what a bundle is worse than the one before it; None: by nothing that can be shown.

    Args:
        trial: its first items.
        reference: the last items of the bundle before it.
    """
    if trial.items < LEAST_ITEMS or reference.items < LEAST_ITEMS:
        return None
    for measure, new, old in (
        (Measure.FAULTS, trial.faults, reference.faults),
        (Measure.DOUBTFUL, trial.doubtful, reference.doubtful),
    ):
        if is_higher(new, trial.items, old, reference.items):
            shares = new / trial.items, old / reference.items
            return Worse(measure, *shares, trial.items, reference.items)
    new_ms, old_ms = trial.median_ms, reference.median_ms
    # Asked this way round, what is no number is no reason.
    if new_ms > SLOWER * old_ms and new_ms - old_ms > LEAST_SLOWER_MS:
        return Worse(Measure.LATENCY, new_ms, old_ms, trial.items, reference.items)
    return None


def is_higher(new: int, of_new: int, old: int, of_old: int) -> bool:
    """Whether a share is higher than another by more than chance and by more than a trifle.

    Args:
        new: number of items counted in the sample that may have more.
        of_new: number of all its items.
        old: number of items counted in the other sample.
        of_old: number of all its items.
    """
    difference = new / of_new - old / of_old
    return difference >= LEAST_DIFFERENCE and chance_of(new, of_new, old, of_old) < CHANCE


def chance_of(new: int, of_new: int, old: int, of_old: int) -> float:
    """The probability of a difference at least so large where the true shares are the same.

    Fisher's exact test of two proportions, one-sided: of all items together, so many are counted;
    how likely are `new` or more of them in the new sample, by chance alone?

    Source: R. A. Fisher, "The logic of inductive inference", Journal of the Royal Statistical
    Society 98 (1935), 39-82.

    Args:
        new: as for `is_higher`, from 0 to `of_new`.
        of_new: as for `is_higher`.
        old: as for `is_higher`, from 0 to `of_old`.
        of_old: as for `is_higher`.

    Returns:
        0 to 1.

    Raises:
        ValueError: a count is out of its range.
    """
    if not (0 <= new <= of_new and 0 <= old <= of_old):
        raise ValueError(f"expected counts within {of_new} and {of_old}, got {new} and {old}")
    counted = new + old
    all_ways = _log_ways(of_new + of_old, counted)
    most = min(counted, of_new)
    chances = (
        math.exp(_log_ways(of_new, k) + _log_ways(of_old, counted - k) - all_ways)
        for k in range(new, most + 1)
    )
    return min(1.0, math.fsum(chances))


def _log_ways(n: int, k: int) -> float:
    """The logarithm of the number of ways to choose k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def looks_due(items: int, probation_items: int) -> int:
    """How many looks at a bundle are due after so many of its items, 0 to `len(LOOKS)`.

    Args:
        items: of the bundle so far.
        probation_items: after how many its probation ends.
    """
    due = [max(LEAST_ITEMS, probation_items // part) for part in LOOKS]
    return sum(items >= each for each in due)


def first_items(store: Store, decided: Sequence[str], since: float, most: int) -> ItemSample:
    """The first items that a bundle decided on.

    Args:
        store: the open file of records.
        decided: its digest, and those of what was learned beside it.
        since: when it came into use, unix seconds.
        most: number of items, at most.

    Raises:
        EwasteError: the records cannot be read.
    """
    query = (
        "SELECT label, bin, reason, views, classify_ms FROM "
        "(SELECT * FROM items ORDER BY sequence DESC LIMIT ?) "
        f"WHERE bundle IN ({_places(decided)}) AND decided_at >= ? AND {_COUNTED} "
        "ORDER BY sequence LIMIT ?"
    )
    return sample_of(store.read(query, most * READ_FOR_ONE, *decided, since, *_REASONS, most))


def last_items(store: Store, decided: Sequence[str], until: float, most: int) -> ItemSample:
    """The last items that a bundle decided on before a time; the rest is as for `first_items`."""
    query = (
        "SELECT label, bin, reason, views, classify_ms FROM "
        "(SELECT * FROM items WHERE decided_at < ? ORDER BY sequence DESC LIMIT ?) "
        f"WHERE bundle IN ({_places(decided)}) AND {_COUNTED} ORDER BY sequence DESC LIMIT ?"
    )
    return sample_of(store.read(query, until, most * READ_FOR_ONE, *decided, *_REASONS, most))


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


_REASONS = tuple(sorted(reason.value for reason in COUNTED))
_COUNTED = f"reason IN ({_places(_REASONS)}) AND (reason != '{Reason.TOUCHING.value}' OR views > 0)"


def sample_of(rows: Sequence[tuple[str, str, str, int, float | None]]) -> ItemSample:
    """Count rows of label, bin, reason, number of views, and ms of all their inferences."""
    doubts = {reason.value for reason in DOUBTS}
    times = [
        took_ms / views
        for _, _, _, views, took_ms in rows
        if views > 0 and took_ms is not None and math.isfinite(took_ms)
    ]
    return ItemSample(
        items=len(rows),
        doubtful=sum(
            label == UNKNOWN or (bin_name == MANUAL and reason in doubts)
            for label, bin_name, reason, _, _ in rows
        ),
        faults=sum(reason == Reason.MODEL_FAULT.value for _, _, reason, _, _ in rows),
        median_ms=median(times) if times else math.nan,
    )
