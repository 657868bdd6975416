"""Whether the camera opens and gives a picture."""

import time

from edge.cameras.camera import Frame, NoFrame
from edge.cameras.device import Kind, is_live, kind_of, shown_source
from edge.cameras.source import open_camera
from edge.clock import Clock, SystemClock, VirtualClock
from edge.config import CameraConfig, device_settings, patience
from edge.doctor.check import BoardCheck, failed_with, failure, ok, warning
from edge.errors import EwasteError

NAME = "camera"
NO_CAMERA = "simulated"
HANGING_CAMERA = "pull its plug and put it in again, or check its address; see [camera] source"
FIXES = {
    Kind.PICAMERA: "check its cable at both ends, then type: rpicam-hello --list-cameras",
    Kind.V4L2: "check its cable, then type: v4l2-ctl --list-devices, and set [camera] source",
    Kind.STREAM: "check its power, network, and address, and set [camera] source",
}


def camera_fix(config: CameraConfig) -> str:
    """What to do about a camera that gives no picture."""
    return FIXES.get(kind_of(config.source), "check the path, and set [camera] source")


def camera(config: CameraConfig, *, in_use: bool) -> BoardCheck:
    """Open the configured camera as the line would, and wait for a picture. It may hang.

    Args:
        config: of the camera.
        in_use: whether a line that runs has it.
    """
    if config.source == NO_CAMERA:
        fix = 'set [camera] source, such as "picamera2" or 0, and give the file with --config'
        return warning(NAME, "no camera is configured", fix)
    shown = shown_source(config.source)
    if in_use and kind_of(config.source) in (Kind.PICAMERA, Kind.V4L2):
        fix = "look at the page of the line, or stop it first: systemctl stop ewaste-line"
        return warning(NAME, f"{shown}: not tried, a line that runs has it", fix)
    clock: Clock = SystemClock() if is_live(config.source) else VirtualClock()
    started_at = time.monotonic()
    try:
        opened = open_camera(device_settings(config), patience(config), clock)
        found = opened.read()
        while isinstance(found, NoFrame) and not found.fault:
            found = opened.read()
        opened.close()
    except EwasteError as error:
        return failed_with(NAME, error, camera_fix(config))
    if isinstance(found, Frame):
        height, width = found.pixels.shape[:2]
        took_s = time.monotonic() - started_at
        return ok(NAME, f"{shown}: a picture of {width}x{height} px after {took_s:.1f} s")
    reason = found.fault if found is not None else f"{shown}: it gives no picture"
    detail, _, remedy = reason.rpartition("; ")
    return failure(NAME, detail or reason, remedy if detail else camera_fix(config))
