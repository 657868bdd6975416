"""Reviewed items of classes that a bundle lacks: what a person typed in place of "other"."""

from collections.abc import Collection

from edge.records.review import DRAWN
from edge.records.search import REVIEWED, hint
from edge.records.store import Store

MOST_NAMES = 1000
MOST_COUNTED = 100_000
_FOR_TRAINING = (
    "COALESCE((SELECT for_training FROM reviews WHERE reviews.sequence = items.sequence "
    "AND undone_by IS NULL ORDER BY number DESC LIMIT 1), 1)"
)
"""Of a group of look-alikes only those that stand for it: the others are much like them."""


def names_given(store: Store, known: Collection[str]) -> dict[str, int]:
    """Count the items that a class could be taught from, of each name that is no known class.

    They are reviewed, and their crop is kept.

    Args:
        store: the open file.
        known: the classes of the bundle, and those that were taught.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    query = (
        "SELECT reviewed, COUNT(*) FROM (SELECT sequence, reviewed FROM items "
        f"{hint(store, 'items_reviewed')} WHERE {REVIEWED} AND reviewed <> '' "
        f"AND {_FOR_TRAINING} LIMIT ?) "
        "JOIN crops USING (sequence) GROUP BY reviewed ORDER BY 2 DESC, 1 LIMIT ?"
    )
    rows = store.read(query, MOST_COUNTED, MOST_NAMES)
    return {str(name): int(count) for name, count in rows if name not in known}


def count_reviewed_draw(store: Store, bundles: Collection[str], since: float) -> int:
    """Count the items drawn at random that were reviewed at unix seconds `since` or later.

    Args:
        store: the open file.
        bundles: digests of what decided on them.
        since: unix seconds; a review of an unknown time is as old as can be.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    marks = ", ".join("?" * len(bundles))
    query = (
        f"SELECT COUNT(*) FROM (SELECT 1 FROM items {hint(store, 'items_reviewed')} "
        f"WHERE {REVIEWED} AND review IN {DRAWN} AND bundle IN ({marks}) AND COALESCE("
        "(SELECT reviewed_at FROM reviews WHERE reviews.sequence = items.sequence "
        "AND undone_by IS NULL ORDER BY number DESC LIMIT 1), 0) >= ? LIMIT ?)"
    )
    return int(store.read(query, *bundles, since, MOST_COUNTED)[0][0])
