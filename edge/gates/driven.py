"""Gates that a thread moves, so that the line never waits for them and no fault stops it."""

import time
from collections.abc import Collection
from typing import Protocol

from edge.gates.desired import DesiredGates
from edge.output_thread import OutputStatus, OutputThread

LONGEST_PAUSE_S = 1.0
CLOSED_ANEW_S = 1.0
"""How often gates that should be closed are closed again, whatever is known of them, s."""
IDLE_S = 0.2
"""How often the thread looks for a line that has fallen silent, s."""


class Actuator(Protocol):
    """The gates themselves, moved one at a time; whatever a method raises counts as a failure."""

    def connect(self) -> None:
        """Reach the actuators."""

    def open(self, bin_name: str) -> None:
        """Open the gate of `bin_name`."""

    def close(self, bin_name: str) -> None:
        """Close the gate of `bin_name`."""

    def idle(self, alive: bool) -> None:
        """Called every fifth of a second or so; `alive`: the line is at work."""

    def disconnect(self) -> None:
        """Let go of the actuators."""


class GateLink:
    """Makes the gates stand as the line wants them."""

    def __init__(self, actuator: Actuator, desired: DesiredGates) -> None:
        self._actuator, self._desired = actuator, desired
        self._closed_anew_at = 0.0

    @property
    def sent(self) -> int:
        """Openings carried out."""
        return self._desired.opened

    @property
    def dropped(self) -> int:
        """Openings given up."""
        return self._desired.dropped

    def connect(self) -> None:
        """Reach the actuators, whose state is then unknown."""
        self._actuator.connect()
        self._desired.forget()

    def work(self) -> float:
        """Carry out what is due, one command at a time: a wish may change while one is."""
        if time.monotonic() - self._closed_anew_at > CLOSED_ANEW_S:
            self._desired.doubt_closed()
            self._closed_anew_at = time.monotonic()
        while due := self._desired.due(time.monotonic()):
            command = due[0]
            (self._actuator.open if command.open else self._actuator.close)(command.bin)
            self._desired.done(command)
        self._actuator.idle(alive=not self._desired.silent(time.monotonic()))
        return IDLE_S

    def disconnect(self) -> None:
        """Let go of the actuators."""
        self._actuator.disconnect()


class DrivenGates:
    """The line's side (`edge.gates.output`): takes wishes and returns at once."""

    def __init__(self, name: str, bins: Collection[str], actuator: Actuator) -> None:
        """Start the thread, which begins by closing every gate.

        Args:
            name: what the output is and where, for the person at the line.
            bins: those with a gate.
            actuator: the gates, from now on the thread's own.
        """
        self._desired = DesiredGates(bins)
        link = GateLink(actuator, self._desired)
        self._thread = OutputThread(name, link, LONGEST_PAUSE_S)

    @property
    def status(self) -> OutputStatus:
        """A snapshot; `dropped` are the openings that were given up."""
        return self._thread.status

    def open(self, bin_name: str) -> None:
        """Want the gate of `bin_name` open.

        Raises:
            EwasteError: there is no such gate.
        """
        self._desired.want(bin_name, True, time.monotonic())
        self._thread.wake()

    def close(self, bin_name: str) -> None:
        """Want the gate of `bin_name` closed.

        Raises:
            EwasteError: there is no such gate.
        """
        self._desired.want(bin_name, False, time.monotonic())
        self._thread.wake()

    def close_all(self) -> None:
        """Want every gate closed."""
        self._desired.want_all_closed()
        self._thread.wake()

    def alive(self) -> None:
        """Hear that the line is at work."""
        self._desired.heard(time.monotonic())

    def fault(self) -> str | None:
        """Why no gate can be opened at the moment; None: they can."""
        status = self.status
        return None if status.connected else status.error or f"{status.name}: not reached yet"

    def release(self) -> bool:
        """Close every gate and let go; False when the gates could not be reached for that."""
        self.close_all()
        return self._thread.close()
