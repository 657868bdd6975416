"""What waits between the thread of a sensor and the line, which never waits for it."""

import logging
import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from edge.clock import Clock
from edge.errors import BadInput
from edge.output_thread import Link, OutputThread
from edge.sensors.message import parsed
from edge.sensors.reading import SensorReading, SensorState

log = logging.getLogger(__name__)

CAPACITY = 200
"""Readings that wait at most: a sensor has one an item, and the line asks at each frame."""
LONGEST_PAUSE_S = 5.0
"""Between two tries to reach a sensor."""


class Inbox:
    """Readings of one sensor that wait for the line; a full one drops the oldest, and counts it."""

    def __init__(
        self,
        sensor: str,
        clock: Clock,
        *,
        least_value: float | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Start empty.

        Args:
            sensor: its name.
            clock: of the line.
            least_value: from which value on something was found; None: the sensor says so itself.
            wall: the wall clock, Unix seconds.
        """
        self.sensor, self._clock, self._wall = sensor, clock, wall
        self._least_value = least_value
        self._waiting: deque[SensorReading] = deque(maxlen=CAPACITY)
        self._lock = Lock()
        self._alive_at: float | None = None
        self._rejected = self._dropped = 0

    def receive(self, payload: bytes) -> None:
        """Take in a message as it came; one that is not in order is counted and left out."""
        try:
            message = parsed(payload, self.sensor)
            if message.alive or message.id is None:
                self.alive()
                return
            found = self.is_found(message.found, message.value)
        except BadInput as error:
            self.reject(str(error))
            return
        now = self._clock.now()
        # The age by the wall clock is the one thing that the sender and the line have in common.
        at = None if message.time is None else now - (self._wall() - message.time)
        self.put(
            SensorReading(
                message.id, now, found, message.certainty, message.value, at, message.belt_mm
            )
        )

    def is_found(self, found: bool | None, value: float | None) -> bool:
        """Whether something was found, by the sensor's own word or by the limit of its value.

        Raises:
            BadInput: neither says so, or they contradict each other.
        """
        over = None
        if self._least_value is not None and value is not None:
            over = value >= self._least_value
        if found is None and over is None:
            raise BadInput("a value alone, but no least_value is configured")
        if found is not None and over is not None and found != over:
            raise BadInput("found contradicts the value and its limit")
        return bool(over if found is None else found)

    def put(self, reading: SensorReading) -> None:
        """Add a reading; returns at once."""
        with self._lock:
            self._dropped += len(self._waiting) == CAPACITY
            self._waiting.append(reading)
            self._alive_at = reading.received_at

    def alive(self) -> None:
        """Note a sign of life."""
        with self._lock:
            self._alive_at = self._clock.now()

    def reject(self, reason: str) -> None:
        """Count what is no reading; the first is reported."""
        with self._lock:
            self._rejected += 1
            first = self._rejected == 1
        if first:
            log.warning("sensor %s: a message is left out: %s", self.sensor, reason)

    def take(self) -> tuple[SensorReading, ...]:
        """Take all readings out."""
        with self._lock:
            readings = tuple(self._waiting)
            self._waiting.clear()
        return readings

    def state(self, error: str | None) -> SensorState:
        """How the sensor is doing; `error` is what its connection says."""
        with self._lock:
            return SensorState(self._alive_at, self._rejected, self._dropped, error)


class ThreadedSensor:
    """A sensor (`edge.sensors.reading.Sensor`) whose link has a thread of its own."""

    def __init__(self, name: str, inbox: Inbox, link: Link) -> None:
        """Start the thread.

        Args:
            name: what the sensor is and where, for the person at the line.
            inbox: what the link fills.
            link: the way to the sensor; from now on only the thread uses it.
        """
        self._inbox = inbox
        self._thread = OutputThread(name, link, LONGEST_PAUSE_S)

    def readings(self) -> tuple[SensorReading, ...]:
        """What it has read since the last call."""
        return self._inbox.take()

    @property
    def state(self) -> SensorState:
        """How the connection is doing."""
        return self._inbox.state(self._thread.status.error)

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._thread.close(1.0)
