"""An incremental encoder on the pins of a Raspberry Pi, through gpiozero."""

from contextlib import suppress
from typing import Any

from edge.clock import Clock
from edge.encoders.pulses import PulseEncoder
from edge.errors import BadInput
from edge.pins import load_gpiozero

OLDEST_S = 1.0
"""A time stamp that says a change is older than this is of another clock."""
FORWARD = {(0, 0): (1, 0), (1, 0): (1, 1), (1, 1): (0, 1), (0, 1): (0, 0)}
"""The next levels of (A, B) when the belt runs forward: A changes first."""
QUARTERS = 4


class GpioEncoder:
    """Feeds a pulse encoder from one input (A), or from two (A and B) that tell the direction.

    The inputs are pulled up, as open-collector outputs need it. A pulse is a whole period: with A
    alone its falling edge; with B four changes in the right order, so that an encoder that
    trembles at an edge counts nothing.
    """

    def __init__(
        self,
        pin: int,
        pin_b: int | None,
        pulses: PulseEncoder,
        clock: Clock,
        *,
        simulated: bool = False,
    ) -> None:
        """Take the pins and listen.

        Args:
            pin: GPIO number (BCM) of A.
            pin_b: of B; None: the belt is taken to run forward only.
            pulses: is given each pulse, from gpiozero's thread.
            clock: that the pulses are timed by, a real one.
            simulated: whether pins are simulated on a machine that has none.

        Raises:
            BadInput: gpiozero is not installed, this machine has no pins, or one is not available.
        """
        gpiozero = load_gpiozero("an encoder with pulse_pin", simulated=simulated)
        self._pulses, self._clock = pulses, clock
        self._devices: list[Any] = []
        for number in (pin,) if pin_b is None else (pin, pin_b):
            try:
                self._devices.append(gpiozero.DigitalInputDevice(number, pull_up=True))
            except (gpiozero.GPIOZeroError, OSError, ValueError) as error:
                self.release()
                raise BadInput(f"encoder: pin {number} is not available ({error})") from None
        self._levels = tuple(int(device.pin.state) for device in self._devices)
        self._quarters = 0
        # At the pins, not at the devices: only these tell when the kernel saw the change.
        for device, heard in zip(self._devices, (self._a_changed, self._b_changed), strict=False):
            device.pin.when_changed = heard

    def release(self) -> None:
        """Give the pins back; safe to call twice."""
        while self._devices:
            with suppress(Exception):  # the other one is given back all the same
                self._devices.pop().close()

    def _a_changed(self, ticks: float, state: int) -> None:
        if len(self._levels) == 2:
            self._turned((int(state), self._levels[1]), ticks)
        elif not state:
            self._pulses.pulse(self._line_time(ticks))

    def _b_changed(self, ticks: float, state: int) -> None:
        self._turned((self._levels[0], int(state)), ticks)

    def _turned(self, levels: tuple[int, int], ticks: float) -> None:
        """Count quarters of a pulse; two changes at once, one of them missed, tell nothing."""
        before = self._levels[0], self._levels[1]
        if FORWARD[before] == levels:
            self._quarters += 1
        elif FORWARD[levels] == before:
            self._quarters -= 1
        self._levels = levels
        if abs(self._quarters) >= QUARTERS:
            self._pulses.pulse(self._line_time(ticks), 1 if self._quarters > 0 else -1)
            self._quarters = 0

    def _line_time(self, ticks: float) -> float:
        """A moment of the pins' clock as one of the line's."""
        if not self._devices:
            return self._clock.now()
        factory = self._devices[0].pin_factory
        age_s = factory.ticks_diff(factory.ticks(), ticks)
        return self._clock.now() - (age_s if 0 <= age_s < OLDEST_S else 0.0)
