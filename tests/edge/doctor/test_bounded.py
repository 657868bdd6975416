"""Checks that hang or crash, in real processes."""

import os
import signal
import subprocess
import sys
import time

from edge.doctor.bounded import Task, run_bounded
from edge.doctor.check import CheckState, ok, warning
from edge.errors import BadInput

SLEEPER = "import sys, time; print(flush=True); time.sleep(60)"


def hang() -> list:
    time.sleep(60)
    return []


def crash() -> list:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def refuse() -> list:
    raise BadInput("pin 17: is taken; end what has it")


def fail() -> list:
    raise ValueError("a driver\nsays \x1b[31mno")


def chatter() -> list:
    os.write(1, b"chatter of native code")
    return [ok("quiet", "well"), warning("two", "w", "f")]


def test_what_hangs_or_crashes_costs_only_its_own_time():
    tasks = [
        Task("hangs", 0.5, hang, "pull the plug"),
        Task("late", 0.5, hang, "wait", late=CheckState.WARNING),
        Task("crashes", 5, crash, "install it anew"),
        Task("refuses", 5, refuse, "-"),
        Task("fails", 5, fail, "ask"),
        Task("floods", 5, lambda: [ok("floods", "x")] * 10**5, "stop it"),
        Task("works", 5, chatter, "-"),
    ]
    started_at = time.monotonic()
    found = {check.name: check for check in run_bounded(tasks)}
    assert time.monotonic() - started_at < 4
    assert (
        found["hangs"].detail == "no answer within 0.5 s" and found["hangs"].fix == "pull the plug"
    )
    assert found["late"].state is CheckState.WARNING
    assert "crashed" in found["crashes"].detail and found["crashes"].fix == "install it anew"
    assert found["refuses"].detail == "pin 17: is taken"
    assert found["refuses"].fix == "end what has it"
    assert found["fails"].detail == "ValueError: a driver says ?[31mno"
    assert found["floods"].state is CheckState.FAILURE
    assert found["quiet"] == ok("quiet", "well") and found["two"] == warning("two", "w", "f")


def test_nothing_that_a_check_started_outlives_it(tmp_path):
    noted = tmp_path / "child"

    def start_another() -> list:
        child = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE)
        child.stdout.readline()
        noted.write_text(str(child.pid))
        return hang()

    run_bounded([Task("starts another", 2, start_another, "-")])
    number, give_up_at = int(noted.read_text()), time.monotonic() + 5
    while _runs(number) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    assert not _runs(number)


def _runs(number: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
