"""What the records cost as they grow: python benchmarks/growth.py.

What the line writes and what the page reads, on files of 10^3 to 10^6 records, the sizes in turns.
Each says how it grows: flat, slower than the records, or with them; and at how many records it
would take a second. By processor time, which a busy machine changes little.
"""

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.machine import facts
from benchmarks.marked import DISTURBED_SHARE, Timed, way_of
from benchmarks.rounds import order_of_turn
from edge.errors import BadInput
from edge.records.figures import read_figures
from edge.records.measured import looks_wrong, measured
from edge.records.record import ItemRecord
from edge.records.retention import prune
from edge.records.review import SAMPLE
from edge.records.search import Criteria, ReviewState, choices, find_item, search
from edge.records.store import Store
from edge.verdict import Reason
from train.command import command

LABELS = ("Battery", "Keyboard", "Mobile", "Mouse", "PCB", "unknown")
SECONDS_APART = 0.125
"""480 items a minute."""
CROP_EVERY, CROP_BYTES = 20, 2048
REVIEWED_EVERY = 50
BATCH = 2000
PAGE_ITEMS = 50
HOUR_S, QUOTA_DAYS, QUOTA_MB = 3600.0, 3650.0, 1e6
MOST_MOMENTS = 5_000_000
FLAT, SLOWER = 0.25, 0.75
"""Powers of the number of records, between the two largest files, up to which a cost is that."""
LONG_MS, LEAST_MS = 1000.0, 1e-3
MOST_RECORDS = 10_000_000


@dataclass(frozen=True)
class GrowthRow:
    """What something costs on a file of some size.

    Attributes:
        stage: what is done.
        records: in the file.
        median_ms: over the rounds, by the clock, ms.
        cpu_ms: of the processor, over the rounds, ms.
        ratio: to the same on the smallest file, the median over the rounds.
        disturbed: how many samples other programs disturbed.
    """

    stage: str
    records: int
    median_ms: float
    cpu_ms: float
    ratio: float
    disturbed: int


@dataclass(frozen=True)
class Growth:
    """How a cost grows with the number of records.

    Attributes:
        stage: what is done.
        power: of the number of records, between the two largest files.
        growth: `flat`, `slower than the records`, or `with the records`.
        second_at: the number of records at which it would take a second, growing on like this;
            None: never, or beyond 10^12.
    """

    stage: str
    power: float
    growth: str
    second_at: float | None


def records(count: int, now: float) -> Iterator[list[ItemRecord]]:
    """So many records of a busy line up to `now`, unix seconds, in batches."""
    generator = np.random.default_rng(0)
    crop, began = generator.bytes(CROP_BYTES), now - count * SECONDS_APART
    for first in range(0, count, BATCH):
        yield [
            _record(number, began + number * SECONDS_APART, crop, f"{count}")
            for number in range(first, min(count, first + BATCH))
        ]


def _record(number: int, decided_at: float, crop: bytes, name: str) -> ItemRecord:
    label = LABELS[number * 7 % len(LABELS)]
    reviewed = number % REVIEWED_EVERY == 0
    return ItemRecord(
        item_id=f"{name}-{number:08d}",
        decided_at=decided_at,
        label=label,
        confidence=0.5 + number * 37 % 50 / 100,
        bin="manual" if label == "unknown" else "small",
        reason=Reason.UNSURE if label == "unknown" else Reason.SORTED,
        detail="over 2 views",
        position_mm=number * 300.0,
        offset_mm=0.0,
        views=2,
        detect_ms=1.0,
        classify_ms=12.0,
        verdict_ms=26.0,
        late=False,
        bundle="0" * 64,
        crop=crop if number % CROP_EVERY == 0 else b"",
        top_label=LABELS[number % 5],
        review=SAMPLE if reviewed else "",
        reviewed=LABELS[number % 5] if reviewed else "",
    )


def fill(path: Path, count: int, now: float) -> None:
    """Make a file of so many records."""
    with Store(path) as store:
        for batch in records(count, now):
            store.append(batch)


def actions_of(store: Store, count: int, now: float) -> dict[str, Callable[[], object]]:
    """What the line and its page do with a file of `count` records; `now`, unix seconds."""
    added = iter(range(10**9))
    one = f"{count}-{count // 2:08d}"

    def append() -> None:
        store.append([_record(next(added), now, b"", f"new {count}")])

    def opened() -> None:
        with Store(store.path, read_only=True):
            pass

    unseen = Criteria(label="no such label")
    page = {"count": PAGE_ITEMS}
    return {
        "record an item": append,
        "delete what is too old": lambda: prune(store._file, QUOTA_DAYS, QUOTA_MB),
        "open the file": opened,
        "last items": lambda: store.recent(PAGE_ITEMS),
        "one item": lambda: find_item(store, one),
        "filters of the search": lambda: choices(store),
        "search, all": lambda: search(store, Criteria(), **page),
        "search, one class": lambda: search(store, Criteria(label="PCB"), **page),
        "search, to review": lambda: search(store, Criteria(state=ReviewState.WAITING), **page),
        "search, what is not there": lambda: search(store, unseen, **page),
        "measured accuracy": lambda: measured(store),
        "answers that disagree": lambda: looks_wrong(store, count=PAGE_ITEMS),
        "figures of an hour": lambda: read_figures(
            store._file, now - HOUR_S, now + 1, MOST_MOMENTS
        ),
        "figures of all": lambda: read_figures(store._file, 0, now + 1, MOST_MOMENTS),
        "decided in an hour": lambda: store.decided_since(now - HOUR_S, now + 1),
    }


def measure(counts: Sequence[int], rounds: int, folder: Path) -> list[GrowthRow]:
    """Measure all actions on files of so many records, in turns.

    Raises:
        EwasteError: a file cannot be written.
    """
    now = time.time()
    with ExitStack() as ending:
        actions = {}
        for count in counts:
            path = folder / f"{count}.db"
            fill(path, count, now)
            store = ending.enter_context(Store(path))
            actions[count] = actions_of(store, count, now)
        stages = list(actions[counts[0]])
        found: dict[tuple[str, int], list[Timed]] = {
            (stage, count): [] for stage in stages for count in counts
        }
        for number in range(rounds):
            for stage in stages:
                for place in order_of_turn(number, len(counts)):
                    timed = way_of(actions[counts[place]][stage])(1)
                    found[stage, counts[place]] += timed
    return [_row(stage, count, found, counts[0]) for stage in stages for count in counts]


def _row(
    stage: str, count: int, found: Mapping[tuple[str, int], list[Timed]], smallest: int
) -> GrowthRow:
    times = np.array(found[stage, count])
    first = np.array(found[stage, smallest])
    return GrowthRow(
        stage=stage,
        records=count,
        median_ms=round(float(np.median(times[:, 0])), 4),
        cpu_ms=round(max(float(np.median(times[:, 2])), LEAST_MS), 4),
        ratio=round(float(np.median(times[:, 2] / np.maximum(first[:, 2], LEAST_MS))), 3),
        disturbed=int((times[:, 1] > DISTURBED_SHARE * times[:, 0]).sum()),
    )


def growth_of(rows: Sequence[GrowthRow]) -> Growth:
    """How a cost grows, by its rows, the smallest file first."""
    before, last = rows[-2:]
    power = math.log(last.cpu_ms / before.cpu_ms) / math.log(last.records / before.records)
    words = "flat" if power <= FLAT else "slower than the records"
    if power > SLOWER:
        words = "with the records"
    second_at = None
    if power > FLAT:
        logarithm = math.log10(last.records) + math.log10(LONG_MS / last.cpu_ms) / power
        second_at = None if logarithm > 12 else float(f"{10**logarithm:.2g}")
    return Growth(last.stage, round(power, 2), words, second_at)


def growths_of(rows: Sequence[GrowthRow]) -> list[Growth]:
    """How each cost grows; what breaks first stands first."""
    stages = dict.fromkeys(row.stage for row in rows)
    found = [growth_of([row for row in rows if row.stage == stage]) for stage in stages]
    return sorted(found, key=lambda each: (each.second_at or math.inf, -each.power))


def main(
    *,
    records: Annotated[
        list[int] | None,
        typer.Option(min=100, max=MOST_RECORDS, help="records of a file; repeatable"),
    ] = None,
    rounds: Annotated[int, typer.Option(min=2, max=1000, help="how often each is timed")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure what records cost as they grow. Exit codes: 0 done, 1 failed, 2 bad input."""
    counts = sorted(set(records or (1_000, 10_000, 100_000)))
    with command(), tempfile.TemporaryDirectory(prefix="ewaste-growth-") as folder:
        if len(counts) < 2:
            raise BadInput("--records: give two numbers at least, to see how the cost grows")
        rows = measure(counts, rounds, Path(folder))
    growths = growths_of(rows)
    if as_json:
        shown = {
            "growth": [asdict(each) for each in growths],
            "rows": [asdict(row) for row in rows],
        }
        print(json.dumps({**shown, "facts": facts()}))
        return
    print(f"{'processor ms':26}" + "".join(f"{count:>11,}" for count in counts) + "  grows; 1 s at")
    for each in growths:
        own = [row for row in rows if row.stage == each.stage]
        cells = "".join(f"{row.cpu_ms:11.2f}" for row in own)
        at = "" if each.second_at is None else f"; {each.second_at:,.0f} records"
        print(f"{each.stage:26}{cells}  {each.growth}{at}")
    disturbed, samples = sum(row.disturbed for row in rows), rounds * len(rows)
    print(f"{disturbed} of {samples} samples were disturbed by other programs; none is left out")


if __name__ == "__main__":
    typer.run(main)
