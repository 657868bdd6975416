"""A sensor with a contact at a pin of a Raspberry Pi, through gpiozero.

The contact pulls the pin to ground while the sensor finds something. An open contact says nothing:
a wire that is cut reads the same.
"""

from contextlib import suppress
from typing import Any

from edge.clock import Clock
from edge.errors import BadInput
from edge.pins import load_gpiozero
from edge.sensors.inbox import Inbox
from edge.sensors.reading import SensorReading, SensorState

OLDEST_S = 1.0
"""A time stamp that says a change is older than this is of another clock."""


class GpioSensor:
    """A pin as a sensor (`edge.sensors.reading.Sensor`); gpiozero's own thread fills its inbox."""

    def __init__(self, pin: int, inbox: Inbox, clock: Clock, *, simulated: bool = False) -> None:
        """Take the pin and listen.

        Args:
            pin: GPIO number (BCM).
            inbox: takes in its readings.
            clock: of the line, a real one.
            simulated: whether pins are simulated on a machine that has none.

        Raises:
            BadInput: gpiozero is not installed, this machine has no pins, or the pin is taken.
        """
        gpiozero = load_gpiozero(f"the sensor {inbox.sensor}", simulated=simulated)
        self._inbox, self._clock, self._count = inbox, clock, 0
        self._device: Any = None
        try:
            self._device = gpiozero.DigitalInputDevice(pin, pull_up=True)
        except (gpiozero.GPIOZeroError, OSError, ValueError) as error:
            raise BadInput(f"sensor {inbox.sensor}: pin {pin} is not available ({error})") from None
        # At the pin, not at the device: only it tells when the kernel saw the change.
        self._device.pin.when_changed = self._changed

    def readings(self) -> tuple[SensorReading, ...]:
        """What it has found since the last call."""
        return self._inbox.take()

    @property
    def state(self) -> SensorState:
        """A pin gives no sign of life."""
        return self._inbox.state(None)

    def close(self) -> None:
        """Give the pin back; may be called twice."""
        with suppress(Exception):
            self._device.close()

    def _changed(self, ticks: float, state: int) -> None:
        if state:
            return
        factory = self._device.pin_factory
        age_s = factory.ticks_diff(factory.ticks(), ticks)
        now = self._clock.now()
        self._count += 1
        received_at = now - (age_s if 0 <= age_s < OLDEST_S else 0.0)
        self._inbox.put(SensorReading(self._count, received_at, True))
