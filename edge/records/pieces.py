"""Test pieces: marked pieces of a class that the operator sends down the belt in a window of time.

Within the window nothing but these pieces lies on the belt, so that each record of it is one of
them. Where that is not so, the count errs to the disadvantage of the line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import BadInput, EwasteError
from edge.intervals import mid_p
from edge.labels import MANUAL
from edge.records.audits import FORM
from edge.records.by_hand import opened
from edge.records.period import Period
from edge.records.store import Store
from edge.verdict import Reason

MOST_PIECES = 1000
LONGEST_S = 2 * 3600.0
"""The longest time of a window, s; one that is forgotten can only be cancelled."""
MOST_WINDOWS, MOST_SHOWN, MOST_GROUPS = 100_000, 200, 1000
NOT_SORTING = (Reason.PAUSED.value, Reason.ALL_MANUAL.value)
OPEN = "ended_at IS NULL AND cancelled_at IS NULL"


@dataclass(frozen=True)
class Counts:
    """Where the items of a window went.

    Attributes:
        to_bin: number of items that went to the bin of the class, if it has one.
        to_manual: number of those that went to `manual`.
        elsewhere: number of those that went to any other bin.
    """

    to_bin: int
    to_manual: int
    elsewhere: int

    @property
    def items(self) -> int:
        """Number of items recorded in the window."""
        return self.to_bin + self.to_manual + self.elsewhere

    def found(self, pieces: int) -> int:
        """Return how many of so many pieces went to their bin or to `manual`.

        A piece without a record is not found, and each item that went elsewhere is a piece.
        """
        return max(0, min(self.to_bin + self.to_manual, pieces - self.elsewhere))


@dataclass(frozen=True)
class Window:
    """A window of time in which an operator sends test pieces.

    Attributes:
        number: in the file, from 1 on.
        label: the class of the pieces.
        bin: where it belongs; `manual`: the class has no bin.
        announced: number of pieces, as named at the beginning.
        by: who began it.
        began_at: Unix seconds.
        pieces: number of pieces that the operator confirmed at the end; None: not ended.
        counts: where the items went; None: not ended.
        ended_by, ended_at: who ended it, and when; None: not ended.
        cancelled_by, cancelled_at: who cancelled it, and when; None: not cancelled.
    """

    number: int
    label: str
    bin: str
    announced: int
    by: str
    began_at: float
    pieces: int | None
    counts: Counts | None
    ended_by: str | None
    ended_at: float | None
    cancelled_by: str | None
    cancelled_at: float | None

    @property
    def is_open(self) -> bool:
        """Whether it is neither ended nor cancelled."""
        return self.ended_at is None and self.cancelled_at is None

    @property
    def found(self) -> int | None:
        """Pieces that went to their bin or to `manual`; None: not ended."""
        return (
            None if self.pieces is None or self.counts is None else self.counts.found(self.pieces)
        )


@dataclass(frozen=True)
class PieceRecall:
    """How many of the test pieces of a class were found, over all windows that were ended.

    Attributes:
        label: the class.
        windows: number of windows.
        pieces: number of pieces that were sent.
        found: number of those that went to their bin or to `manual`.
    """

    label: str
    windows: int
    pieces: int
    found: int

    @property
    def share(self) -> float:
        """The share of the pieces that was found."""
        return self.found / self.pieces

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the recall, mid-P."""
        return mid_p(self.found, self.pieces)


def recalls(windows: Sequence[Window]) -> list[PieceRecall]:
    """Sum up the windows that were ended, by class."""
    sums: dict[str, PieceRecall] = {}
    for each in windows:
        if each.pieces is not None and each.found is not None:
            before = sums.get(each.label, PieceRecall(each.label, 0, 0, 0))
            sums[each.label] = PieceRecall(
                each.label,
                before.windows + 1,
                before.pieces + each.pieces,
                before.found + each.found,
            )
    return [sums[label] for label in sorted(sums)]


def begin_window(
    path: Path, *, label: str, bins: Mapping[str, str], pieces: int, by: str, now: float
) -> int:
    """Begin a window; after it returns it survives a power cut.

    Args:
        path: the file of audits; it is made if there is none.
        label: the class of the pieces.
        bins: class -> its bin.
        pieces: number of pieces that will be sent, 1 to `MOST_PIECES`.
        by: who sends them.
        now: Unix seconds.

    Returns:
        Its number.

    Raises:
        BadInput: another window is open, or the number of pieces cannot be.
        EwasteError: the file cannot be written, or is full.
    """
    _check_pieces(pieces)
    insert = (
        "INSERT INTO windows (label, bin, announced, by, began_at) SELECT ?, ?, ?, ?, ? "
        f"WHERE NOT EXISTS (SELECT 1 FROM windows WHERE {OPEN}) "
        "AND (SELECT COUNT(*) FROM windows) < ?"
    )
    values = (label, bins.get(label, MANUAL), pieces, by, now, MOST_WINDOWS)
    with opened(path, FORM, writes=True) as database:
        done = database.execute(insert, values)
    if not done.rowcount or done.lastrowid is None:
        if open_window(path) is not None:
            raise BadInput("test pieces are on their way already; end or cancel that first")
        raise EwasteError(f"{path}: holds {MOST_WINDOWS:,} windows; move it away")
    return done.lastrowid


def _check_pieces(pieces: int) -> None:
    if not 1 <= pieces <= MOST_PIECES:
        raise BadInput(f"{pieces} pieces; choose 1 to {MOST_PIECES:,}")


def count_items(store: Store, window: Window, now: float) -> Counts:
    """Count where the items of an open window have gone until now.

    Raises:
        BadInput: the line does not sort, the clock was set back, or the window is too long.
        Damaged: the file of records is damaged.
        EwasteError: it cannot be read now.
    """
    if not 0 <= now - window.began_at <= LONGEST_S:
        raise BadInput(
            f"not within {LONGEST_S / 3600:.0f} hours of the beginning; cancel this test"
        )
    query = (
        "SELECT bin, reason, COUNT(*) FROM items WHERE decided_at >= ? AND decided_at <= ? "
        "GROUP BY 1, 2 LIMIT ?"
    )
    rows = store.read(query, window.began_at, now, MOST_GROUPS)
    if any(reason in NOT_SORTING for _, reason, _ in rows):
        raise BadInput("the line was paused or sent everything to manual; cancel this test")
    to_manual = sum(items for name, _, items in rows if name == MANUAL)
    to_bin = sum(items for name, _, items in rows if name == window.bin and name != MANUAL)
    return Counts(to_bin, to_manual, sum(row[2] for row in rows) - to_bin - to_manual)


def end_window(
    path: Path, window: Window, counts: Counts, *, pieces: int, by: str, now: float
) -> None:
    """End a window with what was counted, which nothing changes later.

    Args:
        path: the file of audits.
        window: the one that is open.
        counts: where its items went.
        pieces: number of pieces that were sent, as the operator confirms it.
        by: who ends it.
        now: Unix seconds.

    Raises:
        BadInput: it is not open any more, or the number of pieces cannot be.
        EwasteError: the file cannot be written.
    """
    _check_pieces(pieces)
    change = (
        "UPDATE windows SET pieces = ?, to_bin = ?, to_manual = ?, elsewhere = ?, ended_by = ?, "
        f"ended_at = ? WHERE number = ? AND {OPEN}"
    )
    went = (counts.to_bin, counts.to_manual, counts.elsewhere)
    with opened(path, FORM, writes=True) as database:
        done = database.execute(change, (pieces, *went, by, now, window.number))
    if not done.rowcount:
        raise BadInput("this test was ended or cancelled before")


def cancel_window(path: Path, number: int, by: str, now: float) -> None:
    """Cancel an open window, which stays in the file.

    Raises:
        BadInput: it is not open any more.
        EwasteError: the file cannot be written.
    """
    change = f"UPDATE windows SET cancelled_by = ?, cancelled_at = ? WHERE number = ? AND {OPEN}"
    with opened(path, FORM, writes=True) as database:
        done = database.execute(change, (by, now, number))
    if not done.rowcount:
        raise BadInput("this test was ended or cancelled before")


def open_window(path: Path) -> Window | None:
    """Read the window that is open, or None.

    Raises:
        EwasteError: the file cannot be read, or is damaged.
    """
    return next(iter(_windows(path, f"WHERE {OPEN}")), None)


def windows_in(path: Path, period: Period) -> list[Window]:
    """Read the windows that began in a period, the oldest first; those cancelled too.

    Raises:
        EwasteError: the file cannot be read, is damaged, or holds too many for one period.
    """
    query = "WHERE began_at >= ? AND began_at < ? ORDER BY began_at, number LIMIT ?"
    found = _windows(path, query, period.start, period.end, MOST_SHOWN + 1)
    if len(found) > MOST_SHOWN:
        raise EwasteError(f"{path}: more than {MOST_SHOWN} test windows; choose a shorter period")
    return found


_COLUMNS = (
    "number, label, bin, announced, by, began_at, pieces, to_bin, to_manual, elsewhere, "
    "ended_by, ended_at, cancelled_by, cancelled_at"
)


def _windows(path: Path, condition: str, *values: object) -> list[Window]:
    if not path.exists():
        return []
    with opened(path, FORM, writes=False) as database:
        rows = database.execute(f"SELECT {_COLUMNS} FROM windows {condition}", values).fetchall()
    try:
        return [_window(row) for row in rows]
    except (TypeError, ValueError):
        raise EwasteError(f"{path}: is damaged; move it away") from None


def _window(row: Sequence[Any]) -> Window:
    number, label, bin_name, announced, by, began_at, pieces, *rest = row
    went, (ended_by, ended_at, cancelled_by, cancelled_at) = rest[:3], rest[3:]
    counts = None
    if ended_at is not None:
        counts = Counts(*(int(each) for each in went))
        if not 1 <= int(pieces) <= MOST_PIECES or min(went) < 0:
            raise ValueError("no number of pieces")
    return Window(
        number=int(number),
        label=str(label),
        bin=str(bin_name),
        announced=int(announced),
        by=str(by),
        began_at=float(began_at),
        pieces=None if ended_at is None else int(pieces),
        counts=counts,
        ended_by=_text(ended_by),
        ended_at=None if ended_at is None else float(ended_at),
        cancelled_by=_text(cancelled_by),
        cancelled_at=None if cancelled_at is None else float(cancelled_at),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
