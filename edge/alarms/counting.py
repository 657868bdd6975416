"""The records of a line as the alarms judge them: counted by the hour, each hour once."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.alarms.catalog import WINDOW_S
from edge.alarms.drift import ItemCounts
from edge.alarms.evidence import Compared, Hour, evidence_of
from edge.alarms.shifts import ItemMeasures, judged_likeness, judged_sizes
from edge.alarms.signals import BinPurity, Facts
from edge.bundle.sizes import LONGEST_MM, SHORTEST_MM, SizeDistribution
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
LOOKED_BACK = 48
"""So many hours, of those that the last ones are compared with, may show when a change began."""
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


MEASURES = """
SELECT label, top_label, bundle, longer_mm, likeness FROM items
WHERE decided_at >= ? AND decided_at < ? LIMIT ?
"""
Sizes = Callable[[], Mapping[str, SizeDistribution]]
MOST_MEASURED = 3000
"""Of so many items of an hour at most, sizes and likeness are kept."""


def measures_of(store: Store, start: float, end: float) -> ItemMeasures:
    """Read what was measured of the items of a time, Unix seconds.

    Raises:
        EwasteError: the records cannot be read.
    """
    rows = store.read(MEASURES, start, end, MOST_MEASURED)
    bundles = Counter(row[2] for row in rows if isinstance(row[4], (int, float)))
    bundle = max(bundles, key=lambda name: bundles[name], default="")
    sizes: dict[str, list[float]] = defaultdict(list)
    likeness: dict[str, list[float]] = defaultdict(list)
    for label, top_label, decided_by, longer, score in rows:
        if isinstance(label, str) and label != UNKNOWN and _is_size(longer):
            sizes[label].append(math.log(longer))
        if decided_by == bundle and isinstance(top_label, str) and _is_finite(score):
            likeness[top_label].append(score)
    return ItemMeasures(_arrays(sizes), _arrays(likeness), bundle)


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_size(value: object) -> bool:
    return isinstance(value, (int, float)) and SHORTEST_MM <= value <= LONGEST_MM


def _arrays(lists: dict[str, list[float]]) -> dict[str, np.ndarray]:
    return {label: np.array(each) for label, each in lists.items()}


class RecordCounts:
    """Counts and measures the last half hour, and the hours before, of one file."""

    def __init__(self, path: Path, sizes: Sizes = dict) -> None:
        """Count the records of `path`; `sizes` gives those of the bundle or the configuration."""
        self._path, self._sizes = path, sizes
        self._hours: dict[int, Hour] = {}
        self._file: tuple[int, int] | None = None

    def lately(self, now: float) -> Facts:
        """Return what the last half hour says beside the hours that it is compared with.

        Raises:
            EwasteError: the records cannot be read.
        """
        present = math.floor(now / HOUR_S)
        last = present - LEFT_OUT_HOURS
        compared = range(last - REFERENCE_HOURS, last)
        self._forget_another_file()
        with Store(self._path, read_only=True) as store:
            missing = [hour for hour in reversed(compared) if hour not in self._hours]
            for hour in missing[:HOURS_AT_ONCE]:
                self._hours[hour] = _read(store, hour * HOUR_S, (hour + 1) * HOUR_S)
            known = {hour: each for hour, each in sorted(self._hours.items()) if hour in compared}
            self._hours = known
            new = [_read(store, h * HOUR_S, (h + 1) * HOUR_S) for h in range(last, present)]
            new.append(_read(store, present * HOUR_S, now))
            recent = [*list(known.values())[-LOOKED_BACK:], *new]
            found = Compared(
                _read(store, now - WINDOW_S, now), list(known.values()), recent, self._sizes()
            )
            facts = facts_of(found)
            return replace(facts, evidence=evidence_of(facts, found, store, now))

    def _forget_another_file(self) -> None:
        try:
            found = self._path.stat()
        except OSError:
            raise EwasteError(f"{self._path}: there are no records") from None
        if self._file != (found.st_dev, found.st_ino):
            self._hours.clear()
        self._file = found.st_dev, found.st_ino


def facts_of(compared: Compared) -> Facts:
    """Return what the last items say, without what shows it."""
    lately, before = compared.lately, compared.before
    measured = [hour.measured for hour in before]
    return Facts(
        lately=lately.counts,
        hours=tuple(hour.counts for hour in before),
        sizes=judged_sizes(lately.measured, measured, compared.sizes),
        likeness=judged_likeness(lately.measured, measured),
    )


def _read(store: Store, start: float, end: float) -> Hour:
    return Hour(start, counts_of(store.figures(start, end, 0)), measures_of(store, start, end))


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
