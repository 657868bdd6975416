"""The time limit: it ends what hangs, and leaves other alarms as they were."""

import signal
import time

import pytest

from edge.update.time_limit import TimeIsUp, time_limit


def test_what_hangs_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(TimeIsUp), time_limit(0.1):
        time.sleep(30)
    assert time.monotonic() - began < 10


def test_an_alarm_from_outside_still_comes_and_its_handler_is_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    with time_limit(0.3):
        with time_limit(30):
            pass
        with pytest.raises(TimeIsUp):
            time.sleep(30)
    assert signal.getsignal(signal.SIGALRM) is before
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) is (left > 0)
