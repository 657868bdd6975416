"""Gates on the pins of a Raspberry Pi, through gpiozero."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from edge.errors import BadInput, EwasteError


class GpioGates:
    """One output pin per gate: high opens it, low closes it, and low is where it starts."""

    def __init__(self, pins: Mapping[str, int]) -> None:
        """Take the pins and drive them low.

        Args:
            pins: bin -> GPIO number (BCM).

        Raises:
            BadInput: gpiozero is not installed, or a pin is not to be had.
        """
        # gpiozero falls back to factories that do not work on a Pi 5; lgpio does on all of them.
        if Path("/dev/gpiochip0").exists():
            os.environ.setdefault("GPIOZERO_PIN_FACTORY", "lgpio")
        try:
            from gpiozero import DigitalOutputDevice, GPIOZeroError
        except ModuleNotFoundError:
            raise BadInput("gates with pins need gpiozero: pip install 'ewaste-edge[pi]'") from None
        self._devices = {}
        for bin, pin in pins.items():
            try:
                self._devices[bin] = DigitalOutputDevice(pin, initial_value=False)
            except (GPIOZeroError, OSError, ValueError) as error:
                self.release()
                raise BadInput(f"gate {bin}: pin {pin} is not to be had ({error})") from None

    def open(self, bin: str) -> None:
        """Drive the pin of `bin` high.

        Raises:
            EwasteError: there is no such gate, or the pin failed.
        """
        self._set(bin, True)

    def close(self, bin: str) -> None:
        """Drive the pin of `bin` low.

        Raises:
            EwasteError: there is no such gate, or the pin failed.
        """
        self._set(bin, False)

    def close_all(self) -> None:
        """Drive every pin low.

        Raises:
            EwasteError: a pin failed; the others are low all the same.
        """
        failures = []
        for bin in self._devices:
            try:
                self.close(bin)
            except EwasteError as error:
                failures.append(str(error))
        if failures:
            raise EwasteError("; ".join(failures))

    def release(self) -> None:
        """Close every gate and give the pins back; safe to call twice."""
        with suppress(EwasteError):
            self.close_all()
        while self._devices:
            self._devices.popitem()[1].close()

    def _set(self, bin: str, high: bool) -> None:
        if bin not in self._devices:
            raise EwasteError(f"there is no gate for the bin {bin!r}; see [[gates]]")
        try:
            self._devices[bin].value = high
        except Exception as error:
            raise EwasteError(f"gate {bin}: the pin cannot be driven ({error})") from error
