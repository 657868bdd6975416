"""Which records go when they are too old, or the file too large."""

from edge.records.database import MEGABYTE, Database

DAY_S = 86400.0
PRUNE_ROWS, PRUNE_ROUNDS = 200, 20


def prune(database: Database, days: float, megabytes: float) -> bool:
    """Delete some of what is too old or too large; False when nothing more is to be deleted.

    A record's age is its distance from the newest record, and the oldest records go first,
    whatever the wall clock did. Over `megabytes` the crops go first, those kept for review
    last, then the records; the oldest first.

    Args:
        database: the file of records.
        days: largest age of a record.
        megabytes: largest size of the file, MB.

    Raises:
        Damaged: the file is damaged.
        EwasteError: the disk is full, or the file is locked.
    """
    with database.guarded("written"):
        before = database.connection.total_changes
        database.transact(lambda: _delete_old(database, days))
        database.transact(lambda: _delete_excess(database, megabytes))
        allowed = int(megabytes * MEGABYTE / database.page_bytes())
        excess = database.pragma("page_count") - allowed
        if excess > 0 and database.pragma("freelist_count"):
            # Not execute: it takes the first step of the statement only, which frees one page.
            database.connection.executescript(f"PRAGMA incremental_vacuum({excess})")
        return database.connection.total_changes > before


def _delete_old(database: Database, days: float) -> None:
    newest = "SELECT decided_at FROM items ORDER BY sequence DESC LIMIT 1"
    first_kept = (
        f"SELECT sequence FROM items WHERE decided_at >= ({newest}) - ? ORDER BY sequence LIMIT 1"
    )
    database.connection.execute(
        "DELETE FROM items WHERE sequence IN (SELECT sequence FROM items "
        f"WHERE sequence < ({first_kept}) ORDER BY sequence LIMIT ?)",
        (days * DAY_S, PRUNE_ROWS),
    )


def _delete_excess(database: Database, megabytes: float) -> None:
    for _ in range(PRUNE_ROUNDS):
        if database.used_bytes() <= megabytes * MEGABYTE:
            return
        gone = database.connection.execute(
            "DELETE FROM crops WHERE sequence IN "
            "(SELECT sequence FROM crops ORDER BY keep_for_review, sequence LIMIT ?)",
            (PRUNE_ROWS // 10,),
        )
        if not gone.rowcount:
            database.connection.execute(
                "DELETE FROM items WHERE sequence IN "
                "(SELECT sequence FROM items ORDER BY sequence LIMIT ?)",
                (PRUNE_ROWS,),
            )
