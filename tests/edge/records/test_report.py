"""The report of a shift: its sums are those of SQL, and hostile input is refused in one line."""

import csv
import io
import json
import math
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import BadInput, EwasteError
from edge.operation import Mode, Order
from edge.records.entries import (
    ENTRIES_NAME,
    EntryKind,
    Given,
    add_entry,
    entries_in,
    withdraw_entry,
)
from edge.records.figures import Figures, RecordGroup
from edge.records.period import Period, parse_period, parse_time
from edge.records.report import MOST_GAPS, make_report
from edge.records.report_text import to_csv, to_json
from edge.records.shift import read_report
from edge.records.store import RECORDS_NAME, Store
from edge.verdict import Reason
from tests.support.records import RECORD

ROOT = Path(__file__).parents[3]
HOSTILE = "<script>alert(1)</script>"
START = 1_700_000_000.0
SHIFT = Period(START, START + 8 * 3600)
NOTHING = Figures((), np.empty((0, 2)))
times = st.floats(START - 3600, START + 9 * 3600) | st.just(math.nan)
made = st.lists(
    st.builds(
        replace,
        st.just(RECORD),
        decided_at=times,
        label=st.sampled_from(["Battery", "PCB", "unknown", HOSTILE, "=1+1"]),
        bin=st.sampled_from(["hazardous", "manual", HOSTILE]),
        reason=st.sampled_from(list(Reason)),
        late=st.booleans(),
        bundle=st.sampled_from(["sha256:1f", "sha256:2f"]),
        verdict_ms=st.floats(0, 1e6) | st.sampled_from([math.nan, math.inf]),
        crop=st.just(b""),
    ),
    max_size=60,
)


def asked(path: Path, query: str) -> list[tuple]:
    within = "decided_at >= ? AND decided_at < ?"
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query.format(within), (SHIFT.start, SHIFT.end)).fetchall()


@settings(max_examples=60, deadline=None)
@given(made)
def test_the_sums_of_a_report_are_those_of_sql(records):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / RECORDS_NAME
        with Store(path) as store:
            store.append([replace(each, item_id=str(n)) for n, each in enumerate(records)])
        report = read_report(Path(folder), path, SHIFT)
        counts = asked(path, "SELECT label, bin, COUNT(*) FROM items WHERE {} GROUP BY 1, 2")
        assert report.counts == {(label, to): count for label, to, count in counts}
        ((items, late, measured),) = asked(
            path, "SELECT COUNT(*), TOTAL(late), COUNT(verdict_ms) FROM items WHERE {}"
        )
        infinite = sum(
            each.verdict_ms == math.inf and SHIFT.start <= each.decided_at < SHIFT.end
            for each in records
        )
        assert (report.items, report.late, report.measured) == (items, late, measured - infinite)
        assert sum(report.per_bin.values()) == sum(report.per_label.values()) == items
        for column, found in (("reason", report.reasons), ("bundle", report.bundles)):
            rows = asked(
                path,
                f"SELECT {column}, COUNT(*), MIN(decided_at), MAX(decided_at) FROM items "
                "WHERE {} GROUP BY 1",
            )
            assert {name: tuple(vars(share).values()) for name, share in found.items()} == {
                row[0]: row[1:] for row in rows
            }
        written = json.loads(to_json(report))
        assert sum(each["items"] for each in written["counts"]) == items
        within = [each for each in records if SHIFT.start <= each.decided_at < SHIFT.end]
        assert report.counts == Counter((each.label, each.bin) for each in within)
        listed = csv.DictReader(io.StringIO(to_csv(report)))
        assert sum(int(row["value"]) for row in listed if row["part"] == "counts") == items
        assert SHIFT.end - SHIFT.start >= report.gap_s >= sum(gap.seconds for gap in report.gaps)


def figures(minutes: list[float]) -> Figures:
    """Figures of items that were decided in these minutes of the shift, each in so many ms."""
    times = [START + 60 * minute for minute in minutes]
    group = RecordGroup("PCB", "boards", "sorted", 0, "sha256:1f", len(times), times[0], times[-1])
    return Figures((group,), np.column_stack((times, minutes)))


def test_gaps_latency_and_order_are_named():
    paused = Order(mode=Mode.PAUSE, by="Anna", at=START + 60)
    hour, found = Period(START, START + 3600), figures([0, 1, 7, 8, 13])
    report = make_report(hour, found, comment="calm", order=paused)
    assert [(gap.start - START, gap.end - START) for gap in report.gaps] == [
        (60, 420),
        (480, 780),
        (780, 3600),
    ]
    assert (report.gap_count, report.gap_s) == (3, 360 + 300 + 2820)
    assert (report.p50_ms, report.busiest_hour, report.per_hour) == (7, 5, 5)
    assert report.order == paused and report.comment == "calm"
    assert make_report(hour, found, order=paused.model_copy(update={"at": 1.0})).order is None
    many = make_report(SHIFT, figures([10 * each for each in range(48)]))
    assert (len(many.gaps), many.gap_count) == (MOST_GAPS, 48)
    assert make_report(hour, NOTHING).share(0) is None


def test_a_damaged_record_is_named_and_not_reported(tmp_path):
    path = tmp_path / RECORDS_NAME
    with Store(path) as store:
        store.append([replace(RECORD, decided_at=START)])
    for change in ("label = x'ff'", "late = 'often'", "verdict_ms = 'long'", "decided_at = 'now'"):
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"UPDATE items SET {change}")
        if change.startswith(("label", "late")):
            with pytest.raises(EwasteError, match="damaged"):
                read_report(tmp_path, path, SHIFT)
            with closing(sqlite3.connect(path)) as database, database:
                database.execute("UPDATE items SET label = 'PCB', late = 0")
        else:
            report = read_report(tmp_path, path, SHIFT)
            assert (report.items, report.measured) == (change.startswith("verdict"), 0)


def test_entries_by_hand_are_kept_summed_and_withdrawn(tmp_path):
    path = tmp_path / ENTRIES_NAME
    assert entries_in(path, SHIFT) == [] and not path.exists()
    for kind, name, kg in (
        (EntryKind.IN, "hazardous", 10),
        (EntryKind.IN, "hazardous", 2.5),
        (EntryKind.OUT, "hazardous", 5),
        (EntryKind.CLASS, HOSTILE, 3),
    ):
        add_entry(path, Given(kind=kind, name=name, kg=kg), START + 1, "Anna", START)
    wrong = add_entry(path, Given(kind=EntryKind.OUT, name="boards", kg=99), START, "Anna", START)
    add_entry(path, Given(kind=EntryKind.OUT, name="late", kg=1), SHIFT.end, "Anna", START)
    add_entry(path, Given(kind=EntryKind.COMMENT, comment="oil on the belt"), START, "Bert", START)
    assert withdraw_entry(path, wrong, "Bert", START)
    assert not withdraw_entry(path, wrong, "Bert", START) and not withdraw_entry(path, 99, "", 0)
    report = make_report(SHIFT, NOTHING, entries_in(path, SHIFT))
    assert report.weighed.fed == {"hazardous": 12.5}
    assert report.weighed.taken == {"hazardous": 5}
    assert report.weighed.classes == {HOSTILE: 3}
    assert report.weighed.recovered("hazardous") == 0.4
    assert report.weighed.recovered("boards") is None
    assert [(each.by, each.comment) for each in report.comments] == [("Bert", "oil on the belt")]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT COUNT(*) FROM entries").fetchone() == (7,)
    assert path.stat().st_mode & 0o077 == 0


REFUSED = (
    {"kind": "weighed_in", "kg": math.nan},
    {"kind": "weighed_in", "kg": math.inf},
    {"kind": "weighed_in", "kg": -1},
    {"kind": "weighed_in", "kg": 0},
    {"kind": "weighed_in", "kg": 1e300},
    {"kind": "weighed_class", "kg": 1},
    {"kind": "comment"},
    {"kind": "comment", "comment": "x" * 1_000_000},
    {"kind": "comment", "comment": "x", "by": "somebody else"},
    {"kind": "weighed_in", "name": "x" * 1000, "kg": 1},
    {"kind": "other", "kg": 1},
)


@pytest.mark.parametrize("values", REFUSED, ids=lambda values: str(values)[:50])
def test_what_is_no_entry_is_refused(values):
    with pytest.raises(ValueError, match="Given"):
        Given.model_validate(values)


def test_a_file_that_is_not_of_entries_is_left_alone(tmp_path):
    path = tmp_path / ENTRIES_NAME
    for content in (b"no database, but a text of some length" * 100, None):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        else:
            with closing(sqlite3.connect(path)) as database:
                database.executescript("CREATE TABLE mine (a); INSERT INTO mine VALUES (1);")
        before = path.read_bytes()
        with pytest.raises(EwasteError, match=ENTRIES_NAME) as caught:
            add_entry(path, Given(kind=EntryKind.IN, kg=1), START, "Anna", START)
        assert "\n" not in str(caught.value) and path.read_bytes() == before
        with pytest.raises(EwasteError):
            entries_in(path, SHIFT)


NO_PERIOD = {
    "ends before it starts": ("2026-11-29T06:00", "2026-11-29T05:00"),
    "is empty": ("2026-11-29", "2026-11-29"),
    "year 1": ("0001-01-01", "2026-01-01"),
    "year 9999": ("2026-01-01", "9999-12-31T23:59"),
    "too long": ("2020-01-01", "2026-01-01"),
    "NaN": ("nan", "2026-01-01"),
    "an infinity": ("2026-01-01", "inf"),
    "markup": (HOSTILE, "2026-01-01"),
    "other digits": ("٢٠٢٦-01-01", "2026-01-02"),
    "long": ("2" * 1_000_000, "2026-01-01"),
    "nothing": ("", ""),
    "escapes": ("\x1b[31m", "2026-01-01"),
}


@pytest.mark.parametrize("kind", NO_PERIOD)
def test_what_is_no_period_gets_one_short_line(kind):
    with pytest.raises(BadInput) as caught:
        parse_period(*NO_PERIOD[kind], START)
    text = str(caught.value)
    assert text.isprintable() and len(text) < 200


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_refused(text):
    try:
        moment = parse_time(text, "from")
    except BadInput as error:
        assert str(error).isprintable()
    else:
        assert math.isfinite(moment)


def test_times_with_and_without_an_offset():
    assert parse_time("2026-11-29T06:00Z", "from") == 1_795_932_000
    assert parse_time("2026-11-29T07:00+01:00", "from") == 1_795_932_000
    assert parse_time("2026-11-29", "from") == parse_time("2026-11-29T00:00", "from")
    assert parse_period("2026-11-28", "", 1_795_932_000).end == 1_795_932_000


def command(*options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "edge.cli", "report", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_command_writes_the_three_forms_and_replaces_only_reports(tmp_path):
    with Store(tmp_path / RECORDS_NAME) as store:
        store.append([replace(RECORD, label=HOSTILE, decided_at=1_795_932_000.0)])
    shift = ("--from", "2026-11-29T05:00Z", "--to", "2026-11-29T07:00Z")
    shared = (*shift, "--state", str(tmp_path), "--comment", HOSTILE)
    for name, within in (
        ("a.html", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a.csv", HOSTILE),
        ("a.json", HOSTILE),
    ):
        for _ in range(2):
            done = command(*shared, "--out", str(tmp_path / name))
            assert (done.returncode, done.stdout) == (0, f"{tmp_path / name}: 1 items\n")
        text = (tmp_path / name).read_text()
        assert text.count(within) >= 2
        assert name != "a.html" or "<script" not in text
    for options, message in (
        ((*shared, "--out", str(tmp_path / "a.pdf")), "ends in .html, .csv, or .json"),
        (shared, "nowhere to write to"),
        ((*shared, "--out", str(tmp_path / "mine.csv")), "something else"),
        ((*shift, "--state", str(tmp_path), "--json", "--comment", "x" * 9999), "a comment of"),
        (("--from", "nan", "--json", "--state", str(tmp_path)), "no date"),
    ):
        (tmp_path / "mine.csv").write_text("my own figures")
        done = command(*options)
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
        assert (tmp_path / "mine.csv").read_text() == "my own figures"
    printed = command(*shared, "--json")
    assert json.loads(printed.stdout) == json.loads((tmp_path / "a.json").read_text())


def test_the_command_writes_numbers_and_words_as_the_language_does(tmp_path):
    entry = Given(kind=EntryKind.IN, name="small", kg=1234.5)
    add_entry(tmp_path / ENTRIES_NAME, entry, 1_795_931_000.0, "anna", 1_795_931_000.0)
    with Store(tmp_path / RECORDS_NAME) as store:
        store.append([replace(RECORD, label="Mouse", decided_at=1_795_932_000.0)])
    shift = ("--from", "2026-11-29T05:00Z", "--to", "2026-11-29T07:00Z", "--state", str(tmp_path))
    for name, within in (("a.html", ">1.234,5<"), ("a.csv", ",1234.5,"), ("a.json", ": 1234.5")):
        target = tmp_path / name
        done = command(*shift, "--language", "de", "--out", str(target))
        assert done.returncode == 0, done.stderr
        assert within in target.read_text(encoding="utf-8")
    german = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert '<html lang="de"' in german and "Schichtbericht" in german and "<td>Maus</td>" in german
    assert command(*shift, "--language", "xx", "--json").returncode == 2
