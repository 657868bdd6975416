"""Random audits: items that the store draws from the bins of a shift, for a person to judge by eye.

A draw is kept before anybody sees it, and nothing takes it back: an audit cannot be drawn again
until it pleases. What a person answers on a drawn item is a review like any other. An answer for a
group of look-alikes judges no drawn item: each is looked at alone.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BadInput, EwasteError
from edge.intervals import mid_p
from edge.labels import MANUAL
from edge.records.by_hand import Form, opened
from edge.records.damage import Damaged
from edge.records.period import Period
from edge.records.search import hint
from edge.records.store import Store
from edge.verdict import Reason

AUDITS_NAME = "audits.db"
"""The file of audits in a line's state directory."""
APPLICATION_ID = 0x45574155
MOST_PER_BIN, MOST_BINS, MOST_DRAWN = 300, 64, 2000
LONGEST_HOURS = 24.0
MOST_ITEMS = 250_000
"""The largest number of items that an audit is drawn from."""
SETTLED_S = 60.0
"""An item that is younger may still be on its way to its gate, s."""
MOST_AUDITS, MOST_SHOWN = 100_000, 50
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS audits (
    number INTEGER PRIMARY KEY AUTOINCREMENT, start REAL NOT NULL, end REAL NOT NULL,
    per_bin INTEGER NOT NULL, seed TEXT NOT NULL, bins TEXT NOT NULL, by TEXT NOT NULL,
    drawn_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS audited_bins (
    audit INTEGER NOT NULL, bin TEXT NOT NULL, recorded INTEGER NOT NULL,
    population INTEGER NOT NULL, PRIMARY KEY (audit, bin)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drawn (
    audit INTEGER NOT NULL, place INTEGER NOT NULL, item_id TEXT NOT NULL, bin TEXT NOT NULL,
    PRIMARY KEY (audit, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS windows (
    number INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, bin TEXT NOT NULL,
    announced INTEGER NOT NULL, by TEXT NOT NULL, began_at REAL NOT NULL,
    pieces INTEGER, to_bin INTEGER, to_manual INTEGER, elsewhere INTEGER,
    ended_by TEXT, ended_at REAL, cancelled_by TEXT, cancelled_at REAL);
CREATE INDEX IF NOT EXISTS windows_by_time ON windows (began_at);
CREATE UNIQUE INDEX IF NOT EXISTS one_open_window ON windows ((1))
    WHERE ended_at IS NULL AND cancelled_at IS NULL;
PRAGMA application_id = {APPLICATION_ID};
"""
FORM = Form(APPLICATION_ID, SCHEMA, "audits")


@dataclass(frozen=True)
class AuditedBin:
    """What a bin had when an audit was drawn.

    Attributes:
        recorded: number of items that went there in the period.
        population: number of those whose picture was kept, which the draw was from.
    """

    recorded: int
    population: int


@dataclass(frozen=True)
class DrawnItem:
    """An item that was drawn, and the bin it went to."""

    item_id: str
    bin: str


@dataclass(frozen=True)
class Audit:
    """A random draw from the bins of a shift.

    Attributes:
        number: in the file, from 1 on.
        period: that the items were decided in.
        per_bin: number of items asked for, of each bin.
        seed: of the draw; the same records and pictures give the same items again.
        bins: class -> the bin that it belongs in, as the line was configured at the draw.
        by: who asked for it.
        drawn_at: Unix seconds.
        audited: bin -> what it had.
        drawn: the items, in the order in which they are judged.
    """

    number: int
    period: Period
    per_bin: int
    seed: str
    bins: Mapping[str, str]
    by: str
    drawn_at: float
    audited: Mapping[str, AuditedBin]
    drawn: tuple[DrawnItem, ...]


@dataclass(frozen=True)
class Population:
    """What an audit can be drawn from.

    Attributes:
        recorded: bin -> number of items that went there; `manual` is no bin to audit.
        places: bin -> the rising int64 [items] places of those whose picture is kept.
    """

    recorded: Mapping[str, int]
    places: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Purity:
    """How pure a bin is, by an audit.

    Attributes:
        bin: its name.
        recorded, population: as `AuditedBin` has them.
        drawn: number of items drawn from the population.
        judged: number of those that a person has answered on.
        right: number of those whose class belongs in the bin. What is no item, several items, or
            of no class does not.
    """

    bin: str
    recorded: int
    population: int
    drawn: int
    judged: int
    right: int

    @property
    def unjudged(self) -> int:
        """Items that nobody has answered on; some may have lost their picture."""
        return self.drawn - self.judged

    @property
    def share(self) -> float | None:
        """The share of the judged items that is right; None: none is judged."""
        return self.right / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the purity of the population, mid-P, without replacement.

        It holds whatever the items are that nobody has judged: all wrong below, all right above.
        """
        low, _ = mid_p(self.right, self.drawn, self.population)
        _, high = mid_p(self.right + self.unjudged, self.drawn, self.population)
        return low, high


@dataclass(frozen=True)
class AuditResult:
    """An audit, and the purity of each of its bins, by name."""

    audit: Audit
    purities: tuple[Purity, ...]

    @property
    def unjudged(self) -> int:
        """Drawn items that nobody has answered on."""
        return sum(purity.unjudged for purity in self.purities)

    @property
    def without_picture(self) -> int:
        """Items that could not be drawn, for their picture was not kept."""
        return sum(purity.recorded - purity.population for purity in self.purities)


def population(store: Store, period: Period) -> Population:
    """Read which items an audit of a period can be drawn from.

    Raises:
        BadInput: they are too many, or of too many bins.
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    bounds = (
        "SELECT MIN(sequence), MAX(sequence) FROM items WHERE decided_at >= ? AND decided_at < ?"
    )
    low, high = store.read(bounds, period.start, period.end)[0]
    if low is None:
        return Population({}, {})
    # Both queries read a narrow index alone: neither a whole record nor a picture.
    query = (
        f"SELECT sequence, bin FROM items {hint(store, 'items_to_search')} WHERE sequence "
        "BETWEEN ? AND ? AND decided_at >= ? AND decided_at < ? AND bin <> ? LIMIT ?"
    )
    rows = store.read(query, low, high, period.start, period.end, MANUAL, MOST_ITEMS + 1)
    if len(rows) > MOST_ITEMS:
        raise BadInput(f"more than {MOST_ITEMS:,} items; choose a shorter period")
    with_crop = _with_crop(store, low, high)
    places: dict[str, list[int]] = {}
    for sequence, bin_name in rows:
        places.setdefault(bin_name, []).append(sequence)
    if len(places) > MOST_BINS or not all(isinstance(name, str) for name in places):
        raise Damaged(f"{store.path}: is damaged (it has more bins than any line)")
    return Population(
        {name: len(found) for name, found in sorted(places.items())},
        {name: np.intersect1d(found, with_crop) for name, found in sorted(places.items())},
    )


def _with_crop(store: Store, low: int, high: int) -> np.ndarray:
    query = (
        "SELECT sequence FROM crops WHERE keep_for_review = ? AND sequence BETWEEN ? AND ? LIMIT ?"
    )
    found = [store.read(query, keep, low, high, 4 * MOST_ITEMS) for keep in (0, 1)]
    return np.array([row[0] for rows in found for row in rows], np.int64)


def draw(places: Mapping[str, np.ndarray], per_bin: int, seed: str) -> list[tuple[int, str]]:
    """Draw items of each bin without replacement, each with the same chance.

    Args:
        places: bin -> the int64 [items] places of its items.
        per_bin: number of items to draw of each bin; of a bin with fewer, all.
        seed: of the draw.

    Returns:
        (place, bin) of each item drawn, the bins mixed.
    """
    chance = random.Random(seed)
    drawn = [
        (int(place), name)
        for name, found in sorted(places.items())
        for place in chance.sample(found.tolist(), min(per_bin, len(found)))
    ]
    chance.shuffle(drawn)
    return drawn


def draw_audit(
    path: Path,
    store: Store,
    period: Period,
    *,
    per_bin: int,
    bins: Mapping[str, str],
    seed: str,
    by: str,
    now: float,
) -> int:
    """Draw an audit and keep it; after it returns it survives a power cut.

    Args:
        path: the file of audits; it is made if there is none.
        store: the records.
        period: that the items were decided in; what is younger than `SETTLED_S` is left out.
        per_bin: number of items of each bin, 1 to `MOST_PER_BIN`.
        bins: class -> the bin that it belongs in.
        seed: of the draw; nobody should be able to choose it.
        by: who asks for it.
        now: Unix seconds.

    Returns:
        Its number.

    Raises:
        BadInput: there is nothing to draw, the period is too long, or an audit of it is not judged
            to its end.
        EwasteError: a file cannot be read or written, is damaged, or is full.
    """
    period = Period(period.start, min(period.end, now - SETTLED_S))
    if not 1 <= per_bin <= MOST_PER_BIN:
        raise BadInput(f"{per_bin} items of each bin; choose 1 to {MOST_PER_BIN}")
    if not 0 < period.hours <= LONGEST_HOURS:
        raise BadInput(
            f"a period of {period.hours:.1f} hours that ends a minute ago or earlier; "
            f"choose up to {LONGEST_HOURS:.0f} hours"
        )
    _require_judged(path, store, period)
    found = population(store, period)
    items = _drawn_items(store, draw(found.places, per_bin, seed), bins)
    audit = Audit(
        number=0,
        period=period,
        per_bin=per_bin,
        seed=seed,
        bins=bins,
        by=by,
        drawn_at=now,
        audited={
            name: AuditedBin(recorded, len(found.places[name]))
            for name, recorded in found.recorded.items()
        },
        drawn=tuple(items),
    )
    return _keep(path, audit)


def _keep(path: Path, audit: Audit) -> int:
    """Write a new audit in one transaction, and return its number."""
    insert = (
        "INSERT INTO audits (start, end, per_bin, seed, bins, by, drawn_at) "
        "SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM audits) < ?"
    )
    bins = json.dumps(dict(audit.bins), sort_keys=True)
    period, rest = audit.period, (audit.seed, bins, audit.by, audit.drawn_at, MOST_AUDITS)
    with opened(path, FORM, writes=True) as database:
        done = database.execute(insert, (period.start, period.end, audit.per_bin, *rest))
        number = done.lastrowid
        if not done.rowcount or number is None:
            raise EwasteError(f"{path}: holds {MOST_AUDITS:,} audits; move it away")
        database.executemany(
            "INSERT INTO audited_bins VALUES (?, ?, ?, ?)",
            [(number, name, had.recorded, had.population) for name, had in audit.audited.items()],
        )
        database.executemany(
            "INSERT INTO drawn VALUES (?, ?, ?, ?)",
            [(number, place, each.item_id, each.bin) for place, each in enumerate(audit.drawn)],
        )
    return number


def _require_judged(path: Path, store: Store, period: Period) -> None:
    for audit in audits_in(path, period):
        left = len(to_judge(store, audit))
        if left:
            raise BadInput(
                f"audit {audit.number} of this time has {left} items to judge; judge them first"
            )


def _drawn_items(
    store: Store, drawn: Sequence[tuple[int, str]], bins: Mapping[str, str]
) -> list[DrawnItem]:
    """Read the names of the items; refuse those that another class -> bin map had sorted."""
    if not drawn:
        raise BadInput("no item with a picture went to a bin in this time")
    if len(drawn) > MOST_DRAWN:
        raise BadInput(f"{len(drawn):,} items of all bins; at most {MOST_DRAWN:,}: choose fewer")
    marks = ", ".join("?" * len(drawn))
    query = f"SELECT sequence, item_id, label, reason FROM items WHERE sequence IN ({marks})"
    rows = {row[0]: row[1:] for row in store.read(query, *(place for place, _ in drawn))}
    if len(rows) < len(drawn):
        raise EwasteError("records have just been deleted; try again")
    items = []
    for place, name in drawn:
        item_id, label, reason = rows[place]
        if reason == Reason.SORTED.value and bins.get(label, MANUAL) != name:
            raise BadInput(
                "classes went to other bins in this time than now; choose a time since the change"
            )
        items.append(DrawnItem(str(item_id), name))
    return items


def audits_in(path: Path, period: Period, count: int = MOST_SHOWN) -> list[Audit]:
    """Read the last `count` audits that have to do with a period, the oldest first.

    Raises:
        EwasteError: the file cannot be read, or is damaged.
    """
    query = "WHERE start < ? AND end > ? ORDER BY number DESC LIMIT ?"
    return _audits(path, query, period.end, period.start, count)[::-1]


def find_audit(path: Path, number: int) -> Audit | None:
    """Read one audit; None: there is none of that number.

    Raises:
        EwasteError: the file cannot be read, or is damaged.
    """
    return next(iter(_audits(path, "WHERE number = ?", number)), None)


def _audits(path: Path, condition: str, *values: object) -> list[Audit]:
    if not path.exists():
        return []
    query = f"SELECT number, start, end, per_bin, seed, bins, by, drawn_at FROM audits {condition}"
    with opened(path, FORM, writes=False) as database:
        found = []
        for row in database.execute(query, values).fetchall():
            bins = database.execute(
                "SELECT bin, recorded, population FROM audited_bins WHERE audit = ? LIMIT ?",
                (row[0], MOST_BINS),
            ).fetchall()
            items = database.execute(
                "SELECT item_id, bin FROM drawn WHERE audit = ? ORDER BY place LIMIT ?",
                (row[0], MOST_DRAWN),
            ).fetchall()
            found.append((row, bins, items))
    try:
        return [_audit(*each) for each in found]
    except (TypeError, ValueError, AttributeError):
        raise EwasteError(f"{path}: is damaged; move it away") from None


def _audit(row: Sequence[Any], bins: Sequence[Any], items: Sequence[Any]) -> Audit:
    number, start, end, per_bin, seed, text, by, drawn_at = row
    audited = {str(name): AuditedBin(int(all_), int(kept)) for name, all_, kept in bins}
    drawn = tuple(DrawnItem(str(item_id), str(name)) for item_id, name in items)
    for name, count in Counter(each.bin for each in drawn).items():
        if name not in audited or not count <= audited[name].population <= MOST_ITEMS:
            raise ValueError("more items drawn than there were")
    return Audit(
        number=int(number),
        period=Period(float(start), float(end)),
        per_bin=int(per_bin),
        seed=str(seed),
        bins={str(label): str(name) for label, name in json.loads(text).items()},
        by=str(by),
        drawn_at=float(drawn_at),
        audited=audited,
        drawn=drawn,
    )


def to_judge(store: Store, audit: Audit) -> list[str]:
    """Return the drawn items that nobody has answered on and that have a picture, in their order.

    Raises:
        Damaged: the file of records is damaged.
        EwasteError: it cannot be read now.
    """
    answers = _answers(store, audit)
    return [
        each.item_id
        for each in audit.drawn
        if each.item_id in answers and answers[each.item_id] == ("", "", 1)
    ]


def judge(store: Store, audit: Audit) -> AuditResult:
    """Count what persons have answered on the items of an audit.

    Raises:
        Damaged: the file of records is damaged.
        EwasteError: it cannot be read now.
    """
    answers = _answers(store, audit)
    drawn: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for each in audit.drawn:
        label, no_class, _ = answers.get(each.item_id, ("", "", 0))
        drawn[each.bin] += 1
        judged[each.bin] += bool(label or no_class)
        right[each.bin] += bool(label) and audit.bins.get(label, MANUAL) == each.bin
    return AuditResult(
        audit,
        tuple(
            Purity(name, had.recorded, had.population, drawn[name], judged[name], right[name])
            for name, had in sorted(audit.audited.items())
        ),
    )


def _answers(store: Store, audit: Audit) -> dict[str, tuple[str, str, int]]:
    """Item -> the label and why there is none, as they stand, and 1 if its picture is kept.

    An item that was answered on in a group has neither.
    """
    marks = ", ".join("?" * len(audit.drawn))
    query = (
        "SELECT item_id, reviewed, no_class, EXISTS "
        "(SELECT 1 FROM crops WHERE crops.sequence = items.sequence), "
        "(SELECT grouped FROM reviews WHERE reviews.sequence = items.sequence "
        "AND undone_by IS NULL ORDER BY number DESC LIMIT 1) "
        f"FROM items WHERE item_id IN ({marks})"
    )
    rows = store.read(query, *(each.item_id for each in audit.drawn))
    return {
        str(item_id): ("", "", int(kept)) if grouped else (str(label), str(no_class), int(kept))
        for item_id, label, no_class, kept, grouped in rows
    }
