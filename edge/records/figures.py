"""What the records of a period come to, as of one moment."""

import math
from array import array
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge.errors import EwasteError
from edge.records.damage import Damaged
from edge.records.database import Database

ROWS_AT_ONCE = 1000


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
TOO_MANY_GROUPS = "more classes and bins than can be; shorten the period"


def read_figures(database: Database, start: float, end: float, most: int) -> Figures:
    """Read what the items decided from `start` up to `end` come to.

    Args:
        database: the file of records.
        start: Unix seconds, within the period.
        end: Unix seconds, the first moment after it.
        most: the maximum number of `moments`.

    Raises:
        Damaged: the file is damaged.
        EwasteError: there are more groups than any line makes.
    """
    moments = array("d")
    with database.guarded("read"):
        database.connection.execute("BEGIN")
        try:
            limit = (start, end, MOST_GROUPS + 1)
            groups = [RecordGroup(*row) for row in database.connection.execute(GROUPED, limit)]
            cursor = database.connection.execute(MOMENTS, (start, end, most))
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                for at, took_ms in rows:
                    moments.append(at)
                    moments.append(math.nan if took_ms is None else took_ms)
        finally:
            if database.connection.in_transaction:
                database.connection.execute("ROLLBACK")
    if len(groups) > MOST_GROUPS:
        raise EwasteError(f"{database.path}: {TOO_MANY_GROUPS}")
    for group in groups:
        texts = (group.label, group.bin, group.reason, group.bundle)
        if not all(isinstance(text, str) for text in texts) or not isinstance(group.late, int):
            raise Damaged(f"{database.path}: is damaged (a record has no label, bin, or reason)")
    return Figures(tuple(groups), np.array(moments, np.float64).reshape(-1, 2))
