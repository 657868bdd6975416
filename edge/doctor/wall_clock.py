"""Whether the clock of the board tells the time. The line sorts without it; its records do not."""

import shutil
import subprocess
import time
from pathlib import Path

from edge.doctor.check import BoardCheck, failure, ok, warning

NAME = "clock"
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
"""Made by systemd-timesyncd when it has set the clock."""
TIMEDATECTL = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
ASKED_S = 2.0
SLACK_S = 86400.0
"""Files from an archive may carry the local time of their maker."""
FIX = "sudo timedatectl set-ntp true; without a network fit a clock module (RTC), and set it"


def is_synchronized(mark: Path = SYNCHRONIZED) -> bool | None:
    """Whether something sets the clock by the network; None: nobody tells."""
    if mark.exists():
        return True
    program = shutil.which(TIMEDATECTL[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *TIMEDATECTL[1:]],
            capture_output=True,
            timeout=ASKED_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {b"yes": True, b"no": False}.get(done.stdout[:16].strip())


def clock(now: float, built_at: float, synchronized: bool | None) -> BoardCheck:
    """Whether the clock can be right.

    Args:
        now: the clock's time, unix seconds.
        built_at: when the program or its model was made, unix seconds: it is later now.
        synchronized: whether the clock is set by the network; None: nobody tells.
    """
    shown = _date(now)
    if now < built_at - SLACK_S:
        reason = f"it is {shown}, but the program is from {_date(built_at)}"
        return failure(NAME, f"{reason}: records would get a wrong time", FIX)
    if synchronized is None:
        return warning(NAME, f"it is {shown}; nobody tells whether the network sets it", FIX)
    if not synchronized:
        return warning(NAME, f"it is {shown}, but no time server has set it", FIX)
    return ok(NAME, f"it is {shown}, as a time server says")


def _date(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "no date at all"
