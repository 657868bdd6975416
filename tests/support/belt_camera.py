"""A simulated belt as an MJPEG camera: python -m tests.support.belt_camera PORT."""

import http.server
import os
import sys
import threading
from contextlib import suppress

import cv2

from edge.cameras.camera import Frame
from edge.config import Config
from edge.service_notify import ServiceNotifier
from edge.simulator.simulate import demo_source

CAMERA = {"width": 640, "height": 360, "fps": 5.0}
"""As the configuration of the line must have it, with twice the default `mm_per_px`."""
MM_PER_PX = 1.25


class Belt:
    """The belt in real time, for whoever looks; it is drawn before anybody does."""

    def __init__(self) -> None:
        config = Config.model_validate({"camera": CAMERA, "belt": {"mm_per_px": MM_PER_PX}})
        self._camera, self._lock = demo_source(config, None, seed=1).camera, threading.Lock()

    def picture(self) -> bytes:
        """The next picture, as JPEG."""
        with self._lock:
            frame = self._camera.read()
        assert isinstance(frame, Frame), "the belt has ended"
        return cv2.imencode(".jpg", cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


class Stream(http.server.BaseHTTPRequestHandler):
    """One endless answer."""

    belt: Belt

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with suppress(OSError):  # the visitor has gone
            while True:
                jpeg = self.belt.picture()
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(b"--frame\r\n" + head.encode() + jpeg + b"\r\n")

    def log_message(self, *_) -> None:
        pass


if __name__ == "__main__":
    cv2.setNumThreads(1)
    Stream.belt = Belt()
    Stream.belt.picture()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stream)
    server.daemon_threads = True
    ServiceNotifier.from_environment(os.environ).beat(0.0, lambda: "filming")
    server.serve_forever()
