"""Item records and image crops that survive a kill and a power cut, in one SQLite file."""

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from edge.errors import BadInput, EwasteError

RECORDS_NAME = "records.db"
"""The file of records in a line's state directory."""
APPLICATION_ID = 0x45574153  # "EWAS": tells our files from every other SQLite file
SCHEMA_VERSION = 2
BUSY_SECONDS = 2.0
BATCH = 100
DAY_S, MEGABYTE = 86400.0, 1e6
PRUNED_AT_ONCE, PRUNE_ROUNDS = 200, 20

# The sequence alone orders the records: the wall clock may be set back. The tallies spare the
# panel, which asks every second, a walk over millions of records, and go on counting what has been
# pruned. Crops lie apart, so that they can go before the records.
SCHEMA = f"""
CREATE TABLE items (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id TEXT NOT NULL UNIQUE, decided_at REAL, label TEXT NOT NULL, confidence REAL,
    bin TEXT NOT NULL, reason TEXT NOT NULL, position_mm REAL, offset_mm REAL,
    views INTEGER NOT NULL, detect_ms REAL, classify_ms REAL, verdict_ms REAL,
    late INTEGER NOT NULL, bundle TEXT NOT NULL, length_mm REAL, likeliest TEXT NOT NULL,
    review TEXT NOT NULL, reviewed TEXT NOT NULL);
CREATE TABLE crops (
    sequence INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    wanted INTEGER NOT NULL, jpeg BLOB NOT NULL);
CREATE INDEX crops_by_worth ON crops (wanted, sequence);
CREATE TABLE tallies (
    label TEXT NOT NULL, bin TEXT NOT NULL, items INTEGER NOT NULL, PRIMARY KEY (label, bin));
CREATE TRIGGER tally AFTER INSERT ON items BEGIN
    INSERT INTO tallies VALUES (NEW.label, NEW.bin, 1)
    ON CONFLICT (label, bin) DO UPDATE SET items = items + 1;
END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
FIRST_COLUMNS = (
    "item_id, decided_at, label, confidence, bin, reason, position_mm, offset_mm, views, "
    "detect_ms, classify_ms, verdict_ms, late, bundle"
)
SET_ASIDE = """
ALTER TABLE items RENAME TO items_1;
DROP INDEX items_by_time;
DROP TRIGGER tally;
DROP TABLE tallies;
"""
MOVED = f"""
INSERT INTO items SELECT rowid, {FIRST_COLUMNS}, NULL, '', '', '' FROM items_1 ORDER BY rowid;
INSERT INTO crops SELECT rowid, 0, crop FROM items_1 WHERE length(crop) > 0;
DROP TABLE items_1;
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
        classify_ms: time of the model for all of its views.
        verdict_ms: from the capture of the picture that brought the verdict, to the verdict.
        late: the verdict came after the gate's moment.
        bundle: digest of the bundle that decided.
        crop: the best view as JPEG, empty when it was given up, or none was classified, as of what
            touches another item.
        length_mm: the item's length along the belt.
        likeliest: the class that the views speak for most, also when that is not enough for a
            label; empty when there was no view.
        review: why a person should look at it (`edge.review`), empty: nobody has to.
        reviewed: the label that a person gave it, empty: none did.

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
    length_mm: float = math.nan
    likeliest: str = ""
    review: str = ""
    reviewed: str = ""


COLUMNS = tuple((field.name, field.type) for field in fields(ItemRecord) if field.name != "crop")
NAMED = tuple(name for name, _ in COLUMNS)
NAMES = ", ".join(NAMED)
INSERT = (
    f"INSERT INTO items ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (item_id) DO NOTHING"
)
INSERT_CROP = "INSERT INTO crops (sequence, wanted, jpeg) VALUES (?, ?, ?)"
MORE = (
    "INSERT INTO tallies VALUES (?, ?, 1) ON CONFLICT (label, bin) DO UPDATE SET items = items + 1"
)
SELECT = f"SELECT sequence, jpeg, {NAMES} FROM items LEFT JOIN crops USING (sequence)"


def to_row(record: ItemRecord) -> list[Any]:
    """Turn the record, but for its crop, into SQLite values; NumPy scalars become plain ones."""
    return [kind(getattr(record, name)) for name, kind in COLUMNS]


def from_row(row: Sequence[Any]) -> ItemRecord:
    """Turn a row of `SELECT` into its record; SQLite keeps NaN as NULL."""
    plain = {
        name: math.nan if kind is float and value is None else kind(value)
        for (name, kind), value in zip(COLUMNS, row[2:], strict=True)
    }
    return ItemRecord(crop=row[1] or b"", **plain)


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
        if holds_nothing:
            self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        elif self._pragma("application_id") == APPLICATION_ID and self._version() == 1:
            self._transact(self._upgrade)
        else:
            self._check()
        # WAL with FULL syncs on every commit: an acknowledged record survives a power cut.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(f"PRAGMA journal_size_limit = {int(4 * MEGABYTE)}")
        self._database.execute("PRAGMA foreign_keys = ON")
        if holds_nothing:
            self._transact(self._create)

    def _version(self) -> int:
        return self._pragma("user_version")

    def _create(self) -> None:
        if self._pragma("schema_version") == 0:  # else another process was faster
            self._run(SCHEMA)

    def _upgrade(self) -> None:
        """Bring a file of version 1 up to date; nothing of it is lost."""
        if self._version() == 1:
            self._run(SET_ASIDE + SCHEMA + MOVED)

    def _run(self, script: str) -> None:
        """Run statements within the transaction; executescript would commit it first."""
        statement = ""
        for line in script.strip().splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                self._database.execute(statement)
                statement = ""

    def _check(self) -> None:
        """Raise BadInput unless the file is one of ours and of a version this program knows."""
        if self._pragma("application_id") != APPLICATION_ID:
            raise BadInput(f"{self.path}: not a file of item records; name another file")
        version = self._version()
        if version != SCHEMA_VERSION:
            older = "start the line once, which brings them up to date"
            newer = "update the program or name another file"
            raise BadInput(
                f"{self.path}: records of version {version}, this program knows {SCHEMA_VERSION}; "
                + (older if version < SCHEMA_VERSION else newer)
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

        A record whose `item_id` is there already only changes its bin, and the reason with it: the
        last word on where the item went. So appending again is harmless.

        Raises:
            ValueError: a record has a value that cannot be stored; nothing was.
            EwasteError: the disk is full, or the file is locked or damaged; nothing was stored.
        """
        try:
            rows = [(to_row(record), bool(record.review), bytes(record.crop)) for record in records]
            self._transact(lambda: self._insert(rows))
        except (TypeError, ValueError, OverflowError, sqlite3.InterfaceError) as error:
            raise ValueError(f"a record cannot be stored ({error})") from error
        except sqlite3.Error as error:
            raise EwasteError(f"{self.path}: cannot be written ({error})") from None

    def _insert(self, rows: Sequence[tuple[list[Any], bool, bytes]]) -> None:
        for row, wanted, crop in rows:
            done = self._database.execute(INSERT, row)
            if not done.rowcount:
                self._move(dict(zip(NAMED, row, strict=True)))
            elif crop:
                self._database.execute(INSERT_CROP, (done.lastrowid, wanted, crop))

    def _move(self, given: Mapping[str, Any]) -> None:
        """Change the bin of an item that is there, and the counts with it."""
        find = "SELECT label, bin FROM items WHERE item_id = ? AND bin IS NOT ?"
        found = self._database.execute(find, (given["item_id"], given["bin"])).fetchone()
        if found is not None:
            change = "UPDATE items SET bin = ?, reason = ? WHERE item_id = ?"
            self._database.execute(change, (given["bin"], given["reason"], given["item_id"]))
            fewer = "UPDATE tallies SET items = items - 1 WHERE label = ? AND bin = ?"
            self._database.execute(fewer, found)
            self._database.execute(MORE, (found[0], given["bin"]))

    def review(self, item_id: str, label: str) -> bool:
        """Keep the label that a person gave to an item; False when there is no such item.

        Raises:
            EwasteError: the disk is full, or the file is locked or damaged.
        """
        found = []

        def change() -> None:
            update = "UPDATE items SET reviewed = ? WHERE item_id = ? RETURNING sequence"
            found.extend(self._database.execute(update, (label, item_id)).fetchall())
            self._database.executemany("UPDATE crops SET wanted = 1 WHERE sequence = ?", found)

        try:
            self._transact(change)
        except sqlite3.Error as error:
            raise EwasteError(f"{self.path}: cannot be written ({error})") from None
        return bool(found)

    def prune(self, days: float, megabytes: float) -> bool:
        """Delete a part of what is too old or too much; False when there is no more to delete.

        Age is counted from the newest record, and from the oldest record on: neither a clock that
        was set back nor one that a record has from the future makes a newer record go before an
        older one. Over `megabytes` the crops go first, those that nobody is to look at before the
        others, then the records; the oldest first.

        Raises:
            EwasteError: the disk is full, or the file is locked or damaged.
        """
        try:
            before = self._database.total_changes
            self._transact(lambda: self._delete_old(days))
            self._transact(lambda: self._delete_excess(megabytes))
            excess = self._pragma("page_count") - int(megabytes * MEGABYTE / self._page_bytes())
            if excess > 0 and self._pragma("freelist_count"):
                # Not execute: it takes the first step of the statement only, which frees one page.
                self._database.executescript(f"PRAGMA incremental_vacuum({excess})")
            return self._database.total_changes > before
        except sqlite3.Error as error:
            raise EwasteError(f"{self.path}: cannot be written ({error})") from None

    def _delete_old(self, days: float) -> None:
        newest = "SELECT decided_at FROM items ORDER BY sequence DESC LIMIT 1"
        first_kept = (
            f"SELECT sequence FROM items WHERE decided_at >= ({newest}) - ? "
            "ORDER BY sequence LIMIT 1"
        )
        self._database.execute(
            "DELETE FROM items WHERE sequence IN (SELECT sequence FROM items "
            f"WHERE sequence < ({first_kept}) ORDER BY sequence LIMIT ?)",
            (days * DAY_S, PRUNED_AT_ONCE),
        )

    def _delete_excess(self, megabytes: float) -> None:
        for _ in range(PRUNE_ROUNDS):
            if self.used_bytes() <= megabytes * MEGABYTE:
                return
            gone = self._database.execute(
                "DELETE FROM crops WHERE sequence IN "
                "(SELECT sequence FROM crops ORDER BY wanted, sequence LIMIT ?)",
                (PRUNED_AT_ONCE // 10,),
            )
            if not gone.rowcount:
                self._database.execute(
                    "DELETE FROM items WHERE sequence IN "
                    "(SELECT sequence FROM items ORDER BY sequence LIMIT ?)",
                    (PRUNED_AT_ONCE,),
                )

    def _page_bytes(self) -> int:
        return self._pragma("page_size")

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        used = self._pragma("page_count") - self._pragma("freelist_count")
        return used * self._page_bytes()

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
        """How many items were ever recorded here; the counts forget nothing that was pruned."""
        return int(self._read("SELECT COALESCE(SUM(items), 0) FROM tallies")[0][0])

    def decided_since(self, unix_seconds: float, now: float) -> int:
        """How many of the newest items were decided between that moment and `now`."""
        query = (
            "SELECT COUNT(*) FROM items WHERE sequence > COALESCE((SELECT sequence FROM items "
            "WHERE NOT decided_at BETWEEN ? AND ? ORDER BY sequence DESC LIMIT 1), 0)"
        )
        return int(self._read(query, unix_seconds, now)[0][0])

    def recent(self, n: int) -> list[ItemRecord]:
        """Read the last `n` records, the newest first."""
        rows = self._read(f"{SELECT} ORDER BY sequence DESC LIMIT ?", n)
        return [from_row(row) for row in rows]

    def crop(self, item_id: str) -> bytes | None:
        """Read the JPEG of one item; None when there is no such item or its crop was given up."""
        query = "SELECT jpeg FROM items JOIN crops USING (sequence) WHERE item_id = ?"
        rows = self._read(query, item_id)
        return rows[0][0] if rows else None

    def all(self) -> Iterator[ItemRecord]:
        """Every record in the order of recording, a batch at a time in memory."""
        return self._walk("TRUE")

    def to_review(self) -> Iterator[ItemRecord]:
        """The records with a crop that a person should look at, or has looked at, in order."""
        return self._walk("(review <> '' OR reviewed <> '') AND jpeg IS NOT NULL")

    def _walk(self, condition: str) -> Iterator[ItemRecord]:
        last = 0
        query = f"{SELECT} WHERE sequence > ? AND {condition} ORDER BY sequence LIMIT {BATCH}"
        while rows := self._read(query, last):
            yield from map(from_row, rows)
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
