"""The line itself on a film: its own loop, detector, encoder, classifier, and vote.

It runs under the project's Python. Time is virtual, so each inference takes place in the loop, and
no frame is left out.
"""

from edge.process_setup import limit_threads

limit_threads()  # before anything imports numpy, as in the line itself

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.cameras.camera import Frame
from edge.clock import VirtualClock
from edge.config import Config, proved_bundle
from edge.line import build_conveyor, decider_of
from edge.line_source import Source
from edge.records.record import ItemRecord
from edge.simulator.motion import BeltMotion
from edge.simulator.plant import SimulatedPlant
from edge.simulator.scenario import Scenario
from edge.simulator.simulate import (
    config_for_scenario,
    with_scenario_encoder,
    with_simulated_sizes,
)


@dataclass(frozen=True)
class LineTask:
    """What the line has to do.

    Attributes:
        film: a .npy file, uint8 RGB [frames, H, W, 3].
        scenario: the plant, as JSON.
        seed: of the encoder's faults.
        bundle: folder of the bundle.
        threads: of an inference.
        answer: the JSON file to write.
    """

    film: str
    scenario: dict[str, Any]
    seed: int
    bundle: str
    threads: int
    answer: str


class FilmCamera:
    """Gives one frame of a film after the other, and notes the time that this takes."""

    def __init__(self, frames: np.ndarray, fps: float, clock: VirtualClock) -> None:
        """Begin with the first frame."""
        self.frames, self._fps, self._clock = frames, fps, clock
        self._sequence = 0
        self.reading_s = 0.0

    def read(self) -> Frame | None:
        """The next frame, or None when the film ends."""
        started = time.process_time()
        if self._sequence == len(self.frames):
            return None
        due_at = self._sequence / self._fps
        self._clock.sleep(max(0.0, due_at - self._clock.now()))
        frame = Frame(np.array(self.frames[self._sequence]), due_at, self._sequence)
        self._sequence += 1
        self.reading_s += time.process_time() - started
        return frame

    def close(self) -> None:
        """Nothing to release."""


def run(task: LineTask) -> dict[str, Any]:
    """Run the line on the film.

    Returns:
        `records`: label, belt coordinate of the center, and offset across the belt, mm, of each;
        `cpu_s`: its processor time, s.
    """
    scenario = Scenario.model_validate(task.scenario)
    config = config_for_scenario(Config(), scenario)
    classifier = config.classifier.model_copy(
        update={"bundle": Path(task.bundle), "threads": task.threads}
    )
    config = config.model_copy(update={"classifier": classifier})
    bundle, model = proved = proved_bundle(config)
    config = with_simulated_sizes(config, scenario.load, bundle.labels)
    clock, motion = VirtualClock(), BeltMotion(scenario.stretches)
    film = FilmCamera(np.load(task.film, mmap_mode="r"), scenario.camera.fps, clock)
    camera, encoder = with_scenario_encoder(
        config, scenario, camera=film, motion=motion, clock=clock, seed=task.seed
    )
    records: list[dict[str, Any]] = []

    def record(item: ItemRecord) -> None:
        # An encoder that misses pulses shifts all positions, so the true position is kept.
        now = clock.now()
        slipped_mm = motion.position_mm(now) - encoder.position_mm(now)
        position_mm = float(item.position_mm + slipped_mm)
        offset_mm = float(item.offset_mm)
        records.append({"label": item.label, "position_mm": position_mm, "offset_mm": offset_mm})

    gates = SimulatedPlant([], config.gate_specs)
    source = Source(camera, encoder, clock, gates)
    conveyor = build_conveyor(config, source, gates, decider_of(config, proved), record)
    model.predict(np.array(film.frames[0]))  # the first one takes longer
    started = time.process_time()
    conveyor.run()
    cpu_s = time.process_time() - started - film.reading_s
    return {"records": records, "cpu_s": cpu_s}


if __name__ == "__main__":
    given = LineTask(**json.loads(Path(sys.argv[1]).read_text()))
    Path(given.answer).write_text(json.dumps(run(given)))
