"""Network cameras on loopback that can be killed, stopped and started again at the same port."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, FPS = 320, 240, 10
SYSTEM_PYTHON = "/usr/bin/python3"
"""Has the GStreamer bindings of the distribution (apt install gir1.2-gst-rtsp-server-1.0 ...)."""
RTSP_PARTS = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert all(Gst.ElementFactory.find(name) for name in ('x264enc', 'rtph264pay'))"
)


class NetworkCamera:
    """A server in a process of its own."""

    def __init__(self, *command: str) -> None:
        self.port = free_port()
        self._command = [*command, str(self.port)]
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start, and wait until the port answers."""
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("the server does not answer")

    def kill(self) -> None:
        """As if its power was cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Let it hang: connections stay open, nothing comes."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def mjpeg_camera(kind: str = "noise"):
    """MJPEG over HTTP by the standard library. `kind`: noise, black, frozen, small, shrinking."""
    camera = NetworkCamera(sys.executable, str(Path(__file__)), kind)
    camera.url = f"http://127.0.0.1:{camera.port}/belt.mjpg"
    try:
        camera.start()
        yield camera
    finally:
        camera.kill()


@contextmanager
def rtsp_camera():
    """H.264 over RTSP by a real GStreamer server."""
    program = Path(__file__).with_name("rtsp_server.py")
    camera = NetworkCamera(SYSTEM_PYTHON, str(program), str(WIDTH), str(HEIGHT), str(FPS))
    camera.url = f"rtsp://127.0.0.1:{camera.port}/belt"
    try:
        camera.start()
        yield camera
    finally:
        camera.kill()


def why_no_rtsp() -> str:
    """Why no RTSP server can be had here; empty when it can."""
    if not os.access(SYSTEM_PYTHON, os.X_OK):
        return f"no {SYSTEM_PYTHON}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    tried = subprocess.run(
        [SYSTEM_PYTHON, "-c", RTSP_PARTS], capture_output=True, text=True, env=environment
    )
    return "" if tried.returncode == 0 else "GStreamer's RTSP server is not installed"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stream(http.server.BaseHTTPRequestHandler):
    """One endless answer of JPEG pictures."""

    kind = "noise"
    noise = np.random.default_rng(0)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        count = 0
        while True:
            jpeg = cv2.imencode(".jpg", self.picture(count))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
            count += 1
            time.sleep(1 / FPS)

    def picture(self, count: int) -> np.ndarray:
        kind = self.kind
        if kind == "black":
            return np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        if kind == "frozen":
            return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        small = kind == "small" or (kind == "shrinking" and count >= 10)
        scale = 2 if small else 1
        gray = self.noise.integers(80, 100, (HEIGHT // scale, WIDTH // scale, 1), np.uint8)
        return np.repeat(gray, 3, axis=2)

    def log_message(self, *_) -> None:
        pass


if __name__ == "__main__":
    Stream.kind = sys.argv[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Stream)
    server.daemon_threads = True
    server.serve_forever()
