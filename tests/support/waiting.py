"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 15.0) -> float:
    """Wait for the condition; returns how long it took, s."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + seconds, "did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - started
