"""The update window: strictly read, across midnight, and only for a line on a moving belt."""

import json
import math
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

from edge.bundle.window import (
    UpdateWindow,
    check_window,
    minute_of_day,
    parse_window,
    require_window,
)
from edge.config import read_config
from edge.errors import BadInput, Refused
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


def moving(now: float, **changes: object) -> Status:
    fields = {"state": RUNNING, "speed_mm_s": 250.0, "update_window": "22:00-05:00"}
    return Status.model_validate({"updated_at": now - 1, **fields, **changes})


def test_a_line_at_work_is_updated_in_its_window_only() -> None:
    night, day = at_minute(23 * 60), at_minute(12 * 60)
    assert minute_of_day(night) == 23 * 60
    require_window(moving(night), night)
    with pytest.raises(Refused, match=r"only at 22:00-05:00 .*stop the belt.*--now"):
        require_window(moving(day), day)
    for none in (
        None,
        moving(day, update_window=""),
        moving(day, state=STOPPED),
        moving(day, updated_at=day - 60),
        moving(day, speed_mm_s=0.4),
    ):
        require_window(none, day)
    for still_at_work in (
        moving(day, state=NO_PICTURE),
        moving(day, speed_mm_s=-250.0),
        moving(day, speed_mm_s=math.nan),
        moving(day, update_window="whenever"),
    ):
        with pytest.raises(Refused):
            require_window(still_at_work, day)


@contextmanager
def line_at_work(state: Path, window: str) -> Iterator[None]:
    """Within: a line on a moving belt writes its status."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.3):
            write_status(state, moving(time.time(), update_window=window))

    writing = threading.Thread(target=write)
    write_status(state, moving(time.time(), update_window=window))
    writing.start()
    try:
        yield
    finally:
        ended.set()
        writing.join()


def test_the_command_asks_the_line_that_is_running(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "new")
    hour = time.localtime().tm_hour
    closed = f"{(hour + 3) % 24:02}:00-{(hour + 4) % 24:02}:00"

    def install(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edge.cli", "install", str(bundle)]
        command += ["--state", str(tmp_path), *options]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    with line_at_work(tmp_path, closed):
        refused = install()
        assert refused.returncode == 3 and refused.stderr.count("\n") == 1
        assert closed in refused.stderr and "--now" in refused.stderr
        assert not (tmp_path / "bundles").exists()
        done = install("--now")
    assert done.returncode == 0, done.stderr
