"""A belt of 250 mm/s with items and one X-ray, on which faults of messages are injected."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.belt.tracker import Extent, TrackedItem
from edge.clock import VirtualClock
from edge.decision.decide import DecisionRules, decide
from edge.decision.sensing import SensorAnswer, SensorRule
from edge.inference.classifier import Prediction
from edge.sensors.inbox import Inbox
from edge.sensors.matching import SensorPlace
from edge.sensors.reading import SensorReading, SensorState
from edge.sensors.watch import SensorWatch
from edge.verdict import Verdict

SPEED_MM_S = 250.0
WALL_AT_0 = 1_796_000_000.0
LABELS = ("Battery", "Mobile", "Mouse", "Player")
XRAY = SensorPlace("xray", 300.0, 30.0, 0.0, 0.3, 5.0)
BATTERY_INSIDE = SensorRule(
    "xray",
    "battery inside",
    found=0.91,
    false_alarms=0.06,
    inside=("Mobile", "Player"),
    guards=frozenset({"Mobile", "Player"}),
)


def item(number: int, position_mm: float, length_mm: float = 100.0) -> TrackedItem:
    along = Extent(position_mm - length_mm / 2, position_mm + length_mm / 2, True, True)
    across = Extent(-40.0, 40.0, True, True)
    return TrackedItem(number, along, across, 0.0, 0.0, 2, along, 0.0)


def seen(**probabilities: float) -> Prediction:
    rest = (1 - sum(probabilities.values())) / max(1, len(LABELS) - len(probabilities))
    vector = np.array([probabilities.get(label, rest) for label in LABELS], np.float32)
    return Prediction(np.log(vector + 1e-9), vector, np.zeros(4, np.float32))


def rules(*sensors: SensorRule) -> DecisionRules:
    return DecisionRules(
        labels=LABELS,
        bins={label: f"bin of {label}" for label in LABELS},
        thresholds=dict.fromkeys(LABELS, 0.5),
        hazard_thresholds={"Battery": 0.1},
        sensors=sensors,
    )


@dataclass
class XrayBelt:
    """A Mobile every 400 mm from 1,000 mm on, and the X-ray's messages; the time is set by hand."""

    rule: SensorRule = BATTERY_INSIDE
    place: SensorPlace = XRAY
    clock: VirtualClock = field(default_factory=VirtualClock)
    items: list[TrackedItem] = field(
        default_factory=lambda: [item(number, 600 + 400.0 * number) for number in range(1, 6)]
    )

    def __post_init__(self) -> None:
        self.inbox = Inbox("xray", self.clock, wall=self.wall)
        self.watch = SensorWatch([(self.place, self)], self.clock.now, self.at_mm)

    def wall(self) -> float:
        return WALL_AT_0 + self.clock.now()

    def at_mm(self, at: float) -> float:
        return SPEED_MM_S * at

    def readings(self) -> tuple[SensorReading, ...]:
        return self.inbox.take()

    @property
    def state(self) -> SensorState:
        return self.inbox.state(None)

    def close(self) -> None: ...

    def passes_at(self, number: int) -> float:
        """When the middle of an item is at the X-ray, s."""
        return (self.items[number - 1].position_mm + self.place.distance_mm) / SPEED_MM_S

    def go_to(self, at: float) -> None:
        self.clock.sleep(at - self.clock.now())

    def message(self, number: int, found: bool, **changes: Any) -> bytes:
        """The message on an item, as it should be."""
        at = WALL_AT_0 + self.passes_at(number)
        content = {"sensor": "xray", "id": number, "time": at, "found": found, **changes}
        stated = {key: value for key, value in content.items() if value is not None}
        return json.dumps(stated).encode()

    def send(self, number: int, found: bool, after_s: float = 0.1, **changes: Any) -> None:
        """Let the message on an item arrive so long after it was at the X-ray."""
        self.go_to(self.passes_at(number) + after_s)
        self.inbox.receive(self.message(number, found, **changes))
        self.watch.listen()

    def answer(self, number: int) -> SensorAnswer:
        self.watch.listen()
        (given,) = self.watch.answers(self.items[number - 1], self.items)
        return given

    def verdict(self, number: int, prediction: Prediction | None = None) -> Verdict:
        seen_as = prediction or seen(Mobile=0.97)
        return decide([seen_as], rules(self.rule), None, [self.answer(number)])
