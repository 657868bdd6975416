"""The update window: strictly read, across midnight, and only for a line on a moving belt."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edge.bundle.bundle import load_bundle
from edge.bundle.history import read_history
from edge.bundle.window import (
    UpdateWindow,
    check_window,
    minute_of_day,
    parse_window,
    waiting_by,
)
from edge.config import read_config
from edge.errors import BadInput
from edge.standstill import BeltRest
from edge.status import NO_PICTURE, RUNNING, STOPPED, Status, write_status

ROOT = Path(__file__).parents[3]
NOW = 1_800_000_000.0
MINUTES = some.integers(0, 24 * 60 - 1)


def written(start: int, end: int) -> str:
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


@settings(deadline=None)
@given(MINUTES, MINUTES, MINUTES)
def test_a_window_is_what_was_written_and_its_end_is_not_within(
    start: int, end: int, minute: int
) -> None:
    if start == end:
        with pytest.raises(ValueError, match="ends when it starts"):
            parse_window(written(start, end))
        return
    window = parse_window(written(start, end))
    assert window == UpdateWindow(start, end)
    assert window.contains(start) and not window.contains(end)
    # Whatever is in it is not in the other part of the day.
    assert window.contains(minute) != UpdateWindow(end, start).contains(minute)
    assert window.contains(minute) == ((minute - start) % 1440 < (end - start) % 1440)


@settings(deadline=None)
@given(some.one_of(some.text(max_size=14), some.from_regex(r"[0-9:. -]{8,13}", fullmatch=True)))
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    try:
        window = parse_window(text)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    if text == "always":
        return
    assert (window is None and text == "") or re.fullmatch(r"\d\d:\d\d-\d\d:\d\d", text, re.ASCII)


@pytest.mark.parametrize(
    "text",
    [
        *("22-05", "24:00-05:00", "22:60-05:00", "2:00-05:00", "22:00-05:00 ", " ", "22:00-22:00"),
        *("22:00 - 05:00", "22:00\u201305:00", "٢٢:00-05:00", "22:00-05:00\n", "-1:00-05:00"),
    ],
)
def test_what_is_no_window(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"window|ends when"):
        check_window(text)
    config = tmp_path / "line.toml"
    config.write_text(f"[update]\nwindow = {json.dumps(text)}\n")
    with pytest.raises(BadInput, match=r"update\.window: "):
        read_config(config)


def at_minute(minute: int) -> float:
    """A time at this minute of the local day."""
    local = time.localtime(NOW)
    return time.mktime((*local[:3], minute // 60, minute % 60, 0, 0, 0, -1))


def at_work(now: float, **changes: object) -> Status:
    fields = {"state": RUNNING, "belt": BeltRest.MOVES, "update_window": "22:00-05:00"}
    return Status.model_validate({"updated_at": now - 1, **fields, **changes})


def test_a_line_on_a_moving_belt_exchanges_its_bundle_in_its_window_only() -> None:
    night, day = at_minute(23 * 60), at_minute(12 * 60)
    assert minute_of_day(night) == 23 * 60
    assert waiting_by(at_work(night), night) is None
    assert waiting_by(at_work(day, update_window="always"), day) is None
    for none in (
        None,
        at_work(day, state=STOPPED),
        at_work(day, updated_at=day - 60),
        at_work(day, belt=BeltRest.STANDS),
        at_work(day, belt=BeltRest.STANDS, update_window=""),
    ):
        assert waiting_by(none, day) is None
    night_only = " or until 22:00"
    for status, words in (
        (at_work(day), "waits until the belt stands" + night_only),
        (at_work(day, update_window=""), "waits until the belt stands"),
        (at_work(day, update_window="whenever"), "waits until the belt stands"),
        (
            at_work(day, belt=BeltRest.CARRIES),
            "waits until no item is under way on the belt, which stands," + night_only,
        ),
        (
            at_work(day, state=NO_PICTURE, belt=BeltRest.NOT_MEASURED, update_window=""),
            "waits until the belt stands, which nothing measures now",
        ),
    ):
        waiting = waiting_by(status, day)
        assert waiting is not None and waiting.in_words == words


@contextmanager
def line_at_work(state: Path, **status: object) -> Iterator[None]:
    """Within: a line on a moving belt writes its status."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.3):
            write_status(state, at_work(time.time(), **status))

    writing = threading.Thread(target=write)
    write_status(state, at_work(time.time(), **status))
    writing.start()
    try:
        yield
    finally:
        ended.set()
        writing.join()


def ewaste(*arguments: object) -> str:
    command = [sys.executable, "-m", "edge.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_say_what_a_running_line_waits_for(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle, state = shutil.copytree(tiny_bundle, tmp_path / "new"), tmp_path / "state"
    hour = time.localtime().tm_hour
    opening = f"{(hour + 3) % 24:02}:00"
    closed = f"{opening}-{(hour + 4) % 24:02}:00"
    waits = f"waits until the belt stands or until {opening}"
    state.mkdir()
    at_state = ("--state", state)
    assert ewaste("install", bundle, *at_state).endswith(", in use\n"), "no line is at work"
    digest = load_bundle(bundle).digest
    with line_at_work(state, update_window=closed, waiting=digest):
        assert f", {waits}; or give --now\n" in ewaste("install", bundle, *at_state)
        assert f"2: {waits}" in ewaste("bundles", *at_state)
        listed = json.loads(ewaste("bundles", "--json", *at_state))
        assert [row["waits"] for row in listed] == [waits, None]
        entry = read_history(state / "bundles").at(2)
        assert entry is not None and not entry.at_once
        assert "takes it at once" in ewaste("install", "--now", *at_state)
        entry = read_history(state / "bundles").at(2)
        assert entry is not None and entry.at_once
        assert ewaste("install", bundle, "--now", *at_state).endswith(", in use\n")
    write_status(state, at_work(time.time(), state=STOPPED, waiting=digest))
    assert json.loads(ewaste("bundles", "--json", *at_state))[0]["waits"] is None
