"""Hours of belt through the whole line, on a virtual clock: benchmarks/endurance.py --hours 8.

Records, retention and the files of the page are real. The resources of the process are sampled.
"""

import itertools
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import psutil
import typer

from edge.clock import VirtualClock
from edge.config import Config, RecordsConfig
from edge.line import run_line
from edge.line_source import Source
from edge.simulator.layout import place_items
from edge.simulator.scenario import Load, Optics, Pulses, Scenario, StretchOfBelt
from edge.simulator.simulate import PhotoFolders, config_for_scenario, pieces_of, plant_source
from train.command import command

FPS = 3.0
PIECES = 100
GAP_MM = (250.0, 600.0)
SAMPLES = 24
"""Number of samples of the process."""


@dataclass(frozen=True)
class ProcessSample:
    """The resources of the process at one time.

    Attributes:
        hours: simulated hours so far.
        items: items counted so far.
        resident_mb: resident memory, MB.
        files: number of open file handles.
        threads: number of threads.
        disk_mb: size of the state directory, MB.
    """

    hours: float
    items: int
    resident_mb: float
    files: int
    threads: int
    disk_mb: float


def take_sample(hours: float, items: int, state: Path) -> ProcessSample:
    """Sample this process."""
    process = psutil.Process()
    disk = sum(path.stat().st_size for path in state.rglob("*") if path.is_file())
    return ProcessSample(
        round(hours, 2),
        items,
        round(process.memory_info().rss / 2**20, 1),
        process.num_fds(),
        process.num_threads(),
        round(disk / 2**20, 1),
    )


def endure(hours: float, megabytes: float, photos: Path | None, state: Path) -> list[ProcessSample]:
    """Run the line and sample its resources.

    Raises:
        EwasteError: the line failed.
    """
    scenario = Scenario(
        belt=(
            StretchOfBelt(seconds=50, speed_mm_s=250, ramp_s=0.5),
            StretchOfBelt(seconds=8, speed_mm_s=0, ramp_s=0.5),
            StretchOfBelt(seconds=2, speed_mm_s=-150, ramp_s=0.5),
        ),
        load=Load(gap_mm=GAP_MM, debris=0.1),
        camera=Optics(fps=FPS, drift=0.2),
        encoder=Pulses(kind="exact"),
    )
    records = RecordsConfig(megabytes=megabytes, review_share=0.05)
    config = config_for_scenario(Config(state=state, records=records), scenario)
    pieces = list(
        itertools.islice(pieces_of(scenario.load, PhotoFolders(photos), 1, config), PIECES)
    )
    mean_mm = sum(piece.length_mm for piece in pieces) / PIECES + sum(GAP_MM) / 2
    count = int(hours * 3600 * 250 / mean_mm) + 100
    placed = place_items(itertools.cycle(pieces), count, 1, config.geometry, gap_mm=GAP_MM)
    clock, items = VirtualClock(), 0
    notes: list[ProcessSample] = []
    state.mkdir(parents=True, exist_ok=True)

    def opened(config: Config) -> Source:
        return plant_source(config, scenario, placed, seed=1, clock=clock, realtime=False)

    def stopped() -> bool:
        due = hours * len(notes) / SAMPLES
        if clock.now() / 3600 >= due:
            notes.append(take_sample(clock.now() / 3600, items, state))
            print(notes[-1], file=sys.stderr)
        return clock.now() / 3600 >= hours

    def decided(record: object) -> None:
        nonlocal items
        items += 1

    run_line(config, opened, False, stopped, decided)
    return notes


def main(
    *,
    hours: Annotated[float, typer.Option(min=0.01, help="simulated time, hours")] = 8.0,
    megabytes: Annotated[float, typer.Option(min=10, help="quota of the records, MB")] = 50.0,
    photos: Annotated[Path | None, typer.Option(help="folder of photos, CLASS/*.jpg")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Run the line for hours of simulated time. Exit codes: 0 done, 1 failed, 2 bad input."""
    began = time.perf_counter()
    with command(), tempfile.TemporaryDirectory(prefix="ewaste-endurance-") as state:
        notes = endure(hours, megabytes, photos, Path(state))
    if as_json:
        took = round(time.perf_counter() - began)
        print(json.dumps({"seconds": took, "notes": [asdict(note) for note in notes]}))
        return
    print(pd.DataFrame([asdict(note) for note in notes]).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
