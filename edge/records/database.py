"""A file of records as SQLite has it open: bounded statements, whole transactions."""

import math
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge.errors import BadInput, EwasteError
from edge.records.damage import READ_ONLY, Damaged, is_damage, one_line
from edge.records.former_reasons import reason_of

BUSY_SECONDS = 2.0
MEGABYTE = 1e6
LONGEST_VALUE = 32 * 2**20
"""Longest text or crop, bytes; a damaged length may claim more than the memory holds."""
LONGEST_STATEMENT_S = 300.0
"""Longest time of a statement, s; a longer one never ends, because the file is damaged."""
OPCODES_BETWEEN_CHECKS = 100_000
LARGEST_SEQUENCE = 2**53
"""More records than any line makes. From 2^63 on SQLite reports a full disk."""


class Database:
    """One open file of records. Only the thread that opened it may use it.

    Attributes:
        path: the file, as its user names it.
        read_only: whether it was opened by somebody who makes no records.
        connection: the connection to it, or to a copy of it.
    """

    def __init__(
        self,
        path: Path,
        mode: str,
        *,
        read_only: bool,
        copied: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        """Connect; nothing is read yet.

        Args:
            path: the file.
            mode: how, as in SQLite's addresses of files.
            read_only: whether it is opened by somebody who makes no records.
            copied: a folder with a copy that is opened instead, and removed by `close`.

        Raises:
            BadInput: the file cannot be opened.
        """
        self.path, self.read_only, self._copied = path, read_only, copied
        self._until = math.inf
        opened = path if copied is None else Path(copied.name) / path.name
        try:
            self.connection = sqlite3.connect(
                f"{opened.absolute().as_uri()}?{mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
            )
        except sqlite3.Error as error:
            raise BadInput(f"{path}: cannot be opened ({error}); check the folder") from None
        # A corrupted byte of a text is replaced by a mark.
        self.connection.text_factory = lambda text: text.decode("utf-8", "replace")
        if sys.version_info >= (3, 11):
            self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        self.connection.create_function("reason_of", 2, reason_of, deterministic=True)
        self.connection.execute("PRAGMA temp_store = MEMORY")  # views only; no disk is needed
        self.connection.set_progress_handler(lambda: self.is_overdue, OPCODES_BETWEEN_CHECKS)

    @property
    def is_overdue(self) -> bool:
        """Whether the statement that runs has taken too long; SQLite then ends it."""
        return time.monotonic() > self._until

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Within, s: a statement may take so long, not `LONGEST_STATEMENT_S`."""
        self._until = time.monotonic() + seconds
        yield
        # Not after an error: whoever reports it asks whether the time was over.
        self._until = time.monotonic() + LONGEST_STATEMENT_S

    @contextmanager
    def guarded(self, doing: str) -> Iterator[None]:
        """Within: an error of SQLite becomes one of ours, and no statement runs forever."""
        self._until = time.monotonic() + LONGEST_STATEMENT_S
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError, MemoryError) as error:
            raise self._failure(error, doing) from None

    def transact(self, change: Callable[[], object]) -> None:
        """Make a change as a whole, or not at all."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            change()
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def read(self, query: str, *values: object) -> list[Any]:
        """Run a query of this room.

        Raises:
            Damaged: the file is damaged.
            EwasteError: it cannot be read now.
        """
        with self.guarded("read"):
            return self.connection.execute(query, values).fetchall()

    def pragma(self, name: str) -> int:
        """Return a number that SQLite tells of the file."""
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])

    def page_bytes(self) -> int:
        """Return the size of a page of the file, bytes."""
        return self.pragma("page_size")

    def used_bytes(self) -> int:
        """Return the number of bytes in use in the file."""
        used = self.pragma("page_count") - self.pragma("freelist_count")
        return used * self.page_bytes()

    def close(self) -> None:
        """Close the file; may be called twice."""
        with suppress(sqlite3.Error):
            self.connection.close()
        if self._copied is not None:
            self._copied.cleanup()
            self._copied = None

    def _failure(self, error: BaseException, doing: str) -> EwasteError:
        message = one_line(error)
        if message == "interrupted" and self.is_overdue:
            return Damaged(f"{self.path}: is damaged (a walk over it does not end)")
        if message == READ_ONLY and not self.read_only and self._says_read_only():
            return Damaged(f"{self.path}: is damaged (its header forbids writing)")
        if not is_damage(error):
            return EwasteError(f"{self.path}: cannot be {doing} ({message})")
        if self.read_only and "file is not a database" in message:
            return BadInput(f"{self.path}: {message}; move it away or name another file")
        return Damaged(f"{self.path}: is damaged ({message})")

    def _says_read_only(self) -> bool:
        """Return whether the header of the file, not the disk, forbids writing.

        Closing the file here gives up the locks of this process, which closes the store anyway.
        """
        with suppress(OSError), self.path.open("rb") as file:
            return file.read(19)[18:] > b"\x02"
        return False
