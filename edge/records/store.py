"""Item records and crops in one SQLite file; they survive a kill and a power cut."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edge.errors import EwasteError
from edge.records.damage import Damaged, set_aside
from edge.records.database import LONGEST_VALUE, Database
from edge.records.figures import Figures, read_figures
from edge.records.opening import open_to_read, open_to_write
from edge.records.record import (
    COLUMN_NAMES,
    INSERT,
    INSERT_CODE,
    INSERT_CROP,
    SELECT,
    SELECT_PLAIN,
    ItemRecord,
    to_row,
)
from edge.records.retention import prune
from edge.records.tables import version_of
from edge.records.walk import read_in_order, record_of

log = logging.getLogger(__name__)

RECORDS_NAME = "records.db"
"""The file of records in a line's state directory."""


def open_store(path: Path, *, prove: bool = False) -> "Store":
    """Open a file of records for writing; a damaged one is set aside and replaced by a new one.

    Args:
        path: path of the file.
        prove: check an existing file for damage first.

    Raises:
        BadInput: it is somebody else's file, or of a newer version.
        EwasteError: it cannot be opened now, or a damaged one cannot be renamed.
    """
    try:
        return Store(path, prove=prove)
    except Damaged as damage:
        log.error("%s; %s", damage, set_aside(path, time.time()))
    return Store(path)


class Store:
    """One file of item records; a context manager.

    Only the thread that opened it may use it. One process writes; others may read meanwhile.
    """

    def __init__(self, path: Path, read_only: bool = False, prove: bool = False) -> None:
        """Open `path`, creating it unless `read_only`.

        Args:
            path: path of the file; a new one is readable by its owner only.
            read_only: write nothing; works on read-only media too.
            prove: check the file for damage, in bounded time.

        Raises:
            BadInput: the file cannot be opened, holds no records, or is of a newer version.
            Damaged: the file is damaged.
            EwasteError: the disk is full or the file is locked.
        """
        self._hold(open_to_read(path) if read_only else open_to_write(path, prove))

    def _hold(self, file: Database) -> None:
        self.path, self._file = file.path, file
        self._opened = None if file.read_only else _stat_of(file)

    @property
    def version(self) -> int:
        """Return the version of the file's tables."""
        with self._file.guarded("read"):
            return version_of(self._file)

    def append(self, records: Sequence[ItemRecord]) -> None:
        """Store `records` in one transaction; after it returns they survive `kill -9`.

        A record with an `item_id` that exists only changes the bin of that item, and why. Appending
        a record again therefore changes nothing.

        Raises:
            ValueError: a record has a value that cannot be stored; nothing was.
            Damaged: the file is damaged; nothing was stored.
            EwasteError: the disk is full, or the file is locked or gone; nothing was stored.
        """
        self._require_its_place()
        try:
            rows = [_Row(record) for record in records]
            if any(row.length() >= LONGEST_VALUE for row in rows):
                raise ValueError(f"more than {LONGEST_VALUE // 2**20} MB")
            with self._file.guarded("written"):
                try:
                    self._file.transact(lambda: self._insert(rows))
                except (sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
                    raise ValueError(str(error)) from None
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"a record cannot be stored ({error})") from error

    def _require_its_place(self) -> None:
        """Raise EwasteError when the file was moved or deleted: records would be lost."""
        if self._opened is None:
            return
        try:
            there = os.path.samestat(self._opened, self.path.stat())
        except OSError:
            there = False
        if not there:
            raise EwasteError(f"{self.path}: was moved or deleted while the line records there")

    def _insert(self, rows: Sequence["_Row"]) -> None:
        execute = self._file.connection.execute
        for row in rows:
            done = execute(INSERT, row.values)
            if not done.rowcount:
                self._reroute(dict(zip(COLUMN_NAMES, row.values, strict=True)))
            elif row.crop:
                execute(INSERT_CROP, (done.lastrowid, row.is_to_review, row.crop))
                if row.is_to_review and row.code:
                    execute(INSERT_CODE, (done.lastrowid, row.code))

    def _reroute(self, given: Mapping[str, Any]) -> None:
        """Change the bin of an item that is recorded, and why it went there."""
        change = (
            "UPDATE items SET bin = ?, reason = ?, detail = ? WHERE item_id = ? AND bin IS NOT ?"
        )
        values = [given[name] for name in ("bin", "reason", "detail", "item_id", "bin")]
        self._file.connection.execute(change, values)

    def prune(self, days: float, megabytes: float) -> bool:
        """Delete some of what is too old or too large (`edge.records.retention`)."""
        return prune(self._file, days, megabytes)

    def used_bytes(self) -> int:
        """Return the number of bytes in use in the file."""
        return self._file.used_bytes()

    def read(self, query: str, *values: object) -> list[Any]:
        """Run a query of this room.

        Raises:
            Damaged: the file is damaged.
            EwasteError: it cannot be read now.
        """
        return self._file.read(query, *values)

    def decided_since(self, unix_seconds: float, now: float) -> int:
        """Count the newest items that were decided between that time and `now`, unix seconds."""
        query = (
            "SELECT COUNT(*) FROM items WHERE sequence > COALESCE((SELECT sequence FROM items "
            "WHERE NOT decided_at BETWEEN ? AND ? ORDER BY sequence DESC LIMIT 1), 0)"
        )
        return int(self.read(query, unix_seconds, now)[0][0])

    def recent(self, n: int) -> list[ItemRecord]:
        """Read the last `n` records, the newest first."""
        rows = self.read(f"{SELECT} ORDER BY sequence DESC LIMIT ?", n)
        return [self.record(row) for row in rows]

    def record(self, row: Sequence[Any]) -> ItemRecord:
        """Turn a row of `SELECT` or `SELECT_PLAIN` into its record.

        Raises:
            Damaged: a value is not of the type of its column.
        """
        return record_of(self._file, row)

    def crop(self, item_id: str) -> bytes | None:
        """Read the JPEG of one item; None when there is no such item, or no crop of it."""
        query = "SELECT jpeg FROM items JOIN crops USING (sequence) WHERE item_id = ?"
        rows = self.read(query, item_id)
        if rows and not isinstance(rows[0][0], bytes):
            raise Damaged(f"{self.path}: is damaged (a crop is no picture)")
        return rows[0][0] if rows else None

    def all(
        self, on_unread: Callable[[int], None] | None = None, crops: bool = True
    ) -> Iterator[ItemRecord]:
        """Read every record in the order of recording, a batch at a time in memory.

        Args:
            on_unread: receives, for each damaged place, about how many records could not be read;
                None: the first one raises Damaged.
            crops: read the crops too.
        """
        return read_in_order(self._file, f"{SELECT if crops else SELECT_PLAIN} WHERE", on_unread)

    def to_review(self, on_unread: Callable[[int], None] | None = None) -> Iterator[ItemRecord]:
        """Read the records with a crop that a person should review, or gave a label, in order.

        Left out are those that a person gave no class, and those of a group of look-alikes that
        others of it stand for (`edge.records.reviews.ReviewStore.give_group`).
        """
        condition = (
            "(review <> '' OR reviewed <> '') AND no_class = '' AND jpeg IS NOT NULL AND "
            "COALESCE((SELECT for_training FROM reviews WHERE reviews.sequence = items.sequence "
            "AND undone_by IS NULL ORDER BY number DESC LIMIT 1), 1) AND"
        )
        return read_in_order(self._file, f"{SELECT} WHERE {condition}", on_unread)

    def figures(self, start: float, end: float, most: int) -> Figures:
        """Read what a period comes to (`edge.records.figures`)."""
        return read_figures(self._file, start, end, most)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Row:
    """The values of a record as SQLite keeps them."""

    def __init__(self, record: ItemRecord) -> None:
        """Raise TypeError, ValueError, or OverflowError for a value that is none."""
        self.values = to_row(record)
        self.is_to_review = bool(record.review)
        self.crop, self.code = bytes(record.crop), bytes(record.code)

    def length(self) -> int:
        """Return the most bytes it can take."""
        return len(self.crop) + len(self.code) + sum(map(_length, self.values))


def _stat_of(file: Database) -> os.stat_result:
    try:
        return file.path.stat()
    except OSError as error:
        file.close()
        raise EwasteError(f"{file.path}: cannot be used ({error.strerror})") from None


def _length(value: object) -> int:
    return 4 * len(value) if isinstance(value, str) else 0
