"""Random audits: the draw is fair, kept, and not repeated; purity follows the reviews."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BadInput, EwasteError
from edge.intervals import mid_p
from edge.labels import MANUAL
from edge.records.audits import (
    AUDITS_NAME,
    MOST_ITEMS,
    Purity,
    audits_in,
    draw,
    draw_audit,
    find_audit,
    judge,
    population,
    to_judge,
)
from edge.records.period import Period
from edge.records.reviews import NoClass, ReviewStore
from edge.records.store import RECORDS_NAME, Store
from edge.verdict import Reason
from tests.support.records import RECORD

ROOT = Path(__file__).parents[3]
NOW = 1_700_000_000.0
SHIFT = Period(NOW - 8 * 3600, NOW)
BINS = {"Battery": "hazardous", "PCB": "boards", "Mobile": "boards"}
WENT = (("Battery", "hazardous"), ("PCB", "boards"), ("unknown", MANUAL), ("Mobile", "boards"))


@pytest.fixture
def path(tmp_path):
    """A shift of 800 items, the newest a second old; every tenth has no picture any more."""
    records = []
    for number in range(800):
        label, to = WENT[number % 4]
        made = replace(
            RECORD,
            item_id=f"i-{number}",
            decided_at=NOW - 1 - 30 * (799 - number),
            label=label,
            bin=to,
            reason=Reason.SORTED if to != MANUAL else Reason.UNSURE,
            crop=b"" if number % 10 == 0 else b"jpeg",
        )
        records.append(made)
    with Store(tmp_path / RECORDS_NAME) as store:
        store.append(records)
    return tmp_path / RECORDS_NAME


def drawn_in(path: Path, **changes) -> int:
    asked = {"per_bin": 50, "bins": BINS, "seed": "1f", "by": "Anna", "now": NOW}
    period = changes.pop("period", SHIFT)
    with Store(path, read_only=True) as store:
        return draw_audit(path.with_name(AUDITS_NAME), store, period, **{**asked, **changes})


def test_a_draw_is_kept_with_all_that_repeats_it(path):
    number = drawn_in(path)
    audit = find_audit(path.with_name(AUDITS_NAME), number)
    assert (audit.by, audit.drawn_at, audit.seed, audit.per_bin) == ("Anna", NOW, "1f", 50)
    assert audit.period == Period(SHIFT.start, NOW - 60) and audit.bins == BINS
    assert audits_in(path.with_name(AUDITS_NAME), SHIFT) == [audit]
    assert audits_in(path.with_name(AUDITS_NAME), Period(NOW, NOW + 1)) == []
    assert Counter(each.bin for each in audit.drawn) == {"boards": 50, "hazardous": 50}
    assert len({each.item_id for each in audit.drawn}) == 100, "without replacement"
    with Store(path, read_only=True) as store:
        found = population(store, audit.period)
        again = draw(found.places, audit.per_bin, audit.seed)
        where = dict(store.read("SELECT sequence, item_id FROM items"))
        purities = judge(store, audit).purities
    assert [where[place] for place, _ in again] == [each.item_id for each in audit.drawn]
    with closing(sqlite3.connect(path)) as database:
        counted = (
            "SELECT bin, COUNT(*), SUM(EXISTS (SELECT 1 FROM crops WHERE crops.sequence = "
            "items.sequence)) FROM items WHERE decided_at >= ? AND decided_at < ? AND bin <> ? "
            "GROUP BY 1 ORDER BY 1"
        )
        rows = database.execute(counted, (audit.period.start, audit.period.end, MANUAL)).fetchall()
    assert [(each.bin, each.recorded, each.population) for each in purities] == rows
    assert rows[1][1] > rows[1][2], "some lost their picture"
    assert path.with_name(AUDITS_NAME).stat().st_mode & 0o077 == 0


def test_every_item_of_a_bin_has_the_same_chance():
    places = {"a": np.arange(40), "b": np.arange(100, 110)}
    times: Counter[int] = Counter()
    for seed in range(2000):
        drawn = draw(places, 10, str(seed))
        assert len(drawn) == 20 and {each for each, to in drawn if to == "b"} == set(
            range(100, 110)
        )
        times.update(place for place, to in drawn if to == "a")
    expected, spread = 500, np.sqrt(2000 * 0.25 * 0.75)
    assert all(abs(times[each] - expected) < 4.5 * spread for each in range(40))
    first = Counter(draw(places, 10, str(seed))[0][1] for seed in range(400))
    assert 120 < first["a"] < 280, "the bins are mixed"


def test_purity_counts_the_answers_and_what_is_not_judged_on_both_sides(path):
    number = drawn_in(path)
    audit = find_audit(path.with_name(AUDITS_NAME), number)
    boards = [each.item_id for each in audit.drawn if each.bin == "boards"]
    with ReviewStore(path) as store:
        assert to_judge(store, audit) == [each.item_id for each in audit.drawn]
        for each in boards[:30]:
            store.give(each, label="PCB", by="Anna", at=NOW)
        for each, label in zip(boards[30:38], ["Mobile"] * 6 + ["Battery"] * 2, strict=True):
            store.give(each, label=label, by="Anna", at=NOW)
        store.give(boards[38], no_class=NoClass.NO_ITEM, by="Anna", at=NOW)
        store.give(boards[39], no_class=NoClass.OTHER, by="Anna", at=NOW)
        left = to_judge(store, audit)
        result = judge(store, audit)
    assert len(left) == result.unjudged == 60 and not set(left) & set(boards[:40])
    purity = next(each for each in result.purities if each.bin == "boards")
    kept = purity.population
    assert purity == Purity("boards", purity.recorded, kept, 50, 40, 36)
    assert purity.share == 0.9
    assert purity.interval == (mid_p(36, 50, kept)[0], mid_p(46, 50, kept)[1])
    nothing = next(each for each in result.purities if each.bin == "hazardous")
    assert nothing.share is None and nothing.interval[0] == 0 and nothing.interval[1] == 1
    with Store(path) as store:
        store._file.connection.execute("DELETE FROM items WHERE item_id = ?", (boards[0],))
        gone = next(each for each in judge(store, audit).purities if each.bin == "boards")
    assert (gone.judged, gone.right, gone.unjudged) == (39, 35, 11), "shown, not left out"


def test_an_audit_is_not_drawn_again_before_it_is_judged(path):
    number = drawn_in(path, per_bin=2)
    audit = find_audit(path.with_name(AUDITS_NAME), number)
    for changes in ({}, {"seed": "2f"}, {"period": Period(NOW - 3600, NOW)}):
        with pytest.raises(BadInput, match="audit 1 of this time has 4 items to judge"):
            drawn_in(path, per_bin=2, **changes)
    with ReviewStore(path) as store:
        for each in audit.drawn:
            store.give(each.item_id, label="PCB", by="Anna", at=NOW)
    assert drawn_in(path, seed="2f") == 2
    assert len(audits_in(path.with_name(AUDITS_NAME), SHIFT)) == 2, "both are shown"


REFUSED = {
    "no items": {"period": Period(NOW - 90_000, NOW - 80_000)},
    "the last minute": {"period": Period(NOW - 30, NOW)},
    "a week": {"period": Period(NOW - 7 * 86_400, NOW)},
    "none of a bin": {"per_bin": 0},
    "too many of a bin": {"per_bin": 301},
    "other bins than now": {"bins": {**BINS, "PCB": "small"}},
    "a class without a bin": {"bins": {"Battery": "hazardous"}},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_drawn_is_refused_and_leaves_nothing(path, kind):
    with pytest.raises(BadInput) as refused:
        drawn_in(path, **REFUSED[kind])
    assert "\n" not in str(refused.value)
    assert not path.with_name(AUDITS_NAME).exists()


def test_items_of_a_fault_on_their_way_are_no_other_map(path):
    with Store(path) as store:
        odd = replace(RECORD, label="Mouse", bin="boards", reason=Reason.UNRECORDED, crop=b"x")
        store.append([replace(odd, item_id="odd", decided_at=NOW - 100)])
    assert drawn_in(path, per_bin=300) == 1


HOSTILE = {
    "no bins": "UPDATE audits SET bins = '[1]'",
    "no JSON": "UPDATE audits SET bins = '{'",
    "no time": "UPDATE audits SET drawn_at = 'now'",
    "more drawn than there were": "UPDATE audited_bins SET population = 1",
    "a population beyond all": f"UPDATE audited_bins SET population = {MOST_ITEMS + 1}",
    "a bin that is none": "UPDATE drawn SET bin = 'x'",
    "no table": "DROP TABLE drawn",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_damaged_file_is_one_line(path, kind):
    drawn_in(path)
    with closing(sqlite3.connect(path.with_name(AUDITS_NAME))) as database, database:
        database.execute(HOSTILE[kind])
    with pytest.raises(EwasteError, match=AUDITS_NAME) as caught:
        audits_in(path.with_name(AUDITS_NAME), SHIFT)
    assert "\n" not in str(caught.value)


def test_a_draw_that_was_acknowledged_survives_kill_9(path):
    code = (
        "import sys, time, pathlib\n"
        "from edge.records.audits import draw_audit\n"
        "from edge.records.period import Period\n"
        "from edge.records.store import Store\n"
        "path, start, now, bins = sys.argv[1:]\n"
        "import json\n"
        "with Store(pathlib.Path(path), read_only=True) as store:\n"
        "    number = draw_audit(pathlib.Path(path).with_name('audits.db'), store,\n"
        "        Period(float(start), float(now)), per_bin=5, bins=json.loads(bins), seed='1f',\n"
        "        by='Anna', now=float(now))\n"
        "    print(number, flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(SHIFT.start), str(NOW), json.dumps(BINS)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "1\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    (audit,) = audits_in(path.with_name(AUDITS_NAME), SHIFT)
    assert len(audit.drawn) == 10


def test_in_a_thousand_shifts_the_interval_covers_the_purity_of_each_bin():
    """Each shift has three bins with purities of their own; 50 of 60 to 300 of 2,000 are drawn."""
    draw_from, covers = np.random.default_rng(19), []
    for shift in range(1000):
        size = int(draw_from.integers(60, 2000))
        count = min(int(draw_from.choice([30, 50, 100, 200, 300])), size - 10)
        for purity in (0.9, 0.95, 0.98):
            there = int(draw_from.binomial(size, purity))
            drawn = draw({"a": np.arange(size)}, count, f"{shift} {purity}")
            right = sum(place < there for place, _ in drawn)
            low, high = Purity("a", size, size, count, count, right).interval
            covers.append((purity, low <= there / size <= high))
    found = np.array(covers)
    assert 0.93 <= found[:, 1].mean() <= 0.97
    for purity in (0.9, 0.95, 0.98):
        assert 0.93 <= found[found[:, 0] == purity, 1].mean() <= 0.97, purity
