"""What is damaged, what may pass, and what becomes of a damaged file of records."""

import os
import time
from pathlib import Path

from edge.errors import EwasteError

JOURNALS = ("-wal", "-shm", "-journal")
"""Ends of the names of the files that SQLite keeps beside its own."""
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
READ_ONLY = "attempt to write a readonly database"


class Damaged(EwasteError):
    """The file of records is damaged. Exit code 1."""


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
