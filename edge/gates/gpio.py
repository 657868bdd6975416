"""Gates on the pins of a Raspberry Pi, through gpiozero."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from edge.errors import BadInput
from edge.pins import load_gpiozero


class GpioPins:
    """One output pin per gate: high opens it, low closes it, and low is where it starts.

    An actuator (`edge.gates.driven`).
    """

    def __init__(self, pins: Mapping[str, int], *, simulated: bool = False) -> None:
        """Take the pins and drive them low.

        Args:
            pins: bin -> GPIO number (BCM).
            simulated: whether pins are simulated on a machine that has none.

        Raises:
            BadInput: gpiozero is not installed, this machine has no pins, or one is not available.
        """
        gpiozero = load_gpiozero("gates with pins", simulated=simulated)
        self._devices: dict[str, Any] = {}
        for bin_name, pin in pins.items():
            try:
                self._devices[bin_name] = gpiozero.DigitalOutputDevice(pin, initial_value=False)
            except (gpiozero.GPIOZeroError, OSError, ValueError) as error:
                self.release()
                raise BadInput(f"gate {bin_name}: pin {pin} is not available ({error})") from None

    def connect(self) -> None:
        """The pins were taken at the start and stay ours."""

    def open(self, bin_name: str) -> None:
        """Drive the pin of `bin_name` high."""
        self._devices[bin_name].on()

    def close(self, bin_name: str) -> None:
        """Drive the pin of `bin_name` low."""
        self._devices[bin_name].off()

    def idle(self, alive: bool) -> None:
        """Pins need no heartbeat."""

    def disconnect(self) -> None:
        """Keep the pins, for the next try."""

    def release(self) -> None:
        """Drive every pin low and give it back; safe to call twice."""
        while self._devices:
            device = self._devices.popitem()[1]
            with suppress(Exception):  # the others are driven low all the same
                device.off()
            device.close()
