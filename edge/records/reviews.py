"""What persons say of items: a label, or why there is none, with who and when.

The verdict of the model stays as it is. Each answer is a row of its own; one that is undone stays
too, and says so. The columns `reviewed` and `no_class` of an item hold the answer that stands.

One answer may be for a group of look-alikes. Then each item has a row of its own, which says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from edge.errors import BadInput, EwasteError
from edge.records.damage import Damaged
from edge.records.database import LARGEST_SEQUENCE
from edge.records.grouping import MOST_IN_GROUP, most_diverse, units
from edge.records.opening import open_to_add
from edge.records.review import DRAWN
from edge.records.schema import SCHEMA_VERSION
from edge.records.search import WAITING, Found, read_found
from edge.records.store import Store
from edge.records.tables import is_ours, version_of

LONGEST_WAIT_S = 1.0
"""Longest wait for the line, which writes the same file, s."""
MOST_COUNTED = 10_000
MOST_HISTORY = 50
FOR_TRAINING = 3
"""Number of items of a group that the export for training takes; the others are much like them."""
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
        grouped: the number of the first answer of a group of look-alikes that was answered on at
            once; None: the item was answered on alone.
        for_training: the export for training takes the item.
    """

    number: int
    item_id: str
    label: str
    no_class: str
    reviewer: str
    reviewed_at: float | None
    undone_by: str | None
    undone_at: float | None
    grouped: int | None
    for_training: int


_REVIEW = (
    "SELECT number, item_id, reviews.label, reviews.no_class, reviewer, reviewed_at, undone_by, "
    "undone_at, grouped, for_training FROM reviews JOIN items USING (sequence)"
)
_KINDS = (int, str, str, str, str, float | None, str | None, float | None, int | None, int)


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


def group_size(store: Store, review: Review) -> int:
    """Count the answers that stand and were given at once with this one, itself included."""
    which, values = _given_at_once(review.number, review.grouped)
    return int(store.read(f"SELECT COUNT(*) FROM reviews WHERE {which}", *values)[0][0])


def _given_at_once(number: int, grouped: int | None) -> tuple[str, tuple[int, ...]]:
    """The condition of the answers that were given with one and still stand, and its values."""
    if grouped is None:
        return "number = ? AND undone_by IS NULL", (number,)
    # They follow each other: they were given in one transaction.
    condition = "number >= ? AND number < ? AND grouped = ? AND undone_by IS NULL"
    return condition, (grouped, grouped + MOST_IN_GROUP, grouped)


def _review(store: Store, row: Any) -> Review:
    if not all(isinstance(value, kind) for value, kind in zip(row, _KINDS, strict=True)):
        raise Damaged(f"{store.path}: is damaged (a review is no review)")
    return Review(*row)


def reviewed_crops(store: Store, labels: Sequence[str], most: int) -> list[tuple[str, str, bytes]]:
    """Read the newest items that persons gave one of some labels and that still have a crop.

    Args:
        store: the open file.
        labels: the labels.
        most: number of items of each label, at most.

    Returns:
        Id, label, and crop as JPEG of each.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    query = (
        "SELECT item_id, reviewed, jpeg FROM items JOIN crops USING (sequence) "
        "WHERE reviewed = ? AND length(jpeg) > 0 ORDER BY sequence DESC LIMIT ?"
    )
    rows = [row for label in labels for row in store.read(query, label, most)]
    kinds = (str, str, bytes)
    if not all(
        isinstance(cell, kind) for row in rows for cell, kind in zip(row, kinds, strict=True)
    ):
        raise Damaged(f"{store.path}: is damaged (a crop is no picture)")
    return [tuple(row) for row in rows]


def next_waiting(
    store: Store, *, before: int = LARGEST_SEQUENCE, only_sample: bool = False
) -> Found | None:
    """Return the newest item before a place that waits for review and has a crop, or None."""
    return _waiting(store, f"sequence < ? AND {_share(only_sample)}", "DESC", before)


def previous_waiting(store: Store, *, after: int, only_sample: bool = False) -> Found | None:
    """Return the oldest item after a place that waits for review and has a crop, or None."""
    return _waiting(store, f"sequence > ? AND {_share(only_sample)}", "ASC", after)


def _share(only_sample: bool) -> str:
    return f"review IN {DRAWN}" if only_sample else "TRUE"


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


class _Answer(NamedTuple):
    """A row of `reviews` to come."""

    sequence: int
    label: str
    no_class: str
    reviewer: str
    reviewed_at: float
    grouped: int | None = None
    for_training: bool = True


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
            self._insert_review(_Answer(sequence, label, why, by, at))

        self._write(change)

    def give_group(
        self,
        item_id: str,
        alike: Sequence[str],
        *,
        label: str = "",
        no_class: NoClass | None = None,
        by: str,
        at: float,
    ) -> None:
        """Store the answer of a person on an item and on its look-alikes, all or none.

        Those that differ most, the item itself among them, are for training; the others are
        reviewed all the same.

        Args:
            item_id: the item.
            alike: the items that it is to hold for too.
            label: their class; empty: they have none, and `no_class` says why.
            no_class: why they have no class; None: they have one.
            by: who reviews.
            at: unix seconds.

        Raises:
            BadInput: one of them may not be answered on in a group: it does not wait any more, is
                of the random share, has no crop or no code, or is of another bundle.
            Damaged: the file is damaged.
            EwasteError: the disk is full, or the file is locked or read-only.
        """
        if bool(label) == (no_class is not None):
            raise ValueError("expected a label, or why there is none")
        if not alike:
            self.give(item_id, label=label, no_class=no_class, by=by, at=at)
            return
        if len({item_id, *alike}) != 1 + len(alike) or len(alike) >= MOST_IN_GROUP:
            raise BadInput(f"a group has at most {MOST_IN_GROUP} items, each of them once")
        why = no_class.value if no_class is not None else ""

        def change() -> None:
            places, codes = self._of_one_bundle([item_id, *alike])
            chosen = most_diverse(units(codes), FOR_TRAINING)
            grouped: int | None = None
            # The item itself last: its answer is the last of the person.
            for each in [*range(1, len(places)), 0]:
                answer = _Answer(places[each], label, why, by, at, grouped, each in chosen)
                number = self._insert_review(answer)
                if grouped is None:
                    grouped = number
                    own = "UPDATE reviews SET grouped = number WHERE number = ?"
                    self._file.connection.execute(own, (number,))

        self._write(change)

    def _of_one_bundle(self, item_ids: Sequence[str]) -> tuple[list[int], list[bytes]]:
        """Return places and codes of items that may be answered on at once; else BadInput."""
        query = (
            "SELECT sequence, code, bundle FROM items JOIN codes USING (sequence) "
            f"WHERE item_id = ? AND {WAITING} AND review NOT IN {DRAWN}"
        )
        rows = [self._file.connection.execute(query, (each,)).fetchone() for each in item_ids]
        if None in rows or len({row[2] for row in rows}) > 1:
            raise BadInput(
                "an item of the group does not wait any more, or must be judged alone; look again"
            )
        return [int(row[0]) for row in rows], [bytes(row[1]) for row in rows]

    def _insert_review(self, answer: "_Answer") -> int:
        """Let an answer stand; returns its number."""
        insert = (
            "INSERT INTO reviews (sequence, label, no_class, reviewer, reviewed_at, grouped, "
            "for_training) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        number = self._file.connection.execute(insert, answer).lastrowid
        self._set_answer(answer.sequence, answer.label, answer.no_class)
        return int(number or 0)

    def undo(self, number: int, item_id: str, *, by: str, at: float) -> None:
        """Take back an answer, on all of its group; what was answered before it stands again.

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
            execute = self._file.connection.execute
            given = execute(
                "SELECT grouped FROM reviews "
                "WHERE number = ? AND sequence = ? AND reviewer = ? AND undone_by IS NULL",
                (number, self._sequence_of(item_id, "items"), by),
            ).fetchone()
            if given is None:
                raise BadInput("this answer does not stand any more; nothing was undone")
            which, values = _given_at_once(number, given[0])
            query = f"SELECT number, sequence FROM reviews WHERE {which}"
            for each, sequence in execute(query, values).fetchall():
                undo = "UPDATE reviews SET undone_by = ?, undone_at = ? WHERE number = ?"
                execute(undo, (by, at, each))
                self._let_former_stand(sequence)

        self._write(change)

    def _let_former_stand(self, sequence: int) -> None:
        """Let the last answer on an item that is not undone stand; or none."""
        before = self._file.connection.execute(
            "SELECT label, no_class FROM reviews WHERE sequence = ? AND undone_by IS NULL "
            "ORDER BY number DESC LIMIT 1",
            (sequence,),
        ).fetchone()
        self._set_answer(sequence, *(before or ("", "")))

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
