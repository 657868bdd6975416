"""A belt of colored blocks, and a classifier that reads the colors."""

import numpy as np

from edge.belt.geometry import Geometry
from edge.clock import VirtualClock
from edge.decision.decide import DecisionRules
from edge.gates.schedule import GateSpec
from edge.inference.classifier import Prediction
from edge.simulator.layout import PlacedItem

GEOMETRY = Geometry(640, 360, 1.25)

LABELS = ("Battery", "Mobile", "PCB")

COLORS = {"Battery": (220, 60, 60), "Mobile": (60, 60, 220), "PCB": (60, 220, 60)}

GATES = (GateSpec("hazardous", 700), GateSpec("small", 900), GateSpec("boards", 1100))

BINS = {"Battery": "hazardous", "Mobile": "small", "PCB": "boards"}

RULES = DecisionRules(LABELS, BINS, dict.fromkeys(LABELS, 0.5), {"Battery": 0.15})


class ColorClassifier:
    """Says which of the three colors the middle of a view is nearest to."""

    def __init__(self, clock: VirtualClock | None = None, takes_s: float = 0.0) -> None:
        self.asked = 0
        self._clock, self._takes_s = clock, takes_s

    def predict(self, view: np.ndarray) -> Prediction:
        self.asked += 1
        if self._clock:
            self._clock.sleep(self._takes_s)
        middle = view[view.shape[0] // 2, view.shape[1] // 2].astype(float)
        far = np.array([np.abs(middle - COLORS[label]).sum() for label in LABELS])
        shares = np.exp(-far / 20)
        shares /= shares.sum()
        return Prediction(-far, shares, np.zeros(4, np.float32))


def block(label: str, length_px: int = 100) -> np.ndarray:
    sprite = np.full((80, length_px, 4), 255, np.uint8)
    sprite[..., :3] = COLORS[label]
    return sprite


def belt_of(labels: list[str], gap_mm: float = 120.0) -> list[PlacedItem]:
    length_mm, width_mm = 100 * GEOMETRY.mm_per_px, 80 * GEOMETRY.mm_per_px
    start_mm = GEOMETRY.width_mm / 2 + 100
    return [
        PlacedItem(
            label,
            start_mm + place * (length_mm + gap_mm),
            30.0 * (-1) ** place,
            length_mm,
            width_mm,
            lambda label=label: block(label),
        )
        for place, label in enumerate(labels)
    ]


MIXED = ["PCB", "Battery", "Mobile", "PCB", "PCB", "Mobile", "Battery", "Mobile"]
