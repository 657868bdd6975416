"""The report of a shift: what the records of a period come to, and what was entered by hand."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.labels import MANUAL, UNKNOWN
from edge.mass.masses import NO_MASSES, Masses
from edge.operation import Order
from edge.records.audits import AuditResult
from edge.records.entries import Entry, EntryKind
from edge.records.figures import Figures, RecordGroup
from edge.records.period import Period
from edge.records.pieces import PieceRecall, Window, recalls
from edge.verdict import Reason

GAP_S = 300.0
"""A time without an item that is worth a line in the report, s."""
MOST_GAPS = 20
FAULTS = (
    Reason.MODEL_FAULT,
    Reason.CAMERA_FAULT,
    Reason.ENCODER_FAULT,
    Reason.OUTPUT_FAULT,
    Reason.SENSOR_SILENT,
    Reason.LINE_ENDED,
)
"""Reasons that tell of a fault or of the end of the line."""
ORDERED = (Reason.PAUSED, Reason.ALL_MANUAL)
"""Reasons that tell of the operator."""


@dataclass(frozen=True)
class Occurrence:
    """What a class, a bin, a reason, or a bundle had of the items.

    Attributes:
        items: number of items.
        first_at, last_at: when the first and the last one was decided, Unix seconds.
    """

    items: int
    first_at: float
    last_at: float


@dataclass(frozen=True)
class Gap:
    """A time without an item, Unix seconds; the belt stood still, or nothing lay on it."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclass(frozen=True)
class Weighed:
    """What was weighed, kg by name of the bin or class; an empty name is all of the line."""

    fed: Mapping[str, float]
    taken: Mapping[str, float]
    classes: Mapping[str, float]

    def recovered(self, name: str) -> float | None:
        """Return what came out of a bin as a share of what was fed for it; None: not weighed."""
        fed = self.fed.get(name, 0.0)
        return self.taken[name] / fed if fed > 0 and name in self.taken else None


@dataclass(frozen=True)
class ShiftReport:
    """What a shift came to.

    Attributes:
        period: of the shift.
        comment: of the person who asks for the report; may be empty.
        items: number of items, like all counts here.
        late: items whose verdict came too late.
        counts: (label, bin) -> items.
        reasons: reason -> its share of the items.
        bundles: digest -> its share of the items.
        p50_ms, p99_ms: capture to verdict; NaN: not measured.
        measured: items with that latency.
        busiest_hour: the most items of an hour, counted from the start.
        gaps: times without an item of `GAP_S` or more, the longest `MOST_GAPS`, in order of time.
        gap_count: number of all such times.
        gap_s: their sum, s.
        weighed: what was entered.
        comments: what was entered, the oldest first.
        order: what the operator asked last, if that was within the period.
        audits: random audits that have to do with the period, the oldest first.
        windows: of test pieces that began in the period, the oldest first; those cancelled too.
        masses: what the items weigh, estimated.
    """

    period: Period
    comment: str
    items: int
    late: int
    counts: Mapping[tuple[str, str], int]
    reasons: Mapping[str, Occurrence]
    bundles: Mapping[str, Occurrence]
    p50_ms: float
    p99_ms: float
    measured: int
    busiest_hour: int
    gaps: tuple[Gap, ...]
    gap_count: int
    gap_s: float
    weighed: Weighed
    comments: tuple[Entry, ...]
    order: Order | None
    audits: tuple[AuditResult, ...] = ()
    windows: tuple[Window, ...] = ()
    masses: Masses = NO_MASSES

    @property
    def recalls(self) -> list[PieceRecall]:
        """What the test pieces of each class come to."""
        return recalls(self.windows)

    @property
    def per_label(self) -> dict[str, int]:
        """Label -> items, `unknown` last."""
        return _summed(self.counts, 0, UNKNOWN)

    @property
    def per_bin(self) -> dict[str, int]:
        """Bin -> items, `manual` last."""
        return _summed(self.counts, 1, MANUAL)

    @property
    def unknown(self) -> int:
        """Items without a label."""
        return self.per_label.get(UNKNOWN, 0)

    @property
    def manual(self) -> int:
        """Items that went to `manual`."""
        return self.per_bin.get(MANUAL, 0)

    @property
    def per_hour(self) -> float:
        """Items an hour, over all of the period."""
        return self.items / self.period.hours

    def share(self, items: int) -> float | None:
        """Return the share that `items` have of all; None: there are none."""
        return items / self.items if self.items else None


def _summed(counts: Mapping[tuple[str, str], int], place: int, last: str) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for key, items in counts.items():
        sums[key[place]] += items
    return {name: sums[name] for name in sorted(sums, key=lambda name: (name == last, name))}


def make_report(
    period: Period,
    figures: Figures,
    entries: Sequence[Entry] = (),
    *,
    comment: str = "",
    order: Order | None = None,
    audits: Sequence[AuditResult] = (),
    windows: Sequence[Window] = (),
    masses: Masses = NO_MASSES,
) -> ShiftReport:
    """Make the report of a period.

    Args:
        period: of the shift.
        figures: what its records come to, with all moments.
        entries: what was entered by hand for it.
        comment: a few words on it.
        order: what the operator asked last.
        audits: random audits that have to do with it.
        windows: of test pieces that began in it.
        masses: what its items weigh.
    """
    items = sum(group.items for group in figures.groups)
    times, latencies = figures.moments.T
    latencies = latencies[np.isfinite(latencies)]
    p50, p99 = np.percentile(latencies, (50, 99)).tolist() if len(latencies) else (math.nan,) * 2
    hours = np.bincount(((times - period.start) // 3600).astype(int))
    gaps = _gaps(times, period)
    longest = sorted(gaps, key=lambda gap: -gap.seconds)[:MOST_GAPS]
    return ShiftReport(
        period=period,
        comment=comment,
        items=items,
        late=sum(group.items for group in figures.groups if group.late),
        counts=_counts(figures.groups),
        reasons=_shares(figures.groups, "reason"),
        bundles=_shares(figures.groups, "bundle"),
        p50_ms=p50,
        p99_ms=p99,
        measured=len(latencies),
        busiest_hour=int(hours.max(initial=0)),
        gaps=tuple(sorted(longest, key=lambda gap: gap.start)),
        gap_count=len(gaps),
        gap_s=sum(gap.seconds for gap in gaps),
        weighed=_weighed(entries),
        comments=tuple(entry for entry in entries if entry.kind is EntryKind.COMMENT),
        order=order if order and order.by and period.start <= order.at < period.end else None,
        audits=tuple(audits),
        windows=tuple(windows),
        masses=masses,
    )


def _gaps(times: np.ndarray, period: Period) -> list[Gap]:
    """Find the times without an item, given the rising float64 [items] of when each was decided."""
    edges = np.concatenate(([period.start], times, [period.end]))
    starts = np.flatnonzero(np.diff(edges) >= GAP_S)
    return [Gap(float(edges[start]), float(edges[start + 1])) for start in starts]


def _counts(groups: Sequence[RecordGroup]) -> dict[tuple[str, str], int]:
    counts: Counter[tuple[str, str]] = Counter()
    for group in groups:
        counts[group.label, group.bin] += group.items
    return dict(sorted(counts.items()))


def _shares(groups: Sequence[RecordGroup], field: str) -> dict[str, Occurrence]:
    """Sum up groups by one of their fields, in order of the first item."""
    found: dict[str, Occurrence] = {}
    for group in groups:
        name = getattr(group, field)
        before = found.get(name, Occurrence(0, group.first_at, group.last_at))
        found[name] = Occurrence(
            before.items + group.items,
            min(before.first_at, group.first_at),
            max(before.last_at, group.last_at),
        )
    return dict(sorted(found.items(), key=lambda pair: (pair[1].first_at, pair[0])))


def _weighed(entries: Sequence[Entry]) -> Weighed:
    sums: dict[EntryKind, dict[str, float]] = {kind: defaultdict(float) for kind in EntryKind}
    for entry in entries:
        sums[entry.kind][entry.name] += entry.kg
    return Weighed(
        *(
            dict(sorted(sums[kind].items()))
            for kind in (EntryKind.IN, EntryKind.OUT, EntryKind.CLASS)
        )
    )
