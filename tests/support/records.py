"""A record of one item, and what tests ask of a file of records."""

from collections import Counter
from dataclasses import replace
from typing import Any

from edge.records.record import ItemRecord
from edge.records.store import Store
from edge.verdict import Reason

RECORD = ItemRecord(
    item_id="run-0",
    decided_at=1_700_000_000.25,
    label="Battery",
    confidence=0.97,
    bin="hazard",
    reason=Reason.SORTED,
    detail="Battery 97% over 3 views",
    position_mm=1234.5,
    offset_mm=-12.0,
    views=3,
    detect_ms=1.5,
    classify_ms=46.0,
    verdict_ms=61.0,
    late=False,
    bundle="sha256:1f",
    crop=b"\xff\xd8 a crop",
)


def records(count: int, **changes: Any) -> list[ItemRecord]:
    """Records of so many items."""
    return [replace(RECORD, item_id=f"run-{number}", **changes) for number in range(count)]


def count_of(store: Store) -> int:
    """How many records a file holds."""
    return sum(1 for _ in store.all(crops=False))


def labels_in(store: Store) -> Counter[str]:
    """How many records a file holds of each label."""
    return Counter(record.label for record in store.all(crops=False))


def bins_in(store: Store) -> Counter[str]:
    """How many records a file holds of each bin."""
    return Counter(record.bin for record in store.all(crops=False))
