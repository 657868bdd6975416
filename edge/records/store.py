"""Item records and image crops that survive a kill and a power cut, in one SQLite file."""

import errno
import math
import os
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, get_type_hints

from edge.errors import BadInput, EwasteError
from edge.records.former_reasons import reason_of
from edge.records.schema import (
    APPLICATION_ID,
    LISTED,
    MIGRATIONS,
    OUR_TABLES,
    SCHEMA,
    SCHEMA_VERSION,
    VIEWS_OF_2,
    our_schema,
    statements,
)
from edge.verdict import Reason

RECORDS_NAME = "records.db"
"""The file of records in a line's state directory."""
BUSY_SECONDS = 2.0
BATCH = 100
DAY_S, MEGABYTE = 86400.0, 1e6
PRUNED_AT_ONCE, PRUNE_ROUNDS = 200, 20
JOURNALS = ("-wal", "-shm")
"""What SQLite keeps beside its file, by the ends of the names."""
LONGEST_VALUE = 32 * 2**20
"""Bytes of the longest text or picture; a damaged length may ask for more than there is memory."""
LONGEST_STATEMENT_S = 300.0
"""A statement that takes longer goes round in circles: the file is damaged."""
OPCODES_BETWEEN_LOOKS = 100_000
PROVED_BYTES, PROVING_S = 64 * 2**20, 2.0
"""A file up to this size is looked through when a line starts, for at most this time."""
LARGEST_SEQUENCE = 2**53
"""No line comes so far. From 2^63 on SQLite calls the disk full."""
PASSED_OVER, PASSING_S = 10_000, 30.0
"""How many damaged places a walk tries to get past, and for how long."""
KEPT_ASIDE = 5
"""So many damaged files are kept; a disk that corrupts all it is given must not be filled by
them.
"""
NO_DAMAGE = (
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
"""How SQLite begins to say what may pass; all else that it says of our statements is damage."""
NO_MORE_READABLE = ("SQLITE_IOERR_READ", "SQLITE_IOERR_CORRUPTFS")
"""Input and output errors that are damage: the medium does not give back what it was given."""
NOT_FOR_LONG = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE)
"""Why a file cannot be made that is no reason to hold up the line."""
READ_ONLY = "attempt to write a readonly database"
NOT_WRITABLE_HERE = (READ_ONLY, "unable to open database file", "disk I/O error")
"""How SQLite says that it can make no journal beside a file."""


@dataclass(frozen=True)
class ItemRecord:
    """What is kept of one item.

    Attributes:
        item_id: unique over all runs.
        decided_at: unix seconds of the verdict.
        label: one of the model's classes, or `unknown`.
        confidence: 0 to 1.
        bin: where the item was sent.
        reason: why, for programs.
        detail: why, in words for a person.
        position_mm: belt position of the item's center when it was last seen.
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
        top_label: the class that the views speak for most, also when that is not enough for a
            label; empty when there was no view.
        review: why a person should look at it (`edge.records.review`), empty: nobody has to.
        reviewed: the label that a person gave it, empty: none did.

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


COLUMNS: dict[str, type] = {
    name: kind for name, kind in get_type_hints(ItemRecord).items() if name != "crop"
}
"""Column -> the type of its values, in the order of `ItemRecord`."""
NAMED = tuple(COLUMNS)
NAMES = ", ".join(NAMED)
INSERT = (
    f"INSERT INTO items ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    "ON CONFLICT (item_id) DO NOTHING"
)
INSERT_CROP = "INSERT INTO crops (sequence, keep_for_review, jpeg) VALUES (?, ?, ?)"
SELECT = f"SELECT sequence, jpeg, {NAMES} FROM items LEFT JOIN crops USING (sequence)"
SELECT_PLAIN = f"SELECT sequence, NULL, {NAMES} FROM items"
READ_AS: dict[type, tuple[type, ...]] = {
    float: (float, int, type(None)),
    int: (int,),
    bool: (int,),
    str: (str,),
    Reason: (str,),
}


class Damaged(EwasteError):
    """The file of records is not as it was written. Exit code 1."""


def to_row(record: ItemRecord) -> list[Any]:
    """Turn the record, but for its crop, into SQLite values; NumPy scalars become plain ones."""
    values = [kind(getattr(record, name)) for name, kind in COLUMNS.items()]
    return [value.value if isinstance(value, Reason) else value for value in values]


def from_row(row: Sequence[Any]) -> ItemRecord:
    """Turn a row of `SELECT` into its record; SQLite keeps NaN as NULL.

    Raises:
        ValueError: a value is not of the kind that is written there.
    """
    plain: dict[str, Any] = {}
    for (name, kind), value in zip(COLUMNS.items(), row[2:], strict=True):
        if not isinstance(value, READ_AS[kind]):
            raise ValueError(f"{name} of record {row[0]} is {type(value).__name__}")
        try:
            plain[name] = math.nan if value is None else kind(value)
        except ValueError:
            raise ValueError(f"{name} of record {row[0]} is not known") from None
    if not isinstance(row[1], (bytes, type(None))):
        raise ValueError(f"crop of record {row[0]} is {type(row[1]).__name__}")
    return ItemRecord(crop=row[1] or b"", **plain)


def open_store(path: Path, said: Callable[[str], None], prove: bool = False) -> "Store":
    """Open a file of records for writing; a damaged one is set aside and a new one begun.

    Args:
        path: of the file.
        said: gets a line when that was so.
        prove: look through a file that is there for damage first.

    Raises:
        BadInput: it is somebody else's file, or of a newer version.
        EwasteError: it cannot be opened at the moment, or a damaged one cannot be renamed.
    """
    try:
        return Store(path, prove=prove)
    except Damaged as damage:
        said(f"{damage}; {set_aside(path, time.time())}")
    return Store(path)


def set_aside(path: Path, now: float) -> str:
    """Rename a damaged file, which nobody has open here, and its journals; says what was done.

    Of `KEPT_ASIDE` earlier ones the smallest is deleted.

    Args:
        path: of the file.
        now: unix seconds, which go into the name.

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
        if len(earlier) >= KEPT_ASIDE:
            least = min(earlier, key=lambda other: other.stat().st_size)
            for end in ("", *JOURNALS):
                least.with_name(least.name + end).unlink(missing_ok=True)
            done += f"; {least.name}, the smallest of {KEPT_ASIDE} before it, is deleted"
        return done
    except OSError as error:
        raise EwasteError(
            f"{path}: is damaged and cannot be renamed ({error.strerror}); move it away"
        ) from None


def one_line(error: BaseException) -> str:
    """What SQLite says, in one line of printable characters; it may quote a damaged file."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(error))
    return " ".join(text.split())[:200]


def is_damage(error: BaseException) -> bool:
    """Whether what SQLite or its adapter raised means a damaged file, not one that is in use."""
    if getattr(error, "sqlite_errorname", "") in NO_MORE_READABLE:
        return True
    return not isinstance(error, MemoryError) and not str(error).startswith(NO_DAMAGE)


class Store:
    """One file of item records; a context manager.

    To be used by the thread that opened it. One process writes; others may read at the same time.
    """

    def __init__(self, path: Path, read_only: bool = False, prove: bool = False) -> None:
        """Open `path`, creating it unless `read_only`.

        Args:
            path: of the file; one that is created is for its owner only.
            read_only: also where nothing may be written, as on a card taken out of its device.
            prove: look through the file for damage, in bounded time.

        Raises:
            BadInput: the path cannot be opened, is no such file, or is of a newer version.
            Damaged: it was such a file.
            EwasteError: the disk is full or the file is locked.
        """
        self.path, self._read_only = path, read_only
        self._opened: os.stat_result | None = None
        self._until = math.inf
        self._copy: tempfile.TemporaryDirectory[str] | None = None
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
            pass
        except OSError as error:
            kind = EwasteError if error.errno in NOT_FOR_LONG else BadInput
            raise kind(
                f"{self.path}: cannot be opened ({error.strerror}); check the folder"
            ) from None
        self._connect(self.path, "mode=rwc")
        try:
            with self._guarded("used"):
                self._prepare()
                self._look_at_ends()
                if prove:
                    self._prove()
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
                with self.path.open("rb"):
                    pass
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
            if not any(said in str(error) for said in NOT_WRITABLE_HERE):
                raise
            self._open_where_nothing_is_written()

    def _start_reading(self, path: Path, mode: str) -> None:
        self._connect(path, mode)
        try:
            with self._guarded("read"):
                if self._pragma("application_id") == APPLICATION_ID and self._version() == 2:
                    self._run(VIEWS_OF_2)
                else:
                    self._check()
                self._database.execute(f"EXPLAIN {SELECT}").fetchall()  # reads the schema only
        except EwasteError:
            self.close()
            raise

    def _open_where_nothing_is_written(self) -> None:
        """Open a file beside which SQLite can make no journal.

        What a line that was killed had not yet moved from its journal into the file is seen in a
        copy of both.
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
        self._copy = tempfile.TemporaryDirectory(prefix="ewaste-records-")
        copied = Path(self._copy.name) / self.path.name
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
        # A text with a corrupted byte is shown with a mark in its place.
        self._database.text_factory = lambda text: text.decode("utf-8", "replace")
        if sys.version_info >= (3, 11):
            self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        self._database.create_function("reason_of", 2, reason_of, deterministic=True)
        self._database.execute("PRAGMA temp_store = MEMORY")  # views only; no disk is needed
        self._database.set_progress_handler(
            lambda: time.monotonic() > self._until, OPCODES_BETWEEN_LOOKS
        )

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        """Within: what SQLite raises becomes one of our errors, and nothing goes on for ever."""
        self._until = time.monotonic() + LONGEST_STATEMENT_S
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError, MemoryError) as error:
            raise self._failure(error, doing) from None

    def _failure(self, error: BaseException, doing: str) -> EwasteError:
        said = one_line(error)
        if said == "interrupted" and time.monotonic() > self._until:
            return Damaged(f"{self.path}: is damaged (a walk over it does not end)")
        if said == READ_ONLY and not self._read_only and self._says_read_only():
            return Damaged(f"{self.path}: is damaged (its header forbids writing)")
        if not is_damage(error):
            return EwasteError(f"{self.path}: cannot be {doing} ({said})")
        if self._read_only and "file is not a database" in said:
            return BadInput(f"{self.path}: {said}; move it away or name another file")
        return Damaged(f"{self.path}: is damaged ({said})")

    def _says_read_only(self) -> bool:
        """Whether the file's own header, not the disk, forbids writing.

        Closing what is opened here gives up the locks of this process, which is about to anyway.
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
        """Make commits durable, and create the tables of a file that holds nothing yet."""
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

    def _look_at_ends(self) -> None:
        """Raise Damaged if the next record could not follow the last one, or be counted."""
        ends = (
            "SELECT COALESCE(MAX(sequence), 0) FROM items UNION ALL "
            "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence"
        )
        numbers = [row[0] for row in self._database.execute(ends)]
        if not all(isinstance(each, int) and 0 <= each < LARGEST_SEQUENCE for each in numbers):
            raise Damaged(f"{self.path}: is damaged (its records are numbered wrongly)")

    def _prove(self) -> None:
        """Raise Damaged if a look through the file finds damage; a large one takes too long."""
        if self._pragma("page_count") * self._page_bytes() > PROVED_BYTES:
            return
        self._until = time.monotonic() + PROVING_S
        try:
            found = self._database.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > self._until:
                return  # a slow disk; what is damaged shows when it is used
            raise
        if found is None or found[0] != "ok":
            said = one_line(ValueError(found and found[0]))
            raise Damaged(f"{self.path}: is damaged ({said})")

    def _version(self) -> int:
        return self._pragma("user_version")

    def _create(self) -> None:
        if self._pragma("schema_version") == 0:  # else another process was faster
            self._run(SCHEMA)

    def _migrate(self) -> None:
        """Bring a file of an earlier version up to date; nothing of it is lost."""
        script = MIGRATIONS.get(self._version())
        if script is not None:  # else another process was faster
            self._run(script)

    def _run(self, script: str) -> None:
        for statement in statements(script):
            self._database.execute(statement)

    def _check(self) -> None:
        """Raise BadInput unless the file is one of ours and of a version this program knows.

        One byte of the numbers that say so may have been corrupted: what holds our tables is ours,
        and what holds them as this version writes them is of this version (a newer one has others).
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
        """Store `records` in one transaction; when this returns they survive `kill -9`.

        A record whose `item_id` is there already only changes its bin, and the reason with it: the
        last word on where the item went. So appending again is harmless.

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
        """Raise EwasteError when the file was moved or deleted: what is written would be lost."""
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
                self._reroute(dict(zip(NAMED, row, strict=True)))
            elif crop:
                self._database.execute(INSERT_CROP, (done.lastrowid, keep_for_review, crop))

    def _reroute(self, given: Mapping[str, Any]) -> None:
        """Change the bin, and why, of an item that is there."""
        change = (
            "UPDATE items SET bin = ?, reason = ?, detail = ? WHERE item_id = ? AND bin IS NOT ?"
        )
        values = [given[name] for name in ("bin", "reason", "detail", "item_id", "bin")]
        self._database.execute(change, values)

    def prune(self, days: float, megabytes: float) -> bool:
        """Delete a part of what is too old or too much; False when there is no more to delete.

        Age is counted from the newest record, and from the oldest record on: neither a clock that
        was set back nor one that a record has from the future makes a newer record go before an
        older one. Over `megabytes` the crops go first, those that nobody is to look at before the
        others, then the records; the oldest first.

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
            (days * DAY_S, PRUNED_AT_ONCE),
        )

    def _delete_excess(self, megabytes: float) -> None:
        for _ in range(PRUNE_ROUNDS):
            if self.used_bytes() <= megabytes * MEGABYTE:
                return
            gone = self._database.execute(
                "DELETE FROM crops WHERE sequence IN "
                "(SELECT sequence FROM crops ORDER BY keep_for_review, sequence LIMIT ?)",
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
        with self._guarded("read"):
            return self._database.execute(query, values).fetchall()

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
        return [self._record(row) for row in rows]

    def _record(self, row: Sequence[Any]) -> ItemRecord:
        try:
            return from_row(row)
        except ValueError as error:
            raise Damaged(f"{self.path}: is damaged ({error})") from None

    def crop(self, item_id: str) -> bytes | None:
        """Read the JPEG of one item; None when there is no such item or its crop was given up."""
        query = "SELECT jpeg FROM items JOIN crops USING (sequence) WHERE item_id = ?"
        rows = self._read(query, item_id)
        if rows and not isinstance(rows[0][0], bytes):
            raise Damaged(f"{self.path}: is damaged (a crop is no picture)")
        return rows[0][0] if rows else None

    def all(
        self, unread: Callable[[int], None] | None = None, crops: bool = True
    ) -> Iterator[ItemRecord]:
        """Every record in the order of recording, a batch at a time in memory.

        Args:
            unread: gets about how many records could not be read, wherever there are some; None:
                the first one raises Damaged.
            crops: with their pictures.
        """
        return self._walk(f"{SELECT if crops else SELECT_PLAIN} WHERE", unread)

    def to_review(self, unread: Callable[[int], None] | None = None) -> Iterator[ItemRecord]:
        """The records with a crop that a person should look at, or has looked at, in order."""
        condition = "(review <> '' OR reviewed <> '') AND jpeg IS NOT NULL AND"
        return self._walk(f"{SELECT} WHERE {condition}", unread)

    def _walk(self, query: str, unread: Callable[[int], None] | None) -> Iterator[ItemRecord]:
        """Walk on from each sequence to the next higher one: no damage makes that go round."""
        query += " sequence > ? ORDER BY sequence LIMIT ?"
        last, passing = 0, _Passing()
        while True:
            try:
                rows = self._following(query, last, BATCH)
            except Damaged:
                if unread is None:
                    raise
                rows, start = self._past_damage(query, last, passing)
                if start > last:
                    unread(start - last)
                last = start
            if not rows:
                return
            for row in rows:
                last = row[0]
                try:
                    record = self._record(row)
                except Damaged:
                    if unread is None:
                        raise
                    unread(1)
                    continue
                yield record

    def _following(self, query: str, last: int, count: int) -> list[Any]:
        rows = self._read(query, last, count)
        for before, row in zip([last, *(row[0] for row in rows)], rows, strict=False):
            if not isinstance(row[0], int) or row[0] <= before:
                raise Damaged(f"{self.path}: is damaged (its records are not in order)")
        return rows

    def _past_damage(self, query: str, last: int, passing: "_Passing") -> tuple[list[Any], int]:
        """The first row that can be read after `last`, and the sequence it was sought from."""
        with suppress(Damaged):
            ends = self._read("SELECT MAX(seq) FROM sqlite_sequence WHERE name = 'items'")
            if isinstance(ends[0][0], int) and ends[0][0] > last:
                passing.end = ends[0][0]
        start = last
        while start < passing.end and passing.goes_on():
            with suppress(Damaged):
                return self._following(query, start, 1), start
            start += 1
        return [], passing.end if passing.end < LARGEST_SEQUENCE else last + 1

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with suppress(sqlite3.Error):
            self._database.close()
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

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
class _Passing:
    """How far a walk over a damaged file still tries to get past what it cannot read."""

    tries: int = 0
    since: float | None = None
    end: int = LARGEST_SEQUENCE

    def goes_on(self) -> bool:
        self.since = self.since or time.monotonic()
        self.tries += 1
        return self.tries <= PASSED_OVER and time.monotonic() - self.since < PASSING_S


def _length(value: object) -> int:
    return 4 * len(value) if isinstance(value, str) else 0
