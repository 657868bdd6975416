"""A process stands back, with its session where there are groups of sessions."""

import os
import subprocess
import sys
from pathlib import Path

from edge.priority import lower_priority


def group(process: int | str) -> str:
    """Linux's line about a process's group, "/autogroup-7 nice 0"; empty where it is in none."""
    file = Path(f"/proc/{process}/autogroup")
    return file.read_text().strip() if file.exists() else ""


def test_a_process_and_its_session_stand_back():
    ours = group("self")
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=-1, start_new_session=True
    ) as it:
        lower_priority(it.pid, 10)
        assert os.getpriority(os.PRIO_PROCESS, it.pid) == 10
        if group(it.pid):
            assert group(it.pid).endswith(" nice 10")
        assert group("self") == ours
        it.kill()


def test_a_process_that_is_gone_is_no_fault():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    lower_priority(2**22 - 1, 10)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
