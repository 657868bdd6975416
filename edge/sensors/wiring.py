"""The other sensors that the configuration of a line names."""

import logging
from collections.abc import Iterator

from edge.belt.touching import LONGEST_ITEM_MM
from edge.clock import Clock
from edge.config import Config, SensorConfig
from edge.encoders.encoder import Encoder
from edge.errors import BadInput
from edge.sensors.gpio import GpioSensor
from edge.sensors.inbox import Inbox, ThreadedSensor
from edge.sensors.matching import SensorPlace
from edge.sensors.modbus import ModbusSensorLink
from edge.sensors.mqtt import MqttSensorLink
from edge.sensors.reading import Sensor
from edge.sensors.watch import SensorWatch

log = logging.getLogger(__name__)

TIMEOUT_S = 0.5
"""For an answer of a Modbus device with a host of its own."""


def open_sensors(config: Config, clock: Clock, encoder: Encoder) -> SensorWatch:
    """Start the threads of the configured sensors, which try until they reach them.

    Args:
        config: names them.
        clock: of the line, a real one.
        encoder: where the belt is.

    Raises:
        BadInput: a package is not installed, or a pin or a file cannot be used.
    """
    for note in sensor_notes(config):
        log.warning(note)
    opened: list[tuple[SensorPlace, Sensor]] = []
    try:
        for sensor in config.sensors:
            opened.append((place_of(sensor), open_sensor(config, sensor, clock)))
    except BaseException:
        for _, each in opened:
            each.close()
        raise
    return SensorWatch(opened, clock.now, encoder.position_mm)


def open_sensor(config: Config, sensor: SensorConfig, clock: Clock) -> Sensor:
    """Start the thread of one sensor.

    Raises:
        BadInput: a package is not installed, or a pin or a file cannot be used.
    """
    inbox = Inbox(sensor.name, clock, least_value=sensor.least_value)
    name = f"sensor {sensor.name}"
    if sensor.pin is not None:
        return GpioSensor(sensor.pin, inbox, clock, simulated=config.simulated)
    if sensor.topic is not None:
        assert config.mqtt is not None, "the configuration says so"
        return ThreadedSensor(name, inbox, MqttSensorLink(config.mqtt, sensor.topic, inbox))
    plc = config.modbus
    if sensor.host is not None:
        host, port, unit, timeout_s = sensor.host, sensor.port, sensor.unit, TIMEOUT_S
    elif plc is not None:
        host, port, unit, timeout_s = plc.host, plc.port, plc.unit, plc.timeout_s
    else:
        raise BadInput(f"{name} needs a host, or the PLC of [modbus]")
    link = ModbusSensorLink(
        host=host,
        port=port,
        unit=unit,
        timeout_s=timeout_s,
        registers=sensor.registers,
        coil=sensor.coil,
        poll_s=sensor.poll_s,
        has_value=sensor.least_value is not None,
        inbox=inbox,
        clock=clock,
    )
    return ThreadedSensor(name, inbox, link)


def place_of(sensor: SensorConfig) -> SensorPlace:
    """Where a sensor is, and when its answer comes: what is polled is known so much later."""
    polled_s = sensor.poll_s if sensor.is_modbus else 0.0
    return SensorPlace(
        name=sensor.name,
        distance_mm=sensor.distance_mm,
        window_mm=sensor.window_mm,
        least_delay_s=sensor.delay_s[0],
        most_delay_s=sensor.delay_s[1] + polled_s,
        silent_s=None if sensor.pin is not None else sensor.silent_s,
    )


def sensor_notes(config: Config) -> Iterator[str]:
    """Warnings about sensors whose answer comes too late for long items."""
    for sensor in config.sensors:
        longest_mm = config.longest_heard_mm(sensor)
        if longest_mm < (config.belt.longest_item_mm or LONGEST_ITEM_MM):
            yield (
                f"sensor {sensor.name}: its answer is too late for items longer than "
                f"{longest_mm:,.0f} mm, which are decided without it; move it up the belt, or the "
                "gates down"
            )
