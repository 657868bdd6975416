import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from edge.belt.detector import Detector
from edge.belt.encoder import TimedEncoder
from edge.belt.geometry import Geometry
from edge.belt.tracker import Tracker
from edge.cameras.opencv import OpenCVCamera
from edge.clock import SystemClock, VirtualClock
from edge.errors import BadInput, EwasteError
from edge.simulator.scene import Scene, drawn_pieces, place_items

VIEW = Geometry(640, 360, 1.25)


def write_video(path, frames, fps):
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return str(path)


def grey_frames(count, size=(120, 160)):
    return [np.full((*size, 3), 10 * index, np.uint8) for index in range(count)]


def read_all(camera):
    frames = []
    while (frame := camera.read()) is not None:
        frames.append(frame)
    return frames


def test_file_gives_its_frames_at_its_own_timing_and_ends(tmp_path):
    red = np.zeros((120, 160, 3), np.uint8)
    red[..., 0] = 200
    path = write_video(tmp_path / "belt.mp4", [*grey_frames(11), red], fps=20)
    clock = VirtualClock(start=50.0)
    camera = OpenCVCamera(path, clock)
    frames = read_all(camera)
    assert [frame.sequence for frame in frames] == list(range(12))
    assert [frame.captured_at for frame in frames] == pytest.approx(
        [50 + index / 20 for index in range(12)]
    )
    assert clock.now() == pytest.approx(50.55)
    assert frames[7].pixels.mean() == pytest.approx(70, abs=4)
    assert frames[-1].pixels[60, 80] == pytest.approx([200, 0, 0], abs=12)  # RGB, not BGR
    camera.close()
    camera.close()
    assert camera.read() is None


def test_file_is_paced_and_a_slow_reader_loses_frames(tmp_path):
    path = write_video(tmp_path / "belt.mp4", grey_frames(12), fps=20)
    clock = VirtualClock()
    camera = OpenCVCamera(path, clock, width=80, height=60)
    assert camera.read().pixels.shape == (60, 80, 3)
    clock.sleep(0.32)
    frame = camera.read()
    assert (frame.sequence, frame.captured_at) == (6, pytest.approx(0.3))
    assert frame.pixels.mean() == pytest.approx(60, abs=4)
    clock.sleep(60.0)
    assert camera.read() is None


@pytest.mark.parametrize("content", [None, b"", b"no video"])
def test_what_is_no_video_is_one_line(tmp_path, capfd, content):
    path = tmp_path / "belt.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"belt\.mp4") as error:
        OpenCVCamera(str(path), VirtualClock())
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("source", [63, "63", "/dev/video63", "http://127.0.0.1:9/stream"])
def test_camera_that_is_not_there_is_one_line(capfd, source):
    with pytest.raises(BadInput, match="cannot be opened"):
        OpenCVCamera(source, VirtualClock())
    assert capfd.readouterr().err == ""


class Stream(BaseHTTPRequestHandler):
    """Ten JPEG pictures as MJPEG, then the connection breaks off."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        picture = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
        for _ in range(10):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture + b"\r\n")
            time.sleep(0.03)

    def log_message(self, *_):
        pass


def test_stream_that_breaks_off_is_opened_again(monkeypatch):
    monkeypatch.setattr("edge.cameras.opencv.LEAST_PAUSE_S", 0.05)
    monkeypatch.setattr("edge.cameras.opencv.MOST_PAUSE_S", 0.1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    camera = OpenCVCamera(f"http://127.0.0.1:{server.server_port}/", SystemClock())
    try:
        frames = [camera.read() for _ in range(15)]
        server.shutdown()
        server.server_close()
        monkeypatch.setattr("edge.cameras.opencv.TIMEOUT_S", 0.3)
        with pytest.raises(EwasteError, match="gives no frames"):
            read_all(camera)
    finally:
        camera.close()
    sequences = [frame.sequence for frame in frames]
    times = [frame.captured_at for frame in frames]
    assert sequences == sorted(set(sequences))
    assert times == sorted(times)
    assert frames[-1].sequence >= 14
    assert frames[-1].pixels[60, 80] == pytest.approx([90, 90, 90], abs=4)
    assert camera.read() is None


def test_items_filmed_into_a_file_are_counted_once_each(tmp_path):
    items = place_items(drawn_pieces(6, VIEW), 10, seed=6, geometry=VIEW)
    scene, encoder = Scene(items, VIEW, seed=6), TimedEncoder(250.0, started_at=0.0)
    frames = [scene.render(at * 25.0) for at in range(int(scene.end_mm / 25) + 1)]
    path = write_video(tmp_path / "belt.mp4", frames, fps=10)
    detector, tracker, found = Detector(VIEW), Tracker(), {}
    for frame in read_all(OpenCVCamera(path, VirtualClock())):
        encoder_mm = encoder.position_mm(frame.captured_at)
        detections = detector.detect(frame.pixels)
        for item, _ in tracker.update(detections, VIEW, encoder_mm, frame.captured_at):
            found[item.number] = item.position_mm
    assert [found[number] for number in sorted(found)] == pytest.approx(
        [item.position_mm for item in items], abs=10.0
    )
