"""Which items that wait for review look like one of them, so that one answer may do for all.

An item of the random share is in no group: the measured accuracy rests on items that a person has
looked at one by one.
"""

from edge.records.damage import Damaged
from edge.records.grouping import group_around, units
from edge.records.review import DRAWN
from edge.records.search import WAITING, Found, hint, read_found
from edge.records.store import Store

MOST_COMPARED = 2000
"""Number of waiting items, the newest, among which look-alikes are searched for."""


def look_alikes(store: Store, found: Found) -> list[Found]:
    """Return the waiting items that look like a waiting one, the most alike first.

    They were decided on by the same bundle, which takes them for the same class.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    record = found.record
    if record.review in ("", *DRAWN) or record.reviewed or record.no_class:
        return []
    own = store.read("SELECT code FROM codes WHERE sequence = ?", found.sequence)
    if not own:
        return []
    query = (
        "SELECT sequence, code FROM (SELECT sequence FROM items "
        f"{hint(store, 'items_to_review')} WHERE {WAITING} AND review NOT IN {DRAWN} "
        "ORDER BY sequence DESC LIMIT ?) JOIN codes USING (sequence) JOIN items USING (sequence) "
        "WHERE bundle = ? AND top_label = ? AND sequence <> ? ORDER BY sequence DESC"
    )
    values = (MOST_COMPARED, record.bundle, record.top_label, found.sequence)
    rows = [(found.sequence, own[0][0]), *store.read(query, *values)]
    if not all(isinstance(code, bytes) for _, code in rows):
        raise Damaged(f"{store.path}: is damaged (a code is no code)")
    group = group_around(units([code for _, code in rows]))
    return read_found(store, [int(rows[place][0]) for place in group[1:]])
