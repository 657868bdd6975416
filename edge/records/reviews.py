"""What persons say of items: a label, or why there is none, with who and when.

The verdict of the model stays as it is. Each answer is a row of its own; one that is undone stays
too, and says so. The columns `reviewed` and `no_class` of an item hold the answer that stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from edge.errors import BadInput, EwasteError
from edge.records.damage import Damaged
from edge.records.database import LARGEST_SEQUENCE
from edge.records.opening import open_to_add
from edge.records.review import SAMPLE
from edge.records.schema import SCHEMA_VERSION
from edge.records.search import WAITING, Found, read_found
from edge.records.store import Store
from edge.records.tables import is_ours, version_of

LONGEST_WAIT_S = 1.0
"""Longest wait for the line, which writes the same file, s."""
MOST_COUNTED = 10_000
MOST_HISTORY = 50
MOST_LOOKED_AT = 100_000
"""Number of waiting records that are looked at for one that still has its crop."""


class NoClass(str, Enum):
    """Why a person gives an item no label."""

    NO_ITEM = "no_item"
    SEVERAL_ITEMS = "several_items"
    OTHER = "other"


@dataclass(frozen=True)
class Review:
    """One answer of a person on one item.

    Attributes:
        number: of the answer, in the order of time.
        item_id: the item.
        label: the class that the person gave it; empty: none.
        no_class: why there is no label; empty: there is one.
        reviewer: who.
        reviewed_at: when, unix seconds; None: an earlier version did not record it.
        undone_by: who undid it; None: it stands.
        undone_at: when, unix seconds.
    """

    number: int
    item_id: str
    label: str
    no_class: str
    reviewer: str
    reviewed_at: float | None
    undone_by: str | None
    undone_at: float | None


_REVIEW = (
    "SELECT number, item_id, reviews.label, reviews.no_class, reviewer, reviewed_at, undone_by, "
    "undone_at FROM reviews JOIN items USING (sequence)"
)
_KINDS = (int, str, str, str, str, float | None, str | None, float | None)


def history(store: Store, item_id: str) -> list[Review]:
    """Read the last answers on an item, the newest first.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    query = f"{_REVIEW} WHERE item_id = ? ORDER BY number DESC LIMIT ?"
    return [_review(store, row) for row in store.read(query, item_id, MOST_HISTORY)]


def last_standing(store: Store, reviewer: str) -> Review | None:
    """Read the last answer of a person that is not undone; None: there is none."""
    query = (
        f"{_REVIEW} WHERE reviewer = ? AND undone_by IS NULL AND reviewed_at IS NOT NULL "
        "ORDER BY number DESC LIMIT 1"
    )
    rows = store.read(query, reviewer)
    return _review(store, rows[0]) if rows else None


def _review(store: Store, row: Any) -> Review:
    if not all(isinstance(value, kind) for value, kind in zip(row, _KINDS, strict=True)):
        raise Damaged(f"{store.path}: is damaged (a review is no review)")
    return Review(*row)


def next_waiting(
    store: Store, *, before: int = LARGEST_SEQUENCE, only_sample: bool = False
) -> Found | None:
    """Return the newest item before a place that waits for review and has a crop, or None."""
    return _waiting(store, f"sequence < ? AND {_share(only_sample)}", "DESC", before)


def previous_waiting(store: Store, *, after: int, only_sample: bool = False) -> Found | None:
    """Return the oldest item after a place that waits for review and has a crop, or None."""
    return _waiting(store, f"sequence > ? AND {_share(only_sample)}", "ASC", after)


def _share(only_sample: bool) -> str:
    return f"review = '{SAMPLE}'" if only_sample else "TRUE"


def _waiting(store: Store, condition: str, order: str, start: int) -> Found | None:
    # The crops of the oldest items go first: where none is left, nothing is looked through.
    query = (
        f"SELECT place FROM (SELECT sequence AS place FROM items WHERE {WAITING} "
        f"AND sequence >= {_FIRST_CROP} AND {condition} ORDER BY sequence {order} LIMIT ?) "
        "WHERE EXISTS (SELECT 1 FROM crops WHERE sequence = place) LIMIT 1"
    )
    rows = store.read(query, start, MOST_LOOKED_AT)
    return next(iter(read_found(store, [int(row[0]) for row in rows])), None)


_FIRST_CROP = (
    "COALESCE((SELECT MIN(sequence) FROM crops WHERE keep_for_review = 1), 9223372036854775807)"
)


def count_waiting(store: Store, only_sample: bool = False) -> int:
    """Count what waits for review, up to `MOST_COUNTED`; a few may have lost their crop."""
    query = (
        f"SELECT COUNT(*) FROM (SELECT 1 FROM items WHERE {WAITING} "
        f"AND sequence >= {_FIRST_CROP} AND {_share(only_sample)} LIMIT ?)"
    )
    return int(store.read(query, MOST_COUNTED)[0][0])


class ReviewStore(Store):
    """A file of records that is there, opened to write reviews; a context manager.

    It makes no file and changes no tables: that is for the line. Each change is one short
    transaction, so the line waits for it no longer than for the disk.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`.

        Raises:
            BadInput: there is no such file, or it holds no records.
            Damaged: the file is damaged.
            EwasteError: it is locked, read-only, or of an earlier version.
        """
        self._hold(open_to_add(path))
        with self._file.guarded("read"):
            version, ours = version_of(self._file), is_ours(self._file)
            for setting in ("synchronous = FULL", "foreign_keys = ON"):
                self._file.connection.execute(f"PRAGMA {setting}")
            self._file.connection.execute(f"PRAGMA busy_timeout = {int(1000 * LONGEST_WAIT_S)}")
        if ours and version < SCHEMA_VERSION:
            self.close()
            raise EwasteError(
                f"{path}: records of version {version}; start the line once, which brings "
                "them up to date"
            )

    def give(
        self, item_id: str, *, label: str = "", no_class: NoClass | None = None, by: str, at: float
    ) -> None:
        """Store the answer of a person on an item; what was answered before becomes history.

        Args:
            item_id: the item.
            label: its class; empty: it has none, and `no_class` says why.
            no_class: why it has no class; None: it has one.
            by: who reviews.
            at: unix seconds.

        Raises:
            BadInput: there is no such item, or no crop of it.
            Damaged: the file is damaged.
            EwasteError: the disk is full, or the file is locked or read-only.
        """
        if bool(label) == (no_class is not None):
            raise ValueError("expected a label, or why there is none")
        why = no_class.value if no_class is not None else ""

        def change() -> None:
            sequence = self._sequence_of(item_id, "items JOIN crops USING (sequence)")
            insert = (
                "INSERT INTO reviews (sequence, label, no_class, reviewer, reviewed_at) "
                "VALUES (?, ?, ?, ?, ?)"
            )
            self._file.connection.execute(insert, (sequence, label, why, by, at))
            self._set_answer(sequence, label, why)

        self._write(change)

    def undo(self, number: int, item_id: str, *, by: str, at: float) -> None:
        """Take back an answer; what was answered before it stands again.

        Args:
            number: of the answer.
            item_id: the item that it is about.
            by: who undoes it, which is who gave it.
            at: unix seconds.

        Raises:
            BadInput: there is no such answer of this person that stands.
            Damaged: the file is damaged.
            EwasteError: the disk is full, or the file is locked or read-only.
        """

        def change() -> None:
            sequence = self._sequence_of(item_id, "items")
            done = self._file.connection.execute(
                "UPDATE reviews SET undone_by = ?, undone_at = ? "
                "WHERE number = ? AND sequence = ? AND reviewer = ? AND undone_by IS NULL",
                (by, at, number, sequence, by),
            )
            if not done.rowcount:
                raise BadInput("this answer does not stand any more; nothing was undone")
            before = self._file.connection.execute(
                "SELECT label, no_class FROM reviews WHERE sequence = ? AND undone_by IS NULL "
                "ORDER BY number DESC LIMIT 1",
                (sequence,),
            ).fetchone()
            self._set_answer(sequence, *(before or ("", "")))

        self._write(change)

    def _sequence_of(self, item_id: str, tables: str) -> int:
        query = f"SELECT sequence FROM {tables} WHERE item_id = ?"
        row = self._file.connection.execute(query, (item_id,)).fetchone()
        if row is None:
            raise BadInput("there is no such item any more, or no picture of it")
        return int(row[0])

    def _set_answer(self, sequence: int, label: str, no_class: str) -> None:
        change = "UPDATE items SET reviewed = ?, no_class = ? WHERE sequence = ?"
        self._file.connection.execute(change, (label, no_class, sequence))

    def _write(self, change: Callable[[], None]) -> None:
        with self._file.guarded("written"):
            self._file.transact(change)
