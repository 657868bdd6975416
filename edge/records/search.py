"""Search of item records, the newest first, in pieces that keep each answer short.

A page of results starts where the one before ended (keyset paging). A search walks the narrow index
of the records in blocks, and stops when its time is over; what it has reached goes on from there.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from edge.records.database import LARGEST_SEQUENCE
from edge.records.record import COLUMN_LIST, ItemRecord
from edge.records.schema import SCHEMA_VERSION
from edge.records.store import Store
from edge.verdict import Reason

BLOCK = 20_000
"""Number of records between two looks at the clock."""
LONGEST_SEARCH_S = 0.6
MOST_CHOICES, CHOICES_FROM = 200, 20_000
"""Number of names that are offered, and of the newest records that they are taken from."""
WAITING = "review <> '' AND reviewed = '' AND no_class = ''"
REVIEWED = "(reviewed <> '' OR no_class <> '')"


class ReviewState(str, Enum):
    """Whether a person has reviewed an item, or should."""

    WAITING = "waiting"
    REVIEWED = "reviewed"
    NOT_CHOSEN = "not_chosen"


_STATES = {
    ReviewState.WAITING: WAITING,
    ReviewState.REVIEWED: REVIEWED,
    ReviewState.NOT_CHOSEN: "review = '' AND reviewed = '' AND no_class = ''",
}


@dataclass(frozen=True)
class Criteria:
    """Which records are searched for; None: any.

    Attributes:
        label: the label of the verdict.
        bin: where the item went.
        reason: why.
        since, until: time of the verdict, unix seconds, both included.
        least, most: confidence, 0 to 1, both included.
        state: of the review.
    """

    label: str | None = None
    bin: str | None = None
    reason: Reason | None = None
    since: float | None = None
    until: float | None = None
    least: float | None = None
    most: float | None = None
    state: ReviewState | None = None


@dataclass(frozen=True)
class Found:
    """One record that was found.

    Attributes:
        sequence: its place in the order of the records.
        record: without its crop.
        has_crop: whether there is a crop of it.
    """

    sequence: int
    record: ItemRecord
    has_crop: bool


@dataclass(frozen=True)
class ResultPage:
    """One page of a search.

    Attributes:
        found: the records, the newest first.
        newer: where a search for newer ones starts; None: this is the newest page.
        older: where a search for older ones starts; None: this is the oldest page.
        ended_early: the time was over before the page was full.
    """

    found: tuple[Found, ...]
    newer: int | None
    older: int | None
    ended_early: bool = False


def search(
    store: Store,
    criteria: Criteria,
    *,
    count: int,
    before: int | None = None,
    after: int | None = None,
    longest_s: float = LONGEST_SEARCH_S,
) -> ResultPage:
    """Return one page of the records that fit, the newest first.

    Args:
        store: the open file.
        criteria: what they must fit.
        count: number of records of a page.
        before: only records before this place: the page of older ones.
        after: only records after this place: the page of newer ones. Not with `before`.
        longest_s: time until a search stops between two blocks, s; one block is always searched.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    walk = _Walk(store, criteria, rises=after is not None)
    start = after if after is not None else LARGEST_SEQUENCE if before is None else before
    sequences, reached = walk.collect(start, count + 1, time.monotonic() + longest_s)
    ended_early = reached is not None and len(sequences) <= count
    sequences = sequences[:count]
    onward = reached if ended_early or reached is None else sequences[-1]
    if walk.rises:
        back = sequences[0] if sequences else start + 1
        found = read_found(store, sequences[::-1])
        return ResultPage(tuple(found), newer=onward, older=back, ended_early=ended_early)
    newer = None if before is None else sequences[0] if sequences else start - 1
    found = read_found(store, sequences)
    return ResultPage(tuple(found), newer=newer, older=onward, ended_early=ended_early)


class _Walk:
    """A walk over the records in one direction, block by block."""

    def __init__(self, store: Store, criteria: Criteria, rises: bool) -> None:
        self._store, self.rises = store, rises
        self._conditions, self._values = _conditions(criteria)

    def collect(self, start: int, count: int, deadline: float) -> tuple[list[int], int | None]:
        """Return the places found, and how far the walk came; None: to the end."""
        sequences: list[int] = []
        while (edge := self._next(start)) is not None:
            low, high = (edge, edge + BLOCK - 1) if self.rises else (edge - BLOCK + 1, edge)
            sequences += self._block(low, high, count - len(sequences))
            start = high if self.rises else low
            if len(sequences) >= count:
                return sequences, start
            if time.monotonic() > deadline and self._next(start) is not None:
                return sequences, start
        return sequences, None

    def _next(self, start: int) -> int | None:
        """Return the next place at which there is a record, or None."""
        end, compared = ("MIN", ">") if self.rises else ("MAX", "<")
        query = f"SELECT {end}(sequence) FROM items WHERE sequence {compared} ?"
        place = self._store.read(query, start)[0][0]
        return None if place is None else int(place)

    def _block(self, low: int, high: int, count: int) -> list[int]:
        order = "ASC" if self.rises else "DESC"
        query = (
            f"SELECT sequence FROM items {hint(self._store, 'items_to_search')} "
            f"WHERE sequence BETWEEN ? AND ?{self._conditions} ORDER BY sequence {order} LIMIT ?"
        )
        return [int(row[0]) for row in self._store.read(query, low, high, *self._values, count)]


def hint(store: Store, index: str) -> str:
    """Return the words that name the index; empty for a file of an earlier version, without it."""
    return f"INDEXED BY {index}" if store.version == SCHEMA_VERSION else ""


def _conditions(criteria: Criteria) -> tuple[str, list[object]]:
    """Return the conditions in SQL, each with AND before it, and their values."""
    reason = criteria.reason.value if criteria.reason is not None else None
    compared: list[tuple[str, object]] = [
        ("label = ?", criteria.label),
        ("bin = ?", criteria.bin),
        ("reason = ?", reason),
        ("decided_at >= ?", criteria.since),
        ("decided_at <= ?", criteria.until),
        ("confidence >= ?", criteria.least),
        ("confidence <= ?", criteria.most),
    ]
    kept = [(condition, value) for condition, value in compared if value is not None]
    conditions = [condition for condition, _ in kept]
    if criteria.state is not None:
        conditions.append(_STATES[criteria.state])
    return "".join(f" AND {each}" for each in conditions), [value for _, value in kept]


_FOUND = (
    "SELECT sequence, EXISTS (SELECT 1 FROM crops WHERE crops.sequence = items.sequence), "
    f"{COLUMN_LIST} FROM items"
)


def read_found(store: Store, sequences: Sequence[int]) -> list[Found]:
    """Read the records at these places, in this order; those that are gone are left out."""
    marks = ", ".join("?" * len(sequences))
    rows = store.read(f"{_FOUND} WHERE sequence IN ({marks})", *sequences)
    found = {row[0]: _found(store, row) for row in rows}
    return [found[sequence] for sequence in sequences if sequence in found]


def find_item(store: Store, item_id: str) -> Found | None:
    """Read the record of one item without its crop; None: there is none.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    rows = store.read(f"{_FOUND} WHERE item_id = ?", item_id)
    return _found(store, rows[0]) if rows else None


def _found(store: Store, row: Sequence[object]) -> Found:
    record = store.record([row[0], None, *row[2:]])
    return Found(int(str(row[0])), record, bool(row[1]))


def choices(store: Store) -> tuple[list[str], list[str]]:
    """Return the labels and the bins of the newest records, sorted."""
    newest = int(store.read("SELECT COALESCE(MAX(sequence), 0) FROM items")[0][0])
    index = hint(store, "items_to_search")
    names = []
    for column in ("label", "bin"):
        query = f"SELECT DISTINCT {column} FROM items {index} WHERE sequence > ? LIMIT ?"
        rows = store.read(query, newest - CHOICES_FROM, MOST_CHOICES)
        names.append(sorted(str(row[0]) for row in rows))
    return names[0], names[1]
