"""Item records and image crops that survive a kill and a power cut, in one SQLite file."""

import math
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from edge.errors import BadInput, EwasteError

RECORDS_NAME = "records.db"
"""The file of records in a line's state directory."""
APPLICATION_ID = 0x45574153  # "EWAS": tells our files from every other SQLite file
SCHEMA_VERSION = 1
BUSY_SECONDS = 2.0
BATCH = 100
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 2.0
WITHOUT_CROP = 10
"""A full queue takes this many times its capacity in records that gave up their crop: such a
record is a few hundred bytes, a crop several kilobytes."""

# The tallies spare the panel, which asks every second, a walk over millions of records.
SCHEMA = f"""
CREATE TABLE items (
    item_id TEXT NOT NULL UNIQUE, decided_at REAL, label TEXT NOT NULL, confidence REAL,
    bin TEXT NOT NULL, reason TEXT NOT NULL, position_mm REAL, offset_mm REAL,
    views INTEGER NOT NULL, detect_ms REAL, classify_ms REAL, verdict_ms REAL,
    late INTEGER NOT NULL, bundle TEXT NOT NULL, crop BLOB NOT NULL);
CREATE INDEX items_by_time ON items (decided_at);
CREATE TABLE tallies (
    label TEXT NOT NULL, bin TEXT NOT NULL, items INTEGER NOT NULL, PRIMARY KEY (label, bin));
CREATE TRIGGER tally AFTER INSERT ON items BEGIN
    INSERT INTO tallies VALUES (NEW.label, NEW.bin, 1)
    ON CONFLICT (label, bin) DO UPDATE SET items = items + 1;
END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


@dataclass(frozen=True)
class ItemRecord:
    """What is kept of one item.

    Attributes:
        item_id: unique over all runs.
        decided_at: unix seconds of the verdict.
        label: one of the model's classes, or `unknown`.
        confidence: 0 to 1.
        bin: where the item was sent.
        reason: why, in words.
        position_mm: belt position of the item's centre when it was last seen.
        offset_mm: the item's distance across the belt from its middle line.
        views: how many views were classified.
        detect_ms: time of the detector for the last view.
        classify_ms: time of the model for the last view.
        verdict_ms: from the capture of the last view to the verdict.
        late: the verdict came after the gate's moment.
        bundle: digest of the bundle that decided.
        crop: the best view as JPEG, empty when it was given up.

    A float that was not measured may be NaN.
    """

    item_id: str
    decided_at: float
    label: str
    confidence: float
    bin: str
    reason: str
    position_mm: float
    offset_mm: float
    views: int
    detect_ms: float
    classify_ms: float
    verdict_ms: float
    late: bool
    bundle: str
    crop: bytes


COLUMNS = tuple((field.name, field.type) for field in fields(ItemRecord))
NAMES = ", ".join(name for name, _ in COLUMNS)
INSERT = (
    f"INSERT INTO items ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (item_id) DO NOTHING"
)


def to_row(record: ItemRecord) -> list[Any]:
    """Turn the record into SQLite values; NumPy scalars become plain ones."""
    return [kind(getattr(record, name)) for name, kind in COLUMNS]


def from_row(row: Sequence[Any]) -> ItemRecord:
    """Turn a row in the order of `NAMES` into its record; SQLite keeps NaN as NULL."""
    plain = (
        math.nan if kind is float and value is None else kind(value)
        for (_, kind), value in zip(COLUMNS, row, strict=True)
    )
    return ItemRecord(*plain)


class Store:
    """One file of item records; a context manager.

    To be used by the thread that opened it. One process writes; others may read at the same time.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open `path`, creating it unless `read_only`.

        Raises:
            BadInput: the path cannot be opened, is no such file, or is of a newer version.
            EwasteError: the disk is full or the file is locked.
        """
        self.path = path
        if read_only and not path.is_file():
            raise BadInput(f"{path}: no records yet; they appear when the line has run")
        uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        try:
            self._database = sqlite3.connect(
                uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
        except sqlite3.Error as error:
            raise BadInput(f"{path}: cannot be opened ({error}); check the folder") from None
        try:
            if not read_only:
                self._prepare()
            self._check()
        except sqlite3.OperationalError as error:
            self.close()
            raise EwasteError(f"{path}: cannot be used ({error})") from None
        except sqlite3.DatabaseError as error:
            self.close()
            raise BadInput(f"{path}: {error}; move it away or name another file") from None
        except BadInput:
            self.close()
            raise

    def _pragma(self, name: str) -> int:
        return int(self._database.execute(f"PRAGMA {name}").fetchone()[0])

    def _prepare(self) -> None:
        """Make commits durable, and create the tables of a file that holds nothing yet."""
        holds_nothing = self._pragma("schema_version") == 0
        if not holds_nothing:
            self._check()
        # WAL with FULL syncs on every commit: an acknowledged record survives a power cut.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        if holds_nothing:
            self._transact(self._create)

    def _create(self) -> None:
        if self._pragma("schema_version") == 0:  # else another process was faster
            # Not executescript: it would commit our transaction first.
            statement = ""
            for line in SCHEMA.strip().splitlines(keepends=True):
                statement += line
                if sqlite3.complete_statement(statement):
                    self._database.execute(statement)
                    statement = ""

    def _check(self) -> None:
        """Raise BadInput unless the file is one of ours and of a version this program knows."""
        if self._pragma("application_id") != APPLICATION_ID:
            raise BadInput(f"{self.path}: not a file of item records; name another file")
        version = self._pragma("user_version")
        if version != SCHEMA_VERSION:
            raise BadInput(
                f"{self.path}: records of version {version}, this program knows {SCHEMA_VERSION}; "
                "update the program or name another file"
            )

    def _transact(self, change: Callable[[], object]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            change()
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def append(self, records: Sequence[ItemRecord]) -> None:
        """Store `records` in one transaction; when this returns they survive `kill -9`.

        A record whose `item_id` is there already is passed over, so appending again is harmless.

        Raises:
            ValueError: a record has a value that cannot be stored; nothing was.
            EwasteError: the disk is full, or the file is locked or damaged; nothing was stored.
        """
        try:
            rows = [to_row(record) for record in records]
            self._transact(lambda: self._database.executemany(INSERT, rows))
        except (TypeError, ValueError, OverflowError, sqlite3.InterfaceError) as error:
            raise ValueError(f"a record cannot be stored ({error})") from error
        except sqlite3.Error as error:
            raise EwasteError(f"{self.path}: cannot be written ({error})") from None

    def _read(self, query: str, *values: object) -> list[Any]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise EwasteError(f"{self.path}: cannot be read ({error})") from None

    def counts(self) -> dict[str, int]:
        """Items per label, the most frequent first. The readers raise EwasteError."""
        return dict(
            self._read("SELECT label, SUM(items) AS n FROM tallies GROUP BY label ORDER BY n DESC")
        )

    def bin_counts(self) -> dict[str, int]:
        """Items per bin, the most frequent first."""
        return dict(
            self._read("SELECT bin, SUM(items) AS n FROM tallies GROUP BY bin ORDER BY n DESC")
        )

    def total(self) -> int:
        """How many items are recorded."""
        return int(self._read("SELECT COALESCE(SUM(items), 0) FROM tallies")[0][0])

    def decided_since(self, unix_seconds: float) -> int:
        """How many items were decided after that moment."""
        query = "SELECT COUNT(*) FROM items WHERE decided_at > ?"
        return int(self._read(query, unix_seconds)[0][0])

    def recent(self, n: int) -> list[ItemRecord]:
        """Read the last `n` records, the newest first."""
        rows = self._read(f"SELECT {NAMES} FROM items ORDER BY rowid DESC LIMIT ?", n)
        return [from_row(row) for row in rows]

    def crop(self, item_id: str) -> bytes | None:
        """Read the JPEG of one item; None when there is no such item or its crop was given up."""
        rows = self._read("SELECT crop FROM items WHERE item_id = ?", item_id)
        return (rows[0][0] or None) if rows else None

    def all(self) -> Iterator[ItemRecord]:
        """Every record in the order of recording, a batch at a time in memory."""
        last = 0
        query = f"SELECT rowid, {NAMES} FROM items WHERE rowid > ? ORDER BY rowid LIMIT {BATCH}"
        while rows := self._read(query, last):
            yield from (from_row(row[1:]) for row in rows)
            last = rows[-1][0]

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class WriterStatus:
    """How the writer is doing.

    Attributes:
        pending: records waiting to be written.
        written: records acknowledged by the disk.
        dropped: records lost because the queue was full or they could not be stored.
        crops_dropped: records kept without their crop because the queue was full.
        error: why nothing is being written at the moment, one line; None when all is well.
    """

    pending: int
    written: int
    dropped: int
    crops_dropped: int
    error: str | None


class StoreWriter:
    """A thread between the line, which never waits, and the disk, which may be slow, full or gone.

    The file belongs to the thread. What cannot be written is tried again until it can.
    """

    def __init__(
        self,
        path: Path,
        capacity: int = 1000,
        on_error: Callable[[str], None] | None = None,
    ) -> None:
        """Check the file at `path`, creating it if need be, and start the thread.

        Args:
            path: the file of records.
            capacity: how many records with crops may wait.
            on_error: gets one line, in the writer's thread, when a new error starts.

        Raises:
            BadInput: `path` is not a file of records or cannot be created. (A full or locked disk
                is no reason to hold up the line: it shows in `status`.)
        """
        try:
            Store(path).close()
        except EwasteError as error:
            if isinstance(error, BadInput):
                raise
            # Full or locked: the thread meets it again, tells and retries.
        self._path, self._capacity, self._on_error = path, capacity, on_error
        self._queue: deque[ItemRecord] = deque()
        self._changed = threading.Condition()
        self._giving_up = threading.Event()
        self._closing = False
        self._written = self._dropped = self._crops_dropped = 0
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    @property
    def status(self) -> WriterStatus:
        """A snapshot."""
        with self._changed:
            return WriterStatus(
                len(self._queue), self._written, self._dropped, self._crops_dropped, self._error
            )

    def put(self, record: ItemRecord) -> bool:
        """Queue `record` without waiting for the disk; False when it was dropped.

        A full queue first gives up crops, then whole records.
        """
        with self._changed:
            waiting = len(self._queue)
            if self._closing or waiting >= WITHOUT_CROP * self._capacity:
                self._dropped += 1
                return False
            if waiting >= self._capacity and record.crop:
                record = replace(record, crop=b"")
                self._crops_dropped += 1
            self._queue.append(record)
            self._changed.notify()
            return True

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is waiting, for at most `timeout` seconds; False when some was left.

        Safe to call twice.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        self._giving_up.set()
        return not self._queue

    def _next_batch(self, size: int) -> list[ItemRecord]:
        """Wait for records; they stay queued until they are written. Empty: closed, all done."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return list(islice(self._queue, size))

    def _done(self, count: int, stored: bool) -> None:
        with self._changed:
            for _ in range(count):
                self._queue.popleft()
            if stored:
                self._written += count
                self._error = None
            else:
                self._dropped += count

    def _failed(self, error: str) -> None:
        with self._changed:
            is_new, self._error = error != self._error, error
        if is_new and self._on_error is not None:
            with suppress(Exception):  # telling must not end the writing
                self._on_error(error)

    def _run(self) -> None:
        store: Store | None = None
        size, pause = BATCH, FIRST_RETRY_SECONDS
        while not self._giving_up.is_set() and (batch := self._next_batch(size)):
            try:
                store = store or Store(self._path)
                store.append(batch)
            except ValueError as error:
                # One record is bad: go one by one, to lose only that one.
                if len(batch) == 1:
                    self._done(1, stored=False)
                    self._failed(str(error))
                size = 1
            except EwasteError as error:
                if store is not None:
                    store.close()
                store = None
                self._failed(str(error))
                self._giving_up.wait(pause)
                pause = min(2 * pause, LONGEST_RETRY_SECONDS)
            else:
                self._done(len(batch), stored=True)
                size, pause = BATCH, FIRST_RETRY_SECONDS
        if store is not None:
            store.close()
