"""Weighings of bins and classes, with the items that were recorded for each.

Each weight that a person enters as taken out of a bin is that of the items that went there since
the entry before. So the first entry of a bin only marks when its counting begins.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from edge.mass.calibration import UnusedWeighing, Weighing, WeighingFault
from edge.mass.items import ItemSums, SizedItems, added, of_bin, of_label, sized
from edge.mass.masses import Masses, masses_of
from edge.records.entries import ENTRIES_NAME, Entry, EntryKind, weights_between
from edge.records.item_sums import KeptSums
from edge.records.period import DAY_S, Period
from edge.records.store import Store

LEARNED_DAYS = 31
"""Levels are learned from so many days before the end of a period: what a line gets changes."""
MOST_WEIGHTS = 400
SAME_S = 900.0
"""Entries of a bin within this time, with no item between them, are one weighing."""
_PRUNED = "SELECT MIN(sequence), MIN(decided_at) FROM items"


@dataclass(frozen=True)
class _Key:
    """What was weighed: a bin, or a class; an empty name is all of the line."""

    kind: EntryKind
    name: str

    def part(self, items: list[SizedItems]) -> tuple[SizedItems, ...]:
        """Those of the items that belong to it."""
        if not self.name:
            return tuple(items)
        chosen = of_label if self.kind is EntryKind.CLASS else of_bin
        return tuple(chosen(items, self.name))


def read_masses(state: Path, store: Store, period: Period, kept: KeptSums) -> Masses:
    """Estimate what the items of a period weigh.

    The levels are those of the weighings in the days up to its end: a report of the same period is
    the same whenever it is made, unless an entry is added or withdrawn.

    Args:
        state: the state folder of the line.
        store: its records.
        period: of the items.
        kept: the sums of the records.

    Raises:
        EwasteError: something cannot be read, or is damaged.
    """
    weighings, left_out = read_weighings(state, store, period.end, kept)
    return masses_of(kept.read(store, period.start, period.end), weighings, left_out)


def read_weighings(
    state: Path, store: Store, until: float, kept: KeptSums
) -> tuple[list[Weighing], list[UnusedWeighing]]:
    """Read the weighings of the days before a moment, Unix seconds, and those that cannot be used.

    Raises:
        EwasteError: something cannot be read, or is damaged.
    """
    since = until - LEARNED_DAYS * DAY_S
    entries = weights_between(state / ENTRIES_NAME, since, until, MOST_WEIGHTS)
    by_key: dict[_Key, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.kind is not EntryKind.IN:
            by_key[_Key(entry.kind, entry.name)].append(entry)
    first, oldest = store.read(_PRUNED)[0]
    whole_from = oldest if isinstance(first, int) and first > 1 else since

    # Bins are weighed one after the other: what lies between two entries is read once for all.
    edges = sorted({entry.at for entry in entries})

    @cache
    def between(place: int) -> list[ItemSums]:
        return kept.read(store, edges[place], edges[place + 1])

    def sums(start: float, end: float) -> list[ItemSums]:
        places = range(bisect_left(edges, start), bisect_left(edges, end))
        return added(part for place in places for part in between(place))

    weighings: list[Weighing] = []
    left_out: list[UnusedWeighing] = []
    for key, own in by_key.items():
        found, faults = _of_key(key, own, sums, whole_from)
        weighings += found
        left_out += faults
    return sorted(weighings, key=lambda each: each.number), left_out


def _of_key(
    key: _Key,
    entries: Sequence[Entry],
    sums: Callable[[float, float], list[ItemSums]],
    whole_from: float,
) -> tuple[list[Weighing], list[UnusedWeighing]]:
    """The weighings of one bin or class, the oldest entry first."""
    found: list[Weighing] = []
    left_out = [UnusedWeighing(entries[0].number, WeighingFault.FIRST)]
    for before, entry in pairwise(entries):
        if before.at < whole_from:
            left_out.append(UnusedWeighing(entry.number, WeighingFault.NO_RECORDS))
            continue
        items = key.part(sized(sums(before.at, entry.at)))
        again = not items and entry.at - before.at <= SAME_S
        if again and found:
            last = found[-1]
            found[-1] = Weighing(entry.number, key.name, last.kg + entry.kg, last.items)
        elif again:
            left_out.append(UnusedWeighing(entry.number, WeighingFault.FIRST))
        else:
            found.append(Weighing(entry.number, key.name, entry.kg, items))
    return found, left_out
