"""The process in which a model is tried first (`edge.bundle.sandbox`); it may start ahead of that.

To start, it imports what its parent imports, and takes as long. A command that will prove a bundle
lets it begin before its own imports. Therefore this module imports nothing of the program.
"""

import atexit
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

LONGEST_S = 90.0
"""By the clock, its start included."""
LONGEST_AHEAD_S = 20.0
"""One that waits for longer is not used: its own clock runs."""
ROOT = str(Path(__file__).parents[2])
# Hang-up, Ctrl-C and SIGTERM are for the line: a child that they ended would be called a refusal.
CHILD = (
    "import os, signal, sys; os.nice(int(sys.argv[1])); "
    "[signal.signal(each, signal.SIG_IGN) for each in (1, 2, 15)]; "
    "signal.signal(signal.SIGALRM, signal.SIG_DFL); "
    f"signal.setitimer(signal.ITIMER_REAL, {LONGEST_S}); "
    f"sys.path[:] = [{ROOT!r}, *filter(None, sys.path)]; "
    "from edge.bundle.sandbox import main; os._exit(main())"  # what it holds, the system frees
)

_ahead: list[tuple[subprocess.Popen[bytes], float]] = []


def start_ahead() -> None:
    """Start the process of the next trial; if it cannot be, that trial starts its own."""
    if _ahead:
        return
    with suppress(OSError):
        _ahead.append((_started(0), time.monotonic()))
        atexit.register(end_ahead)


def end_ahead() -> None:
    """End the process that no trial has used."""
    while _ahead:
        child, _ = _ahead.pop()
        child.kill()
        child.communicate()


def trial_process(niceness: int) -> subprocess.Popen[bytes]:
    """A process that waits for a bundle on its standard input.

    Args:
        niceness: how far it stands back for other processes, 0 to 19.

    Raises:
        OSError: it cannot be started.
    """
    if niceness == 0 and _ahead:
        child, began = _ahead[-1]
        if child.poll() is None and time.monotonic() - began < LONGEST_AHEAD_S:
            _ahead.pop()
            return child
        end_ahead()
    return _started(niceness)


def _started(niceness: int) -> subprocess.Popen[bytes]:
    # Its threads of linear algebra would only reserve memory.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(niceness)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
