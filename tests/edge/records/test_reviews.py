"""Answers of persons are kept beside the verdict, whatever happens to a process or to the file."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import BadInput, EwasteError
from edge.records import reviews
from edge.records.damage import Damaged
from edge.records.export import export_review
from edge.records.review import SAMPLE
from edge.records.reviews import (
    NoClass,
    ReviewStore,
    count_waiting,
    history,
    last_standing,
    next_waiting,
    previous_waiting,
)
from edge.records.store import Store
from edge.records.writer import StoreWriter
from tests.support.records import RECORD, count_of, records
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "records.db"
    with Store(path) as store:
        store.append(records(5, review=SAMPLE))
        store.append([replace(RECORD, item_id="plain"), replace(RECORD, item_id="bare", crop=b"")])
    return path


def record_of(path: Path, item_id: str):
    with Store(path, read_only=True) as store:
        return next(each for each in store.all() if each.item_id == item_id)


def test_an_answer_stands_beside_the_verdict_and_undo_brings_back_the_one_before(path):
    before = record_of(path, "run-1")
    with ReviewStore(path) as store:
        store.give("run-1", label="Mouse", by="anna", at=NOW)
        store.give("run-1", no_class=NoClass.OTHER, by="anna", at=NOW + 1)
    assert record_of(path, "run-1") == replace(before, no_class="other")
    with ReviewStore(path) as store:
        last = last_standing(store, "anna")
        assert last is not None and (last.no_class, last.item_id) == ("other", "run-1")
        assert last_standing(store, "bert") is None
        store.undo(last.number, "run-1", by="anna", at=NOW + 2)
        assert record_of(path, "run-1") == replace(before, reviewed="Mouse")
        store.undo(1, "run-1", by="anna", at=NOW + 3)
        assert last_standing(store, "anna") is None
        past = [(each.label, each.no_class, each.undone_at) for each in history(store, "run-1")]
    assert past == [("", "other", NOW + 2), ("Mouse", "", NOW + 3)]
    assert record_of(path, "run-1") == before


def test_what_cannot_be_answered_or_undone_changes_nothing(path):
    with ReviewStore(path) as store:
        for item in ("nobody", "bare"):
            with pytest.raises(BadInput, match="no such item"):
                store.give(item, label="Mouse", by="anna", at=NOW)
        store.give("run-1", label="Mouse", by="anna", at=NOW)
        store.give("run-2", label="Mouse", by="anna", at=NOW)
        for number, item, by in ((1, "run-1", "bert"), (1, "run-2", "anna"), (9, "run-1", "anna")):
            with pytest.raises(BadInput, match="nothing was undone"):
                store.undo(number, item, by=by, at=NOW)
        store.undo(1, "run-1", by="anna", at=NOW)
        with pytest.raises(BadInput, match="nothing was undone"):
            store.undo(1, "run-1", by="anna", at=NOW)
        for label, no_class in (("", None), ("Mouse", NoClass.OTHER)):
            with pytest.raises(ValueError, match="a label, or why"):
                store.give("run-1", label=label, no_class=no_class, by="anna", at=NOW)
    assert record_of(path, "run-2").reviewed == "Mouse"


def test_the_queue_is_what_waits_and_has_a_crop(path):
    with Store(path) as store:
        store.append([replace(RECORD, item_id="doubt", review="unsure")])
    with ReviewStore(path) as store:
        assert count_waiting(store) == 6 and count_waiting(store, only_sample=True) == 5
        first = next_waiting(store)
        assert first is not None and first.record.item_id == "doubt"
        second = next_waiting(store, before=first.sequence)
        assert second is not None and second.record.item_id == "run-4"
        assert next_waiting(store, only_sample=True) == second
        assert previous_waiting(store, after=second.sequence) == first
        assert previous_waiting(store, after=second.sequence, only_sample=True) is None
        store.give("run-4", label="Mouse", by="anna", at=NOW)
        store.give("run-3", no_class=NoClass.NO_ITEM, by="anna", at=NOW)
        assert count_waiting(store) == 4
        third = next_waiting(store, before=first.sequence)
        assert third is not None and third.record.item_id == "run-2"
    with Store(path) as store:
        store.prune(1e6, 0.0)  # the crops go first
        while store.prune(1e6, 0.02):
            pass
        assert next_waiting(store) is None and count_waiting(store) == 0


def test_the_export_for_training_leaves_out_what_has_no_class(path, tmp_path):
    with ReviewStore(path) as store:
        store.give("run-1", label="Mouse", by="anna", at=NOW)
        store.give("plain", label="CD/DVD", by="anna", at=NOW)
        for number, no_class in (
            (2, NoClass.NO_ITEM),
            (3, NoClass.SEVERAL_ITEMS),
            (4, NoClass.OTHER),
        ):
            store.give(f"run-{number}", no_class=no_class, by="anna", at=NOW)
        exported = export_review(store.to_review(), tmp_path / "out", lambda _: None)
    assert (exported.pictures, exported.reviewed) == (3, 2)
    folders = {place.parent.name: place.name for place in (tmp_path / "out").glob("*/*.jpg")}
    assert folders == {
        "Battery": "0.970-run-0.jpg",
        "Mouse": "0.970-run-1.jpg",
        "CD%2FDVD": "0.970-plain.jpg",
    }


def test_reviews_go_with_their_item(path):
    with ReviewStore(path) as store:
        store.give("run-1", label="Mouse", by="anna", at=NOW)
    with Store(path) as store:
        store.append([replace(RECORD, item_id="late", decided_at=RECORD.decided_at + 10 * 86400)])
        store.prune(1, 100)
        assert count_of(store) == 1
        assert store.read("SELECT COUNT(*) FROM reviews") == [(0,)]


GIVE = """
import sys
from pathlib import Path
from edge.records.reviews import ReviewStore
for number in range(10**9):
    with ReviewStore(Path(sys.argv[1])) as store:
        store.give(f"run-{number % 5}", label=f"class {number}", by="anna", at=number + 1.0)
    print(number, flush=True)
"""


def test_an_acknowledged_answer_survives_a_kill_while_the_line_writes(path):
    writer, number = StoreWriter(path), 0
    for attempt in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", GIVE, str(path)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        acknowledged = -1
        for line in child.stdout:
            acknowledged = int(line)
            writer.put(replace(RECORD, item_id=f"new-{number}", review=SAMPLE))
            number += 1
            if acknowledged >= 10 + 7 * attempt:
                break
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate()
        acknowledged = max([acknowledged, *map(int, rest.split())])
        with Store(path, read_only=True) as store:
            last = history(store, f"run-{acknowledged % 5}")
            assert f"class {acknowledged}" in {review.label for review in last}
            standing = record_of(path, f"run-{acknowledged % 5}").reviewed
            assert standing == last[0].label
    assert writer.close()
    assert writer.status.written == number and writer.status.dropped == 0
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


USE_AND_CLOSE = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("SELECT 1 FROM items").fetchall()
database.close()
"""


def test_many_readers_in_the_process_of_the_page_do_not_drop_its_locks(path):
    """POSIX gives up all locks of a process on a file when it closes the file once."""
    with ReviewStore(path) as store:
        store.give("run-1", label="Mouse", by="anna", at=NOW)
        for _ in range(3):
            Store(path, read_only=True).close()
        subprocess.run([sys.executable, "-c", USE_AND_CLOSE, str(path)], check=True)
        assert path.with_name("records.db-wal").exists(), "another process took it for unused"
        store.give("run-2", label="Mouse", by="anna", at=NOW)
    assert record_of(path, "run-2").reviewed == "Mouse"


def test_a_locked_file_is_one_line_and_the_line_does_not_lose_records(path, monkeypatch):
    monkeypatch.setattr(reviews, "LONGEST_WAIT_S", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ReviewStore(path) as store, pytest.raises(EwasteError, match="locked") as caught:
            store.give("run-1", label="Mouse", by="anna", at=NOW)
        assert "\n" not in str(caught.value) and not isinstance(caught.value, Damaged)
        other.execute("ROLLBACK")
    assert record_of(path, "run-1").reviewed == ""
    writer, stop = StoreWriter(path), threading.Event()

    def review() -> None:
        while not stop.is_set():
            with ReviewStore(path) as store:
                store.give("run-1", label="Mouse", by="anna", at=time.time())

    thread = threading.Thread(target=review)
    thread.start()
    try:
        for record in records(300):
            writer.put(replace(record, item_id=f"while-{record.item_id}"))
        wait_until(lambda: writer.status.written == 300)
    finally:
        stop.set()
        thread.join()
    assert writer.close() and writer.status.error is None


@pytest.mark.parametrize("kind", ["absent", "empty", "damaged", "foreign", "folder"])
def test_no_file_is_made_or_changed_that_holds_no_records(tmp_path, kind):
    path = tmp_path / "records.db"
    if kind == "empty":
        path.touch()
    elif kind == "damaged":
        path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    elif kind == "foreign":
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE notes (text)")
    elif kind == "folder":
        path.mkdir()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(EwasteError) as caught:
        ReviewStore(path)
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert path.exists() == (kind != "absent")
