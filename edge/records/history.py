"""What the records come to by hour and by day, for the plots of the page.

An hour that is over is counted once and kept. What is not counted yet is counted a few hours at a
time, the newest first, so that an answer never takes long however many records there are.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise
from pathlib import Path

import numpy as np

from edge.labels import MANUAL, UNKNOWN
from edge.records.figures import Figures
from edge.records.hourly import HOUR_S, SETTLED_S, HourlyFigures
from edge.records.store import Store

HOURS, DAYS = 24, 30
"""What one plot shows."""
RECOUNTED_S = 10.0
"""An hour that is not settled is counted again after this time, s."""
BUDGET_S = 0.3
"""The time of one answer that is spent on counting, s."""
MOST_MOMENTS = 60_000
"""The maximum number of items of an hour whose latencies are read: 1,000 a minute."""
MOST_KEPT = 10_000
MOST_LABELS = 100
OTHER = "other"
STEPS = 30
"""Latency classes per factor of e: the percentiles are exact within 2 %."""
LOWEST_MS, HIGHEST_MS = 0.1, 1e7


class Scale(str, Enum):
    """What one bar of a plot is."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True)
class PeriodTally:
    """What the items of an hour or a day come to.

    Attributes:
        items: number of items.
        manual: of these, those that went to `manual`.
        per_label: label -> items; what is beyond `MOST_LABELS` is `other`.
        latencies: class of capture to verdict, see `STEPS` -> items.
    """

    items: int
    manual: int
    per_label: Mapping[str, int]
    latencies: Mapping[int, int]

    @property
    def unknown(self) -> int:
        """Items without a label."""
        return self.per_label.get(UNKNOWN, 0)

    def latency_ms(self, share: float) -> float | None:
        """Return the latency that `share` of the items, 0 to 1, do not exceed; None: unknown."""
        waiting = share * sum(self.latencies.values())
        for step, count in sorted(self.latencies.items()):
            waiting -= count
            if waiting <= 0:
                return math.exp(step / STEPS)
        return None


NOTHING = PeriodTally(0, 0, {}, {})


@dataclass(frozen=True)
class Bar:
    """One hour or day of a plot.

    Attributes:
        start, end: Unix seconds.
        tally: what its items come to; of what is counted of it, if it is not complete.
        complete: all of it is counted.
    """

    start: float
    end: float
    tally: PeriodTally
    complete: bool


def tally_of(figures: Figures) -> PeriodTally:
    """Count what the records of an hour come to."""
    labels: Counter[str] = Counter()
    for group in figures.groups:
        labels[group.label] += group.items
    took_ms = figures.moments[:, 1]
    bounded = np.clip(took_ms[np.isfinite(took_ms)], LOWEST_MS, HIGHEST_MS)
    steps, counts = np.unique(np.rint(STEPS * np.log(bounded)).astype(int), return_counts=True)
    return PeriodTally(
        items=sum(labels.values()),
        manual=sum(group.items for group in figures.groups if group.bin == MANUAL),
        per_label=_few(labels),
        latencies=dict(zip(steps.tolist(), counts.tolist(), strict=True)),
    )


def _few(labels: Counter[str]) -> dict[str, int]:
    few = dict(labels.most_common(MOST_LABELS))
    rest = sum(labels.values()) - sum(few.values())
    return {**few, OTHER: few.get(OTHER, 0) + rest} if rest else few


def merged(tallies: Iterable[PeriodTally]) -> PeriodTally:
    """Sum up tallies."""
    labels: Counter[str] = Counter()
    latencies: Counter[int] = Counter()
    items = manual = 0
    for tally in tallies:
        items, manual = items + tally.items, manual + tally.manual
        labels.update(tally.per_label)
        latencies.update(tally.latencies)
    return PeriodTally(items, manual, _few(labels), latencies)


def spans(scale: Scale, until: float) -> list[tuple[float, float]]:
    """Return start and end of each bar, Unix seconds, in local time.

    Args:
        scale: of the plot.
        until: within the last bar, Unix seconds.
    """
    midnight = datetime.fromtimestamp(until).replace(hour=0, minute=0, second=0, microsecond=0)
    if scale is Scale.DAY:
        starts = [midnight - timedelta(days=DAYS - 1 - number) for number in range(DAYS + 1)]
        edges = [start.timestamp() for start in starts]
    else:
        passed = math.floor((until - midnight.timestamp()) / HOUR_S)
        last = midnight.timestamp() + HOUR_S * passed
        edges = [last + HOUR_S * (number - HOURS + 1) for number in range(HOURS + 1)]
    return list(pairwise(edges))


class History:
    """Counts the records of one file by the hour, and keeps what it has counted.

    If the wall clock is set back, hours that were counted before are not counted again.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        hourly: HourlyFigures | None = None,
    ) -> None:
        """Count the records of `path`.

        Args:
            path: the file of records.
            clock: returns monotonic seconds.
            hourly: keeps the figures that were read, for reports.
        """
        self._path, self._clock = path, clock
        self._hourly = hourly or HourlyFigures(path)
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._kept: dict[float, tuple[PeriodTally, float]] = {}  # start of the hour -> valid until
        self._whole: dict[tuple[float, float], Bar] = {}

    def bars(self, bars: Sequence[tuple[float, float]], now: float) -> list[Bar]:
        """Return the bars, counting for `BUDGET_S` at most; what is missing comes the next time.

        Args:
            bars: start and end of each, Unix seconds.
            now: Unix seconds.

        Raises:
            EwasteError: the records cannot be read.
        """
        with self._lock, Store(self._path, read_only=True) as store:
            self._forget_another_file()
            deadline = self._clock() + BUDGET_S
            for start, end in reversed(bars):
                for hour in reversed([] if (start, end) in self._whole else _hours(start, end)):
                    if self._clock() < deadline:
                        self._count(store, hour, min(hour + HOUR_S, end), now)
            return [self._bar(start, end, now) for start, end in bars]

    def _forget_another_file(self) -> None:
        found = self._path.stat()
        if self._file != (found.st_dev, found.st_ino):
            self._kept.clear()
            self._whole.clear()
        self._file = found.st_dev, found.st_ino

    def _count(self, store: Store, hour: float, end: float, now: float) -> None:
        kept = self._kept.get(hour)
        if hour > now or (kept is not None and kept[1] > now):
            return
        tally = tally_of(self._hourly.read(store, hour, end, MOST_MOMENTS))
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        settled = end + SETTLED_S < now
        self._kept[hour] = (tally, math.inf if settled else now + RECOUNTED_S)

    def _bar(self, start: float, end: float, now: float) -> Bar:
        if (start, end) in self._whole:
            return self._whole[start, end]
        hours = [hour for hour in _hours(start, end) if hour <= now]
        found = [self._kept[hour][0] for hour in hours if hour in self._kept]
        bar = Bar(start, end, merged(found), len(found) == len(hours))
        if bar.complete and end + SETTLED_S < now:
            if len(self._whole) >= MOST_KEPT:
                self._whole.clear()
            self._whole[start, end] = bar
        return bar


def _hours(start: float, end: float) -> list[float]:
    return [start + HOUR_S * number for number in range(math.ceil((end - start) / HOUR_S))]
