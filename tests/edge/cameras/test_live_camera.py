"""Live cameras that are killed, stopped, hung, blinded and given back, each for real."""

import os
import signal
import statistics
import subprocess
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from edge.cameras.camera import Frame, NoFrame
from edge.cameras.live import LiveCamera
from edge.cameras.recovery import Patience
from edge.errors import BadInput, CameraLost
from tests.support.cameras import HEIGHT, WIDTH, mjpeg_camera, rtsp_camera, why_no_rtsp
from tests.support.live_camera import open_live

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]
LONGEST_S = 45.0
"""Machines that run tests are slow and shared."""


class Watcher:
    """Reads a camera as the line does."""

    def __init__(self, camera: LiveCamera) -> None:
        self.camera, self.slowest_s, self.sequence, self.captured_at = camera, 0.0, -1, 0.0

    def read(self) -> Frame | NoFrame:
        began_at = time.monotonic()
        got = self.camera.read()
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_at)
        if isinstance(got, Frame):
            assert got.sequence > self.sequence and got.captured_at > self.captured_at
            assert got.pixels.shape == (HEIGHT, WIDTH, 3)
            self.sequence, self.captured_at = got.sequence, got.captured_at
        return got

    def until(self, condition) -> tuple[float, Frame | NoFrame]:
        """How long it took until something `condition` was read, and that."""
        began_at = time.monotonic()
        while time.monotonic() - began_at < LONGEST_S:
            got = self.read()
            if condition(got):
                return time.monotonic() - began_at, got
        raise AssertionError(f"not within {LONGEST_S} s")


def is_frame(got) -> bool:
    return isinstance(got, Frame)


def is_fault(got) -> bool:
    return isinstance(got, NoFrame) and bool(got.fault)


@pytest.fixture
def go_through(injected):
    """Causes a fault, sees it noticed, removes it, sees frames again."""
    return partial(faulted, injected)


def faulted(injected, name, camera, cause, remedy=lambda: None, *, away_s=0.0) -> tuple[str, int]:
    """What the fault was called, and how many new processes it took."""
    watcher, restarts = Watcher(camera), camera.restarts
    for _ in range(5):
        watcher.until(is_frame)
    cause()
    noticed_s, got = watcher.until(is_fault)
    end_at = time.monotonic() + away_s
    while time.monotonic() < end_at:
        got = watcher.read()
        assert not is_frame(got)
    remedy()
    back_s, _ = watcher.until(is_frame)
    new = camera.restarts - restarts
    shown = got.fault.partition(": ")[2].partition(";")[0]
    injected(f"camera: {name}", f"gates closed: {shown}{renewed(new)}", noticed_s, back_s)
    # The line looks after its gates at least this often, whatever the camera does.
    assert watcher.slowest_s < 1.0
    return got.fault, new


def renewed(restarts: int) -> str:
    return f"; new process, {restarts}" if restarts else ""


@pytest.fixture
def fake_picamera(tmp_path, monkeypatch):
    """Sets what the fake picamera2 does."""
    mode = tmp_path / "mode"
    mode.write_text("good")
    folder = Path(__file__).with_name("fake_picamera")
    monkeypatch.setenv("FAKE_PICAMERA", str(mode))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(folder), str(ROOT))))
    return mode.write_text


@pytest.fixture
def picamera(fake_picamera):
    camera = open_live("picamera2")
    yield camera
    camera.close()


def test_mjpeg_server_killed_and_stopped_and_back(go_through):
    with mjpeg_camera() as server:
        camera = open_live(server.url)
        try:
            fault, new = go_through(
                "MJPEG server killed", camera, server.kill, server.start, away_s=1.0
            )
            assert "cannot be opened" in fault or "gives no more" in fault
            assert new == 0  # the process opens it again by itself
            go_through("MJPEG server stopped", camera, server.stop, server.go_on, away_s=3.0)
        finally:
            camera.close()
    assert camera.read() is None
    camera.close()


@pytest.mark.skipif(bool(why_no_rtsp()), reason=why_no_rtsp() or "installed")
def test_rtsp_server_killed_and_stopped_and_back(go_through):
    with rtsp_camera() as server:
        camera = open_live(server.url)
        try:
            go_through("RTSP server killed", camera, server.kill, server.start, away_s=1.0)
            go_through("RTSP server stopped", camera, server.stop, server.go_on, away_s=4.0)
        finally:
            camera.close()


def test_a_read_that_hangs_for_ever_costs_a_new_process(go_through, picamera, fake_picamera):
    fault, new = go_through(
        "read hangs for ever",
        picamera,
        lambda: fake_picamera("hang"),
        lambda: fake_picamera("good"),
    )
    assert "no pictures" in fault and new >= 1


def test_a_capture_process_that_crashes_or_stops_is_replaced(
    go_through, injected, picamera, fake_picamera
):
    watcher = Watcher(picamera)
    watcher.until(is_frame)
    os.kill(picamera._process._process.pid, signal.SIGKILL)
    back_s, _ = watcher.until(lambda got: is_frame(got) and picamera.restarts)
    assert watcher.slowest_s < 1.0
    injected("camera: capture process killed", renewed(picamera.restarts)[2:], back_s=back_s)
    pid = picamera._process._process.pid
    _, new = go_through("capture process stopped", picamera, lambda: os.kill(pid, signal.SIGSTOP))
    assert new >= 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("mode", "name", "message"),
    [
        ("silent", "bounded wait runs out", "no"),
        ("frozen", "picture frozen", "frozen"),
        ("small", "another size in flight", "160x120 px instead of 320x240"),
        ("black", "picture black", "black"),
    ],
)
def test_a_fault_of_the_picture_is_reported_and_ends_with_its_cause(
    *, go_through, picamera, fake_picamera, mode, name, message
):
    fault, new = go_through(
        name, picamera, lambda: fake_picamera(mode), lambda: fake_picamera("good"), away_s=2.5
    )
    assert message in fault
    assert mode == "silent" or new == 0


def test_what_never_comes_back_ends_the_program_with_its_own_exit_code(fake_picamera):
    camera = open_live("picamera2", Patience(stall_s=0.5, restart_s=1.5, give_up_s=4.0))
    began_at = time.monotonic()
    fake_picamera("hang")
    with pytest.raises(CameraLost, match="did not come back in 4 s") as lost:
        Watcher(camera).until(lambda got: False)
    assert lost.value.exit_code == 4
    assert 3.5 < time.monotonic() - began_at < 15 and camera.restarts >= 1
    processes = [camera._process, *camera._discarded]
    camera.close()
    assert all(process.ended for process in processes)


def test_the_newest_frame_wins_and_the_others_are_counted(picamera):
    first = Watcher(picamera).until(is_frame)[1]
    time.sleep(1.0)
    began_at = time.monotonic()
    newest = picamera.read()
    assert time.monotonic() - newest.captured_at < 0.8
    assert newest.sequence - first.sequence >= 4
    assert time.monotonic() - began_at < 0.5
    assert newest.pixels[..., 0].mean() > 190  # red is first


def test_frames_are_timed_by_the_cameras_own_stamps(picamera):
    watcher, frames = Watcher(picamera), []
    while len(frames) < 15:
        frames.append(watcher.until(is_frame)[1])
    gaps = [b.captured_at - a.captured_at for a, b in pairwise(frames)]
    assert 0.08 < statistics.median(gaps) < 0.2  # 10 frames per second, taken one at a time


@pytest.mark.parametrize(
    ("mode", "message"), [("absent", "does not start"), ("small", "160x120 px")]
)
def test_a_camera_that_cannot_be_used_is_reported_at_the_start(fake_picamera, mode, message):
    fake_picamera(mode)
    with pytest.raises(BadInput, match=message) as refused:
        open_live("picamera2")
    assert "\n" not in str(refused.value)


def test_a_line_may_start_in_the_dark(fake_picamera):
    fake_picamera("black")
    camera = open_live("picamera2")
    watcher = Watcher(camera)
    assert "black" in watcher.until(is_fault)[1].fault
    fake_picamera("good")
    watcher.until(is_frame)
    camera.close()


@pytest.mark.parametrize("source", ["63", "/dev/video63", "http://me:secret@127.0.0.1:9/stream"])
def test_a_camera_that_is_not_there_is_one_line_without_passwords(capfd, source):
    with pytest.raises(BadInput, match="cannot be opened") as refused:
        open_live(source)
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)
    assert capfd.readouterr().err == ""


def test_the_capture_process_ends_with_the_line(fake_picamera):
    """Even if the line is killed while a read hangs."""
    program = (
        "import sys, time; from tests.support.live_camera import open_live; "
        "camera = open_live('picamera2'); print(camera._process._process.pid, flush=True); "
        "time.sleep(60)"
    )
    paths = os.pathsep.join((os.environ["PYTHONPATH"], str(Path(__file__).parent)))
    line = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    pid = int(line.stdout.readline())
    fake_picamera("hang")
    line.kill()
    line.wait()
    give_up_at = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
