"""Reading all records in their order, past what is damaged."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from edge.records.damage import Damaged
from edge.records.database import LARGEST_SEQUENCE, Database
from edge.records.record import ItemRecord, from_row

BATCH = 100
MOST_SKIPS, LONGEST_SKIPPING_S = 10_000, 30.0
"""How many damaged places a reader tries to skip, and for how long, s."""


@dataclass
class _Skipping:
    """How far a reader of a damaged file still tries to skip what it cannot read."""

    tries: int = 0
    since: float | None = None
    end: int = LARGEST_SEQUENCE

    def goes_on(self) -> bool:
        self.since = self.since or time.monotonic()
        self.tries += 1
        return self.tries <= MOST_SKIPS and time.monotonic() - self.since < LONGEST_SKIPPING_S


def record_of(database: Database, row: Sequence[Any]) -> ItemRecord:
    """Turn a row of `SELECT` or `SELECT_PLAIN` into its record.

    Raises:
        Damaged: a value is not of the type of its column.
    """
    try:
        return from_row(row)
    except ValueError as error:
        raise Damaged(f"{database.path}: is damaged ({error})") from None


def read_in_order(
    database: Database, query: str, on_unread: Callable[[int], None] | None
) -> Iterator[ItemRecord]:
    """Read in rising order of the sequence; damage cannot make that an endless loop.

    Args:
        database: the file of records.
        query: `SELECT` or `SELECT_PLAIN` up to its last condition on `sequence`.
        on_unread: receives, for each damaged place, about how many records could not be read;
            None: the first one raises Damaged.
    """
    query += " sequence > ? ORDER BY sequence LIMIT ?"
    last, skipping = 0, _Skipping()
    while True:
        try:
            rows = _next_rows(database, query, last, BATCH)
        except Damaged:
            if on_unread is None:
                raise
            rows, start = _skip_damage(database, query, last, skipping)
            if start > last:
                on_unread(start - last)
            last = start
        if not rows:
            return
        for row in rows:
            last = row[0]
            try:
                record = record_of(database, row)
            except Damaged:
                if on_unread is None:
                    raise
                on_unread(1)
                continue
            yield record


def _next_rows(database: Database, query: str, last: int, count: int) -> list[Any]:
    rows = database.read(query, last, count)
    for before, row in zip([last, *(row[0] for row in rows)], rows, strict=False):
        if not isinstance(row[0], int) or row[0] <= before:
            raise Damaged(f"{database.path}: is damaged (its records are not in order)")
    return rows


def _skip_damage(
    database: Database, query: str, last: int, skipping: "_Skipping"
) -> tuple[list[Any], int]:
    """Return the first readable row after `last`, and the sequence it was searched from."""
    with suppress(Damaged):
        ends = database.read("SELECT MAX(seq) FROM sqlite_sequence WHERE name = 'items'")
        if isinstance(ends[0][0], int) and ends[0][0] > last:
            skipping.end = ends[0][0]
    start = last
    while start < skipping.end and skipping.goes_on():
        with suppress(Damaged):
            return _next_rows(database, query, start, 1), start
        start += 1
    return [], skipping.end if skipping.end < LARGEST_SEQUENCE else last + 1
