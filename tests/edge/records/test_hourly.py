"""Figures that are kept by the hour are those of the records, whatever becomes of the records."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.records import hourly as module
from edge.records.figures import Figures
from edge.records.hourly import HOUR_S, SETTLED_S, HourlyFigures
from edge.records.store import Store
from tests.support.records import RECORD

START = 1_760_000_400.0
NOW = START + 10 * HOUR_S


def record(number: int, at: float, rng: random.Random):
    return replace(
        RECORD,
        item_id=f"item-{number}",
        decided_at=at,
        label=rng.choice(["Mouse", "PCB", "unknown"]),
        bin=rng.choice(["it", "manual"]),
        late=rng.random() < 0.1,
        bundle=f"sha256:{int(at > START + 3 * HOUR_S)}",
        verdict_ms=float("nan") if rng.random() < 0.1 else rng.uniform(1, 90),
        crop=b"",
    )


@pytest.fixture
def path(tmp_path) -> Path:
    rng = random.Random(3)
    times = sorted(rng.uniform(START, NOW) for _ in range(2000))
    with Store(tmp_path / "records.db") as store:
        store.append([record(number, at, rng) for number, at in enumerate(times)])
    return tmp_path / "records.db"


def same(first: Figures, second: Figures) -> bool:
    groups = Counter(first.groups) == Counter(second.groups)
    return groups and np.array_equal(first.moments, second.moments, equal_nan=True)


def test_any_period_has_the_figures_of_its_records(path):
    rng, hourly = random.Random(5), HourlyFigures(path, lambda: NOW)
    with Store(path, read_only=True) as store:
        for _ in range(60):
            start, end = sorted(rng.uniform(START - HOUR_S, NOW + HOUR_S) for _ in range(2))
            limits = (start, end, 10**6)
            assert same(hourly.read(store, *limits), store.figures(*limits))
        assert same(hourly.read(store, START, START, 9), store.figures(START, START, 9))


def test_what_is_kept_is_not_read_again_and_what_changed_is(path, monkeypatch):
    read, hourly = [], HourlyFigures(path, lambda: NOW)
    figures = Store.figures
    whole = (START, NOW, 10**6)

    def counted(store: Store, start: float, end: float, most: int) -> Figures:
        read.append((start, end))
        return figures(store, start, end, most)

    monkeypatch.setattr(Store, "figures", counted)
    with Store(path) as store:
        hourly.read(store, *whole)
        assert len(read) >= 9
        read.clear()
        assert same(hourly.read(store, *whole), figures(store, *whole))
        assert len(read) == 2, "the beginning and the end, which are no whole hours"
        rng = random.Random(9)
        store.append([record(5000, START + 5.5 * HOUR_S, rng)])  # the clock was set back
        store.append([record(5001, NOW - SETTLED_S / 2, rng)])
        assert same(hourly.read(store, *whole), figures(store, *whole))
        store.prune(days=0.2, megabytes=1e6)
        assert same(hourly.read(store, *whole), figures(store, *whole))
        assert len(hourly.read(store, *whole).moments) < 2002
    path.rename(path.with_name("old.db"))
    with Store(path) as store:
        assert hourly.read(store, *whole).groups == ()


def test_memory_is_bounded_and_so_is_what_is_read(path, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT_ITEMS", 500)
    hourly = HourlyFigures(path, lambda: NOW)
    with Store(path, read_only=True) as store:
        for _ in range(2):
            limits = (START, NOW, 10**6)
            assert same(hourly.read(store, *limits), store.figures(*limits))
            assert sum(len(hour.moments) for hour in hourly._kept.values()) <= 500
        assert 300 < len(hourly.read(store, START, NOW, 300).moments) < 1200
