"""Letting a process stand back for the line."""

import os
from contextlib import suppress
from pathlib import Path


def lower_priority(process: int, niceness: int) -> None:
    """Let a process that leads its own session stand back, as far as this system can.

    Where Linux groups processes by session (autogroup), it shares the processor between the groups
    first: niceness alone counts only within one. Source: sched(7), "The autogroup feature".

    Args:
        process: its number.
        niceness: 0 to 19.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, niceness)
    with suppress(OSError):
        Path(f"/proc/{process}/autogroup").write_text(str(niceness))
