"""A limit on the time of what may hang anywhere: in a name server, a handshake, or byte by byte."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeIsUp(BaseException):
    """The time is up. No `Exception`, so that nothing on the way takes it for a fault to retry."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Within: `TimeIsUp` is raised once so many seconds are over. For the main thread alone.

    A read timeout is not enough: it starts anew with each byte that a slow server sends.
    """
    began = time.monotonic()

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    handler = signal.signal(signal.SIGALRM, end)
    left, _ = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # another alarm was set before
            passed = time.monotonic() - began
            signal.setitimer(signal.ITIMER_REAL, max(left - passed, 1e-3))
