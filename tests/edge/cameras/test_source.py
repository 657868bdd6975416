import numpy as np
import pytest
from PIL import Image

from edge.cameras.device import DeviceSettings, is_live, open_device, shown_source
from edge.cameras.folder import PictureFolder
from edge.cameras.source import device_settings, open_camera, patience
from edge.clock import VirtualClock
from edge.config import CameraConfig
from edge.errors import BadInput


@pytest.mark.parametrize(
    ("source", "live"),
    [
        ("picamera2", True),
        ("picamera2:1", True),
        ("0", True),
        ("/dev/video2", True),
        ("rtsp://camera/1", True),
        ("http://camera/video", True),
        ("belt.mp4", False),
        ("picamera2.mp4", False),
    ],
)
def test_which_sources_are_live(source, live):
    assert is_live(source) is live


def test_a_folder_is_a_camera_and_what_is_nothing_is_told(tmp_path):
    Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(tmp_path / "1.png")
    camera = open_camera(CameraConfig(source=str(tmp_path)), VirtualClock())
    assert isinstance(camera, PictureFolder) and camera.read().pixels.shape == (720, 1280, 3)
    with pytest.raises(BadInput, match="no such video file, folder, URL or camera"):
        open_camera(CameraConfig(source=str(tmp_path / "nothing")), VirtualClock())


def test_every_setting_of_the_camera_reaches_its_device():
    config = CameraConfig(
        source="picamera2",
        width=640,
        height=480,
        fps=12,
        format="RGB888",
        exposure_us=900,
        gain=2,
        white_balance=(1.2, 1.4),
        lock=True,
        latency_s=0.2,
        stall_s=2,
        restart_s=6,
        give_up_s=70,
        frozen_s=3,
    )
    settings, waits = vars(device_settings(config)), vars(patience(config))
    given = {**settings, **waits}
    assert given.pop("frozen_picture") is None
    assert given == config.model_dump()


def test_the_waits_must_grow():
    for waits in ({"stall_s": 5, "restart_s": 5}, {"restart_s": 60, "give_up_s": 60}):
        with pytest.raises(ValueError, match="stall_s must be less"):
            CameraConfig(**waits)
    CameraConfig(restart_s=600, give_up_s=0)


def test_passwords_are_not_shown():
    assert shown_source("rtsp://me:se@cret@camera:554/1") == "rtsp://camera:554/1"
    assert shown_source("rtsp://camera/a@b") == "rtsp://camera/a@b"
    assert shown_source("/dev/video0") == "/dev/video0"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "rtsp://camera", "lock": True}, "set in a network camera itself"),
        ({"source": "rtsp://camera", "exposure_us": 900}, "set in a network camera itself"),
        ({"source": "0", "gain": 2.0}, "no gain"),
        ({"source": "0", "format": "BGR888"}, "four letters"),
    ],
)
def test_what_a_kind_of_camera_cannot_be_told_is_refused(changes, told):
    with pytest.raises(BadInput, match=told):
        open_device(DeviceSettings(**{"width": 320, "height": 240, **changes}))
