"""The store keeps what it acknowledged, whatever happens to the process and the disk."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import BadInput, EwasteError
from edge.store import ItemRecord, Store, StoreWriter, WriterStatus

ROOT = Path(__file__).parents[2]
RECORD = ItemRecord(
    item_id="run-0",
    decided_at=1_700_000_000.25,
    label="Battery",
    confidence=0.97,
    bin="hazard",
    reason="Battery 97% over 3 views",
    position_mm=1234.5,
    offset_mm=-12.0,
    views=3,
    detect_ms=1.5,
    classify_ms=46.0,
    verdict_ms=61.0,
    late=False,
    bundle="sha256:1f",
    crop=b"\xff\xd8 a crop",
)


def records(count: int, **changes) -> list[ItemRecord]:
    return [replace(RECORD, item_id=f"run-{number}", **changes) for number in range(count)]


def wait_until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


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
    reason=TEXT,
    position_mm=st.floats(),
    offset_mm=st.floats(),
    views=st.integers(0, 2**31),
    detect_ms=st.floats(),
    classify_ms=st.floats(),
    verdict_ms=st.floats(),
    late=st.booleans(),
    bundle=TEXT,
    crop=st.binary(max_size=200),
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
        assert store.counts() == Counter(record.label for record in given_records)
        assert store.bin_counts() == Counter(record.bin for record in given_records)
        assert store.total() == len(given_records)
        newest = [record.item_id for record in store.recent(3)]
        assert newest == [record.item_id for record in given_records[::-1][:3]]
        for record in given_records:
            assert store.crop(record.item_id) == (record.crop or None)


def test_appending_an_id_again_keeps_the_first_record(tmp_path):
    with Store(tmp_path / "records.db") as store:
        store.append([RECORD])
        store.append([replace(RECORD, label="Mouse"), replace(RECORD, item_id="new")])
        assert [record.label for record in store.all()] == ["Battery", "Battery"]
        assert store.counts() == {"Battery": 2}
        assert store.decided_since(RECORD.decided_at - 1) == 2
        assert store.decided_since(RECORD.decided_at) == 0
        assert store.crop("nobody") is None


def test_numpy_scalars_are_stored_as_numbers(tmp_path):
    record = replace(RECORD, confidence=np.float32(0.5), views=np.int64(2), late=np.bool_(True))
    with Store(tmp_path / "records.db") as store:
        store.append([record])
        assert list(store.all()) == [replace(RECORD, confidence=0.5, views=2, late=True)]


def test_a_batch_with_a_bad_record_is_refused_whole(tmp_path):
    with Store(tmp_path / "records.db") as store:
        with pytest.raises(ValueError, match="cannot be stored"):
            store.append([RECORD, replace(RECORD, item_id="other", views=None)])
        assert store.total() == 0


WRITE_UNTIL_KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from edge.store import Store
from tests.edge.test_store import RECORD
with Store(Path(sys.argv[1])) as store:
    number = store.total()
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
        said = [child.stdout.readline()]  # it writes now
        time.sleep(0.013 * attempt)
        child.send_signal(signal.SIGKILL)
        said += child.communicate()[0].splitlines(keepends=True)
        # A line the kill cut in two was not received, so nothing was promised about it.
        acknowledged += [line.decode().strip() for line in said if line.endswith(b"\n")]
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with Store(path, read_only=True) as store:
            kept = [record.item_id for record in store.all()]
            assert store.total() == len(kept)
        assert set(acknowledged) <= set(kept)
        assert len(kept) % 3 == 0, "a batch is stored whole or not at all"
    assert len(acknowledged) >= 30


def test_another_connection_reads_while_the_writer_writes(tmp_path):
    path = tmp_path / "records.db"
    writer = StoreWriter(path)
    with Store(path, read_only=True) as reader:
        for record in records(300):
            assert writer.put(record)
            before = reader.total()
            assert before <= sum(reader.counts().values()) <= 300
        assert writer.close()
        assert reader.total() == 300
        assert [record.item_id for record in reader.all()] == [f"run-{n}" for n in range(300)]
        with pytest.raises(EwasteError, match="readonly"):
            reader.append([RECORD])
    assert writer.status == WriterStatus(0, 300, 0, 0, None)
    assert not writer.put(RECORD), "closed"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"not a database, but long enough to have a header" * 20, "not a database")],
)
def test_a_file_that_is_no_database_is_refused(tmp_path, content, message):
    path = tmp_path / "records.db"
    path.write_bytes(content)
    for open_it in (Store, StoreWriter, lambda path: Store(path, read_only=True)):
        with pytest.raises(BadInput, match=message) as caught:
            open_it(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_other_databases_and_newer_versions_are_refused(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mails (text)")
    with pytest.raises(BadInput, match="not a file of item records"):
        Store(other)
    newer = tmp_path / "newer.db"
    Store(newer).close()
    with sqlite3.connect(newer) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(BadInput, match="version 2"):
        Store(newer)
    with pytest.raises(BadInput, match="no records yet"):
        Store(tmp_path / "absent.db", read_only=True)
    with pytest.raises(BadInput, match="check the folder"):
        Store(tmp_path / "absent" / "records.db")


def test_a_locked_file_delays_the_writer_but_not_the_line(tmp_path):
    path = tmp_path / "records.db"
    told: list[str] = []
    Store(path).close()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    writer = StoreWriter(path, capacity=10, on_error=told.append)
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
    assert told == [status.error], "told once"
    blocker.close()
    assert writer.close()
    assert writer.status == WriterStatus(0, 100, 10, 90, None)
    with Store(path, read_only=True) as store:
        kept = list(store.all())
    assert [bool(record.crop) for record in kept] == [True] * 10 + [False] * 90


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_delays_the_writer_and_loses_nothing(small_disk):
    path = small_disk / "records.db"
    told: list[str] = []
    writer = StoreWriter(path, on_error=told.append)
    wait_until(lambda: writer.put(RECORD) and writer.status.written)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    for record in records(60, crop=bytes(2000)):
        assert writer.put(record)
    wait_until(lambda: writer.status.error)
    assert "full" in writer.status.error or "I/O" in writer.status.error
    filler.unlink()
    assert writer.close()
    assert writer.status.error is None and writer.status.pending == 0
    with Store(path, read_only=True) as store:
        assert store.total() == 60
        assert {record.item_id for record in store.all()} == {f"run-{n}" for n in range(60)}
    assert len(told) == 1


def test_a_record_that_cannot_be_stored_is_lost_alone(tmp_path):
    path = tmp_path / "records.db"
    told: list[str] = []
    good = records(5)
    writer = StoreWriter(path, on_error=told.append)
    for record in [*good[:3], replace(RECORD, item_id="bad", views=None), *good[3:]]:
        writer.put(record)
    assert writer.close()
    with Store(path, read_only=True) as store:
        assert list(store.all()) == good
    assert writer.status == WriterStatus(0, 5, 1, 0, None)
    assert len(told) == 1 and "cannot be stored" in told[0]
