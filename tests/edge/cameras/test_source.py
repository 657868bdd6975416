import http.server
import os
import threading
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from edge.cameras.camera import Camera
from edge.cameras.device import HIDDEN, DeviceSettings, is_live, is_usb, shown_source
from edge.cameras.folder import PictureFolder
from edge.cameras.opening import open_device
from edge.cameras.source import open_camera
from edge.clock import VirtualClock
from edge.config import CameraConfig, device_settings, patience
from edge.errors import BadInput, EwasteError


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for gray in (50, 60, 70):
        writer.write(np.full((120, 160, 3), gray, np.uint8))
    writer.release()
    return path.read_bytes()


def opened(config: CameraConfig) -> Camera:
    return open_camera(device_settings(config), patience(config), VirtualClock())


@contextmanager
def served(content: bytes):
    """Serve `content` at the address that this gives, with the list of what was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/film.avi", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("source", "live"),
    [
        ("007", True),
        ("/dev/v4l/by-id/usb-Cam_1234-video-index0", True),
        ("/dev/belt-camera", True),
        ("RTSP://camera/1", True),
        ("1000", False),
        ("²", False),
        ("-1", False),
        ("http", False),
        ("rtsp:foo", False),
        ("rtsp", False),
        ("foo://camera/1", False),
        ("file:///etc/passwd", False),
        ("concat:/etc/passwd|/etc/group", False),
        ("subfile,,start,0,end,9,,:/etc/passwd", False),
        ("pipe:0", False),
        ("data:image/png;base64,AAAA", False),
        ("/dev/shm/film.mp4", False),
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


def test_a_folder_is_a_camera_and_what_is_nothing_is_reported(tmp_path):
    Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(tmp_path / "1.png")
    camera = opened(CameraConfig(source=str(tmp_path)))
    assert isinstance(camera, PictureFolder) and camera.read().pixels.shape == (720, 1280, 3)
    with pytest.raises(BadInput, match="no such video file, folder, URL or camera"):
        opened(CameraConfig(source=str(tmp_path / "nothing")))


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


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://camera:554", "rtsp://camera:554"),
        ("rtsp://me:se@cret@camera:554/1", "rtsp://camera:554"),
        ("rtsp://admin:s3cret@[fe80::1%eth0]:554/1", "rtsp://[fe80::1%eth0]:554"),
        ("http://camera/video.cgi?user=admin&pwd=s3cret", "http://camera"),
        ("http://camera?token=s3cret", "http://camera"),
        ("rtsp://camera/live/admin/s3cret/ch1", "rtsp://camera"),
        ("rtsp://camera#s3cret", "rtsp://camera"),
        ("rtsp://admin:s3/cret@camera:554/1", f"rtsp://{HIDDEN}"),
        ("rtsp://admin:554/s3cret@camera/1", f"rtsp://{HIDDEN}"),
        ("rtsp://admin:s3?cret@camera/1", f"rtsp://{HIDDEN}"),
        ("rtsp://admin:s3\\cret@camera/1", f"rtsp://{HIDDEN}"),
        ("http://camera/video?pwd=x@s3cret", f"http://{HIDDEN}"),
        ("rtsp://admin:s3cret", f"rtsp://{HIDDEN}"),
        ("rtsp://s3 cret", f"rtsp://{HIDDEN}"),
        ("RTSP://me:s3cret@camera/1", "RTSP://camera"),
        ("foo://me:s3cret@camera/1", HIDDEN),
        ("me:s3cret@x://camera", HIDDEN),
        ("rtsp:/me:s3cret@camera/1", HIDDEN),
        ("rtsp:me:s3cret", HIDDEN),
        ("me:s3cret@camera/1", HIDDEN),
        ("camera/video.cgi?user=me&pwd=s3cret", HIDDEN),
        ("/dev/video0", "/dev/video0"),
        ("10.0.0.7:554/user=admin&password=s3cret&channel=1.sdp", HIDDEN),
        ("rtsp//10.0.0.7/user=admin_password=s3cret", HIDDEN),
        ("rtsp;//admin:s3cret", HIDDEN),
        ("admin:s3cret%40h/1", HIDDEN),
        ("admin:s3cret\uff2010.0.0.7", HIDDEN),
        ("cam.lan:8080/video/token/s3cret", HIDDEN),
        ("belt at 10:30.mp4", "belt at 10:30.mp4"),
    ],
)
def test_of_an_address_nothing_is_shown_that_may_be_secret(source, shown):
    assert shown_source(source) == shown


@given(st.text(), st.sampled_from(["rtsp://", "http://", "foo://", "rtsp:/", "rtsp:", "", "//"]))
@example("/@#", "rtsp://")
@example("://", "")
def test_no_password_gets_through_whatever_is_in_it(odd, scheme):
    """It stands before the host, as people type it: not one of its signs is quoted."""
    secret = f"s3cret{odd}cret3"
    for address in (f"{scheme}admin:{secret}@camera/1", f"{scheme}{secret}@camera"):
        shown = shown_source(address)
        assert "s3cret" not in shown and "cret3" not in shown


def test_a_link_to_a_device_is_a_camera_and_an_unplugged_one_too(tmp_path):
    for target in ("/dev/null", "/dev/video99"):
        link = tmp_path / f"camera at {target[5:]}"
        link.symlink_to(target)
        assert is_usb(str(link))
        with pytest.raises(EwasteError, match="cannot be opened as a video"):
            open_device(DeviceSettings(str(link), 320, 240))


ODD_NAMES = (
    *("0", "picamera2", "http", "rtsp:foo", "film%03d.avi", "a [1] (2){3}.avi", "#?&=.avi"),
    *(
        "-f.avi",
        "concat:a|b.avi",
        "file:b",
        "*.avi",
        "b\nb.avi",
        "film '\".avi",
        "Größe 🔋.avi",
        "simulated",
    ),
)


@pytest.mark.parametrize("name", [*ODD_NAMES, b"odd-\xff.avi"])
def test_a_film_may_have_any_name(tmp_path, monkeypatch, name, film, capfd):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(name)
    Path(name).write_bytes(film)
    camera = opened(CameraConfig(source=name, width=160, height=120))
    assert camera.read().pixels.shape == (120, 160, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a%03d.png", "*.jpg", "0.png", "rtsp:x.jpg", "b?.webp"])
def test_a_picture_is_itself_and_no_row_of_pictures(tmp_path, name):
    path = tmp_path / name
    Image.new("RGB", (160, 120), (10, 20, 30)).save(path)
    Image.new("RGB", (160, 120)).save(tmp_path / "a001.png")
    camera = opened(CameraConfig(source=str(path), width=160, height=120))
    assert camera.read().pixels.mean() == pytest.approx(20, abs=2)
    assert camera.read() is None


def test_a_list_that_names_other_files_or_addresses_is_no_film(tmp_path, film):
    (tmp_path / "film.avi").write_bytes(film)
    with served(film) as (address, asked):
        for content in (
            f"#EXTM3U\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
            f"RTSPtext{address.replace('http', 'rtsp')}",
            f"ffconcat version 1.0\nfile {address}\n",
        ):
            (tmp_path / "list.m3u8").write_text(content)
            with pytest.raises(BadInput, match="cannot be opened as a video"):
                opened(CameraConfig(source=str(tmp_path / "list.m3u8")))
        assert asked == []


@pytest.mark.parametrize(
    "source", ["foo://me:s3cret@camera", "file:///etc/me:s3cret@x", "s3cret@x", " "]
)
def test_what_is_no_camera_is_reported_without_its_secret(source):
    with pytest.raises(BadInput) as caught:
        opened(CameraConfig(source=source))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "rtsp://camera", "lock": True}, "set in a network camera itself"),
        ({"source": "rtsp://camera", "exposure_us": 900}, "set in a network camera itself"),
        ({"source": "0", "gain": 2.0}, "no gain"),
        ({"source": "0", "format": "BGR888"}, "four letters"),
    ],
)
def test_what_a_kind_of_camera_cannot_be_set_is_refused(changes, message):
    with pytest.raises(BadInput, match=message):
        open_device(DeviceSettings(**{"width": 320, "height": 240, **changes}))
