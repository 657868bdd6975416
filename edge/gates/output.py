"""What moves the gates."""

from typing import Protocol


class GateOutput(Protocol):
    """The actuators of the bins. Each gate is closed until it is commanded to open."""

    def open(self, bin_name: str) -> None:
        """Open the gate of `bin_name`.

        Raises:
            EwasteError: there is no such gate, or it cannot be reached.
        """

    def close(self, bin_name: str) -> None:
        """Close the gate of `bin_name`; safe to call when it is closed.

        Raises:
            EwasteError: there is no such gate, or it cannot be reached.
        """

    def close_all(self) -> None:
        """Close every gate; safe to call at any time.

        Raises:
            EwasteError: a gate cannot be reached; the others have been closed all the same.
        """

    def alive(self) -> None:
        """Hear that the line is at work; gates with a dead-man timer close when it falls silent."""

    def fault(self) -> str | None:
        """Why no gate can be opened at the moment, in a few words; None: they can."""
