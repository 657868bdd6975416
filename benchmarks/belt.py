"""Processor time of a frame without inference, on an empty and a busy belt: benchmarks/belt.py."""

from edge.process_setup import limit_threads

limit_threads()  # before anything imports numpy, as in the line itself

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.cameras.camera import Frame
from edge.clock import VirtualClock
from edge.config import Config, proved_bundle
from edge.conveyor import Conveyor
from edge.encoders.encoder import TimedEncoder
from edge.inference.classifier import Prediction
from edge.inference.worker import InlineInference, Predicting
from edge.line import build_conveyor, decider_of
from edge.line_source import Source
from edge.records.record import ItemRecord
from edge.simulator.layout import PlacedItem, place_items
from edge.simulator.pieces import drawn_pieces
from edge.simulator.plant import SimulatedPlant
from edge.simulator.scene import Scene
from train.command import command

FPS = 30.0
GAP_MM = (60.0, 120.0)
WARM_UP = 30


@dataclass(frozen=True)
class BeltRow:
    """The measurement of one belt; times are processor times of all threads.

    Attributes:
        belt: what lies on the belt.
        frames: number of frames.
        items: number of items; each got its verdict.
        frame_ms: median time of a frame without inference, ms.
        core: share of one core without inference at 30 frames per second, 0 to 1.
        inference_ms: median time of an inference, ms; 0 if there was none.
        inferences: inferences per item.
        per_item_ms: time per item without inference, ms.
        ratio: `per_item_ms` divided by the inference time per item; 0 if there was none.
    """

    belt: str
    frames: int
    items: int
    frame_ms: float
    core: float
    inference_ms: float
    inferences: float
    per_item_ms: float
    ratio: float


class TimedClassifier:
    """A classifier that measures its processor time."""

    def __init__(self, classifier: Predicting) -> None:
        self._classifier = classifier
        self.times_ms: list[float] = []

    def predict(self, view: np.ndarray) -> Prediction:
        """Predict a view and note the time."""
        started = time.process_time()
        prediction = self._classifier.predict(view)
        self.times_ms.append((time.process_time() - started) * 1000)
        return prediction


def config_of(bundle: Path) -> Config:
    """The default line with a bundle, each inference on one thread."""
    classifier = Config().classifier.model_copy(update={"bundle": bundle, "threads": 1})
    return Config().model_copy(update={"classifier": classifier})


def belts(config: Config, items: int, frames: int, per_minute: float, seed: int) -> list[BeltRow]:
    """Measure an empty belt, then one with `per_minute` items per minute.

    Raises:
        EwasteError: the bundle cannot be used.
    """
    placed = place_items(
        drawn_pieces(seed, config.geometry), items, seed, config.geometry, gap_mm=GAP_MM
    )
    pitch_mm = (placed[-1].position_mm - placed[0].position_mm) / max(1, items - 1)
    speed_mm_s = per_minute / 60 * pitch_mm
    busy = f"{per_minute:.0f} items per minute"
    return [
        measure(
            "empty",
            config=config,
            placed=[],
            speed_mm_s=speed_mm_s,
            seed=seed,
            length=lambda scene: frames,
        ),
        measure(
            busy,
            config=config,
            placed=placed,
            speed_mm_s=speed_mm_s,
            seed=seed,
            length=lambda scene: int(scene.end_mm / speed_mm_s * FPS),
        ),
    ]


def measure(
    name: str,
    *,
    config: Config,
    placed: list[PlacedItem],
    speed_mm_s: float,
    seed: int,
    length: Callable[[Scene], int],
) -> BeltRow:
    """Measure the loop on frames of a simulated belt, rendered between the measurements.

    Args:
        name: of the belt.
        config: of the line.
        placed: the items on the belt.
        speed_mm_s: speed of the belt, mm/s.
        seed: of the scene.
        length: computes the number of frames.
    """
    clock, encoder = VirtualClock(), TimedEncoder(speed_mm_s, 0.0)
    scene = Scene(placed, config.geometry, seed)
    plant = SimulatedPlant(placed, config.gate_specs)
    records: list[ItemRecord] = []
    timed: list[TimedClassifier] = []

    def timed_inference(classifier: Predicting) -> InlineInference:
        timed.append(TimedClassifier(classifier))
        return InlineInference(timed[-1])

    conveyor: Conveyor = build_conveyor(
        config,
        Source(None, encoder, clock, plant),  # type: ignore[arg-type]
        plant,
        decider_of(config, proved_bundle(config)),
        records.append,
        inference=timed_inference,
    )
    frames = WARM_UP + length(scene)
    loop_ms = []
    for sequence in range(frames):
        now = sequence / FPS
        clock.sleep(now - clock.now())
        frame = Frame(scene.render(encoder.position_mm(now)), now, sequence)
        inferred, started = len(timed[0].times_ms), time.process_time()
        conveyor.step(frame)
        took_ms = (time.process_time() - started) * 1000
        loop_ms.append(took_ms - sum(timed[0].times_ms[inferred:]))
    loop_ms, items = loop_ms[WARM_UP:], len(records)
    frame_ms = float(np.median(loop_ms))
    per_item_ms = sum(loop_ms) / items if items else 0.0
    inference_ms = float(np.median(timed[0].times_ms)) if timed[0].times_ms else 0.0
    inference_per_item_ms = sum(timed[0].times_ms) / items if items else 0.0
    return BeltRow(
        belt=name,
        frames=len(loop_ms),
        items=items,
        frame_ms=round(frame_ms, 3),
        core=round(float(np.mean(loop_ms)) * FPS / 1000, 4),
        inference_ms=round(inference_ms, 3),
        inferences=round(len(timed[0].times_ms) / items, 3) if items else 0.0,
        per_item_ms=round(per_item_ms, 3),
        ratio=round(per_item_ms / inference_per_item_ms, 4) if items else 0.0,
    )


def main(
    *,
    items: Annotated[int, typer.Option(min=2, help="number of items on the busy belt")] = 120,
    frames: Annotated[int, typer.Option(min=30, help="number of frames of the empty belt")] = 300,
    per_minute: Annotated[
        float, typer.Option(min=1, help="items per minute on the busy belt")
    ] = 480.0,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure the loop without inference. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    cv2.setNumThreads(1)
    with command():
        rows = belts(config_of(bundle), items, frames, per_minute, seed)
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
        return
    print(
        f"{'belt':22}  frames  items  frame_ms   core  inference_ms  inferences/item"
        "  per_item_ms  ratio"
    )
    for row in rows:
        print(
            f"{row.belt:22}  {row.frames:6}  {row.items:5}  {row.frame_ms:8.2f}  {row.core:5.1%}"
            f"  {row.inference_ms:12.2f}  {row.inferences:15.2f}  {row.per_item_ms:11.2f}"
            f"  {row.ratio:5.2f}"
        )


if __name__ == "__main__":
    typer.run(main)
