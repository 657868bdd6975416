"""Masses of recorded items: calibrated by what a person weighed, in the report and the export."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from edge.labels import MANUAL, UNKNOWN
from edge.mass.calibration import WeighingFault
from edge.mass.typical import TYPICAL_ITEMS
from edge.panel.report_page import report_html
from edge.records.entries import ENTRIES_NAME, EntryKind, Given, add_entry, withdraw_entry
from edge.records.export import MASS_COLUMNS, export_csv
from edge.records.item_masses import ItemMasses
from edge.records.item_sums import KeptSums, read_sums
from edge.records.period import DAY_S, Period
from edge.records.report_text import to_csv, to_json
from edge.records.shift import read_report
from edge.records.store import RECORDS_NAME, Store
from edge.records.weighings import read_weighings
from tests.support.records import RECORD

START = 1_699_920_000.0
"""The beginning of a day of UTC."""
BINS = {"Mouse": "small", "Keyboard": "small", "Television": "screens", UNKNOWN: MANUAL}
TRUE_G = {"Mouse": 140.0, "Keyboard": 500.0, "Television": 9000.0, UNKNOWN: 700.0}


def enter(state, kind: EntryKind, name: str, kg: float, at: float) -> int:
    given = Given(kind=kind, name=name, kg=kg)
    return add_entry(state / ENTRIES_NAME, given, at, "Anna", at)


@pytest.fixture
def line(tmp_path):
    """Twelve days of items, each bin weighed at the end of each; number of the first entry: 1."""
    draw = np.random.default_rng(3)
    with Store(tmp_path / RECORDS_NAME) as store:
        for day in range(12):
            kg = dict.fromkeys(BINS.values(), 0.0)
            made = []
            for label, bin_name in BINS.items():
                known = TYPICAL_ITEMS.get(label)
                for number in range(int(draw.integers(20, 90))):
                    kg[bin_name] += TRUE_G[label] * float(np.exp(0.2 * draw.normal())) / 1000
                    made.append(
                        replace(
                            RECORD,
                            item_id=f"{day}-{label}-{number}",
                            decided_at=START + DAY_S * day + 60.0 * number,
                            label=label,
                            bin=bin_name,
                            crop=b"",
                            area_mm2=known.area_mm2 if known and number % 8 else math.nan,
                        )
                    )
            store.append(made)
            for bin_name, weight in kg.items():
                enter(tmp_path, EntryKind.OUT, bin_name, weight, START + DAY_S * (day + 0.5))
    return tmp_path


def report_of(state, days: tuple[float, float]):
    period = Period(START + DAY_S * days[0], START + DAY_S * days[1])
    return read_report(state, state / RECORDS_NAME, period)


def test_a_report_states_the_mass_of_each_class_and_bin_with_its_error(line):
    report = report_of(line, (0, 12))
    masses = report.masses
    assert masses.used == 33 and masses.weighed["Mouse"] == 11
    assert {(each.number, each.fault) for each in masses.left_out} == {
        (number, WeighingFault.FIRST) for number in (1, 2, 3)
    }
    for label, grams in TRUE_G.items():
        mass = masses.per_label[label]
        true = report.per_label[label] * grams / 1000 * math.exp(0.02)
        assert mass.low_kg < true < mass.high_kg
        assert mass.high_kg < 2.5 * mass.low_kg
    small = masses.per_bin["small"]
    assert small.high_kg < 1.4 * small.low_kg, "what was weighed together is known best"
    assert masses.total.kg == pytest.approx(sum(each.kg for each in masses.per_bin.values()))
    assert masses.total.kg == pytest.approx(sum(each.kg for each in masses.per_label.values()))


def test_the_forms_of_a_report_agree_on_the_masses(line):
    report = report_of(line, (11, 12))
    mass = report.masses.per_label["Mouse"]
    plain = json.loads(to_json(report))["estimated_mass"]
    assert plain["is_calibrated"] and plain["per_label"]["Mouse"]["low_kg"] == mass.low_kg
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    values = {
        row["part"]: float(row["value"])
        for row in rows
        if row["name"] == "Mouse" and "mass" in row["part"]
    }
    assert values["estimated mass"] == mass.kg and values["estimated mass high"] == mass.high_kg
    page = report_html(report)
    assert 'id="masses"' in page and "calibrated by 33 weighings" in page
    assert page.count("the first of its bin") == 3


def test_without_a_weighing_it_says_so_and_shows_the_wide_interval(line):
    report = report_of(line, (-1, 0.2))
    assert report.masses.used == 0 and report.items
    mass = report.masses.per_label["Mouse"]
    assert mass.high_kg > 4 * mass.low_kg
    assert "Not calibrated" in report_html(report)
    rows = csv.DictReader(io.StringIO(to_csv(report)))
    assert "not calibrated" in [row["value"] for row in rows]
    assert json.loads(to_json(report))["estimated_mass"]["is_calibrated"] is False


def test_later_weighings_do_not_change_an_earlier_report(line):
    before = report_of(line, (0, 6)).masses
    enter(line, EntryKind.OUT, "small", 900.0, START + DAY_S * 20)
    assert report_of(line, (0, 6)).masses == before
    last = report_of(line, (0, 30)).masses
    assert WeighingFault.NO_ITEMS in [each.fault for each in last.left_out], (
        "none since the one before"
    )


def test_a_withdrawn_weighing_is_not_used_and_two_at_once_are_one(line):
    number = enter(line, EntryKind.OUT, "screens", 1.0, START + DAY_S * 11.5 + 60)
    merged = report_of(line, (0, 12)).masses
    assert merged.used == 33, "a second container of the same bin"
    assert withdraw_entry(line / ENTRIES_NAME, number, "Anna", START)
    assert report_of(line, (0, 12)).masses != merged


def test_a_class_that_is_weighed_alone_is_known_best(line):
    for day in range(12):
        kg = TRUE_G["Keyboard"] * 50 / 1000
        enter(line, EntryKind.CLASS, "Keyboard", kg, START + DAY_S * (day + 0.6))
    masses = report_of(line, (0, 12)).masses
    assert masses.used + len(masses.left_out) == 48
    assert masses.weighed["Keyboard"] > masses.weighed["Mouse"]


def test_records_that_were_pruned_calibrate_nothing(line):
    with Store(line / RECORDS_NAME) as store:
        store._file.connection.execute(
            "DELETE FROM items WHERE decided_at < ?", (START + DAY_S * 6,)
        )
        store._file.connection.commit()
    masses = report_of(line, (0, 12)).masses
    gone = [each for each in masses.left_out if each.fault is WeighingFault.NO_RECORDS]
    assert len(gone) == 18 and masses.used == 15


def test_sums_are_kept_only_while_the_records_are_the_same(line):
    path = line / RECORDS_NAME
    kept = KeptSums(path, lambda: START + DAY_S * 40)
    span = START + 100.0, START + DAY_S * 3
    with Store(path, read_only=True) as store:
        first = kept.read(store, *span)
        assert kept.read(store, *span) == first
        assert sum(each.items for each in first) == sum(
            each.items for each in read_sums(store, *span)
        )
    with Store(path) as store:
        store.append([replace(RECORD, item_id="late", decided_at=START + DAY_S)])
    with Store(path, read_only=True) as store:
        again = kept.read(store, *span)
    assert sum(each.items for each in again) == sum(each.items for each in first) + 1


def test_hostile_sizes_count_as_not_measured(tmp_path):
    with Store(tmp_path / RECORDS_NAME) as store:
        values = (math.inf, -5.0, 0.0, 1e300)
        store.append(
            [
                replace(RECORD, item_id=str(each), decided_at=START, area_mm2=each, longer_mm=each)
                for each in values
            ]
        )
        store._file.connection.execute("UPDATE items SET area_mm2 = 'x' WHERE item_id = 'inf'")
        (sums,) = read_sums(store, START, START + 1)
    assert sums.items == 4 and not any(sums.powers)


def test_an_exported_item_has_a_mass_by_the_weighings_before_its_day(line):
    path = line / RECORDS_NAME
    masses = ItemMasses(line, KeptSums(path))
    with Store(path, read_only=True) as store:
        records = {r.item_id: r for r in store.all(crops=False)}
        first, last = (masses.of(store, records[f"{day}-Mouse-1"]) for day in (0, 11))
        assert first.weighings == 0 and last.weighings == 10
        assert last.mass.low_kg <= 0.14 <= last.mass.high_kg
        assert last.mass.high_kg / last.mass.low_kg < first.mass.high_kg / first.mass.low_kg
        weighings, _ = read_weighings(line, store, START + DAY_S * 11, KeptSums(path))
        assert max(each.number for each in weighings) == 33, "not that of its own day"
        enter(line, EntryKind.OUT, "small", 1.0, START + DAY_S * 8.2)
        assert masses.of(store, records["11-Mouse-1"]) != last, "an entry was added"
        assert masses.of(store, replace(RECORD, decided_at=math.nan)) is None
        target = line / "items.csv"
        export_csv(records.values(), target, mass_of=lambda record: masses.of(store, record))
    rows = list(csv.DictReader(target.open()))
    assert tuple(rows[0])[-4:] == MASS_COLUMNS
    for row in rows:
        assert float(row["mass_low_g"]) <= float(row["mass_g"]) <= float(row["mass_high_g"])
