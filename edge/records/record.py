"""What is recorded of one item, and the row of SQLite that holds it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from edge.verdict import Reason


@dataclass(frozen=True)
class ItemRecord:
    """What is recorded of one item.

    Attributes:
        item_id: name of the item, unique over all runs.
        decided_at: unix seconds of the verdict.
        label: one of the model's classes, or `unknown`.
        confidence: 0 to 1.
        bin: where the item went.
        reason: why, for programs.
        detail: why, in words for a person.
        position_mm: belt position of the item's center when it was last seen.
        offset_mm: the item's distance across the belt from its middle line.
        views: number of views that were classified.
        detect_ms: time of the last detection pass.
        classify_ms: time of the model for all views.
        verdict_ms: time from the capture of the frame that brought the verdict to the verdict.
        late: the verdict came too late for the gate.
        bundle: digest of the bundle that decided.
        crop: the best view as JPEG; empty when it was given up or there is none.
        length_mm: the item's length along the belt.
        top_label: the most probable class over the views, also when it is not probable enough for
            a label; empty when there was no view.
        review: why a person should review it (`edge.records.review`); empty: no review is needed.
        reviewed: the label that a person gave it; empty: none.
        longer_mm: the item's longer side, however it lay.
        no_class: why a person gave it no label (`edge.records.reviews.NoClass`); empty: a person
            did, or has not reviewed it.
        sensors: what other sensors found (`edge.decision.sensing.written`); empty: none was asked.
        area_mm2: the area of its outline on the belt, mm².
        likeness: how much it is like the known classes (`edge.inference.ood`), in the units of the
            bundle's score.
        code: of its embedding (`edge.inference.embedding_code`); empty: there was no view. It is
            stored beside a crop that waits for review, and not read back with the record.

    A float that was not measured may be NaN.
    """

    item_id: str
    decided_at: float
    label: str
    confidence: float
    bin: str
    reason: Reason
    detail: str = field(default="", kw_only=True)
    position_mm: float
    offset_mm: float
    views: int
    detect_ms: float
    classify_ms: float
    verdict_ms: float
    late: bool
    bundle: str
    crop: bytes
    length_mm: float = math.nan
    top_label: str = ""
    review: str = ""
    reviewed: str = ""
    longer_mm: float = math.nan
    no_class: str = ""
    sensors: str = ""
    area_mm2: float = math.nan
    likeness: float = math.nan
    code: bytes = field(default=b"", kw_only=True, compare=False, repr=False)


COLUMNS: dict[str, type] = {
    name: kind for name, kind in get_type_hints(ItemRecord).items() if name not in ("crop", "code")
}
"""Column -> the type of its values, in the order of `ItemRecord`."""
COLUMN_NAMES = tuple(COLUMNS)
COLUMN_LIST = ", ".join(COLUMN_NAMES)
INSERT = (
    f"INSERT INTO items ({COLUMN_LIST}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (item_id) DO NOTHING"
)
INSERT_CROP = "INSERT INTO crops (sequence, keep_for_review, jpeg) VALUES (?, ?, ?)"
INSERT_CODE = "INSERT INTO codes (sequence, code) VALUES (?, ?)"
SELECT = f"SELECT sequence, jpeg, {COLUMN_LIST} FROM items LEFT JOIN crops USING (sequence)"
SELECT_PLAIN = f"SELECT sequence, NULL, {COLUMN_LIST} FROM items"
STORED_AS: dict[type, tuple[type, ...]] = {
    float: (float, int, type(None)),
    int: (int,),
    bool: (int,),
    str: (str,),
    Reason: (str,),
}


def to_row(record: ItemRecord) -> list[Any]:
    """Turn the record, but for its crop, into SQLite values; NumPy scalars become plain ones."""
    values = [kind(getattr(record, name)) for name, kind in COLUMNS.items()]
    return [value.value if isinstance(value, Reason) else value for value in values]


def from_row(row: Sequence[Any]) -> ItemRecord:
    """Turn a row of `SELECT` into its record; SQLite keeps NaN as NULL.

    Raises:
        ValueError: a value is not of the type of its column.
    """
    plain: dict[str, Any] = {}
    for (name, kind), value in zip(COLUMNS.items(), row[2:], strict=True):
        if not isinstance(value, STORED_AS[kind]):
            raise ValueError(f"{name} of record {row[0]} is {type(value).__name__}")
        try:
            plain[name] = math.nan if value is None else kind(value)
        except ValueError:
            raise ValueError(f"{name} of record {row[0]} is not known") from None
    if not isinstance(row[1], (bytes, type(None))):
        raise ValueError(f"crop of record {row[0]} is {type(row[1]).__name__}")
    return ItemRecord(crop=row[1] or b"", **plain)
