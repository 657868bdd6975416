"""Gates on the pins of a Raspberry Pi, through gpiozero."""

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.errors import BadInput

DEVICE_TREE = Path("/proc/device-tree/model")
"""Names the board on a machine that has a device tree."""


class GpioPins:
    """One output pin per gate: high opens it, low closes it, and low is where it starts.

    An actuator (`edge.outputs.driven_gates`).
    """

    def __init__(self, pins: Mapping[str, int], said: Callable[[str], None]) -> None:
        """Take the pins and drive them low.

        Args:
            pins: bin -> GPIO number (BCM).
            said: gets a line when this machine has no such pins, and they are only simulated.

        Raises:
            BadInput: gpiozero is not installed, or a pin is not to be had.
        """
        choose_factory(said)
        try:
            from gpiozero import DigitalOutputDevice, GPIOZeroError
        except ModuleNotFoundError:
            raise BadInput("gates with pins need gpiozero: pip install 'ewaste-edge[pi]'") from None
        self._devices: dict[str, Any] = {}
        for bin, pin in pins.items():
            try:
                self._devices[bin] = DigitalOutputDevice(pin, initial_value=False)
            except (GPIOZeroError, OSError, ValueError) as error:
                self.release()
                raise BadInput(f"gate {bin}: pin {pin} is not to be had ({error})") from None

    def connect(self) -> None:
        """The pins were taken at the start and stay ours."""

    def open(self, bin: str) -> None:
        """Drive the pin of `bin` high."""
        self._devices[bin].on()

    def close(self, bin: str) -> None:
        """Drive the pin of `bin` low."""
        self._devices[bin].off()

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


def choose_factory(said: Callable[[str], None], device_tree: Path = DEVICE_TREE) -> None:
    """Make gpiozero use lgpio on a Raspberry Pi and mock pins elsewhere, unless told otherwise.

    Left alone it falls back, with a warning, to factories that do not work on a Pi 5 (gpiozero
    issues 1172 and 1229).
    """
    if "GPIOZERO_PIN_FACTORY" in os.environ:
        return
    board = device_tree.read_bytes() if device_tree.exists() else b""
    if b"Raspberry Pi" not in board:
        said("this is no Raspberry Pi: the GPIO pins are only simulated")
    os.environ["GPIOZERO_PIN_FACTORY"] = "lgpio" if b"Raspberry Pi" in board else "mock"
    # lgpio makes a pipe in its working directory, where a service may not write.
    os.environ.setdefault("LG_WD", tempfile.gettempdir())
