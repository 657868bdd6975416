"""The tables of a file: whether they are ours, how they are made, how earlier ones become ours."""

import sqlite3

from edge.errors import BadInput
from edge.records.damage import Damaged, one_line
from edge.records.database import LARGEST_SEQUENCE, MEGABYTE, Database
from edge.records.schema import (
    APPLICATION_ID,
    LISTED,
    MIGRATIONS,
    OUR_TABLES,
    SCHEMA,
    SCHEMA_VERSION,
    our_schema,
    statements,
)

LONGEST_MIGRATION_S = 3600.0
"""Longest time of a migration, s: it rewrites millions of records on a slow card."""
LARGEST_CHECKED, LONGEST_CHECK_S = 64 * 2**20, 2.0
"""Largest file that is checked when a line starts, bytes, and the longest time of the check, s."""


def version_of(database: Database) -> int:
    """Return the version of the file's tables."""
    return database.pragma("user_version")


def is_ours(database: Database) -> bool:
    """Return whether the file says that it holds records."""
    return database.pragma("application_id") == APPLICATION_ID


def prepare(database: Database) -> None:
    """Make commits durable; create the tables of an empty file, migrate those of an old one.

    Raises:
        BadInput: it holds something else, or records of a newer version.
        Damaged: its header is damaged.
    """
    connection = database.connection
    holds_nothing = database.pragma("schema_version") == 0
    if holds_nothing:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    elif is_ours(database) and version_of(database) in MIGRATIONS:
        database.transact(lambda: _migrate(database))
    else:
        check(database)
    # WAL with FULL syncs on every commit: an acknowledged record survives a power cut.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {int(4 * MEGABYTE)}")
    connection.execute("PRAGMA foreign_keys = ON")
    if holds_nothing:
        database.transact(lambda: _create(database))
        check(database)


def run(database: Database, script: str) -> None:
    """Run the statements of a script, which has no parameters."""
    for statement in statements(script):
        database.connection.execute(statement)


def check(database: Database) -> None:
    """See that the file holds item records of this version.

    The numbers that say so may be corrupted: a file with our tables is ours, and a file with
    exactly the tables of this version is of this version.

    Raises:
        BadInput: it does not.
        Damaged: its header is damaged.
    """
    path, version, ours = database.path, version_of(database), is_ours(database)
    if ours and version == SCHEMA_VERSION:
        return
    held = set(database.connection.execute(LISTED).fetchall())
    if not held and database.pragma("schema_version") == 0:
        raise BadInput(f"{path}: no records yet; they appear when the line has run")
    names = {name for name, _ in held}
    if not ours and not any(names >= tables for tables in OUR_TABLES):
        raise BadInput(f"{path}: not a file of item records; name another file")
    if ours and version == 1:
        raise BadInput(
            f"{path}: records of version 1, this program knows {SCHEMA_VERSION}; start "
            "the line once, which brings them up to date"
        )
    if ours and version > SCHEMA_VERSION and not held >= our_schema():
        raise BadInput(
            f"{path}: records of version {version}, this program knows {SCHEMA_VERSION}; "
            "update the program or name another file"
        )
    raise Damaged(f"{path}: is damaged (its header says it is something else)")


def check_sequences(database: Database) -> None:
    """Raise Damaged if the next record could not follow the last one."""
    ends = (
        "SELECT COALESCE(MAX(sequence), 0) FROM items UNION ALL "
        "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence"
    )
    numbers = [row[0] for row in database.connection.execute(ends)]
    if not all(isinstance(each, int) and 0 <= each < LARGEST_SEQUENCE for each in numbers):
        raise Damaged(f"{database.path}: is damaged (its records are numbered wrongly)")


def check_pages(database: Database) -> None:
    """Raise Damaged if a check finds damage; a large file is not checked."""
    if database.pragma("page_count") * database.page_bytes() > LARGEST_CHECKED:
        return
    with database.within(LONGEST_CHECK_S):
        try:
            found = database.connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError:
            if database.is_overdue:
                return  # a slow disk; what is damaged shows when it is used
            raise
    if found is None or found[0] != "ok":
        message = one_line(ValueError(found and found[0]))
        raise Damaged(f"{database.path}: is damaged ({message})")


def _create(database: Database) -> None:
    if database.pragma("schema_version") == 0:  # else another process was faster
        run(database, SCHEMA)


def _migrate(database: Database) -> None:
    """Bring a file of an earlier version up to date; nothing of it is lost."""
    script = MIGRATIONS.get(version_of(database))
    if script is not None:  # else another process was faster
        with database.within(LONGEST_MIGRATION_S):
            run(database, script)
