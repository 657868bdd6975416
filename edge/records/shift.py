"""Read what the report of a shift is made of; the command and the page give the same."""

from pathlib import Path

from edge.errors import BadInput, EwasteError
from edge.operation import read_order
from edge.records.audits import AUDITS_NAME, audits_in, judge
from edge.records.entries import ENTRIES_NAME, LONGEST_COMMENT, entries_in
from edge.records.hourly import HourlyFigures
from edge.records.item_sums import KeptSums
from edge.records.period import Period
from edge.records.pieces import windows_in
from edge.records.report import ShiftReport, make_report
from edge.records.store import Store
from edge.records.weighings import read_masses

MOST_ITEMS = 5_000_000
"""The maximum number of items of one report; each takes 32 bytes of memory."""


def read_report(
    state: Path,
    store_path: Path,
    period: Period,
    comment: str = "",
    *,
    hourly: HourlyFigures | None = None,
    sums: KeptSums | None = None,
) -> ShiftReport:
    """Read what a line keeps of a period, and make the report of it.

    Args:
        state: the state folder of the line.
        store_path: its file of records.
        period: of the shift.
        comment: a few words on it.
        hourly: what is kept of the figures; None: all are read.
        sums: what is kept of the sums for the masses; None: all are read.

    Raises:
        BadInput: the comment is too long, there are too many items, or there are no records.
        EwasteError: something cannot be read, or is damaged.
    """
    if len(comment) > LONGEST_COMMENT:
        raise BadInput(f"a comment of {len(comment):,} characters; at most {LONGEST_COMMENT:,}")
    entries = entries_in(state / ENTRIES_NAME, period)
    audits = audits_in(state / AUDITS_NAME, period)
    windows = windows_in(state / AUDITS_NAME, period)
    try:
        order = read_order(state)
    except EwasteError:  # the page tells of it where one orders
        order = None
    with Store(store_path, read_only=True) as store:
        limits = (period.start, period.end, MOST_ITEMS + 1)
        figures = hourly.read(store, *limits) if hourly else store.figures(*limits)
        results = [judge(store, audit) for audit in audits]
        if len(figures.moments) > MOST_ITEMS:
            raise BadInput(f"more than {MOST_ITEMS:,} items; choose a shorter period")
        masses = read_masses(state, store, period, sums or KeptSums(store_path))
    return make_report(
        period,
        figures,
        entries,
        comment=comment,
        order=order,
        audits=results,
        windows=windows,
        masses=masses,
    )
