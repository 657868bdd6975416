"""The history of faults: written beside the line, bounded, and read whatever is in the file."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.faults import (
    FAULTS_NAME,
    MOST_A_MINUTE,
    MOST_BYTES,
    FaultLine,
    FaultLog,
    Mark,
    append_lines,
    read_faults,
    spans_of,
)

NOW = 1_800_000_000.0


def test_a_fault_has_a_beginning_an_end_and_a_reason(tmp_path):
    log = FaultLog(tmp_path, NOW)
    log.see({"camera": "it gives no pictures"}, NOW + 1)
    log.see({"camera": "it gives no pictures; new process, 1", "PLC": "no answer"}, NOW + 2)
    log.see({"PLC": "no answer"}, NOW + 3)
    log.see({}, NOW + 9)
    log.see({"records": "disk full"}, NOW + 10)
    log.end(NOW + 20)
    log.end(NOW + 30)
    found = [
        (each.kind, each.reason, each.began_at - NOW, each.ended_at - NOW)
        for each in read_faults(tmp_path)
    ]
    assert found == [
        ("camera", "it gives no pictures", 1, 3),
        ("PLC", "no answer", 2, 9),
        ("records", "disk full", 10, 20),
    ]
    assert (tmp_path / FAULTS_NAME).stat().st_mode & 0o777 == 0o600


def test_a_killed_line_is_a_fault_of_its_own(tmp_path):
    program = (
        "import sys, os, time; from pathlib import Path; from edge.faults import FaultLog; "
        "log = FaultLog(Path(sys.argv[1]), 1.0); log.see({'camera': 'gone'}, 2.0)\n"
        "while log._waiting or b'began' not in Path(sys.argv[1], 'faults.jsonl').read_bytes():"
        " time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60)
    with (tmp_path / FAULTS_NAME).open("ab") as file:
        file.write(b'{"at": 3.0, "run"')  # a power cut tears a line
    FaultLog(tmp_path, 50.0).end(60.0)
    found = [
        (each.kind, each.began_at, each.ended_at, each.lasts) for each in read_faults(tmp_path)
    ]
    assert found == [("camera", 2.0, None, False), ("", 2.0, 50.0, False)]


def test_the_line_neither_waits_for_the_disk_nor_fails_by_it(tmp_path):
    log = FaultLog(tmp_path / "nowhere", NOW)
    began = time.monotonic()
    for number in range(2000):
        log.see({"camera": "gone"} if number % 2 else {}, NOW + number / 10)
    assert time.monotonic() - began < 5
    log.end(NOW + 300)
    assert log.dropped >= 1999 and read_faults(tmp_path / "nowhere") == []


def test_what_chatters_writes_few_lines(tmp_path):
    log = FaultLog(tmp_path, NOW)
    for number in range(1000):
        log.see({"camera": "gone"} if number % 2 else {}, NOW + number / 100)
    log.end(NOW + 20)
    lines = (tmp_path / FAULTS_NAME).read_bytes().splitlines()
    assert len(lines) <= MOST_A_MINUTE + 1 and log.dropped > 900


def test_the_file_is_bounded_and_keeps_the_newest(tmp_path):
    path = tmp_path / FAULTS_NAME
    for number in range(60):
        append_lines(
            path,
            [
                FaultLine(
                    at=NOW + number,
                    run="a",
                    mark=Mark.BEGAN,
                    kind=f"k{number}-{each}",
                    reason="x" * 300,
                )
                for each in range(50)
            ],
        )
        assert path.stat().st_size <= MOST_BYTES
    assert read_faults(tmp_path)[-1].kind == "k59-49"


LINES = st.lists(
    st.builds(
        FaultLine,
        at=st.floats(0, 1e11),
        run=st.sampled_from("abc"),
        mark=st.sampled_from(Mark),
        kind=st.sampled_from(("", "camera", "PLC")),
    ),
    max_size=30,
)


@given(LINES)
def test_any_lines_make_faults_in_order_of_time(lines):
    found = spans_of(lines)
    assert [each.began_at for each in found] == sorted(each.began_at for each in found)
    assert sum(each.lasts for each in found) <= 3
    assert len(found) <= 2 * len(lines)


@given(content=st.binary(max_size=300))
def test_any_file_is_read(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    (folder / FAULTS_NAME).write_bytes(content)
    assert isinstance(read_faults(folder), list)


def test_a_file_that_is_none_is_one_line(tmp_path):
    (tmp_path / FAULTS_NAME).mkdir()
    with pytest.raises(Exception, match="no regular file"):
        read_faults(tmp_path)
