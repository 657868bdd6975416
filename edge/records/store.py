"""Item records and crops in one SQLite file; they survive a kill and a power cut."""

import errno
import logging
import math
import os
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from edge.errors import BadInput, EwasteError
from edge.files import leads_nowhere
from edge.records.former_reasons import reason_of
from edge.records.schema import (
    APPLICATION_ID,
    LISTED,
    MIGRATIONS,
    OUR_TABLES,
    SCHEMA,
    SCHEMA_VERSION,
    VIEWS,
    our_schema,
    statements,
)
from edge.verdict import Reason

log = logging.getLogger(__name__)

RECORDS_NAME = "records.db"
"""The file of records in a line's state directory."""
BUSY_SECONDS = 2.0
BATCH = 100
DAY_S, MEGABYTE = 86400.0, 1e6
PRUNE_ROWS, PRUNE_ROUNDS = 200, 20
JOURNALS = ("-wal", "-shm", "-journal")
"""Ends of the names of the files that SQLite keeps beside its own."""
LONGEST_VALUE = 32 * 2**20
"""Longest text or crop, bytes; a damaged length may claim more than the memory holds."""
LONGEST_STATEMENT_S = 300.0
"""Longest time of a statement, s; a longer one never ends, because the file is damaged."""
LONGEST_MIGRATION_S = 3600.0
"""Longest time of a migration, s: it rewrites millions of records on a slow card."""
OPCODES_BETWEEN_CHECKS = 100_000
LARGEST_CHECKED, LONGEST_CHECK_S = 64 * 2**20, 2.0
"""Largest file that is checked when a line starts, bytes, and the longest time of the check, s."""
LARGEST_SEQUENCE = 2**53
"""More records than any line makes. From 2^63 on SQLite reports a full disk."""
MOST_SKIPS, LONGEST_SKIPPING_S = 10_000, 30.0
"""How many damaged places a reader tries to skip, and for how long, s."""
MOST_SET_ASIDE = 5
"""Number of damaged files that are kept; they must not fill a disk that corrupts every file."""
PASSING_ERRORS = (
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "database or disk is full",
    "disk I/O error",
    "attempt to write a readonly database",
    "unable to open database file",
    "interrupted",
    "out of memory",
    "locking protocol",
    "access permission denied",
    "not authorized",
)
"""Beginnings of SQLite's messages for errors that may pass; any other error means damage."""
MEDIUM_ERRORS = ("SQLITE_IOERR_READ", "SQLITE_IOERR_CORRUPTFS")
"""Input and output errors that mean damage: the medium does not return what was written."""
PASSING_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE)
"""Errors at creating a file that may pass; they do not stop the line."""
READ_ONLY = "attempt to write a readonly database"
NO_JOURNAL = (READ_ONLY, "unable to open database file", "disk I/O error")
"""SQLite's messages when it cannot make a journal beside a file."""


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


COLUMNS: dict[str, type] = {
    name: kind for name, kind in get_type_hints(ItemRecord).items() if name != "crop"
}
"""Column -> the type of its values, in the order of `ItemRecord`."""
COLUMN_NAMES = tuple(COLUMNS)
COLUMN_LIST = ", ".join(COLUMN_NAMES)
INSERT = (
    f"INSERT INTO items ({COLUMN_LIST}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (item_id) DO NOTHING"
)
INSERT_CROP = "INSERT INTO crops (sequence, keep_for_review, jpeg) VALUES (?, ?, ?)"
SELECT = f"SELECT sequence, jpeg, {COLUMN_LIST} FROM items LEFT JOIN crops USING (sequence)"
SELECT_PLAIN = f"SELECT sequence, NULL, {COLUMN_LIST} FROM items"
STORED_AS: dict[type, tuple[type, ...]] = {
    float: (float, int, type(None)),
    int: (int,),
    bool: (int,),
    str: (str,),
    Reason: (str,),
}


class RecordGroup(NamedTuple):
    """Items of a period that share what is named here, and when the first and last was decided."""

    label: str
    bin: str
    reason: str
    late: int
    bundle: str
    items: int
    first_at: float
    last_at: float


@dataclass(frozen=True)
class Figures:
    """What the records of a period come to.

    Attributes:
        groups: the items of the period, each in one group.
        moments: float64 [items, 2]: `decided_at` and `verdict_ms` of each, the oldest first; NaN:
            not measured. At most as many as were asked for.
    """

    groups: tuple[RecordGroup, ...]
    moments: np.ndarray


GROUPED = f"""
SELECT {", ".join(RecordGroup._fields[:5])}, COUNT(*), MIN(decided_at), MAX(decided_at) FROM items
WHERE decided_at >= ? AND decided_at < ? GROUP BY 1, 2, 3, 4, 5 LIMIT ?
"""
MOMENTS = """
SELECT decided_at, CASE WHEN typeof(verdict_ms) IN ('real', 'integer') THEN verdict_ms END
FROM items WHERE decided_at >= ? AND decided_at < ? ORDER BY decided_at LIMIT ?
"""
MOST_GROUPS = 10_000
"""The maximum number of groups of a period; a line makes some hundred."""


class Damaged(EwasteError):
    """The file of records is damaged. Exit code 1."""


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


def set_aside(path: Path, now: float) -> str:
    """Rename a damaged file and its journals; returns what was done, in words.

    This process must not have the file open. When `MOST_SET_ASIDE` earlier ones exist, the smallest
    is deleted.

    Args:
        path: path of the file.
        now: unix seconds, for the new name.

    Raises:
        EwasteError: it cannot be renamed.
    """
    moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    try:
        # Of a link to a file on another disk the file is renamed, of one to a folder the link.
        found = path.resolve() if path.is_file() else path
        earlier = [
            other
            for other in found.parent.glob(f"{path.stem}.damaged-*{path.suffix}")
            if other.is_file() and not other.is_symlink()
        ]
        number, name = 1, f"{path.stem}.damaged-{moment}{path.suffix}"
        while os.path.lexists(found.parent / name):
            number += 1
            name = f"{path.stem}.damaged-{moment}-{number}{path.suffix}"
        # The file last: a journal that stayed would be taken for the new file's.
        for end in (*JOURNALS, ""):
            part = found.with_name(found.name + end)
            if os.path.lexists(part):
                part.rename(found.with_name(name + end))
        done = f"set aside as {name}, a new one is begun"
        if len(earlier) >= MOST_SET_ASIDE:
            least = min(earlier, key=lambda other: other.stat().st_size)
            for end in ("", *JOURNALS):
                least.with_name(least.name + end).unlink(missing_ok=True)
            done += f"; {least.name}, the smallest of {MOST_SET_ASIDE} before it, is deleted"
        return done
    except OSError as error:
        raise EwasteError(
            f"{path}: is damaged and cannot be renamed ({error.strerror}); move it away"
        ) from None


def one_line(error: BaseException) -> str:
    """Return SQLite's message as one line of printable characters; it may quote a damaged file."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(error))
    return " ".join(text.split())[:200]


def is_damage(error: BaseException) -> bool:
    """Return whether an error of SQLite or its adapter means that the file is damaged."""
    if getattr(error, "sqlite_errorname", "") in MEDIUM_ERRORS:
        return True
    return not isinstance(error, MemoryError) and not str(error).startswith(PASSING_ERRORS)


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
        self.path, self._read_only = path, read_only
        self._opened: os.stat_result | None = None
        self._until = math.inf
        self._copied: tempfile.TemporaryDirectory[str] | None = None
        if read_only:
            self._open_to_read()
        else:
            self._open_to_write(prove)

    def _open_to_write(self, prove: bool) -> None:
        for end in ("", *JOURNALS):
            beside = self.path.with_name(self.path.name + end)
            with suppress(OSError):  # nothing there, most often
                if not stat.S_ISREG(beside.stat().st_mode):
                    raise Damaged(f"{beside}: is no regular file")
        try:
            # SQLite would let everybody read it. Its journals get the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if leads_nowhere(self.path):
                raise EwasteError(
                    f"{self.path}: leads to {self.path.readlink()}, which is not there"
                ) from None
        except OSError as error:
            kind = EwasteError if error.errno in PASSING_ERRNOS else BadInput
            raise kind(
                f"{self.path}: cannot be opened ({error.strerror}); check the folder"
            ) from None
        self._connect(self.path, "mode=rwc")
        try:
            with self._guarded("used"):
                self._prepare()
                self._check_sequences()
                if prove:
                    self._check_pages()
            self._opened = self.path.stat()
            self._make_private()
        except OSError as error:
            self.close()
            raise EwasteError(f"{self.path}: cannot be used ({error.strerror})") from None
        except EwasteError:
            self.close()
            raise

    def _open_to_read(self) -> None:
        try:
            mode = self.path.stat().st_mode
            if stat.S_ISREG(mode):
                # Opening and closing it here would drop the locks of every store of this process.
                self._require_readable()
        except FileNotFoundError:
            raise BadInput(
                f"{self.path}: no records yet; they appear when the line has run"
            ) from None
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be read ({error.strerror})") from None
        if not stat.S_ISREG(mode):
            raise BadInput(f"{self.path}: no regular file; name the folder of the records")
        try:
            self._start_reading(self.path, "mode=ro")
        except EwasteError as error:
            if not any(message in str(error) for message in NO_JOURNAL):
                raise
            self._open_where_nothing_is_written()

    def _require_readable(self) -> None:
        if not os.access(self.path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _start_reading(self, path: Path, mode: str) -> None:
        self._connect(path, mode)
        try:
            with self._guarded("read"):
                if self._pragma("application_id") == APPLICATION_ID and self._version() in VIEWS:
                    self._run(VIEWS[self._version()])
                else:
                    self._check()
                self._database.execute(f"EXPLAIN {SELECT}").fetchall()  # reads the schema only
        except EwasteError:
            self.close()
            raise

    def _open_where_nothing_is_written(self) -> None:
        """Open a file beside which SQLite cannot make a journal.

        When the journal of a killed line holds records that are not in the file yet, both are
        copied.
        """
        journal = self.path.with_name(self.path.name + JOURNALS[0])
        try:
            waiting = journal.stat().st_size > 0
        except FileNotFoundError:
            waiting = False
        except OSError as error:
            raise BadInput(f"{journal}: cannot be read ({error.strerror})") from None
        if not waiting:
            self._start_reading(self.path, "mode=ro&immutable=1")
            return
        self._copied = tempfile.TemporaryDirectory(prefix="ewaste-records-")
        copied = Path(self._copied.name) / self.path.name
        try:
            shutil.copyfile(self.path, copied)
            shutil.copyfile(journal, copied.with_name(journal.name))
        except OSError as error:
            self.close()
            raise EwasteError(
                f"{self.path}: the last records are in {journal.name}, which can be read on a disk "
                f"that is written only, and the copy in {copied.parent} failed ({error.strerror}); "
                "copy the folder elsewhere"
            ) from None
        self._start_reading(copied, "mode=rw")

    def _connect(self, path: Path, mode: str) -> None:
        try:
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?{mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
            )
        except sqlite3.Error as error:
            raise BadInput(f"{self.path}: cannot be opened ({error}); check the folder") from None
        # A corrupted byte of a text is replaced by a mark.
        self._database.text_factory = lambda text: text.decode("utf-8", "replace")
        if sys.version_info >= (3, 11):
            self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        self._database.create_function("reason_of", 2, reason_of, deterministic=True)
        self._database.execute("PRAGMA temp_store = MEMORY")  # views only; no disk is needed
        self._database.set_progress_handler(
            lambda: time.monotonic() > self._until, OPCODES_BETWEEN_CHECKS
        )

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        """Within: an error of SQLite becomes one of ours, and no statement runs forever."""
        self._until = time.monotonic() + LONGEST_STATEMENT_S
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError, MemoryError) as error:
            raise self._failure(error, doing) from None

    def _failure(self, error: BaseException, doing: str) -> EwasteError:
        message = one_line(error)
        if message == "interrupted" and time.monotonic() > self._until:
            return Damaged(f"{self.path}: is damaged (a walk over it does not end)")
        if message == READ_ONLY and not self._read_only and self._says_read_only():
            return Damaged(f"{self.path}: is damaged (its header forbids writing)")
        if not is_damage(error):
            return EwasteError(f"{self.path}: cannot be {doing} ({message})")
        if self._read_only and "file is not a database" in message:
            return BadInput(f"{self.path}: {message}; move it away or name another file")
        return Damaged(f"{self.path}: is damaged ({message})")

    def _says_read_only(self) -> bool:
        """Return whether the header of the file, not the disk, forbids writing.

        Closing the file here gives up the locks of this process, which closes the store anyway.
        """
        with suppress(OSError), self.path.open("rb") as file:
            return file.read(19)[18:] > b"\x02"
        return False

    def _make_private(self) -> None:
        for end in ("", *JOURNALS):
            path = self.path.with_name(self.path.name + end)
            with suppress(OSError):  # somebody else's, or not there
                if path.stat().st_mode & 0o077:
                    path.chmod(0o600)

    def _pragma(self, name: str) -> int:
        return int(self._database.execute(f"PRAGMA {name}").fetchone()[0])

    def _prepare(self) -> None:
        """Make commits durable; create the tables of an empty file, migrate those of an old one."""
        holds_nothing = self._pragma("schema_version") == 0
        if holds_nothing:
            self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        elif self._pragma("application_id") == APPLICATION_ID and self._version() in MIGRATIONS:
            self._transact(self._migrate)
        else:
            self._check()
        # WAL with FULL syncs on every commit: an acknowledged record survives a power cut.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(f"PRAGMA journal_size_limit = {int(4 * MEGABYTE)}")
        self._database.execute("PRAGMA foreign_keys = ON")
        if holds_nothing:
            self._transact(self._create)
            self._check()

    def _check_sequences(self) -> None:
        """Raise Damaged if the next record could not follow the last one."""
        ends = (
            "SELECT COALESCE(MAX(sequence), 0) FROM items UNION ALL "
            "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence"
        )
        numbers = [row[0] for row in self._database.execute(ends)]
        if not all(isinstance(each, int) and 0 <= each < LARGEST_SEQUENCE for each in numbers):
            raise Damaged(f"{self.path}: is damaged (its records are numbered wrongly)")

    def _check_pages(self) -> None:
        """Raise Damaged if a check finds damage; a large file is not checked."""
        if self._pragma("page_count") * self._page_bytes() > LARGEST_CHECKED:
            return
        self._until = time.monotonic() + LONGEST_CHECK_S
        try:
            found = self._database.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > self._until:
                return  # a slow disk; what is damaged shows when it is used
            raise
        if found is None or found[0] != "ok":
            message = one_line(ValueError(found and found[0]))
            raise Damaged(f"{self.path}: is damaged ({message})")

    @property
    def version(self) -> int:
        """Return the version of the file's tables."""
        with self._guarded("read"):
            return self._version()

    def _version(self) -> int:
        return self._pragma("user_version")

    def _create(self) -> None:
        if self._pragma("schema_version") == 0:  # else another process was faster
            self._run(SCHEMA)

    def _migrate(self) -> None:
        """Bring a file of an earlier version up to date; nothing of it is lost."""
        script = MIGRATIONS.get(self._version())
        if script is not None:  # else another process was faster
            self._until = time.monotonic() + LONGEST_MIGRATION_S
            self._run(script)
            self._until = time.monotonic() + LONGEST_STATEMENT_S

    def _run(self, script: str) -> None:
        for statement in statements(script):
            self._database.execute(statement)

    def _check(self) -> None:
        """Raise BadInput unless the file holds item records of this version.

        The numbers that say so may be corrupted: a file with our tables is ours, and a file with
        exactly the tables of this version is of this version.
        """
        version = self._version()
        ours = self._pragma("application_id") == APPLICATION_ID
        if ours and version == SCHEMA_VERSION:
            return
        held = set(self._database.execute(LISTED).fetchall())
        if not held and self._pragma("schema_version") == 0:
            raise BadInput(f"{self.path}: no records yet; they appear when the line has run")
        names = {name for name, _ in held}
        if not ours and not any(names >= tables for tables in OUR_TABLES):
            raise BadInput(f"{self.path}: not a file of item records; name another file")
        if ours and version == 1:
            raise BadInput(
                f"{self.path}: records of version 1, this program knows {SCHEMA_VERSION}; start "
                "the line once, which brings them up to date"
            )
        if ours and version > SCHEMA_VERSION and not held >= our_schema():
            raise BadInput(
                f"{self.path}: records of version {version}, this program knows {SCHEMA_VERSION}; "
                "update the program or name another file"
            )
        raise Damaged(f"{self.path}: is damaged (its header says it is something else)")

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
            rows = [(to_row(record), bool(record.review), bytes(record.crop)) for record in records]
            if any(len(crop) + sum(map(_length, row)) >= LONGEST_VALUE for row, _, crop in rows):
                raise ValueError(f"more than {LONGEST_VALUE // 2**20} MB")
            with self._guarded("written"):
                try:
                    self._transact(lambda: self._insert(rows))
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

    def _insert(self, rows: Sequence[tuple[list[Any], bool, bytes]]) -> None:
        for row, keep_for_review, crop in rows:
            done = self._database.execute(INSERT, row)
            if not done.rowcount:
                self._reroute(dict(zip(COLUMN_NAMES, row, strict=True)))
            elif crop:
                self._database.execute(INSERT_CROP, (done.lastrowid, keep_for_review, crop))

    def _reroute(self, given: Mapping[str, Any]) -> None:
        """Change the bin of an item that is recorded, and why it went there."""
        change = (
            "UPDATE items SET bin = ?, reason = ?, detail = ? WHERE item_id = ? AND bin IS NOT ?"
        )
        values = [given[name] for name in ("bin", "reason", "detail", "item_id", "bin")]
        self._database.execute(change, values)

    def prune(self, days: float, megabytes: float) -> bool:
        """Delete some of what is too old or too large; False when nothing more is to be deleted.

        A record's age is its distance from the newest record, and the oldest records go first,
        whatever the wall clock did. Over `megabytes` the crops go first, those kept for review
        last, then the records; the oldest first.

        Args:
            days: largest age of a record.
            megabytes: largest size of the file, MB.

        Raises:
            Damaged: the file is damaged.
            EwasteError: the disk is full, or the file is locked.
        """
        with self._guarded("written"):
            before = self._database.total_changes
            self._transact(lambda: self._delete_old(days))
            self._transact(lambda: self._delete_excess(megabytes))
            excess = self._pragma("page_count") - int(megabytes * MEGABYTE / self._page_bytes())
            if excess > 0 and self._pragma("freelist_count"):
                # Not execute: it takes the first step of the statement only, which frees one page.
                self._database.executescript(f"PRAGMA incremental_vacuum({excess})")
            return self._database.total_changes > before

    def _delete_old(self, days: float) -> None:
        newest = "SELECT decided_at FROM items ORDER BY sequence DESC LIMIT 1"
        first_kept = (
            f"SELECT sequence FROM items WHERE decided_at >= ({newest}) - ? "
            "ORDER BY sequence LIMIT 1"
        )
        self._database.execute(
            "DELETE FROM items WHERE sequence IN (SELECT sequence FROM items "
            f"WHERE sequence < ({first_kept}) ORDER BY sequence LIMIT ?)",
            (days * DAY_S, PRUNE_ROWS),
        )

    def _delete_excess(self, megabytes: float) -> None:
        for _ in range(PRUNE_ROUNDS):
            if self.used_bytes() <= megabytes * MEGABYTE:
                return
            gone = self._database.execute(
                "DELETE FROM crops WHERE sequence IN "
                "(SELECT sequence FROM crops ORDER BY keep_for_review, sequence LIMIT ?)",
                (PRUNE_ROWS // 10,),
            )
            if not gone.rowcount:
                self._database.execute(
                    "DELETE FROM items WHERE sequence IN "
                    "(SELECT sequence FROM items ORDER BY sequence LIMIT ?)",
                    (PRUNE_ROWS,),
                )

    def _page_bytes(self) -> int:
        return self._pragma("page_size")

    def used_bytes(self) -> int:
        """Return the number of bytes in use in the file."""
        used = self._pragma("page_count") - self._pragma("freelist_count")
        return used * self._page_bytes()

    def read(self, query: str, *values: object) -> list[Any]:
        """Run a query of this room.

        Raises:
            Damaged: the file is damaged.
            EwasteError: it cannot be read now.
        """
        with self._guarded("read"):
            return self._database.execute(query, values).fetchall()

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
        try:
            return from_row(row)
        except ValueError as error:
            raise Damaged(f"{self.path}: is damaged ({error})") from None

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
        return self._read_in_order(f"{SELECT if crops else SELECT_PLAIN} WHERE", on_unread)

    def to_review(self, on_unread: Callable[[int], None] | None = None) -> Iterator[ItemRecord]:
        """Read the records with a crop that a person should review, or gave a label, in order.

        Those that a person gave no class are left out.
        """
        condition = "(review <> '' OR reviewed <> '') AND no_class = '' AND jpeg IS NOT NULL AND"
        return self._read_in_order(f"{SELECT} WHERE {condition}", on_unread)

    def figures(self, start: float, end: float, most: int) -> Figures:
        """Read what the items decided from `start` up to `end` come to, as of one moment.

        Args:
            start: Unix seconds, within the period.
            end: Unix seconds, the first moment after it.
            most: the maximum number of `moments`.

        Raises:
            Damaged: the file is damaged.
            EwasteError: there are more groups than any line makes.
        """
        moments = array("d")
        with self._guarded("read"):
            self._database.execute("BEGIN")
            try:
                limit = (start, end, MOST_GROUPS + 1)
                groups = [RecordGroup(*row) for row in self._database.execute(GROUPED, limit)]
                cursor = self._database.execute(MOMENTS, (start, end, most))
                while rows := cursor.fetchmany(10 * BATCH):
                    for at, took_ms in rows:
                        moments.append(at)
                        moments.append(math.nan if took_ms is None else took_ms)
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
        if len(groups) > MOST_GROUPS:
            raise EwasteError(f"{self.path}: more classes and bins than can be; shorten the period")
        for group in groups:
            texts = (group.label, group.bin, group.reason, group.bundle)
            if not all(isinstance(text, str) for text in texts) or not isinstance(group.late, int):
                raise Damaged(f"{self.path}: is damaged (a record has no label, bin, or reason)")
        return Figures(tuple(groups), np.array(moments, np.float64).reshape(-1, 2))

    def _read_in_order(
        self, query: str, on_unread: Callable[[int], None] | None
    ) -> Iterator[ItemRecord]:
        """Read in rising order of the sequence; damage cannot make that an endless loop."""
        query += " sequence > ? ORDER BY sequence LIMIT ?"
        last, skipping = 0, _Skipping()
        while True:
            try:
                rows = self._next_rows(query, last, BATCH)
            except Damaged:
                if on_unread is None:
                    raise
                rows, start = self._skip_damage(query, last, skipping)
                if start > last:
                    on_unread(start - last)
                last = start
            if not rows:
                return
            for row in rows:
                last = row[0]
                try:
                    record = self.record(row)
                except Damaged:
                    if on_unread is None:
                        raise
                    on_unread(1)
                    continue
                yield record

    def _next_rows(self, query: str, last: int, count: int) -> list[Any]:
        rows = self.read(query, last, count)
        for before, row in zip([last, *(row[0] for row in rows)], rows, strict=False):
            if not isinstance(row[0], int) or row[0] <= before:
                raise Damaged(f"{self.path}: is damaged (its records are not in order)")
        return rows

    def _skip_damage(self, query: str, last: int, skipping: "_Skipping") -> tuple[list[Any], int]:
        """Return the first readable row after `last`, and the sequence it was searched from."""
        with suppress(Damaged):
            ends = self.read("SELECT MAX(seq) FROM sqlite_sequence WHERE name = 'items'")
            if isinstance(ends[0][0], int) and ends[0][0] > last:
                skipping.end = ends[0][0]
        start = last
        while start < skipping.end and skipping.goes_on():
            with suppress(Damaged):
                return self._next_rows(query, start, 1), start
            start += 1
        return [], skipping.end if skipping.end < LARGEST_SEQUENCE else last + 1

    def close(self) -> None:
        """Close the file; may be called twice."""
        with suppress(sqlite3.Error):
            self._database.close()
        if self._copied is not None:
            self._copied.cleanup()
            self._copied = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


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


def _length(value: object) -> int:
    return 4 * len(value) if isinstance(value, str) else 0
