"""A file of records that an earlier version wrote is read, exported, and brought up to date."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest

from edge.errors import BadInput, EwasteError
from edge.records.damage import Damaged
from edge.records.export import export_csv
from edge.records.figures import GROUPED
from edge.records.former_reasons import reason_of
from edge.records.lookalikes import look_alikes
from edge.records.reviews import ReviewStore, count_waiting, history, next_waiting
from edge.records.schema import LISTED, our_schema
from edge.records.search import Criteria, ReviewState, search
from edge.records.store import Store, open_store
from edge.verdict import Reason
from tests.support.records import RECORD

ROOT = Path(__file__).parents[3]
SCHEMA_1 = """
CREATE TABLE items (
    item_id TEXT NOT NULL UNIQUE, decided_at REAL, label TEXT NOT NULL, confidence REAL,
    bin TEXT NOT NULL, reason TEXT NOT NULL, position_mm REAL, offset_mm REAL,
    views INTEGER NOT NULL, detect_ms REAL, classify_ms REAL, verdict_ms REAL,
    late INTEGER NOT NULL, bundle TEXT NOT NULL, crop BLOB NOT NULL);
CREATE INDEX items_by_time ON items (decided_at);
CREATE TABLE tallies (
    label TEXT NOT NULL, bin TEXT NOT NULL, items INTEGER NOT NULL, PRIMARY KEY (label, bin));
CREATE TRIGGER tally AFTER INSERT ON items BEGIN
    INSERT INTO tallies VALUES (NEW.label, NEW.bin, 1)
    ON CONFLICT (label, bin) DO UPDATE SET items = items + 1;
END;
PRAGMA application_id = 0x45574153;
PRAGMA user_version = 1;
"""
SCHEMA_2 = """
CREATE TABLE items (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id TEXT NOT NULL UNIQUE, decided_at REAL, label TEXT NOT NULL, confidence REAL,
    bin TEXT NOT NULL, reason TEXT NOT NULL, position_mm REAL, offset_mm REAL,
    views INTEGER NOT NULL, detect_ms REAL, classify_ms REAL, verdict_ms REAL,
    late INTEGER NOT NULL, bundle TEXT NOT NULL, length_mm REAL, likeliest TEXT NOT NULL,
    review TEXT NOT NULL, reviewed TEXT NOT NULL);
CREATE TABLE crops (
    sequence INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    wanted INTEGER NOT NULL, jpeg BLOB NOT NULL);
CREATE INDEX crops_by_worth ON crops (wanted, sequence);
CREATE TABLE tallies (
    label TEXT NOT NULL, bin TEXT NOT NULL, items INTEGER NOT NULL, PRIMARY KEY (label, bin));
CREATE TRIGGER tally AFTER INSERT ON items BEGIN
    INSERT INTO tallies VALUES (NEW.label, NEW.bin, 1)
    ON CONFLICT (label, bin) DO UPDATE SET items = items + 1;
END;
PRAGMA application_id = 0x45574153;
PRAGMA user_version = 2;
"""
SCHEMA_3 = """
CREATE TABLE items (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id TEXT NOT NULL UNIQUE, decided_at REAL, label TEXT NOT NULL, confidence REAL,
    bin TEXT NOT NULL, reason TEXT NOT NULL, position_mm REAL, offset_mm REAL,
    views INTEGER NOT NULL, detect_ms REAL, classify_ms REAL, verdict_ms REAL,
    late INTEGER NOT NULL, bundle TEXT NOT NULL, length_mm REAL, top_label TEXT NOT NULL,
    review TEXT NOT NULL, reviewed TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '');
CREATE TABLE crops (
    sequence INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    keep_for_review INTEGER NOT NULL, jpeg BLOB NOT NULL);
CREATE INDEX crops_by_worth ON crops (keep_for_review, sequence);
PRAGMA application_id = 0x45574153;
PRAGMA user_version = 3;
"""
LATER = ("crop", "detail", "longer_mm", "no_class", "sensors", "area_mm2", "likeness", "code")
"""What version 2 did not keep in its items."""
SCHEMA_4 = SCHEMA_3.replace("DEFAULT '')", "DEFAULT '', longer_mm REAL)").replace("n = 3", "n = 4")
SCHEMA_5 = f"""
{SCHEMA_4.replace("longer_mm REAL)", "longer_mm REAL, no_class TEXT NOT NULL DEFAULT '')")}
CREATE TABLE reviews (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    label TEXT NOT NULL, no_class TEXT NOT NULL, reviewer TEXT NOT NULL, reviewed_at REAL,
    undone_by TEXT, undone_at REAL);
CREATE INDEX reviews_by_item ON reviews (sequence, number);
CREATE INDEX reviews_that_stand ON reviews (reviewer, number) WHERE undone_by IS NULL;
CREATE INDEX items_to_search ON items (
    sequence, decided_at, label, confidence, bin, reason, review, reviewed, no_class);
CREATE INDEX items_by_time ON items (decided_at);
CREATE INDEX items_to_review ON items (sequence, review)
    WHERE review <> '' AND reviewed = '' AND no_class = '';
CREATE INDEX items_reviewed ON items (bundle, review, label, reviewed, no_class, confidence)
    WHERE reviewed <> '' OR no_class <> '';
PRAGMA user_version = 5;
"""
REVIEW_COLUMNS = "undone_at REAL, grouped INTEGER, for_training INTEGER NOT NULL DEFAULT 1);"
SCHEMA_6 = f"""
{SCHEMA_5.replace("undone_at REAL);", REVIEW_COLUMNS)}
CREATE TABLE codes (
    sequence INTEGER PRIMARY KEY REFERENCES crops ON DELETE CASCADE, code BLOB NOT NULL);
PRAGMA user_version = 6;
"""
OF_1 = [name for name in (field.name for field in fields(RECORD)) if name != "detail"][:15]
LIKE_NOTHING = "like nothing known: Mouse 91%, but its likeness "
UNSURE = "unsure: Mouse 41% is under its threshold 60%"
TOUCHES = "touches another item; may be more than one"
OLD = [
    (replace(RECORD, item_id="a", length_mm=81.5, top_label="Battery"), RECORD.detail),
    (
        replace(RECORD, item_id="b", length_mm=9.5, crop=b"", reviewed="Mouse"),
        "touches another item",
    ),
    (replace(RECORD, item_id="c", length_mm=7.5, top_label="Mouse", review="unsure"), UNSURE),
]
"""Records, and the sentences that version 2 kept of them."""


def as_read(record, sentence: str):
    return replace(record, reason=Reason(reason_of(sentence, record.bin)), detail=sentence)


def write_version_2(path: Path, copies: int = 1) -> None:
    names = [field.name for field in fields(RECORD) if field.name not in LATER]
    columns = ", ".join(names).replace("top_label", "likeliest")
    with closing(sqlite3.connect(path)) as database:
        database.executescript("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")
        database.executescript(SCHEMA_2)
        for copy in range(copies):
            for record, sentence in OLD:
                values = [sentence if n == "reason" else getattr(record, n) for n in names]
                values[0] += f"-{copy}" if copy else ""
                insert = f"INSERT INTO items ({columns}) VALUES ({', '.join('?' * len(names))})"
                number = database.execute(insert, values).lastrowid
                if record.crop:
                    crop = (number, bool(record.review), record.crop)
                    database.execute("INSERT INTO crops VALUES (?, ?, ?)", crop)
        database.commit()


def test_a_file_of_version_1_is_brought_up_to_date_and_loses_nothing(tmp_path):
    path = tmp_path / "records.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA_1)
        for item_id, crop in (("a", RECORD.crop), ("b", b"")):
            old = {"item_id": item_id, "reason": RECORD.detail, "crop": crop}
            values = [old.get(name, getattr(RECORD, name)) for name in OF_1]
            database.execute(f"INSERT INTO items VALUES ({', '.join('?' * 15)})", values)
        database.commit()
    with pytest.raises(BadInput, match="start the line once"):
        Store(path, read_only=True)
    with Store(path) as store:
        assert list(store.all()) == [
            replace(RECORD, item_id="a"),
            replace(RECORD, item_id="b", crop=b""),
        ]
        store.append([replace(RECORD, item_id="c")])
    with Store(path, read_only=True) as store:
        assert [item.item_id for item in store.all()] == ["a", "b", "c"]


def test_a_file_of_version_2_is_read_as_it_is_and_brought_up_to_date(tmp_path, logged):
    path, expected = tmp_path / "records.db", [as_read(*old) for old in OLD]
    write_version_2(path)
    with Store(path, read_only=True) as store:
        assert list(store.all()) == expected
        assert [item.item_id for item in store.recent(2)] == ["c", "b"]
        assert [item.item_id for item in store.to_review()] == ["c"]
        assert store.crop("a") == RECORD.crop and store.crop("b") is None
        assert store.decided_since(0, 2e9) == 3
        export_csv(store.all(crops=False), tmp_path / "before.csv")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,), "only read"
    with open_store(path, prove=True) as store:
        assert list(store.all()) == expected and not logged
        assert [item.item_id for item in store.to_review()] == ["c"]
        store.append([replace(RECORD, item_id="new")])
        store.prune(30, 0.0)
    with Store(path, read_only=True) as store:
        export_csv(list(store.all(crops=False))[:3], tmp_path / "after.csv")
    with closing(sqlite3.connect(path)) as database:
        assert {*database.execute(LISTED)} >= our_schema(), "no table tells of the version before"
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_of_version_3_is_read_as_it_is_and_brought_up_to_date(tmp_path):
    path = tmp_path / "records.db"
    kept = replace(RECORD, item_id="a", length_mm=81.5, top_label="Battery", reviewed="Mouse")
    later = ("crop", "longer_mm", "no_class", "sensors", "area_mm2", "likeness", "code")
    names = [field.name for field in fields(kept) if field.name not in later]
    values = [getattr(kept, name) for name in names]
    values[names.index("reason")] = kept.reason.value
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA_3)
        marks = ", ".join("?" * len(names))
        database.execute(f"INSERT INTO items ({', '.join(names)}) VALUES ({marks})", values)
        database.execute("INSERT INTO crops VALUES (1, 0, ?)", (kept.crop,))
        database.commit()
    with Store(path, read_only=True) as store:
        assert list(store.all()) == [kept] and store.crop("a") == kept.crop
    measured = replace(RECORD, item_id="b", longer_mm=104.5)
    with Store(path) as store:
        store.append([measured])
        assert list(store.all()) == [kept, measured]
    with closing(sqlite3.connect(path)) as database:
        assert {*database.execute(LISTED)} >= our_schema()


def test_a_file_of_version_4_keeps_its_labels_and_gets_reviews(tmp_path):
    path = tmp_path / "records.db"
    kept = [
        replace(RECORD, item_id="a", longer_mm=81.5, length_mm=80.0, reviewed="Mouse"),
        replace(RECORD, item_id="b", longer_mm=81.5, length_mm=80.0, review="unsure"),
    ]
    later = ("crop", "no_class", "sensors", "area_mm2", "likeness", "code")
    names = [field.name for field in fields(RECORD) if field.name not in later]
    insert = f"INSERT INTO items ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA_4)
        for number, record in enumerate(kept, 1):
            database.execute(insert, [getattr(record, name) for name in names])
            database.execute("INSERT INTO crops VALUES (?, 1, ?)", (number, record.crop))
        database.commit()
    with Store(path, read_only=True) as store:
        assert list(store.all()) == kept and history(store, "a") == []
        assert next_waiting(store).record.item_id == "b" and count_waiting(store) == 1
        criteria = Criteria(state=ReviewState.REVIEWED)
        assert [f.record.item_id for f in search(store, criteria, count=5).found] == ["a"]
    with pytest.raises(EwasteError, match="start the line once"):
        ReviewStore(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (4,), "only read"
    with Store(path) as store:
        assert list(store.all()) == kept
        (earlier,) = history(store, "a")
        assert (earlier.label, earlier.reviewer, earlier.reviewed_at) == ("Mouse", "", None)
    with ReviewStore(path) as store:
        store.give("a", label="PCB", by="anna", at=1.7e9)
        store.undo(2, "a", by="anna", at=1.7e9)
        assert next(store.all()).reviewed == "Mouse", "what a version before recorded stands again"
    with closing(sqlite3.connect(path)) as database:
        assert {*database.execute(LISTED)} >= our_schema()


def test_a_file_of_version_5_keeps_its_reviews_and_gets_codes(tmp_path):
    path = tmp_path / "records.db"
    kept = [
        replace(RECORD, item_id="a", longer_mm=81.5, length_mm=80.0, reviewed="Mouse"),
        replace(RECORD, item_id="b", longer_mm=81.5, length_mm=80.0, review="unsure"),
    ]
    later = ("crop", "sensors", "area_mm2", "likeness", "code")
    names = [field.name for field in fields(RECORD) if field.name not in later]
    insert = f"INSERT INTO items ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA_5)
        for number, record in enumerate(kept, 1):
            database.execute(insert, [getattr(record, name) for name in names])
            database.execute("INSERT INTO crops VALUES (?, 1, ?)", (number, record.crop))
        database.execute(
            "INSERT INTO reviews VALUES (1, 1, 'Mouse', '', 'anna', 1.7e9, NULL, NULL)"
        )
        database.commit()
    with Store(path, read_only=True) as store:
        assert list(store.all()) == list(store.to_review()) == kept
        waiting = next_waiting(store)
        assert waiting.record.item_id == "b" and look_alikes(store, waiting) == []
        before = history(store, "a")
    with pytest.raises(EwasteError, match="start the line once"):
        ReviewStore(path)
    with Store(path) as store:
        assert list(store.all()) == list(store.to_review()) == kept
        assert history(store, "a") == before and (before[0].grouped, before[0].label) == (
            None,
            "Mouse",
        )
        store.append([replace(RECORD, item_id="c", review="unsure", code=bytes(range(1, 65)))])
        assert store.read("SELECT sequence FROM codes") == [(3,)]
    with closing(sqlite3.connect(path)) as database:
        assert {*database.execute(LISTED)} >= our_schema()


def test_a_file_of_version_6_gets_room_for_areas_and_other_sensors(tmp_path):
    path, kept = tmp_path / "records.db", replace(RECORD, item_id="a", longer_mm=81.5, length_mm=80)
    later = ("crop", "sensors", "area_mm2", "likeness", "code")
    names = [field.name for field in fields(RECORD) if field.name not in later]
    insert = f"INSERT INTO items ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA_6)
        database.execute(insert, [getattr(kept, name) for name in names])
        database.execute("INSERT INTO crops VALUES (1, 1, ?)", (kept.crop,))
        database.execute("INSERT INTO codes VALUES (1, ?)", (bytes(range(1, 65)),))
        database.commit()
    with Store(path, read_only=True) as store:
        assert list(store.all()) == [kept] and store.read("SELECT sequence FROM codes") == [(1,)]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (6,), "only read"
    found = replace(RECORD, item_id="b", sensors="xray=found", area_mm2=5600.5, likeness=-1.25)
    with Store(path) as store:
        store.append([found])
        assert list(store.all()) == [kept, found]
    with closing(sqlite3.connect(path)) as database:
        assert {*database.execute(LISTED)} >= our_schema()


def test_a_file_of_version_2_exports_the_same_rows_before_and_after(tmp_path):
    path = tmp_path / "records.db"
    write_version_2(path)
    with Store(path, read_only=True) as store:
        export_csv(store.all(crops=False), tmp_path / "before.csv")
    Store(path).close()
    with Store(path, read_only=True) as store:
        export_csv(store.all(crops=False), tmp_path / "after.csv")
    assert (tmp_path / "before.csv").read_text() == (tmp_path / "after.csv").read_text()


MIGRATE = """
import sys
from pathlib import Path
from edge.records.store import Store
print("now", flush=True)
Store(Path(sys.argv[1])).close()
"""


def test_a_line_that_is_killed_while_it_brings_records_up_to_date_loses_nothing(tmp_path):
    whole, path, seen = tmp_path / "old.db", tmp_path / "records.db", set()
    write_version_2(whole, copies=4000)
    for attempt in range(8):
        for left in tmp_path.glob("records.db*"):
            left.unlink()
        path.write_bytes(whole.read_bytes())
        child = subprocess.Popen(
            [sys.executable, "-c", MIGRATE, str(path)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        child.stdout.readline()
        time.sleep(0.02 * attempt)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with closing(sqlite3.connect(path)) as database:
            seen.add(database.execute("PRAGMA user_version").fetchone()[0])
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with Store(path) as store:
            kept = list(store.all())
        assert len(kept) == 3 * 4000 and kept[:3] == [as_read(*old) for old in OLD]
    assert 2 in seen


def test_a_damaged_file_of_version_2_is_set_aside(tmp_path, logged):
    path = tmp_path / "records.db"
    write_version_2(path, copies=40)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    with pytest.raises(Damaged), Store(path, read_only=True) as store:
        list(store.all())
    with open_store(path, prove=True) as store:
        store.append([RECORD])
        assert list(store.all()) == [RECORD]
    assert len(logged) == 1 and "set aside as records.damaged-" in logged[0]


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Battery 97% over 1 view", Reason.SORTED),
        ("Washing; Machine 97% over 3 views", Reason.SORTED),
        ("Cable 81% has no bin of its own", Reason.NO_BIN),
        ("no whole view of the item", Reason.NO_VIEW),
        (UNSURE, Reason.UNSURE),
        (
            f"{LIKE_NOTHING}0.2 is under 0.5",
            Reason.OUT_OF_DISTRIBUTION,
        ),
        (
            f"{LIKE_NOTHING}is no number",
            Reason.OUT_OF_DISTRIBUTION,
        ),
        ("Mobile 89%, but may be Battery 3.2%", Reason.HAZARD_SUSPECTED),
        (f"Mobile 41%, but may be Battery 3.2%; {UNSURE}", Reason.HAZARD_SUSPECTED),
        ("touches another item; may be more than one", Reason.TOUCHING),
        ("touches another item", Reason.TOUCHING),
        ("the model's answer is no number", Reason.INVALID),
        ("the model failed at it", Reason.MODEL_FAULT),
        ("too late to be classified", Reason.NOT_CLASSIFIED),
        ("counted before the restart", Reason.COUNTED_BEFORE),
        ("too late for small; Mouse 99% over 1 view", Reason.TOO_LATE),
        (
            "too near an item bound elsewhere for a; Mouse 99% over 1 view",
            Reason.NEIGHBOR_TOO_NEAR,
        ),
        ("not seen from its beginning for small; Mouse 99% over 1 view", Reason.NOT_SEEN_WHOLE),
        ("without a gate for small; Mouse 99% over 1 view", Reason.NO_GATE),
        ("the gate of small was closed; Mouse 99% over 1 view", Reason.GATE_CLOSED),
        ("the line ended; no whole view of the item", Reason.LINE_ENDED),
        ("the camera failed; touches another item; may be more than one", Reason.CAMERA_FAULT),
        (
            "the encoder tells 0 mm of 40; the camera cannot see whether the belt moves: check "
            "light and focus; taken to run at 200 mm/s; Mouse 99% over 1 view",
            Reason.ENCODER_FAULT,
        ),
        ("PLC 10.0.0.1:502: no answer (address 3); Mouse 99% over 1 view", Reason.OUTPUT_FAULT),
        ("whatever else", Reason.UNRECORDED),
        ("", Reason.UNRECORDED),
    ],
)
def test_what_the_versions_before_recorded_becomes_a_reason(sentence, reason):
    bin_name = "small" if reason is Reason.SORTED else "manual"
    assert reason_of(sentence, bin_name) == reason.value


def test_what_is_no_sentence_stays_for_the_reader_to_refuse():
    assert [reason_of(value, None) for value in (None, 7, b"x")] == [None, 7, b"x"]


def test_a_period_is_found_by_the_index_by_time(tmp_path):
    path = tmp_path / "records.db"
    with Store(path) as store:
        store.append([RECORD])
    with closing(sqlite3.connect(path)) as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {GROUPED}", (0, 1, 1)).fetchall()
    assert any("items_by_time" in row[-1] for row in plan)
