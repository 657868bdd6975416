"""The signals that ask a command to stop, and the terminal that sends them."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Within: SIGINT, SIGTERM and SIGHUP only ask to stop; the block gets the question.

    SIGHUP comes when the terminal is closed; under nohup it is not to be minded, and is not.
    """
    asked = []
    names = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        names.append(signal.SIGHUP)
    before = {
        name: signal.signal(name, lambda number, frame: asked.append(number)) for name in names
    }
    try:
        yield lambda: bool(asked)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def own_terminal() -> Iterator[None]:
    """Within: this process alone gets the terminal's Ctrl-C.

    Otherwise `make`, whose child this is, would get it too and call the clean end an error.
    """
    terminal, parents = sys.stdin.fileno() if sys.stdin else -1, os.getpgrp()
    try:
        ours = os.isatty(terminal) and os.tcgetpgrp(terminal) == parents
    except OSError:  # it is just being closed
        ours = False
    if not ours or os.getpid() == parents:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    threading.Thread(target=_await_hang_up, args=(terminal,), daemon=True).start()
    try:
        yield
    finally:
        with suppress(OSError):
            os.tcsetpgrp(terminal, parents)
        signal.signal(signal.SIGTTOU, before)


def _await_hang_up(terminal: int) -> None:
    """Take a closed terminal for a SIGHUP, which the system sends to `make` alone."""
    closed = select.poll()
    closed.register(terminal, 0)
    closed.poll()
    os.kill(os.getpid(), signal.SIGHUP)
