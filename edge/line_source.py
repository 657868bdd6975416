"""Where a line gets its frames: the camera, the encoder of the belt under it, and their time."""

import logging
from dataclasses import dataclass

from edge.cameras.camera import Camera
from edge.cameras.device import is_live
from edge.cameras.source import open_camera
from edge.cameras.watched import WatchedCamera
from edge.clock import Clock, SystemClock, VirtualClock
from edge.config import Config, device_settings, patience
from edge.encoders.checked_encoder import CheckedEncoder
from edge.encoders.encoder import Encoder, TimedEncoder
from edge.encoders.gpio_encoder import GpioEncoder
from edge.encoders.pulses import PulseEncoder
from edge.encoders.visual_odometer import Odometer
from edge.errors import BadInput
from edge.gates.output import GateOutput
from edge.sensors.watch import SensorWatch
from edge.sensors.wiring import open_sensors

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where a line gets its frames: the camera, the belt under it, and their time.

    `gates` and `sensors` are those of a simulated belt; None: the configured ones.
    """

    camera: Camera
    encoder: Encoder
    clock: Clock
    gates: GateOutput | None
    sensors: SensorWatch | None = None


def sensors_of(config: Config, source: Source) -> SensorWatch:
    """The configured sensors; none for a recorded or simulated belt, which nothing is beside.

    Raises:
        BadInput: one cannot be used.
    """
    if isinstance(source.clock, SystemClock) and is_live(config.camera.source):
        return open_sensors(config, source.clock, source.encoder)
    if config.sensors:
        log.warning("a recorded belt has no other sensors; each item is decided without them")
    return SensorWatch((), source.clock.now, source.encoder.position_mm)


def open_source(config: Config) -> Source:
    """Open the configured camera, live, file or folder, and the belt's encoder.

    Raises:
        BadInput: one does not open.
    """
    # A recorded belt is worked through as fast as it can be, but in its own time.
    clock = SystemClock() if is_live(config.camera.source) else VirtualClock()
    camera = open_camera(device_settings(config.camera), patience(config.camera), clock)
    try:
        camera, encoder = with_encoder(config, camera, clock)
    except BaseException:
        camera.close()
        raise
    return Source(camera, encoder, clock, None)


def with_encoder(config: Config, camera: Camera, clock: Clock) -> tuple[Camera, Encoder]:
    """The configured encoder, and the camera, whose frames it sees first if it measures by them.

    Raises:
        BadInput: its pins cannot be used, or pulses are asked for with a recorded belt.
    """
    belt = config.belt
    if belt.encoder == "time":
        return camera, TimedEncoder(belt.speed_mm_s, clock.now())
    odometer = Odometer(config.geometry, belt.speed_mm_s)
    if belt.encoder == "camera":
        return WatchedCamera(camera, odometer.see), odometer
    if not is_live(config.camera.source):
        raise BadInput('a recorded belt sends no pulses; set [belt] encoder = "camera"')
    assert belt.mm_per_pulse is not None and belt.pulse_pin is not None, "the configuration says so"
    pulses = PulseEncoder(belt.mm_per_pulse, belt.limit_mm_s, clock.now())
    wires = GpioEncoder(belt.pulse_pin, belt.pulse_pin_b, pulses, clock, simulated=config.simulated)
    checked = CheckedEncoder(pulses, odometer)
    return WatchedCamera(camera, checked.see, wires.release), checked
