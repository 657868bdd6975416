"""The camera that a configuration names."""

from pathlib import Path

from edge.cameras.camera import Camera
from edge.cameras.device import DeviceSettings, is_live
from edge.cameras.file import VideoFile
from edge.cameras.folder import PictureFolder
from edge.cameras.live import LiveCamera
from edge.cameras.recovery import Patience
from edge.clock import Clock
from edge.config import CameraConfig


def open_camera(config: CameraConfig, clock: Clock) -> Camera:
    """Open a live camera, a video file or a folder of pictures.

    Raises:
        BadInput: it cannot be opened, or cannot do what is asked of it.
    """
    if is_live(config.source):
        return LiveCamera(device_settings(config), clock, patience(config))
    path, size = Path(config.source), (config.width, config.height)
    if path.is_dir():
        return PictureFolder(path, clock, config.fps, size)
    return VideoFile(path, clock, size, config.fps)


def device_settings(config: CameraConfig) -> DeviceSettings:
    """What is asked of a live camera."""
    return DeviceSettings(
        source=config.source,
        width=config.width,
        height=config.height,
        fps=config.fps,
        format=config.format,
        exposure_us=config.exposure_us,
        gain=config.gain,
        white_balance=config.white_balance,
        lock=config.lock,
        latency_s=config.latency_s,
        frozen_s=config.frozen_s,
    )


def patience(config: CameraConfig) -> Patience:
    """What is done when a live camera gives nothing."""
    return Patience(config.stall_s, config.restart_s, config.give_up_s)
