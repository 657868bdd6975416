"""What a person enters by hand for the report of a shift: weights and comments, in a file apart.

The file is not that of the records: nothing that a person enters on the page can hold up the line.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.errors import EwasteError
from edge.labels import LONGEST
from edge.records.by_hand import Form, opened
from edge.records.period import Period

ENTRIES_NAME = "entries.db"
"""The file of entries in a line's state directory."""
APPLICATION_ID = 0x45574845
LONGEST_COMMENT = 2000
MOST_KG = 1e6
MOST_ENTRIES = 100_000
MOST_SHOWN = 1000
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL, kg REAL NOT NULL, comment TEXT NOT NULL, by TEXT NOT NULL,
    entered_at REAL NOT NULL, withdrawn_by TEXT, withdrawn_at REAL);
CREATE INDEX IF NOT EXISTS entries_by_time ON entries (at);
PRAGMA application_id = {APPLICATION_ID};
"""
FORM = Form(APPLICATION_ID, SCHEMA, "entries")
COLUMNS = "number, at, kind, name, kg, comment, by"


class EntryKind(str, Enum):
    """What was entered. The value is what the file, the page, and the report hold."""

    IN = "weighed_in"
    OUT = "weighed_out"
    CLASS = "weighed_class"
    COMMENT = "comment"


class Given(BaseModel):
    """What a person enters.

    Attributes:
        kind: what it is.
        name: the bin that was weighed, or the class; empty for all of the line.
        kg: its weight, kg; 0 for a comment.
        comment: in words; empty for a weight that needs none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: EntryKind
    name: str = Field(default="", max_length=LONGEST)
    kg: float = Field(default=0.0, ge=0, le=MOST_KG, allow_inf_nan=False)
    comment: str = Field(default="", max_length=LONGEST_COMMENT)

    @model_validator(mode="after")
    def _check(self) -> "Given":
        if self.kind is EntryKind.COMMENT:
            if not self.comment.strip():
                raise ValueError("a comment has no words")
        elif self.kg <= 0:
            raise ValueError("a weight must be above 0 kg")
        if self.kind is EntryKind.CLASS and not self.name.strip():
            raise ValueError("name the class that was weighed")
        return self


@dataclass(frozen=True)
class Entry:
    """What a person entered.

    Attributes:
        number: in the file, from 1 on.
        at: the moment that it is for, Unix seconds.
        kind, name, kg, comment: as `Given` has them.
        by: who entered it.
    """

    number: int
    at: float
    kind: EntryKind
    name: str
    kg: float
    comment: str
    by: str


def add_entry(path: Path, given: Given, at: float, by: str, now: float) -> int:
    """Keep an entry; after it returns it survives a power cut.

    Args:
        path: the file; it is made if there is none.
        given: what was entered.
        at: the moment that it is for, Unix seconds.
        by: who entered it.
        now: Unix seconds.

    Returns:
        Its number.

    Raises:
        EwasteError: the file cannot be written, or is full.
    """
    insert = (
        "INSERT INTO entries (at, kind, name, kg, comment, by, entered_at) "
        "SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM entries) < ?"
    )
    values = (at, given.kind.value, given.name.strip(), given.kg, given.comment.strip(), by, now)
    with opened(path, FORM, writes=True) as database:
        done = database.execute(insert, (*values, MOST_ENTRIES))
    if not done.rowcount or done.lastrowid is None:
        raise EwasteError(f"{path}: holds {MOST_ENTRIES:,} entries; move it away")
    return done.lastrowid


def withdraw_entry(path: Path, number: int, by: str, now: float) -> bool:
    """Withdraw an entry, which stays in the file; False: there is none of that number.

    Raises:
        EwasteError: the file cannot be written.
    """
    if not path.exists():
        return False
    change = (
        "UPDATE entries SET withdrawn_by = ?, withdrawn_at = ? "
        "WHERE number = ? AND withdrawn_at IS NULL"
    )
    with opened(path, FORM, writes=True) as database:
        return database.execute(change, (by, now, number)).rowcount > 0


def entries_in(path: Path, period: Period) -> list[Entry]:
    """Read the entries of a period that nobody has withdrawn, the oldest first.

    Raises:
        EwasteError: the file cannot be read, is damaged, or holds too many for one period.
    """
    found = _read(path, "ORDER BY at, number LIMIT ?", period.start, period.end, MOST_SHOWN + 1)
    if len(found) > MOST_SHOWN:
        raise EwasteError(f"{path}: more than {MOST_SHOWN} entries; choose a shorter period")
    return found


def weights_between(path: Path, since: float, until: float, most: int) -> list[Entry]:
    """Read the last weights of a time that nobody has withdrawn, the oldest first.

    Args:
        path: the file.
        since: Unix seconds, within the time.
        until: Unix seconds, the first moment after it.
        most: the maximum number of entries; earlier ones are left out.

    Raises:
        EwasteError: the file cannot be read, or is damaged.
    """
    which = "AND kind <> ? ORDER BY at DESC, number DESC LIMIT ?"
    return _read(path, which, since, until, EntryKind.COMMENT.value, most)[::-1]


def _read(path: Path, which: str, since: float, until: float, *values: object) -> list[Entry]:
    """Read entries of a time that nobody has withdrawn; `which` ends the query.

    Raises:
        EwasteError: the file cannot be read, or is damaged.
    """
    if not path.exists():
        return []
    query = (
        f"SELECT {COLUMNS} FROM entries WHERE at >= ? AND at < ? AND withdrawn_at IS NULL {which}"
    )
    with opened(path, FORM, writes=False) as database:
        rows = database.execute(query, (since, until, *values)).fetchall()
    try:
        return [_entry(row) for row in rows]
    except (TypeError, ValueError):
        raise EwasteError(f"{path}: is damaged; move it away") from None


def _entry(row: tuple) -> Entry:
    number, at, kind, name, kg, comment, by = row
    given = Given(kind=kind, name=name, kg=kg, comment=comment)
    return Entry(number, float(at), given.kind, given.name, given.kg, given.comment, str(by))
