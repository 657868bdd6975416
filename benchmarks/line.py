"""At how many items a minute the line starts to miss: python benchmarks/line.py.

Load, spacing, size of the frame, and the time of an inference are changed one by one. Time is
virtual: the model answers as long after it was asked as `--inference-ms` says, or as long as it
takes here, so what comes out is a matter of the way the line works and not of what else runs here.
Detector and tracker are taken to be done before the next frame, as on a board that keeps up.
"""

from edge.process_setup import limit_threads

limit_threads()  # before anything imports numpy, as in the line itself

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from benchmarks.belt import config_of
from benchmarks.belt import measure as measure_belt
from benchmarks.machine import facts
from benchmarks.marked import take_marked_turns, way_of
from edge.belt.geometry import Geometry
from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.cameras.camera import Frame
from edge.clock import VirtualClock
from edge.config import Config, proved_bundle
from edge.encoders.encoder import TimedEncoder
from edge.inference.classifier import Prediction
from edge.inference.worker import Inference, Predicting
from edge.line import build_conveyor, decider_of
from edge.line_source import Source
from edge.records.record import ItemRecord
from edge.simulator.layout import PlacedItem, place_items
from edge.simulator.pieces import drawn_pieces
from edge.simulator.plant import SimulatedPlant
from edge.simulator.scene import Scene
from edge.simulator.score import score
from edge.verdict import Reason
from train.command import command

FPS = 30.0
VIEW_MM = 800.0
SPACING = 0.5
"""A gap is up to so much larger than the least."""
BASE_SPEED, BASE_GAP, BASE_WIDTH = 500.0, 80.0, 1280
SPEEDS = (250.0, 1000.0, 2000.0, 4000.0)
GAPS = (20.0, 40.0, 160.0, 320.0)
WIDTHS = (640, 1920)
SLOWER = (4.0, 16.0, 64.0)
"""Inferences that take so many times as long: a slower board, or a larger model."""
FASTEST, HALVINGS = 16_000.0, 4
"""mm/s, and how often the range in which the line starts to miss is halved."""
UNDECIDED = (Reason.NO_VIEW, Reason.NOT_CLASSIFIED, Reason.TOO_LATE)
EMPTY_FRAMES = 150


@dataclass(frozen=True)
class Load:
    """What the line has to do.

    Attributes:
        speed_mm_s: of the belt.
        gap_mm: the least distance between two items; the largest is `SPACING` more.
        width_px: of a frame, 16:9; it always shows `VIEW_MM` of the belt.
        inference_ms: what an inference takes.
    """

    speed_mm_s: float
    gap_mm: float
    width_px: int
    inference_ms: float

    @property
    def geometry(self) -> Geometry:
        """What the camera shows."""
        return Geometry(self.width_px, self.width_px * 9 // 16, VIEW_MM / self.width_px)


@dataclass(frozen=True)
class LineRow:
    """What became of the items of one load.

    Attributes:
        changed: which part of the load differs from the first row's.
        speed_mm_s, gap_mm, width_px, inference_ms: the load.
        items_per_minute: that come by.
        items: on the belt.
        missed: items that were not counted once, or got no verdict in time.
        right: share of the items whose label is right, 0 to 1.
        views: classified, per item.
        busy: share of the time that the model works, 0 to 1.
        past_ms, past_p99_ms: the time from an item's passing the middle of the view to its verdict,
            median and 99th percentile; below 0: it had its verdict before.
    """

    changed: str
    speed_mm_s: float
    gap_mm: float
    width_px: int
    inference_ms: float
    items_per_minute: float
    items: int
    missed: int
    right: float
    views: float
    busy: float
    past_ms: float
    past_p99_ms: float


class ModeledInference:
    """Classifies at once, and answers after the time that an inference takes, by a clock.

    Attributes:
        count: inferences begun.
    """

    def __init__(self, classifier: Predicting, clock: VirtualClock, took_s: float) -> None:
        self._classifier, self._clock, self._took_s = classifier, clock, took_s
        self._answer: tuple[Prediction, float] | None = None
        self._ready_at = 0.0
        self.count = 0

    def start(self, view: np.ndarray) -> None:
        """Begin with a view."""
        self._answer = self._classifier.predict(view), self._took_s * 1000
        self._ready_at = self._clock.now() + self._took_s
        self.count += 1

    def answer(self) -> tuple[Prediction, float] | None:
        """The prediction and what it took in ms; None: not yet."""
        if self._clock.now() < self._ready_at:
            return None
        return self.wait()

    def wait(self) -> tuple[Prediction, float]:
        """The prediction and what it took in ms."""
        if self._answer is None:
            raise ValueError("nothing was started")
        answer, self._answer = self._answer, None
        return answer

    def exchange(self, classifier: Predicting) -> None:
        """Classify with another model from now on."""
        self._classifier = classifier

    def close(self) -> None:
        """Give up what is under way."""
        self._answer = None


def run(config: Config, load: Load, items: int, seed: int, changed: str) -> LineRow:
    """Let the line work through a belt in virtual time.

    Args:
        config: of the line; the load overrules its geometry.
        load: what comes along.
        items: on the belt.
        seed: of the items.
        changed: for the row.

    Raises:
        EwasteError: the bundle cannot be used.
    """
    geometry, speed = load.geometry, load.speed_mm_s
    camera = config.camera.model_copy(
        update={"width": geometry.width_px, "height": geometry.height_px}
    )
    belt = config.belt.model_copy(update={"mm_per_px": geometry.mm_per_px})
    config = config.model_copy(update={"camera": camera, "belt": belt})
    gap_mm = (load.gap_mm, load.gap_mm * (1 + SPACING))
    placed = place_items(drawn_pieces(seed, geometry), items, seed, geometry, gap_mm=gap_mm)
    clock, encoder = VirtualClock(), TimedEncoder(speed, 0.0)
    scene, plant = Scene(placed, geometry, seed), SimulatedPlant(placed, config.gate_specs)
    records: list[tuple[ItemRecord, float]] = []
    models: list[ModeledInference] = []

    def modeled(classifier: Predicting) -> Inference:
        models.append(ModeledInference(classifier, clock, load.inference_ms / 1000))
        return models[-1]

    decider = decider_of(config, proved_bundle(config))
    conveyor = build_conveyor(
        config,
        Source(None, encoder, clock, plant),  # type: ignore[arg-type]
        plant,
        decider,
        lambda record: records.append((record, clock.now())),
        inference=modeled,
    )
    end_s = (scene.end_mm + VIEW_MM) / speed
    for sequence in range(math.ceil(end_s * FPS)):
        now = sequence / FPS
        clock.sleep(now - clock.now())
        conveyor.step(Frame(scene.render(encoder.position_mm(now)), now, sequence))
    bins = decider.rules.bins
    found = score(placed, [record for record, _ in records], [None] * items, bins, ())
    past_ms = [(at - record.position_mm / speed) * 1000 for record, at in records] or [math.nan]
    undecided = sum(record.late or record.reason in UNDECIDED for record, _ in records)
    return LineRow(
        changed=changed,
        **asdict(load),
        items_per_minute=round(_per_minute(placed, speed), 1),
        items=items,
        missed=min(items, found.missed + found.duplicates + undecided),
        right=round(found.right / items, 4),
        views=round(models[0].count / items, 3),
        busy=round(min(1.0, models[0].count * load.inference_ms / 1000 / end_s), 4),
        past_ms=round(float(np.median(past_ms)), 1),
        past_p99_ms=round(float(np.percentile(past_ms, 99)), 1),
    )


def _per_minute(placed: Sequence[PlacedItem], speed_mm_s: float) -> float:
    pitch_mm = (placed[-1].position_mm - placed[0].position_mm) / max(1, len(placed) - 1)
    return 60 * speed_mm_s / pitch_mm


def loads(inference_ms: float) -> Iterator[tuple[str, Load]]:
    """What is measured: the first load, then others that differ from it in one part."""
    base = Load(BASE_SPEED, BASE_GAP, BASE_WIDTH, round(inference_ms, 3))
    yield "-", base
    for speed in SPEEDS:
        yield "speed", replace(base, speed_mm_s=speed)
    for gap in GAPS:
        yield "spacing", replace(base, gap_mm=gap)
    for width in WIDTHS:
        yield "resolution", replace(base, width_px=width)
    for times in SLOWER:
        yield "inference", replace(base, inference_ms=round(times * inference_ms, 3))


def find_limit(tried: Callable[[float], LineRow]) -> tuple[LineRow, LineRow | None]:
    """The fastest belt on which nothing was missed, and the slowest on which something was.

    Args:
        tried: runs the line at a speed, mm/s.

    Returns:
        Both; None for the second if nothing is missed at any speed.
    """
    good, speed = tried(SPEEDS[0]), SPEEDS[0]
    bad = good if good.missed else None
    while bad is None and speed < FASTEST:
        speed *= 2
        row = tried(speed)
        good, bad = (good, row) if row.missed else (row, None)
    for _ in range(HALVINGS if bad is not None and not good.missed else 0):
        assert bad is not None
        row = tried(round((good.speed_mm_s + bad.speed_mm_s) / 2, 1))
        good, bad = (good, row) if row.missed else (row, bad)
    return good, bad


def inference_here_ms(config: Config) -> float:
    """The median time of an inference on this machine, undisturbed as far as that can be, ms."""
    _, classifier = proved_bundle(config)
    pixels = np.zeros((classifier.size, classifier.size, 3), np.uint8)
    ways = {"inference": way_of(lambda: classifier.predict_input(pixels))}
    return take_marked_turns(ways, rounds=10)["inference"].shares()[0].value


def main(
    *,
    items: Annotated[int, typer.Option(min=4, max=10_000, help="items of each load")] = 16,
    inference_ms: Annotated[
        float | None,
        typer.Option(min=0.01, max=10_000, help="time of an inference; default: as it is here"),
    ] = None,
    limit: Annotated[
        bool, typer.Option(help="look for the speed at which the line starts to miss")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Find what load the line bears. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    cv2.setNumThreads(1)
    config = config_of(bundle)
    with command():
        took_ms = inference_here_ms(config) if inference_ms is None else inference_ms
        rows = [run(config, load, items, seed, changed) for changed, load in loads(took_ms)]
        found: tuple[LineRow, LineRow | None] | None = None
        if limit:
            _, base = next(loads(took_ms))
            found = find_limit(
                lambda speed: run(config, replace(base, speed_mm_s=speed), items, seed, "limit")
            )
        empty = measure_belt(
            "empty",
            config=config,
            placed=[],
            speed_mm_s=BASE_SPEED,
            seed=seed,
            length=lambda scene: EMPTY_FRAMES,
        )
    if as_json:
        answer = {"rows": [asdict(row) for row in rows], "empty_core": empty.core}
        if found is not None:
            answer["limit"] = [asdict(row) for row in found if row is not None]
        print(json.dumps({**answer, "facts": facts()}))
        return
    _print(rows, found)
    print(f"an empty belt takes {empty.core:.1%} of a core at {FPS:.0f} frames a second")


def _print(rows: Sequence[LineRow], found: tuple[LineRow, LineRow | None] | None) -> None:
    print(
        "changed     mm/s  gap_mm  width  inference_ms  items/min  missed  right  views   busy"
        "  past_ms  p99"
    )
    for row in rows:
        print(
            f"{row.changed:10} {row.speed_mm_s:5.0f}  {row.gap_mm:6.0f}  {row.width_px:5}  "
            f"{row.inference_ms:12.2f}  {row.items_per_minute:9.0f}  {row.missed:6} "
            f"{row.right:6.1%}  {row.views:5.2f}  {row.busy:5.1%}  {row.past_ms:7.0f}  "
            f"{row.past_p99_ms:.0f}"
        )
    if found is not None:
        good, bad = found
        worse = "none faster missed any" if bad is None else f"{bad.missed} of {bad.items} missed"
        at = "" if bad is None else f" at {bad.items_per_minute:.0f}"
        print(f"no miss at {good.items_per_minute:.0f} items a minute, {worse}{at}")


if __name__ == "__main__":
    typer.run(main)
