"""The items that were drawn for review at random, with what persons answered on them.

Only these are a fair sample of all items. What waits for a doubt was chosen because the model found
it hard, and an audit draws as many items of a small bin as of a large one, and none of `manual`.
"""

import math
from dataclasses import dataclass

from edge.errors import BadInput
from edge.records.damage import Damaged
from edge.records.period import Period
from edge.records.review import DOUBTFUL_SAMPLE, DRAWN, NEAR, SAMPLE, SUSPECTED, UNSURE
from edge.records.search import hint
from edge.records.store import Store
from edge.verdict import Reason

MOST_DRAWN = 5000
"""The largest number of drawn items that is read."""
IN_DOUBT = (UNSURE, NEAR, SUSPECTED, DOUBTFUL_SAMPLE)
UNLIKELY_DEVIATIONS = 4.0
"""So many standard deviations under what is expected is no chance."""


@dataclass(frozen=True)
class SampleItem:
    """A drawn item that a person has answered on.

    Attributes:
        item_id: its name.
        decided_at: unix seconds.
        label: the class that the person gave it; empty: none.
        no_class: why there is no label (`edge.records.reviews.NoClass`); empty: there is one.
    """

    item_id: str
    decided_at: float
    label: str
    no_class: str


@dataclass(frozen=True)
class Drawn:
    """What was drawn at random in a period.

    Attributes:
        answered: items with an answer and a crop, the oldest first.
        waiting: number of drawn items that have a crop and no answer.
    """

    answered: tuple[SampleItem, ...]
    waiting: int


def drawn_items(store: Store, period: Period) -> Drawn:
    """Read what was drawn at random in a period.

    Raises:
        BadInput: it is too much, or doubtful items were not drawn like the others.
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    _require_fair(store, period)
    query = (
        "SELECT item_id, decided_at, reviewed, no_class FROM items JOIN crops USING (sequence) "
        f"WHERE decided_at >= ? AND decided_at < ? AND review IN {DRAWN} ORDER BY sequence LIMIT ?"
    )
    rows = store.read(query, period.start, period.end, MOST_DRAWN + 1)
    if len(rows) > MOST_DRAWN:
        raise BadInput(f"more than {MOST_DRAWN:,} drawn items; choose a shorter period with --from")
    try:
        found = [SampleItem(str(row[0]), float(row[1]), str(row[2]), str(row[3])) for row in rows]
    except (TypeError, ValueError):
        raise Damaged(f"{store.path}: is damaged (a record is no record)") from None
    answered = tuple(each for each in found if each.label or each.no_class)
    return Drawn(answered, len(found) - len(answered))


def _require_fair(store: Store, period: Period) -> None:
    """Raise BadInput where the draw left out items in doubt, as earlier versions did."""
    query = (
        f"SELECT review, COUNT(*) FROM items {hint(store, 'items_to_search')} "
        "WHERE decided_at >= ? AND decided_at < ? AND reason <> ? GROUP BY review"
    )
    rows = store.read(query, period.start, period.end, Reason.TOUCHING.value)
    counts = {str(review): int(number) for review, number in rows}
    drawn = sum(counts.get(review, 0) for review in DRAWN)
    doubtful = sum(counts.get(review, 0) for review in IN_DOUBT)
    total = doubtful + counts.get(SAMPLE, 0) + counts.get("", 0)
    share = doubtful / total if total else 0.0
    expected, spread = drawn * share, math.sqrt(drawn * share * (1 - share))
    found = counts.get(DOUBTFUL_SAMPLE, 0)
    if found < expected - UNLIKELY_DEVIATIONS * max(spread, 1.0):
        raise BadInput(
            f"{store.path}: {found} of the {doubtful:,} items in doubt were drawn at random, where "
            f"{expected:.0f} would be fair: an earlier version drew none; choose a later time with "
            "--from"
        )
