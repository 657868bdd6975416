"""The store keeps what it acknowledged, whatever happens to the process and the disk."""

import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import astuple, replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import BadInput, EwasteError
from edge.records.damage import MOST_SET_ASIDE, Damaged, set_aside
from edge.records.record import ItemRecord
from edge.records.schema import SCHEMA_VERSION
from edge.records.store import Store, open_store
from edge.records.writer import Retention, StoreWriter, WriterStatus
from edge.verdict import Reason
from tests.support.records import RECORD, bins_in, count_of, labels_in, records
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]


def write_endlessly(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def comparable(record: ItemRecord) -> list:
    """NaN equals nothing, not even itself."""
    return [None if value != value else value for value in astuple(record)]


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
RECORDS = st.builds(
    ItemRecord,
    item_id=TEXT,
    decided_at=st.floats(0, 4e9),
    label=TEXT,
    confidence=st.floats(0, 1, width=32),
    bin=TEXT,
    reason=st.sampled_from(Reason),
    detail=TEXT,
    position_mm=st.floats(),
    offset_mm=st.floats(),
    views=st.integers(0, 2**31),
    detect_ms=st.floats(),
    classify_ms=st.floats(),
    verdict_ms=st.floats(),
    late=st.booleans(),
    bundle=TEXT,
    crop=st.binary(max_size=200),
    length_mm=st.floats(),
    top_label=TEXT,
    review=TEXT,
    reviewed=TEXT,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORDS, max_size=8, unique_by=lambda record: record.item_id))
def test_what_goes_in_comes_out_once(tmp_path_factory, given_records):
    path = tmp_path_factory.mktemp("store") / "records.db"
    with Store(path) as store:
        store.append(given_records)
        store.append(given_records)
    with Store(path, read_only=True) as store:
        assert [*map(comparable, store.all())] == [*map(comparable, given_records)]
        newest = [record.item_id for record in store.recent(3)]
        assert newest == [record.item_id for record in given_records[::-1][:3]]
        for record in given_records:
            assert store.crop(record.item_id) == (record.crop or None)


def test_appending_an_id_again_keeps_the_first_record(tmp_path):
    with Store(tmp_path / "records.db") as store:
        store.append([RECORD])
        store.append([replace(RECORD, label="Mouse"), replace(RECORD, item_id="new")])
        assert [record.label for record in store.all()] == ["Battery", "Battery"]
        now = RECORD.decided_at
        assert store.decided_since(now - 1, now) == 2
        assert store.decided_since(now + 1, now + 2) == 0
        assert store.crop("nobody") is None


def test_the_last_word_on_an_items_bin_counts(tmp_path):
    why = {"reason": Reason.GATE_CLOSED, "detail": "the gate was closed"}
    rerouted = replace(RECORD, bin="manual", crop=b"", confidence=0.1, **why)
    with Store(tmp_path / "records.db") as store:
        store.append([RECORD, replace(RECORD, item_id="new")])
        for _ in range(2):
            store.append([rerouted])
            assert bins_in(store) == {"hazard": 1, "manual": 1}
        first = next(store.all())
        assert first == replace(RECORD, bin="manual", **why)
        assert labels_in(store) == {"Battery": 2}


def test_numpy_scalars_are_stored_as_numbers(tmp_path):
    record = replace(RECORD, confidence=np.float32(0.5), views=np.int64(2), late=np.bool_(True))
    with Store(tmp_path / "records.db") as store:
        store.append([record])
        assert list(store.all()) == [replace(RECORD, confidence=0.5, views=2, late=True)]


def test_a_batch_with_a_bad_record_is_refused_whole(tmp_path):
    with Store(tmp_path / "records.db") as store:
        with pytest.raises(ValueError, match="cannot be stored"):
            store.append([RECORD, replace(RECORD, item_id="other", views=None)])
        assert count_of(store) == 0


WRITE_UNTIL_KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from edge.records.store import Store
from tests.support.records import RECORD, count_of
with Store(Path(sys.argv[1])) as store:
    number = count_of(store)
    while True:
        batch = [replace(RECORD, item_id=f"i{number + n}", crop=bytes(5000)) for n in range(3)]
        store.append(batch)
        number += 3
        print(*(record.item_id for record in batch), sep="\\n", flush=True)
"""


def test_every_acknowledged_record_survives_kill_9(tmp_path):
    path = tmp_path / "records.db"
    acknowledged: list[str] = []
    for attempt in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        printed = [child.stdout.readline()]  # it writes now
        time.sleep(0.013 * attempt)
        child.send_signal(signal.SIGKILL)
        printed += child.communicate()[0].splitlines(keepends=True)
        # A line the kill cut in two was not received, so nothing was promised about it.
        acknowledged += [line.decode().strip() for line in printed if line.endswith(b"\n")]
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with Store(path, read_only=True) as store:
            kept = [record.item_id for record in store.all()]
        assert set(acknowledged) <= set(kept)
        assert len(kept) % 3 == 0, "a batch is stored whole or not at all"
    assert len(acknowledged) >= 30


def test_another_connection_reads_while_the_writer_writes(tmp_path):
    path = tmp_path / "records.db"
    writer = StoreWriter(path)
    with Store(path, read_only=True) as reader:
        for record in records(300):
            assert writer.put(record)
            before = count_of(reader)
            assert before <= count_of(reader) <= 300
        assert writer.close()
        assert count_of(reader) == 300
        assert [record.item_id for record in reader.all()] == [f"run-{n}" for n in range(300)]
        with pytest.raises(EwasteError, match="readonly"):
            reader.append([RECORD])
    assert writer.status == WriterStatus(0, 300, 0, 0, None)
    assert not writer.put(RECORD), "closed"


def test_no_database_is_refused_by_readers_and_set_aside_by_the_line(tmp_path, logged):
    path, content = tmp_path / "records.db", b"not a database, but long enough for a header" * 20
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not a database") as caught:
        Store(path, read_only=True)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert path.read_bytes() == content
    writer = StoreWriter(path)
    assert writer.put(RECORD) and writer.close()
    assert len(logged) == 1 and "set aside as records.damaged-" in logged[0]
    (aside,) = tmp_path.glob("records.damaged-*.db")
    assert aside.read_bytes() == content


def test_other_databases_and_newer_versions_are_refused(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mails (text)")
    newer = tmp_path / "newer.db"
    Store(newer).close()
    with sqlite3.connect(newer) as database:
        database.execute("ALTER TABLE items ADD COLUMN weight_g REAL")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    later = f"version {SCHEMA_VERSION + 1}"
    for path, expected in ((other, "not a file of item records"), (newer, later)):
        for open_it in (Store, StoreWriter, lambda path: Store(path, read_only=True)):
            with pytest.raises(BadInput, match=expected):
                open_it(path)
    with pytest.raises(BadInput, match="no records yet"):
        Store(tmp_path / "absent.db", read_only=True)
    with pytest.raises(BadInput, match="check the folder"):
        Store(tmp_path / "absent" / "records.db")


def test_a_locked_file_delays_the_writer_but_not_the_line(tmp_path, injected, logged):
    path = tmp_path / "records.db"
    Store(path).close()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    writer = StoreWriter(path, capacity=10)
    started = time.monotonic()
    answers = [writer.put(record) for record in records(110)]
    assert time.monotonic() - started < 0.5
    assert answers == [True] * 100 + [False] * 10
    wait_until(lambda: writer.status.error)
    status = writer.status
    assert (status.pending, status.written, status.dropped, status.crops_dropped) == (
        100,
        0,
        10,
        90,
    )
    assert "locked" in status.error
    wait_until(lambda: logged)  # after the status
    assert logged == [status.error], "logged once"
    blocker.close()
    back_s = wait_until(lambda: writer.status.error is None)
    injected("records locked by another program", "100 kept, 10 counted as lost", back_s=back_s)
    assert writer.close()
    assert len(logged) == 2 and "recording again; 10 lost, 90 without picture" in logged[1]
    assert writer.status == WriterStatus(0, 100, 10, 90, None)
    with Store(path, read_only=True) as store:
        kept = list(store.all())
    assert [bool(record.crop) for record in kept] == [True] * 10 + [False] * 90


def test_a_full_disk_delays_the_writer_and_loses_nothing(small_disk, injected, logged):
    path = small_disk / "records.db"
    writer = StoreWriter(path)
    wait_until(lambda: writer.put(RECORD) and writer.status.written)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        write_endlessly(filler)
    for record in records(60, crop=bytes(2000)):
        assert writer.put(record)
    lost_s = wait_until(lambda: writer.status.error)
    assert "full" in writer.status.error or "I/O" in writer.status.error
    filler.unlink()
    back_s = wait_until(lambda: writer.status.error is None)
    injected("disk full", "60 of 60 records kept", lost_s, back_s)
    assert writer.close()
    assert writer.status.error is None and writer.status.pending == 0
    with Store(path, read_only=True) as store:
        assert count_of(store) == 60
        assert {record.item_id for record in store.all()} == {f"run-{n}" for n in range(60)}
    assert len(logged) == 2 and "recording again; 0 lost" in logged[1]


def test_a_record_that_cannot_be_stored_is_lost_alone(tmp_path, logged):
    path = tmp_path / "records.db"
    good = records(5)
    writer = StoreWriter(path)
    for record in [*good[:3], replace(RECORD, item_id="bad", views=None), *good[3:]]:
        writer.put(record)
    assert writer.close()
    with Store(path, read_only=True) as store:
        assert list(store.all()) == good
    assert writer.status == WriterStatus(0, 5, 1, 0, None)
    assert len(logged) == 2 and "cannot be stored" in logged[0] and "1 lost" in logged[1]


def pruned(store: Store, days: float = 1e6, megabytes: float = 1e6) -> list[ItemRecord]:
    while store.prune(days, megabytes):
        pass
    return list(store.all())


def test_old_records_go_and_the_newest_stay(tmp_path):
    day = 86400.0
    with Store(tmp_path / "records.db") as store:
        store.append([replace(item, decided_at=n * day) for n, item in enumerate(records(1000))])
        kept = pruned(store, days=30)
        assert [item.item_id for item in kept] == [f"run-{number}" for number in range(969, 1000)]
        assert store.crop("run-0") is None and store.crop("run-999") == RECORD.crop


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.one_of(st.just(1.0), st.floats(-400, 400), st.just(math.nan)), max_size=40),
    st.floats(1, 100),
)
def test_whatever_the_wall_clock_does_the_oldest_go_first(tmp_path_factory, jumps, days):
    """Each record is a day after the one before, as the wall clock, which jumps, would have it."""
    clock, items = 20_000.0, []
    for number, jump in enumerate(jumps):
        clock += jump if jump == jump else 1.0
        at = clock * 86400 if jump == jump else math.nan
        items.append(replace(RECORD, item_id=f"run-{number}", decided_at=at))
    with Store(tmp_path_factory.mktemp("store") / "records.db") as store:
        store.append(items)
        before = [item.item_id for item in items]
        kept = [item.item_id for item in pruned(store, days=days)]
    assert kept == before[len(before) - len(kept) :], "the newest stay, in order"
    ages = [(items[-1].decided_at - item.decided_at) / 86400 for item in items]
    assert all(age > days or age != age for age in ages[: len(before) - len(kept)])


def test_a_clock_that_is_set_back_a_day_changes_neither_order_nor_counts(tmp_path, injected):
    now = 1_700_000_000.0
    with Store(tmp_path / "records.db") as store:
        store.append([replace(item, decided_at=now + n) for n, item in enumerate(records(5))])
        later = [replace(RECORD, item_id=f"late-{n}", decided_at=now - 86400 + n) for n in range(5)]
        store.append(later)
        assert [item.item_id for item in store.recent(6)][::5] == ["late-4", "run-4"]
        assert store.decided_since(now - 86400 - 60, now - 86400 + 4) == 5
        assert len(pruned(store, days=0.5)) == 10
        store.append([replace(RECORD, item_id="new", decided_at=now + 43200)])
        assert next(iter(pruned(store, days=0.6))).item_id == "run-0"
    injected("wall clock set back a day", "order, counts and retention as before")


def test_the_file_stays_within_its_quota_and_gives_up_what_needs_no_review_first(tmp_path):
    path, quota = tmp_path / "records.db", 2.0
    with Store(path) as store:
        sizes = []
        for batch in range(100):
            items = [
                replace(RECORD, item_id=f"{batch}-{n}", crop=bytes(10_000), review="x" * (n == 0))
                for n in range(10)
            ]
            store.append(items)
            store.prune(1e6, quota)
            sizes.append(path.stat().st_size)
        assert max(sizes) < quota * 1e6 + 300_000
        kept = list(store.all())
        assert len(kept) == 1000, "records outlive their crops"
        assert all(item.crop for item in kept if item.review)
        plain = [bool(item.crop) for item in kept if not item.review]
        assert plain == sorted(plain) and any(plain) and not all(plain)
        assert len(pruned(store, megabytes=0.1)) < 1000
        assert store.used_bytes() <= 100_000
    assert path.stat().st_size < 300_000, "a lower quota makes the file smaller"


def test_pictures_that_a_person_has_looked_at_are_exported_too(tmp_path):
    with Store(tmp_path / "records.db") as store:
        store.append([replace(RECORD, review="unsure"), *records(3)[1:]])
        assert [item.item_id for item in store.to_review()] == ["run-0"]
        store.append([replace(RECORD, item_id="seen", reviewed="Mouse")])
        assert [(item.item_id, item.reviewed) for item in store.to_review()] == [
            ("run-0", ""),
            ("seen", "Mouse"),
        ]


def test_the_writer_prunes_what_is_too_old(tmp_path):
    path = tmp_path / "records.db"
    with Store(path) as store:
        store.append([replace(item, decided_at=0.0) for item in records(50)])
    writer = StoreWriter(path, retention=Retention(days=1.0, megabytes=10.0))
    writer.put(replace(RECORD, item_id="last"))
    assert writer.close()
    with Store(path, read_only=True) as store:
        assert [item.item_id for item in store.all()] == ["last"]


def test_a_disk_that_stays_full_costs_counted_records_then_goes_on(small_disk, injected, logged):
    path = small_disk / "records.db"
    writer = StoreWriter(path, capacity=5)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        write_endlessly(filler)
    took = []
    for record in records(80, crop=bytes(2000)):
        started = time.perf_counter()
        writer.put(record)
        took.append(time.perf_counter() - started)
    assert median(took) < 0.005, "the line does not wait"
    assert (writer.status.dropped, writer.status.crops_dropped) == (30, 45)
    wait_until(lambda: writer.status.error)
    filler.unlink()
    back_s = wait_until(lambda: writer.status.written == 50)
    assert back_s < 4
    injected("disk full for long", "50 records kept, 30 counted as lost", back_s=back_s)
    assert writer.put(replace(RECORD, item_id="after")) and writer.close()
    assert "recording again; 30 lost, 45 without picture" in logged[-1]
    with Store(path, read_only=True) as store:
        assert count_of(store) == 51


@pytest.fixture
def memory(tmp_path):
    """A folder in memory, where there is one: what syncs a thousand times takes no time there."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def sample(path: Path) -> bytes:
    """Fill a file of records of every shape, and read it back as bytes."""
    items = [
        replace(item, label=f"class {n % 3}", review="unsure" * (n % 4 == 0), crop=bytes(n * 40))
        for n, item in enumerate(records(30))
    ]
    with Store(path) as store:
        store.append(items)
    return path.read_bytes()


def test_whatever_byte_is_corrupted_the_line_records_and_readers_report_one_line(memory, logged):
    """One byte at 1,000 places: reported or set aside, never a traceback or an endless loop."""
    path, draw = memory / "records.db", random.Random(36)
    whole = sample(path)
    seen, asides = Counter[str](), 0
    for _ in range(1000):
        at = draw.randrange(len(whole)) if draw.random() < 0.8 else draw.randrange(4096)
        corrupted = draw.choice([0, 255, whole[at] ^ 1, whole[at] ^ 128, draw.randrange(256)])
        for left in memory.iterdir():
            left.unlink()
        path.write_bytes(whole[:at] + bytes([corrupted]) + whole[at + 1 :])
        try:
            with Store(path, read_only=True) as store:
                unread: list[int] = []
                read = sum(1 for _ in store.all(unread.append)) + sum(unread)
                assert read <= 60, (at, corrupted)
                list(store.to_review(unread.append))
                store.recent(12), store.decided_since(0, 2e9), store.crop("run-3")
            seen["read"] += 1
        except EwasteError as error:
            assert str(error).isprintable()
            seen["reported"] += 1
        logged.clear()
        for _ in range(2):
            try:
                with open_store(path, prove=True) as store:
                    store.append([replace(RECORD, item_id="new")])
                    store.prune(30, 100)
                    break
            except Damaged:
                set_aside(path, 0.0)
        with Store(path, read_only=True) as store:
            kept = [item.item_id for item in store.all(lambda count: None)]
        assert kept[-1:] == ["new"], (at, corrupted)
        aside = list(memory.glob("records.damaged-*.db"))
        assert len(aside) <= 1 and len(logged) <= 1, (at, corrupted)
        asides += len(aside)
    assert seen["read"] > 500 and asides > 50, "it was corrupted where it matters, too"


def test_a_corrupted_journal_costs_at_most_what_was_in_it(memory, logged):
    path, draw = memory / "records.db", random.Random(37)
    journal = Path(f"{path}-wal")
    with Store(path) as store:
        store.append(records(30))
    with Store(path) as store:
        store.append([replace(RECORD, item_id=f"wal-{n}", crop=bytes(900)) for n in range(30)])
        whole, waiting = path.read_bytes(), journal.read_bytes()
    for _ in range(100):
        for left in memory.iterdir():
            left.unlink()
        path.write_bytes(whole)
        corrupted = bytearray(waiting[: draw.randrange(len(waiting))])
        for _ in range(min(3, len(corrupted))):
            corrupted[draw.randrange(min(len(corrupted), draw.choice([32, 10**6])))] = (
                draw.randrange(256)
            )
        journal.write_bytes(corrupted)
        logged.clear()
        with open_store(path, prove=True) as store:
            store.append([replace(RECORD, item_id="new")])
            kept = [item.item_id for item in store.all()]
        assert kept[:30] == [f"run-{n}" for n in range(30)] and kept[-1] == "new" and not logged


def test_a_walk_that_does_not_end_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "records.db"
    with Store(path) as store:
        store.append(records(500))
    monkeypatch.setattr("edge.records.database.LONGEST_STATEMENT_S", -1.0)
    monkeypatch.setattr("edge.records.database.OPCODES_BETWEEN_CHECKS", 50)
    with pytest.raises(Damaged, match="does not end"), Store(path, read_only=True) as store:
        list(store.all())


def test_a_page_of_zeros_costs_what_was_on_it_and_is_counted(tmp_path):
    path = tmp_path / "records.db"
    with Store(path) as store:
        store.append(records(1000))
        (root,) = store.read("SELECT rootpage FROM sqlite_master WHERE name = 'items'")[0]
    whole = path.read_bytes()
    lost = 0
    for page in range(3, len(whole) // 4096, 7):
        if page == root - 1:
            continue
        path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
        with Store(path, read_only=True) as store:
            unread: list[int] = []
            kept = sum(1 for _ in store.all(unread.append, crops=False))
        assert kept + sum(unread) == 1000 and sum(unread) < 60, (page, kept, unread)
        lost += sum(unread)
    assert lost > 100


@pytest.mark.parametrize(
    ("corrupt", "expected"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is damaged"),
        (lambda path: path.write_bytes(bytes(20_000)), "is damaged"),
        (lambda path: path.write_bytes(os.urandom(20_000)), "is damaged"),
        (lambda path: (path.unlink(), path.mkdir()), "no regular file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "no regular file"),
        (lambda path: Path(f"{path}-wal").mkdir(), "no regular file"),
    ],
    ids=["cut off", "zeros", "noise", "a folder", "a pipe", "a folder for its journal"],
)
def test_what_lies_in_the_place_of_the_records_does_not_hold_up_the_line(
    *, tmp_path, corrupt, expected, injected, request, logged
):
    path = tmp_path / "records.db"
    sample(path)
    corrupt(path)
    writer = StoreWriter(path)
    for record in records(20):
        assert writer.put(record)
    assert writer.close() and writer.status == WriterStatus(0, 20, 0, 0, None)
    assert len(logged) == 1 and expected in logged[0]
    assert "set aside as records.damaged-" in logged[0]
    assert len(list(tmp_path.glob("records.damaged-*.db"))) == 1
    with Store(path, read_only=True) as store:
        assert count_of(store) == 20
    if "noise" in request.node.name:
        injected("records damaged at the start", "set aside, 20 of 20 records in a new file")


def test_records_that_are_corrupted_while_the_line_runs_are_set_aside(tmp_path, injected, logged):
    path = tmp_path / "records.db"
    with Store(path) as store:
        store.append(records(100, crop=bytes(20_000)))
    writer = StoreWriter(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(100 * 4096))
    for number in range(50):
        assert writer.put(replace(RECORD, item_id=f"late-{number}"))
    noticed_s = wait_until(lambda: logged)
    assert writer.close() and writer.status == WriterStatus(0, 50, 0, 0, None)
    assert len(logged) == 1 and "set aside as records.damaged-" in logged[0], logged
    with Store(path, read_only=True) as store:
        assert [item.item_id for item in store.all()] == [f"late-{n}" for n in range(50)]
    what = "set aside, 50 of 50 records in a new file"
    injected("records damaged while running", what, noticed_s)


def test_records_that_somebody_deletes_are_started_again_and_logged(tmp_path, logged):
    path = tmp_path / "records.db"
    writer = StoreWriter(path)
    writer.put(RECORD)
    wait_until(lambda: writer.status.written == 1)
    path.unlink()
    writer.put(replace(RECORD, item_id="after"))
    wait_until(lambda: writer.status.written == 2)
    assert writer.close()
    assert "moved or deleted" in logged[0] and "recording again; 0 lost" in logged[1]
    with Store(path, read_only=True) as store:
        assert [item.item_id for item in store.all()] == ["after"]


def test_a_disk_that_corrupts_every_file_is_not_filled_by_them(tmp_path):
    path = tmp_path / "records.db"
    for number in range(MOST_SET_ASIDE + 4):
        path.write_bytes(b"x" * (1000 if number == 1 else 2000 + number))
        done = set_aside(path, 1_700_000_000.0)
    kept = sorted(file.stat().st_size for file in tmp_path.iterdir())
    assert len(kept) == MOST_SET_ASIDE and kept[-1] > 2000 and 1000 not in kept
    assert "is deleted" in done and "set aside as records.damaged-" in done


@pytest.mark.parametrize("value", [None, b"blob", 7])
def test_a_value_of_another_kind_is_damage(tmp_path, value):
    path = tmp_path / "records.db"
    with Store(path) as store:
        store.append(records(3))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA writable_schema = ON")
        change = "UPDATE sqlite_master SET sql = replace(sql, 'reason TEXT NOT NULL', 'reason')"
        database.execute(change)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE items SET reason = ? WHERE item_id = 'run-1'", (value,))
    with Store(path, read_only=True) as store:
        with pytest.raises(Damaged, match="reason of record 2"):
            list(store.all())
        unread: list[int] = []
        assert [item.item_id for item in store.all(unread.append)] == ["run-0", "run-2"]
        assert unread == [1]
        with pytest.raises(Damaged):
            store.recent(3)


def test_the_file_and_its_journals_are_for_their_owner_only(tmp_path):
    path = tmp_path / "records.db"
    path.touch(0o644)
    for _ in range(2):
        with Store(path) as store:
            store.append(records(2))
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
            assert modes == dict.fromkeys(("records.db", "records.db-wal", "records.db-shm"), 0o600)
        path.unlink()


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def test_records_on_a_read_only_medium_are_read_and_waited_with(small_disk, injected, logged):
    path = small_disk / "records.db"
    with Store(path) as store:
        store.append(records(20))
        # As a line leaves them that was killed: some still in the journal.
        killed = small_disk / "killed" / "records.db"
        killed.parent.mkdir()
        store.append([replace(RECORD, item_id="last")])
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{killed}{end}")
    remount(small_disk, "ro")
    try:
        for each in (path, killed):
            with Store(each, read_only=True) as store:
                kept = [item.item_id for item in store.all()]
            assert len(kept) == 21 and kept[-1] == "last", each
        writer = StoreWriter(path)
        assert writer.put(replace(RECORD, item_id="after")), "the line goes on"
        noticed_s = wait_until(lambda: logged)
        assert "the line goes on" in logged[0] and "set aside" not in logged[0]
    finally:
        remount(small_disk, "rw")
    back_s = wait_until(lambda: writer.status.written)
    assert writer.close() and not list(small_disk.glob("*damaged*"))
    with Store(path, read_only=True) as store:
        assert [item.item_id for item in store.recent(1)] == ["after"]
    what = "the line runs, waiting records are kept"
    injected("records on a read-only medium", what, noticed_s, back_s)
