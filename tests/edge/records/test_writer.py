"""The thread between the line and the disk, when unexpected exceptions reach it."""

import sys

import pytest

from edge.records.store import RECORDS_NAME, Store
from edge.records.writer import Retention, StoreWriter
from tests.support.records import records
from tests.support.waiting import wait_until


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr("edge.records.writer.FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr("edge.records.writer.LONGEST_RETRY_SECONDS", 0.01)


def test_what_would_end_the_thread_in_silence_is_reported_and_it_goes_on(
    fast, tmp_path, monkeypatch, injected, logged
):
    append, ended = Store.append, []

    def ends_the_thread(store: Store, batch: list) -> None:
        if not ended:
            ended.append(batch)
            sys.exit("as a library may")
        append(store, batch)

    monkeypatch.setattr(Store, "append", ends_the_thread)
    writer = StoreWriter(tmp_path / RECORDS_NAME)
    first, *others = records(5)
    writer.put(first)
    noticed_s = wait_until(lambda: logged)
    for record in others:
        writer.put(record)
    assert writer.close() and writer.status.written == 5 and writer.status.dropped == 0
    assert logged[0] == "SystemExit: as a library may" and "recording again" in logged[-1]
    injected("the records' thread gets a SystemExit", "5 of 5 records kept", noticed_s)


def test_a_record_that_always_fails_is_given_up_and_counted_and_the_others_are_kept(
    fast, tmp_path, monkeypatch, logged
):
    append = Store.append

    def poisoned(store: Store, batch: list) -> None:
        if any(record.item_id == "run-2" for record in batch):
            raise RuntimeError("a fault of the program")
        append(store, batch)

    monkeypatch.setattr(Store, "append", poisoned)
    writer = StoreWriter(tmp_path / RECORDS_NAME)
    for record in records(5):
        writer.put(record)
    assert writer.close()
    assert (writer.status.written, writer.status.dropped) == (4, 1)
    assert logged[0] == "RuntimeError: a fault of the program"


def test_deleting_old_records_may_fail_without_an_end_to_the_writing(tmp_path, monkeypatch, logged):
    def prune(store: Store, days: float, megabytes: float) -> bool:
        raise OverflowError("cannot convert float infinity to integer")

    monkeypatch.setattr(Store, "prune", prune)
    keep = Retention(1.0, 1e308)
    writer = StoreWriter(tmp_path / RECORDS_NAME, retention=keep)
    for record in records(5):
        writer.put(record)
    assert writer.close() and writer.status.written == 5
    assert "old records cannot be deleted (OverflowError" in logged[0]


def test_a_folder_that_is_not_there_yet_is_waited_for(fast, tmp_path, logged):
    writer = StoreWriter(tmp_path / "absent" / RECORDS_NAME)
    assert "nothing is recorded until it can be" in logged[0] and not writer.status.usable
    for record in records(3):
        writer.put(record)
    (tmp_path / "absent").mkdir()
    assert writer.close() and writer.status.written == 3 and writer.status.usable
