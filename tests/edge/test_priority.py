"""A process stands back, with its session where there are groups of sessions."""

import os
import subprocess
import sys
from pathlib import Path

from edge.priority import lower_priority

GROUPS = Path("/proc/self/autogroup")


def test_a_process_and_its_session_stand_back():
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=-1, start_new_session=True
    ) as it:
        lower_priority(it.pid, 10)
        assert os.getpriority(os.PRIO_PROCESS, it.pid) == 10
        if GROUPS.exists():
            assert Path(f"/proc/{it.pid}/autogroup").read_text().split()[-1] == "10"
            assert GROUPS.read_text().split()[-1] != "10", "ours stays as it was"
        it.kill()


def test_a_process_that_is_gone_is_no_fault():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    lower_priority(2**22 - 1, 10)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
