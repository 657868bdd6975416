"""The line's side of the panel: it publishes whole files and never holds up the line."""

import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from edge.panel.live import COLORS, LivePublisher, Overlay, annotate, read_live
from edge.status import Percentiles, Status, read_status
from tests.support.waiting import wait_until

STATUS = Status(
    updated_at=1000.0,
    state="running",
    items=3,
    per_label={"Battery": 2, "unknown": 1},
    latency={"classify": Percentiles(p50=46.0, p99=float("nan"))},
    gates={"hazard": True},
)


def gray(level: int = 90, height: int = 720, width: int = 1280) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


@pytest.fixture
def publisher(tmp_path):
    publisher = LivePublisher(tmp_path / "state", max_fps=200, now=lambda: 2000.0)
    yield publisher
    publisher.close()


def test_the_picture_and_the_status_arrive(publisher, tmp_path):
    folder = tmp_path / "state"
    assert read_status(folder) is None and read_live(folder) is None
    frame = gray()
    publisher.offer(frame, [Overlay((320, 200, 640, 500), "Battery 97%", "hazard")], STATUS)
    wait_until(lambda: read_live(folder))
    assert read_status(folder).model_dump_json() == STATUS.model_dump_json()
    picture = cv2.imdecode(np.frombuffer(read_live(folder), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture.shape == (540, 960, 3)
    assert np.abs(picture[300, 240].astype(int) - COLORS["hazard"]).max() < 60, "the box's side"
    assert np.abs(picture[450, 700].astype(int) - 90).max() < 10
    assert (frame == 90).all(), "the caller's picture is left alone"


def test_close_says_stopped_with_closed_gates_and_the_last_counts(publisher, tmp_path):
    publisher.offer(None, [], STATUS)
    publisher.close()
    publisher.close()
    last = read_status(tmp_path / "state")
    assert (last.state, last.updated_at, last.items) == ("stopped", 2000.0, 3)
    assert last.gates == {"hazard": False}
    assert read_live(tmp_path / "state") is None, "no picture was offered"


def test_offering_never_waits_and_the_newest_wins(tmp_path):
    publisher = LivePublisher(tmp_path, max_fps=20)
    frame, slowest = gray(), 0.0
    for number in range(300):
        started = time.perf_counter()
        publisher.offer(frame, [], STATUS.model_copy(update={"items": number}))
        slowest = max(slowest, time.perf_counter() - started)
    wait_until(lambda: (status := read_status(tmp_path)) and status.items == 299)
    publisher.close()
    assert slowest < 0.05, "a 720p JPEG alone takes milliseconds, a loaded machine some more"
    assert publisher.failures == 0


def test_readers_never_see_half_a_file(publisher, tmp_path):
    folder, stop, seen = tmp_path / "state", threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            time.sleep(0.001)
            live = read_live(folder)
            if live is not None:
                seen.append(live.startswith(b"\xff\xd8") and live.endswith(b"\xff\xd9"))
                seen.append(read_status(folder) is not None)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        publisher.offer(gray(number, 240, 320), [], STATUS)
        time.sleep(0.004)
    stop.set()
    reader.join()
    assert len(seen) > 100 and all(seen)


def test_failures_are_counted_and_do_not_end_the_publishing(tmp_path):
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    publisher = LivePublisher(blocked, max_fps=200)
    publisher.offer(gray(), [], STATUS)
    wait_until(lambda: publisher.failures == 1)
    assert publisher.error.startswith("live view: ") and "\n" not in publisher.error
    blocked.unlink()
    publisher.offer("no picture at all", [], STATUS)
    wait_until(lambda: publisher.failures == 2)
    publisher.offer(gray(), [], STATUS)
    wait_until(lambda: read_live(blocked))
    publisher.close()
    assert [entry.name for entry in sorted(blocked.iterdir())] == ["live.jpg", "status.json"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"state": 5}', b"\xff\xfe garbage"])
def test_a_garbled_status_reads_as_none(tmp_path, content):
    (tmp_path / "status.json").write_bytes(content)
    assert read_status(tmp_path) is None


def test_small_pictures_keep_their_size_and_odd_boxes_are_drawn():
    frame = gray(height=100, width=160)
    boxes = [
        Overlay((-50, -50, 400, 400), "wider than the picture, with ümläuts", "no such kind"),
        Overlay((150, 95, 170, 120), "", "sorted"),
    ]
    picture = annotate(frame, boxes, 960)
    assert picture.shape == frame.shape and (frame == 90).all()
    assert (picture != 90).any()


def test_the_line_never_loads_gradio():
    code = "import sys, edge.panel.live, edge.records.store; print('gradio' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_a_camera_whose_file_name_is_no_text_is_shown_all_the_same(tmp_path):
    status = Status(updated_at=0, state="running", camera="film\udcff.mp4", message="a\udcff: gone")
    publisher = LivePublisher(tmp_path / "state")
    publisher.offer(None, [], status)
    publisher.close()
    assert publisher.failures == 0
    assert read_status(tmp_path / "state").camera == "film?.mp4"
    found = (tmp_path / "state").stat(), (tmp_path / "state" / "status.json").stat()
    assert [stat.st_mode & 0o777 for stat in found] == [0o700, 0o600]
