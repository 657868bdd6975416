"""The process of a trial may start ahead of it, and none is left over."""

import json
import subprocess
import sys
import time

import pytest

from edge.bundle import trial_process
from edge.bundle.trial_process import LONGEST_AHEAD_S, end_ahead, start_ahead

LIGHT = """
import sys
import edge.bundle.trial_process
print(sorted(name for name in ("numpy", "cv2", "pydantic") if name in sys.modules))
"""


@pytest.fixture(autouse=True)
def _none_left():
    yield
    end_ahead()


def test_the_one_that_started_ahead_is_used_once():
    start_ahead()
    start_ahead()
    ((ahead, _),) = trial_process._ahead
    first = trial_process.trial_process(0)
    assert first is ahead and not trial_process._ahead
    second = trial_process.trial_process(0)
    assert second.pid != first.pid
    answers = [child.communicate(b"{}\n")[0] for child in (first, second)]
    for answer in answers:  # what is no bundle is refused, not crashed on
        ((name, passed, _),) = json.loads(answer)
        assert (name, passed) == ("model", False)


def test_one_that_waited_for_long_or_has_ended_is_not_used(monkeypatch):
    start_ahead()
    ((old, began),) = trial_process._ahead
    monkeypatch.setattr(time, "monotonic", lambda: began + LONGEST_AHEAD_S + 1)
    used = trial_process.trial_process(0)
    assert used.pid != old.pid and old.poll() is not None
    used.kill()
    used.communicate()
    start_ahead()
    ((dead, _),) = trial_process._ahead
    dead.kill()
    dead.wait()
    used = trial_process.trial_process(0)
    assert used.pid != dead.pid and used.poll() is None
    used.kill()
    used.communicate()


def test_a_nice_trial_does_not_take_it():
    start_ahead()
    ((ahead, _),) = trial_process._ahead
    nice = trial_process.trial_process(5)
    assert nice.pid != ahead.pid and ahead.poll() is None
    nice.kill()
    nice.communicate()


def test_to_start_it_nothing_heavy_is_imported():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
