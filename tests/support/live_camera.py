"""A live camera as the line opens it."""

from edge.cameras.device import DeviceSettings
from edge.cameras.live import LiveCamera
from edge.cameras.recovery import Patience
from edge.clock import SystemClock
from edge.config import CameraConfig
from tests.support.cameras import FPS, HEIGHT, WIDTH

PATIENCE, FROZEN_S = Patience(), CameraConfig().frozen_s


def open_live(source: str, patience: Patience = PATIENCE) -> LiveCamera:
    settings = DeviceSettings(source, WIDTH, HEIGHT, FPS, frozen_s=FROZEN_S)
    return LiveCamera(settings, SystemClock(), patience)
