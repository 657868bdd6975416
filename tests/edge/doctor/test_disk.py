"""Real disks that are full or read-only, and one that is too small for what is to be kept."""

import subprocess

import pytest

from edge.config import RecordsConfig
from edge.doctor.check import CheckState
from edge.doctor.disk import disk


def test_a_full_disk_is_a_failure_that_says_how_much_is_needed(small_disk):
    with pytest.raises(OSError, match="No space"):
        (small_disk / "records.db").write_bytes(b"x" * 2**21)
    check = disk(small_disk, small_disk / "records.db", RecordsConfig())
    assert check.state is CheckState.FAILURE and "0 MB are free" in check.detail
    assert "free at least 100 MB" in check.fix


def test_a_read_only_disk_is_a_failure(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    check = disk(small_disk / "state", small_disk / "state" / "records.db", RecordsConfig())
    assert check.state is CheckState.FAILURE and "read-only" in check.detail
    assert "remount,rw" in check.fix


def test_records_that_would_not_fit_are_a_warning_with_what_would(tmp_path):
    records = tmp_path / "records.db"
    check = disk(tmp_path, records, RecordsConfig(megabytes=1_000_000))
    possible = float(check.fix.partition("megabytes = ")[2].partition(",")[0])
    assert check.state is CheckState.WARNING and 10 <= possible < 1_000_000
    assert disk(tmp_path, records, RecordsConfig(megabytes=possible - 50)).state is CheckState.OK
