"""When a change of the items began, and the items whose pictures show it best."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.alarms.alarm import MOST_EXAMPLES, Evidence, Signal
from edge.alarms.catalog import WINDOW_S, AlarmName
from edge.alarms.drift import ItemCounts, divergence, total
from edge.alarms.shifts import (
    MEDIAN,
    UPPER,
    Figures,
    ItemMeasures,
    Usual,
    label_alone,
    pooled,
    shift_of,
    usual_of,
    usual_sizes,
)
from edge.alarms.signals import Facts, read_items
from edge.bundle.sizes import SizeDistribution
from edge.records.store import Store
from edge.verdict import Reason

LEAST_IN_HOUR = 30
"""Fewer items do not say whether an hour was like the last one."""
HALF = 0.5
"""A change began with the first hour that shows so much of it."""
MOST_LOOKED_AT = 2000
_WITH_CROP = """
SELECT item_id, label, top_label, reason, longer_mm, likeness FROM items
WHERE decided_at >= ? AND decided_at < ? AND sequence IN (SELECT sequence FROM crops)
ORDER BY decided_at DESC LIMIT ?
"""


@dataclass(frozen=True)
class Hour:
    """The items of one hour that began at `start`, Unix seconds."""

    start: float
    counts: ItemCounts
    measured: ItemMeasures


@dataclass(frozen=True)
class Compared:
    """What changes are judged by.

    Attributes:
        lately: counts and measures of the last half hour.
        before: of the hours that it is compared with.
        recent: the last hours, the oldest first, the present one too.
        sizes: of the bundle or the configuration.
    """

    lately: Hour
    before: Sequence[Hour]
    recent: Sequence[Hour]
    sizes: Mapping[str, SizeDistribution]


def evidence_of(
    facts: Facts, compared: Compared, store: Store, now: float
) -> dict[AlarmName, Evidence]:
    """Find what shows each change that is there now.

    Args:
        facts: what the changes are judged by.
        compared: the items behind it.
        store: their records.
        now: Unix seconds.

    Raises:
        EwasteError: the records cannot be read.
    """
    present = [name for name, found in read_items(facts).items() if found.signal is Signal.PRESENT]
    known = [name for name in present if name in _SHOWN]
    if not known:
        return {}
    rows = [
        _Row(*row)
        for row in store.read(_WITH_CROP, now - WINDOW_S, now, MOST_LOOKED_AT)
        if isinstance(row[0], str)
    ]
    found = {}
    for name in known:
        share, worth = _SHOWN[name](facts, compared)
        rated = sorted(((worth(row), place) for place, row in enumerate(rows)), reverse=True)
        best = [rows[place].item_id for rating, place in rated if rating > 0]
        found[name] = Evidence(_began(compared.recent, share), tuple(best[:MOST_EXAMPLES]))
    return found


@dataclass(frozen=True)
class _Row:
    """An item with a picture, as it is recorded."""

    item_id: str
    label: object
    top_label: object
    reason: object
    longer_mm: object
    likeness: object

    def size(self) -> float:
        """Logarithm of its longer side; NaN: not measured."""
        value = self.longer_mm
        return math.log(value) if isinstance(value, (int, float)) and value > 0 else math.nan


_Share = Callable[[Hour], float | None]
"""How much of a change an hour shows, 1 for all of it; None: it has too few items."""
_Worth = Callable[[_Row], float]
"""How well an item shows a change; not above 0: it does not."""


def _began(recent: Sequence[Hour], share: _Share) -> float | None:
    """The beginning of the first hour that shows the change, up to now without a break."""
    began = None
    for hour in reversed(recent):
        found = share(hour)
        if found is not None and found < HALF:
            break
        if found is not None:
            began = hour.start
    return began


def _by_sizes(facts: Facts, compared: Compared) -> tuple[_Share, _Worth]:
    judged = facts.sizes
    assert judged is not None, "the change is there"
    usual, amount = usual_sizes(compared.sizes), judged.shift.amount
    if judged.learned:
        usual = _usual([hour.measured.sizes for hour in compared.before], MEDIAN)
    if label := label_alone(judged):
        amount, usual = judged.alone[label], {label: usual[label]}

    def share(hour: Hour) -> float | None:
        found = shift_of(hour.measured.sizes, usual, LEAST_IN_HOUR)
        return None if found is None else found.amount / amount

    def worth(row: _Row) -> float:
        known = usual.get(row.label) if isinstance(row.label, str) else None
        value = (row.size() - known.quantile) * math.copysign(1, amount) if known else math.nan
        return value if math.isfinite(value) else 0.0

    return share, worth


def _by_likeness(facts: Facts, compared: Compared) -> tuple[_Share, _Worth]:
    bundle = compared.lately.measured.bundle
    past = [h.measured.likeness for h in compared.before if h.measured.bundle == bundle]
    usual = _usual(past, UPPER)
    assert facts.likeness is not None, "the change is there"
    effect = facts.likeness.shift.effect

    def share(hour: Hour) -> float | None:
        found = shift_of(hour.measured.likeness, usual, LEAST_IN_HOUR, UPPER)
        return None if found is None else found.effect / effect

    def worth(row: _Row) -> float:
        known = usual.get(row.top_label) if isinstance(row.top_label, str) else None
        if known is None or not isinstance(row.likeness, (int, float)):
            return 0.0
        return (known.quantile - row.likeness) / known.spread

    return share, worth


def _by_mix(facts: Facts, compared: Compared) -> tuple[_Share, _Worth]:
    before = total([hour.counts for hour in compared.before]).labels
    now = compared.lately.counts.labels
    bits = divergence(now, before)
    n, m = max(1, sum(now.values())), max(1, sum(before.values()))
    more = {label: now[label] / n - before.get(label, 0) / m for label in now}

    def share(hour: Hour) -> float | None:
        labels = hour.counts.labels
        if sum(labels.values()) < LEAST_IN_HOUR or not bits:
            return None
        # An hour of few items differs from all by chance; what matters is where it points to.
        return divergence(labels, before) / bits if divergence(labels, now) < bits else 0.0

    def worth(row: _Row) -> float:
        return more.get(row.label, 0.0) if isinstance(row.label, str) else 0.0

    return share, worth


def _by_unlike(facts: Facts, compared: Compared) -> tuple[_Share, _Worth]:
    before = total([hour.counts for hour in compared.before])
    usual = before.unlike_known / max(1, before.decided)
    lately = compared.lately.counts
    rise = lately.unlike_known / max(1, lately.decided) - usual

    def share(hour: Hour) -> float | None:
        if hour.counts.decided < LEAST_IN_HOUR or rise <= 0:
            return None
        return (hour.counts.unlike_known / hour.counts.decided - usual) / rise

    def worth(row: _Row) -> float:
        if row.reason != Reason.OUT_OF_DISTRIBUTION.value:
            return 0.0
        value = row.likeness if isinstance(row.likeness, (int, float)) else 0.0
        return 1.0 + 1.0 / (1.0 + math.exp(min(50.0, max(-50.0, value))))

    return share, worth


def _usual(past: Sequence[Figures], quantile: float) -> dict[str, Usual]:
    return usual_of(pooled(past), quantile)


_SHOWN: Mapping[AlarmName, Callable[[Facts, Compared], tuple[_Share, _Worth]]] = {
    AlarmName.SIZES_CHANGED: _by_sizes,
    AlarmName.LOOKS_CHANGED: _by_likeness,
    AlarmName.CLASS_MIX: _by_mix,
    AlarmName.UNLIKE_KNOWN: _by_unlike,
}
