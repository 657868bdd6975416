"""The counts by hour and day are those of SQL, and no answer takes long."""

import math
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.records.figures import Figures, RecordGroup
from edge.records.history import (
    DAYS,
    HOURS,
    MOST_LABELS,
    History,
    Scale,
    merged,
    spans,
    tally_of,
)
from edge.records.store import RECORDS_NAME, Store
from tests.support.records import RECORD

NOW = 1_795_932_000.0 + 1800


@pytest.fixture(params=["UTC", "Asia/Kolkata", "Europe/Berlin"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_bars_are_whole_hours_and_days_of_local_time(zone):
    hours, days = spans(Scale.HOUR, NOW), spans(Scale.DAY, NOW)
    assert (len(hours), len(days)) == (HOURS, DAYS)
    for bars in (hours, days):
        assert bars[-1][0] <= NOW < bars[-1][1]
        assert all(end == start for (_, end), (start, _) in pairwise(bars))
    assert {time.localtime(start).tm_min for start, _ in hours} == {0}
    assert {time.localtime(start)[3:6] for start, _ in days} == {(0, 0, 0)}
    assert all(end - start == 3600 for start, end in hours)


def test_a_day_on_which_the_clocks_change_is_counted_whole(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    changed = time.mktime((2026, 10, 25, 12, 0, 0, 0, 0, -1))
    start, end = spans(Scale.DAY, changed)[-1]
    assert end - start == 25 * 3600
    monkeypatch.undo()
    time.tzset()


def test_the_counts_are_those_of_sql(tmp_path, zone):
    path = tmp_path / RECORDS_NAME
    numbers = np.random.default_rng(1)
    records = [
        replace(
            RECORD,
            item_id=str(number),
            decided_at=NOW - float(numbers.uniform(0, 33 * 86400)),
            label=str(numbers.choice(["Battery", "PCB", "unknown"])),
            bin=str(numbers.choice(["hazardous", "manual"])),
            verdict_ms=float(numbers.lognormal(3.5, 0.5)),
            crop=b"",
        )
        for number in range(4000)
    ]
    with Store(path) as store:
        store.append(records)
    history = History(path)
    for scale in Scale:
        bars = history.bars(spans(scale, NOW), NOW)
        while not all(bar.complete for bar in bars):
            bars = history.bars(spans(scale, NOW), NOW)
        for bar in bars:
            with closing(sqlite3.connect(path)) as database:
                query = "SELECT COUNT(*), TOTAL(bin = 'manual'), TOTAL(label = 'unknown') "
                query += "FROM items WHERE decided_at >= ? AND decided_at < ?"
                expected = database.execute(query, (bar.start, bar.end)).fetchone()
            tally = bar.tally
            assert (tally.items, tally.manual, tally.unknown) == expected
            took = [e.verdict_ms for e in records if bar.start <= e.decided_at < bar.end]
            for share in (0.5, 0.99):
                if took:
                    exact = np.percentile(took, 100 * share, method="inverted_cdf")
                    assert tally.latency_ms(share) == pytest.approx(exact, rel=0.02)
                else:
                    assert tally.latency_ms(share) is None


def test_what_is_not_counted_in_time_is_counted_later_and_kept(tmp_path):
    path = tmp_path / RECORDS_NAME
    with Store(path) as store:
        store.append(
            [replace(RECORD, item_id=str(h), decided_at=NOW - 3600 * h) for h in range(24)]
        )
    ticks = iter(np.arange(0, 1000, 0.1))
    history = History(path, lambda: float(next(ticks)))  # three hours an answer
    bars, answers = spans(Scale.HOUR, NOW), 1
    found = history.bars(bars, NOW)
    while not all(bar.complete for bar in found):
        assert found[-1].complete, "the newest first"
        found, answers = history.bars(bars, NOW), answers + 1
    assert 5 <= answers <= 24 and sum(bar.tally.items for bar in found) == 24
    with Store(path) as store:
        store.append([replace(RECORD, item_id="new", decided_at=NOW)])
        store.append([replace(RECORD, item_id="old", decided_at=NOW - 20 * 3600)])
    later = [history.bars(bars, NOW + 60)[-1].tally.items for _ in range(3)][-1]
    assert later == 2, "the hour that is not over is counted again"
    assert history.bars(bars, NOW + 60)[3].tally.items == 1, "another one is not"
    path.rename(tmp_path / "aside.db")
    Store(path).close()
    assert history.bars(bars, NOW)[-1].tally.items == 0, "another file"


def test_records_of_odd_values_are_counted():
    groups = tuple(
        RecordGroup(f"class {n}", "b", "sorted", 0, "1f", 1, 0.0, 0.0) for n in range(500)
    )
    moments = np.column_stack((np.zeros(5), [math.nan, math.inf, -1.0, 1e300, 20.0]))
    tally = tally_of(Figures(groups, moments))
    assert tally.items == 500 and len(tally.per_label) == MOST_LABELS + 1
    assert sum(tally.latencies.values()) == 3 and math.isfinite(tally.latency_ms(1.0))
    assert merged([tally, tally]).items == sum(merged([tally, tally]).per_label.values()) == 1000


@given(st.lists(st.floats(0.2, 1e6), min_size=1, max_size=50), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_latency_of_the_tally_is_near_that_of_the_items(took, share):
    moments = np.column_stack((np.zeros(len(took)), took))
    found = tally_of(Figures((), moments)).latency_ms(share)
    exact = np.percentile(took, 100 * share, method="inverted_cdf")
    assert found == pytest.approx(exact, rel=0.02)
