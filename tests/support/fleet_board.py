"""A board of a fleet: a real line on a simulated belt in virtual time, until SIGTERM.

    fleet_board.py CONFIG ITEMS_PER_S

The line is that of `ewaste-edge run`: records, probation, outputs, and watch on the bundles. Only
the belt is simulated, and it is slowed down so that boards share a small machine.
"""

import signal
import sys
import time
from pathlib import Path

from edge import bundle_watch, store_trial
from edge.clock import VirtualClock
from edge.config import Config, read_config
from edge.line import run_line
from edge.line_source import Source
from edge.logs import install_handler
from edge.records.record import ItemRecord
from edge.simulator.layout import place_items
from edge.simulator.scenario import Load
from edge.simulator.simulate import PhotoFolders, pieces_of, plain_scenario, plant_source

LABELS = ("Battery", "Keyboard", "PCB")
ITEMS = 20_000
FPS = 5.0


def main(path: Path, items_per_s: float) -> None:
    bundle_watch.POLL_SECONDS, store_trial.JUDGE_SECONDS = 0.2, 0.3
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    config = read_config(path)

    def opened(config: Config) -> Source:
        scenario = plain_scenario(config, fps=FPS, items=ITEMS, photos=False)
        some = pieces_of(Load(labels=LABELS), PhotoFolders(), 1, config)
        pieces = [next(some) for _ in range(12)]
        placed = place_items(
            (pieces[number % 12] for number in range(ITEMS)), ITEMS, 1, config.geometry
        )
        clock = VirtualClock()
        return plant_source(config, scenario, placed, seed=1, clock=clock, realtime=False)

    def decided(record: ItemRecord) -> None:
        time.sleep(1 / items_per_s)

    run_line(config, opened, False, lambda: bool(asked), decided, config_file=path)


if __name__ == "__main__":
    install_handler()
    main(Path(sys.argv[1]), float(sys.argv[2]))
