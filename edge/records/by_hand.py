"""Files of what persons enter on the page, each apart from the records.

The line never opens them: nothing that a person enters can hold it up.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge.errors import BadInput, EwasteError
from edge.files import PRIVATE

BUSY_SECONDS = 2.0


@dataclass(frozen=True)
class Form:
    """What a file holds.

    Attributes:
        application_id: tells it from every other SQLite file.
        schema: the statements that make its tables.
        holds: what it holds, in a word.
    """

    application_id: int
    schema: str
    holds: str


@contextmanager
def opened(path: Path, form: Form, *, writes: bool) -> Iterator[sqlite3.Connection]:
    """Within: the file, in one transaction; to write, it is made if there is none.

    Raises:
        BadInput: its folder is missing.
        EwasteError: it cannot be read or written, or holds something else.
    """
    try:
        if writes:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE))
        address = f"{path.absolute().as_uri()}?mode={'rw' if writes else 'ro'}"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as database:
            if writes:
                _prepare(database, path, form)
            with database:
                yield database
    except (sqlite3.Error, sqlite3.Warning) as error:
        message = "".join(sign for sign in str(error) if sign.isprintable())[:200]
        raise EwasteError(f"{path}: cannot be used ({message})") from None
    except FileNotFoundError:
        raise BadInput(f"{path.parent}: no state folder of a line") from None
    except OSError as error:
        raise EwasteError(f"{path}: cannot be used ({error.strerror})") from None


def _prepare(database: sqlite3.Connection, path: Path, form: Form) -> None:
    ours = database.execute("PRAGMA application_id").fetchone()[0] == form.application_id
    if not ours:
        if database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            raise EwasteError(f"{path}: not a file of {form.holds}; move it away")
        database.executescript(form.schema)
    database.execute("PRAGMA synchronous = FULL")
