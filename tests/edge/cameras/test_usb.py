"""The USB camera on a film instead of a driver, which no test machine has."""

import cv2
import numpy as np
import pytest

from edge.cameras import usb
from edge.cameras.device import DeviceSettings


class Film:
    """A film that notes what it is asked, and has an automatic that found something."""

    def __init__(self, path: str) -> None:
        film = cv2.VideoCapture(path)
        self.read, self.release = film.read, film.release
        self.asked: list[tuple[int, float]] = []

    def set(self, name: int, value: float) -> bool:
        self.asked.append((name, value))
        return True

    def get(self, name: int) -> float:
        found = {cv2.CAP_PROP_EXPOSURE: 156.0, cv2.CAP_PROP_WB_TEMPERATURE: 4600.0}
        return found.get(name, 0.0)


@pytest.fixture
def film(tmp_path, monkeypatch):
    path = str(tmp_path / "belt.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for _ in range(3):
        writer.write(np.full((240, 320, 3), (20, 40, 200), np.uint8))  # B, G, R
    writer.release()
    film = Film(path)
    monkeypatch.setattr(usb, "open_v4l2", lambda source: film)
    return film


def test_it_asks_for_the_format_first_and_gives_rgb_until_there_is_no_more(film):
    device = usb.UsbDevice(DeviceSettings("0", 320, 240, 25, exposure_us=2000))
    assert film.asked[:4] == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 320),
        (cv2.CAP_PROP_FRAME_HEIGHT, 240),
        (cv2.CAP_PROP_FPS, 25),
    ]
    assert film.asked[-2:] == [(cv2.CAP_PROP_AUTO_EXPOSURE, 1), (cv2.CAP_PROP_EXPOSURE, 20)]
    pixels, _ = device.read()
    assert pixels.shape == (240, 320, 3)
    assert pixels[100, 100].tolist() == pytest.approx([200, 40, 20], abs=12)
    assert device.read() and device.read() and device.read() is None
    device.close()


def test_a_lock_keeps_what_the_automatic_found(film, monkeypatch):
    monkeypatch.setattr(usb, "SETTLE_S", 0.0)
    device = usb.UsbDevice(DeviceSettings("0", 320, 240, lock=True))
    before = len(film.asked)
    device.read()
    device.read()
    assert film.asked[before:] == [
        (cv2.CAP_PROP_AUTO_EXPOSURE, 1),
        (cv2.CAP_PROP_EXPOSURE, 156.0),
        (cv2.CAP_PROP_AUTO_WB, 0),
        (cv2.CAP_PROP_WB_TEMPERATURE, 4600.0),
    ]
