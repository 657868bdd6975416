"""Cameras that give a picture, none, or hang, opened for real."""

import socket
import time

import numpy as np
import pytest
from PIL import Image

from edge.config import CameraConfig
from edge.doctor.bounded import Task, run_bounded
from edge.doctor.camera import HANGING_CAMERA, camera
from edge.doctor.check import CheckState
from tests.support.cameras import HEIGHT, WIDTH, mjpeg_camera


def test_no_camera_at_all_is_a_warning_that_says_where_to_name_one():
    check = camera(CameraConfig(), in_use=False)
    assert check.state is CheckState.WARNING and "set [camera] source" in check.fix


def test_a_camera_that_is_not_there_is_a_failure_with_what_to_do():
    check = camera(CameraConfig(source="/dev/video99"), in_use=False)
    assert check.state is CheckState.FAILURE and "/dev/video99" in check.detail and check.fix
    check = camera(CameraConfig(source="/dev/video99"), in_use=True)
    assert check.state is CheckState.WARNING and "systemctl stop ewaste-line" in check.fix


def test_a_folder_of_pictures_gives_one(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    check = camera(CameraConfig(source=str(tmp_path)), in_use=False)
    assert check.state is CheckState.OK and "1280x720 px" in check.detail
    (tmp_path / "1.png").write_bytes(b"no picture")
    check = camera(CameraConfig(source=str(tmp_path)), in_use=False)
    assert check.state is CheckState.FAILURE and check.fix


@pytest.mark.parametrize(
    ("kind", "state", "words"),
    [
        ("noise", CheckState.OK, f"a picture of {WIDTH}x{HEIGHT} px"),
        ("black", CheckState.FAILURE, "check the light and the lens cap"),
        ("small", CheckState.FAILURE, "set width and height in [camera]"),
    ],
)
def test_a_network_camera_is_judged_by_its_picture(kind, state, words):
    with mjpeg_camera(kind) as server:
        config = CameraConfig(source=server.url, width=WIDTH, height=HEIGHT, fps=10)
        check = camera(config, in_use=False)
    assert check.state is state and words in f"{check.detail}; {check.fix}"


def test_a_camera_that_hangs_does_not_hang_the_doctor():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = CameraConfig(source=f"http://127.0.0.1:{silent.getsockname()[1]}/belt")
        task = Task("camera", 2.0, lambda: [camera(config, in_use=False)], HANGING_CAMERA)
        started_at = time.monotonic()
        (check,) = run_bounded([task])
        assert time.monotonic() - started_at < 4
    assert check.state is CheckState.FAILURE and check.detail == "no answer within 2 s"
    assert "pull its plug" in check.fix
