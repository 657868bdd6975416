"""Opening a file of records: to write, to read, and to add to what is there."""

import errno
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from edge.errors import BadInput, EwasteError
from edge.files import leads_nowhere
from edge.records.damage import JOURNALS, READ_ONLY, Damaged
from edge.records.database import Database
from edge.records.record import SELECT
from edge.records.schema import VIEWS
from edge.records.tables import (
    check,
    check_pages,
    check_sequences,
    is_ours,
    prepare,
    run,
    version_of,
)

PASSING_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE)
"""Errors at creating a file that may pass; they do not stop the line."""
NO_JOURNAL = (READ_ONLY, "unable to open database file", "disk I/O error")
"""SQLite's messages when it cannot make a journal beside a file."""


def open_to_write(path: Path, prove: bool) -> Database:
    """Open a file for the one process that writes; one that is not there is created.

    Args:
        path: the file; a new one is readable by its owner only.
        prove: check it for damage, in bounded time.

    Raises:
        BadInput: it cannot be opened, holds no records, or is of a newer version.
        Damaged: it is damaged.
        EwasteError: the disk is full or the file is locked.
    """
    _require_regular(path)
    _create_private(path)
    database = Database(path, "mode=rwc", read_only=False)
    try:
        with database.guarded("used"):
            prepare(database)
            check_sequences(database)
            if prove:
                check_pages(database)
        _make_private(path)
    except EwasteError:
        database.close()
        raise
    return database


def open_to_read(path: Path) -> Database:
    """Open a file to read only; works on read-only media too.

    Raises:
        BadInput: it is not there, cannot be read, or holds no records.
        Damaged: it is damaged.
        EwasteError: it is locked.
    """
    return _open_if_writable(path, "mode=ro") or _open_where_nothing_is_written(path)


def open_to_add(path: Path) -> Database:
    """Open a file that is there to write to its tables; no file is made and no table changed.

    Raises:
        BadInput: it is not there, or holds no records.
        Damaged: it is damaged.
        EwasteError: it is locked, or cannot be written.
    """
    database = _open_if_writable(path, "mode=rw")
    if database is None:
        raise EwasteError(f"{path}: cannot be written; check the folder and the disk")
    return database


def _open_if_writable(path: Path, mode: str) -> Database | None:
    """Open a file that is there; None: SQLite cannot make a journal beside it."""
    _require_readable(path)
    try:
        return _started(Database(path, mode, read_only=True))
    except EwasteError as error:
        if not any(message in str(error) for message in NO_JOURNAL):
            raise
    return None


def _require_regular(path: Path) -> None:
    for end in ("", *JOURNALS):
        beside = path.with_name(path.name + end)
        with suppress(OSError):  # nothing there, most often
            if not stat.S_ISREG(beside.stat().st_mode):
                raise Damaged(f"{beside}: is no regular file")


def _create_private(path: Path) -> None:
    """Create the file unless it is there. SQLite would let everybody read it."""
    try:
        # Its journals get the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if leads_nowhere(path):
            raise EwasteError(f"{path}: leads to {path.readlink()}, which is not there") from None
    except OSError as error:
        kind = EwasteError if error.errno in PASSING_ERRNOS else BadInput
        raise kind(f"{path}: cannot be opened ({error.strerror}); check the folder") from None


def _make_private(path: Path) -> None:
    for end in ("", *JOURNALS):
        beside = path.with_name(path.name + end)
        with suppress(OSError):  # somebody else's, or not there
            if beside.stat().st_mode & 0o077:
                beside.chmod(0o600)


def _require_readable(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        # Opening and closing it here would drop the locks of every store of this process.
        if stat.S_ISREG(mode) and not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except FileNotFoundError:
        raise BadInput(f"{path}: no records yet; they appear when the line has run") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(mode):
        raise BadInput(f"{path}: no regular file; name the folder of the records")


def _started(database: Database) -> Database:
    """See that the tables can be read; those of an earlier version are read through views."""
    try:
        with database.guarded("read"):
            version = version_of(database)
            if is_ours(database) and version in VIEWS:
                run(database, VIEWS[version])
            else:
                check(database)
            database.connection.execute(f"EXPLAIN {SELECT}").fetchall()  # reads the schema only
    except EwasteError:
        database.close()
        raise
    return database


def _open_where_nothing_is_written(path: Path) -> Database:
    """Open a file beside which SQLite cannot make a journal.

    When the journal of a killed line holds records that are not in the file yet, both are
    copied.
    """
    journal = path.with_name(path.name + JOURNALS[0])
    try:
        waiting = journal.stat().st_size > 0
    except FileNotFoundError:
        waiting = False
    except OSError as error:
        raise BadInput(f"{journal}: cannot be read ({error.strerror})") from None
    if not waiting:
        return _started(Database(path, "mode=ro&immutable=1", read_only=True))
    folder = tempfile.TemporaryDirectory(prefix="ewaste-records-")
    try:
        for each in (path, journal):
            shutil.copyfile(each, Path(folder.name) / each.name)
    except OSError as error:
        beside = Path(folder.name).parent
        folder.cleanup()
        raise EwasteError(
            f"{path}: the last records are in {journal.name}, which can be read on a disk "
            f"that is written only, and the copy in {beside} failed ({error.strerror}); "
            "copy the folder elsewhere"
        ) from None
    return _started(Database(path, "mode=rw", read_only=True, copied=folder))
