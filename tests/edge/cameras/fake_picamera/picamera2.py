"""A fake picamera2 that does what the file named in FAKE_PICAMERA says, when it says it.

good, black, frozen; plain (good, but with no controls, as a webcam has none); small (another size);
silent (a wait that times out); hang (a wait that never ends, as in picamera2's issues 794 and 962,
until the process is gone); crash; absent (no camera).
What it has of the real package is checked against that in test_picamera.py.
"""

import os
import time
from pathlib import Path

import numpy as np


def mode() -> str:
    return Path(os.environ["FAKE_PICAMERA"]).read_text()


class CompletedRequest:
    def __init__(self, pixels: np.ndarray, metadata: dict) -> None:
        self._pixels, self._metadata = pixels, metadata

    def make_array(self, name: str) -> np.ndarray:
        assert name == "main"
        return self._pixels

    def get_metadata(self) -> dict:
        return self._metadata

    def release(self) -> None:
        pass


class Picamera2:
    def __init__(self, camera_num=0, verbose_console=None, tuning=None, allocator=None) -> None:
        if mode() == "absent":
            raise IndexError("list index out of range")  # what the real one says
        self.controls: dict = {}
        self._noise = np.random.default_rng(0)

    @property
    def camera_controls(self) -> dict:
        names = ("FrameDurationLimits", "ExposureTime", "AnalogueGain", "ColourGains")
        offered = () if mode() == "plain" else (*names, "AeEnable", "AwbEnable")
        return dict.fromkeys(offered, (0, 1, 0))

    def create_video_configuration(self, main={}, controls={}) -> dict:  # noqa: B006
        return {"main": main, "controls": controls}

    def configure(self, camera_config=None) -> None:
        self._size = camera_config["main"]["size"]
        self._format = camera_config["main"]["format"]
        self.set_controls(camera_config["controls"])

    def stream_configuration(self, name="main") -> dict:
        return {"size": self._size, "format": self._format}

    def start(self, config=None, show_preview=False) -> None:
        pass

    def set_controls(self, controls) -> None:
        for name in controls:
            if {"FrameRate": "FrameDurationLimits"}.get(name, name) not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.controls |= controls

    def capture_request(self, wait=None, signal_function=None, flush=None) -> CompletedRequest:
        doing = mode()
        if doing == "hang":
            time.sleep(1e6)
        if doing == "crash":
            os._exit(11)
        if doing == "silent":
            time.sleep(wait)
            raise TimeoutError
        exposed_at = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        time.sleep(1 / self.controls.get("FrameRate", 30))
        return CompletedRequest(
            self._picture(doing),
            {
                "SensorTimestamp": exposed_at,
                "ExposureTime": 4000,
                "AnalogueGain": 2.0,
                "ColourGains": (1.5, 1.7),
            },
        )

    def close(self) -> None:
        pass

    def _picture(self, doing: str) -> np.ndarray:
        """Reddish noise."""
        width, height = self._size
        if doing == "small":
            width, height = width // 2, height // 2
        if doing == "black":
            return np.zeros((height, width, 3), np.uint8)
        if doing == "frozen":
            return np.full((height, width, 3), 90, np.uint8)
        pixels = self._noise.integers(60, 80, (height, width, 3), np.uint8)
        pixels[..., 2 if self._format == "RGB888" else 0] = 200
        return pixels
