"""A simulated sensor beside the belt: what it finds is drawn at random, and so are its faults."""

import heapq
import json
from collections.abc import Sequence

import numpy as np

from edge.clock import Clock
from edge.config import SensorConfig
from edge.sensors.inbox import Inbox
from edge.sensors.reading import SensorReading, SensorState
from edge.simulator.layout import PlacedItem
from edge.simulator.motion import BeltMotion
from edge.simulator.scenario import SensorBeside

WALL_AT_START = 1_796_000_000.0
"""Unix seconds of the simulated wall clock when the line's clock reads 0."""
HEARTBEAT_S = 1.0
AGAIN_S = 0.02
"""After which a message comes once more."""
GARBLED = b'{"sensor": "xray", "id": '


class SimulatedSensor:
    """A sensor (`edge.sensors.reading.Sensor`) whose messages go through the parser of a real one.

    It reads an item when its center is at the sensor, and sends a message that arrives later.
    """

    def __init__(
        self,
        beside: SensorBeside,
        placed: Sequence[PlacedItem],
        motion: BeltMotion,
        clock: Clock,
        seed: Sequence[int],
    ) -> None:
        """Draw what it will find.

        Args:
            beside: where it is, how good it is, and what goes wrong.
            placed: the items on the belt.
            motion: of the belt.
            clock: of the line.
            seed: of all that is drawn.
        """
        self._beside, self._motion, self._clock = beside, motion, clock
        self._rng = np.random.default_rng(seed)
        self._inbox = Inbox(beside.name, clock, wall=lambda: WALL_AT_START + clock.now())
        self.found = [self._finds(item) for item in placed]
        """Whether it finds something at each item."""
        order = sorted(range(len(placed)), key=lambda index: placed[index].position_mm)
        self._ahead = [(placed[index].position_mm + beside.distance_mm, index) for index in order]
        self._next, self._looked_at = 0, clock.now()
        self._posted: list[tuple[float, int, bytes]] = []
        self._sent = 0
        self._heartbeat_at = clock.now()

    def readings(self) -> tuple[SensorReading, ...]:
        """Let the belt pass the sensor, and deliver what has arrived by now."""
        now = self._clock.now()
        self._pass(now)
        while self._posted and self._posted[0][0] <= now:
            self._inbox.receive(heapq.heappop(self._posted)[2])
        return self._inbox.take()

    @property
    def state(self) -> SensorState:
        """How the connection is doing."""
        return self._inbox.state(None)

    def close(self) -> None:
        """Do nothing: there is no thread."""

    def _finds(self, item: PlacedItem) -> bool:
        beside = self._beside
        is_there = item.holds_hazard if beside.inside else item.label == beside.finds
        rate = beside.false_alarms
        if is_there:
            is_trained = self._rng.uniform() < beside.trained
            rate = beside.found_trained if is_trained else beside.found_untrained
        return bool(self._rng.uniform() < rate)

    def _pass(self, now: float) -> None:
        """Read the items whose centers have come to the sensor since the last look."""
        belt_mm = self._motion.position_mm(now)
        while self._next < len(self._ahead) and self._ahead[self._next][0] <= belt_mm:
            at_mm, index = self._ahead[self._next]
            self._next += 1
            self._read(index, self._when(at_mm, now))
        while self._heartbeat_at <= now:
            self._post(self._heartbeat_at, {"sensor": self._beside.name, "alive": True})
            self._heartbeat_at += HEARTBEAT_S
        self._looked_at = now

    def _when(self, at_mm: float, now: float) -> float:
        """When the belt came to a position since the last look, by bisection, s."""
        low, high = self._looked_at, now
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (
                (low, middle) if self._motion.position_mm(middle) >= at_mm else (middle, high)
            )
        return high

    def _read(self, index: int, at: float) -> None:
        beside, rng = self._beside, self._rng
        self._sent += 1
        lost, again, wrong, garbled = rng.uniform(size=4)
        time_s = at + rng.normal() * beside.jitter_s
        if wrong < beside.wrong_time:
            time_s += rng.choice((-1, 1)) * beside.wrong_by_s
        message = {
            "sensor": beside.name,
            "id": self._sent,
            "time": WALL_AT_START + time_s,
            "found": self.found[index],
        }
        arrives_at = at + rng.uniform(*beside.delay_s)
        if lost < beside.lost:
            return
        if garbled < beside.garbled:
            self._send(at, arrives_at, GARBLED)
            return
        self._post(arrives_at, message, at)
        if again < beside.repeated:
            self._post(arrives_at + AGAIN_S, message, at)

    def _post(self, arrives_at: float, content: object, at: float | None = None) -> None:
        self._send(arrives_at if at is None else at, arrives_at, json.dumps(content).encode())

    def _send(self, at: float, arrives_at: float, payload: bytes) -> None:
        if not any(start <= at < end for start, end in self._beside.silent_s):
            heapq.heappush(self._posted, (arrives_at, len(self._posted), payload))


def sensor_config(beside: SensorBeside) -> SensorConfig:
    """The sensor as the line is configured with it: with its published rates."""
    return SensorConfig(
        name=beside.name,
        kind=beside.kind,
        topic=f"plant/{beside.name}",
        distance_mm=beside.distance_mm,
        window_mm=beside.window_mm,
        delay_s=(0.0, beside.most_delay_s),
        finds=beside.finds,
        inside=beside.inside,
        found=beside.found,
        false_alarms=beside.false_alarms,
        share=beside.share,
        threshold=beside.threshold,
        required=beside.required,
        silent_s=5.0,
    )
