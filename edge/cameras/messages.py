"""What the process that reads a camera sends to the line."""

from dataclasses import dataclass

from edge.cameras.health import Fault


@dataclass(frozen=True)
class Captured:
    """A good frame lies in the ring.

    Attributes:
        sequence: of the frame, from 0 in this process.
        captured_at: `time.monotonic`.
    """

    sequence: int
    captured_at: float


@dataclass(frozen=True)
class Trouble:
    """There was none.

    Attributes:
        fault: why.
        at: `time.monotonic`.
    """

    fault: Fault
    at: float
