"""The records of a line as the alarms judge them: counted by the hour, each hour once."""

import math
from collections import Counter
from pathlib import Path

from edge.alarms.catalog import WINDOW_S
from edge.alarms.drift import ItemCounts
from edge.alarms.signals import BinPurity
from edge.errors import EwasteError
from edge.labels import MANUAL, UNKNOWN
from edge.records.audits import AUDITS_NAME, audits_in, judge
from edge.records.figures import Figures
from edge.records.period import Period
from edge.records.store import Store
from edge.verdict import Reason

HOUR_S = 3600.0
REFERENCE_HOURS = 7 * 24
LEFT_OUT_HOURS = 2
"""The last hours are no part of what they are compared with."""
HOURS_AT_ONCE = 12
"""So many hours are counted in a minute: a quarter of an hour after a start all are known."""
AUDITS_S, MOST_AUDITS = 7 * 86400.0, 10
DOUBTS = frozenset(
    reason.value
    for reason in (
        Reason.UNSURE,
        Reason.OUT_OF_DISTRIBUTION,
        Reason.HAZARD_SUSPECTED,
        Reason.TOUCHING,
        Reason.NO_VIEW,
        Reason.NOT_CLASSIFIED,
        Reason.TOO_LATE,
        Reason.INVALID,
    )
)
"""Why an item goes to `manual` for itself. A camera fault, a pause, or a closed gate says nothing
about the items."""
UNLIKE = Reason.OUT_OF_DISTRIBUTION.value
DECIDED = DOUBTS | {
    reason.value
    for reason in (
        Reason.SORTED,
        Reason.NO_BIN,
        Reason.NO_GATE,
        Reason.GATE_CLOSED,
        Reason.NEIGHBOR_TOO_NEAR,
    )
}


def counts_of(figures: Figures) -> ItemCounts:
    """Count what the records of a period come to."""
    labels: Counter[str] = Counter()
    decided = unlike = manual = 0
    for group in figures.groups:
        if group.reason not in DECIDED:
            continue
        decided += group.items
        unlike += group.items if group.reason == UNLIKE else 0
        manual += group.items if group.bin == MANUAL and group.reason in DOUBTS else 0
        if group.label != UNKNOWN:
            labels[group.label] += group.items
    return ItemCounts(dict(labels), decided, unlike, manual)


class RecordCounts:
    """ItemCounts the last half hour, and the hours before, of one file."""

    def __init__(self, path: Path) -> None:
        """Count the records of `path`."""
        self._path = path
        self._hours: dict[int, ItemCounts] = {}
        self._file: tuple[int, int] | None = None

    def lately(self, now: float) -> tuple[ItemCounts, list[ItemCounts]]:
        """Return the items of the last half hour, and of each hour that they are compared with.

        Raises:
            EwasteError: the records cannot be read.
        """
        last = math.floor(now / HOUR_S) - LEFT_OUT_HOURS
        compared = range(last - REFERENCE_HOURS, last)
        self._forget_another_file()
        with Store(self._path, read_only=True) as store:
            missing = [hour for hour in reversed(compared) if hour not in self._hours]
            for hour in missing[:HOURS_AT_ONCE]:
                found = store.figures(hour * HOUR_S, (hour + 1) * HOUR_S, 0)
                self._hours[hour] = counts_of(found)
            recent = counts_of(store.figures(now - WINDOW_S, now, 0))
        self._hours = {hour: each for hour, each in self._hours.items() if hour in compared}
        return recent, list(self._hours.values())

    def _forget_another_file(self) -> None:
        try:
            found = self._path.stat()
        except OSError:
            raise EwasteError(f"{self._path}: there are no records") from None
        if self._file != (found.st_dev, found.st_ino):
            self._hours.clear()
        self._file = found.st_dev, found.st_ino


def newest_purities(state: Path, store_path: Path, now: float) -> list[BinPurity]:
    """Return the purity of each bin by its newest audit of the last days.

    Raises:
        EwasteError: audits or records cannot be read.
    """
    audits = audits_in(state / AUDITS_NAME, Period(now - AUDITS_S, now + 1), MOST_AUDITS)
    found: dict[str, BinPurity] = {}
    if not audits:
        return []
    with Store(store_path, read_only=True) as store:
        for audit in audits:
            for purity in judge(store, audit).purities:
                low, high = purity.interval
                found[purity.bin] = BinPurity(purity.bin, low, high)
    return list(found.values())
