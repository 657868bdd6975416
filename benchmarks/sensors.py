"""Hazards and handwork with and without an X-ray: python benchmarks/sensors.py --items 400.

The belt of the scenario `xray` is run twice, with the same items in the same places: once with the
simulated X-ray, once without. Then once more for each kind of fault of its messages.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.shares import share
from edge.config import Config, read_config
from edge.intervals import wilson
from edge.labels import MANUAL
from edge.simulator.scenario import Scenario, read_scenario
from edge.simulator.simulate import PhotoFolders, simulate
from train.command import command

FAULTS: dict[str, dict[str, object]] = {
    "one message in five lost": {"lost": 0.2},
    "one in five twice": {"repeated": 0.2},
    "one in five torn": {"garbled": 0.2},
    "one in five a second off": {"wrong_time": 0.2, "wrong_by_s": 1.0},
    "one in five a day off": {"wrong_time": 0.2, "wrong_by_s": 86_400.0},
    "times off by 0.1 s (one sigma)": {"jitter_s": 0.1},
    "delays of 0 to 1.5 s, in any order": {"delay_s": (0.0, 1.5)},
    "silent for good after 20 s": {"silent_s": ((20.0, 1e6),)},
}


@dataclass(frozen=True)
class Row:
    """The figures of one run.

    Attributes:
        name: of the run.
        items: on the belt.
        hazards: items that are a hazard, or hold one.
        leaks: of them, those that ended in another bin than they may.
        hidden: items that hold a hazard no picture shows.
        hidden_leaks: of them, likewise.
        by_hand: items that ended in `manual`.
        needless: of them, those that belong in a bin.
    """

    name: str
    items: int
    hazards: int
    leaks: int
    hidden: int
    hidden_leaks: int
    by_hand: int
    needless: int


def run(name: str, config: Config, scenario: Scenario, *, seed: int, pictures: PhotoFolders) -> Row:
    """Run a scenario once."""
    score = simulate(config, scenario, seed=seed, pictures=pictures).score
    manual = score.bins[MANUAL]
    found = Row(
        name=name,
        items=score.items,
        hazards=score.hazards + score.hidden,
        leaks=score.hazard_leaks + score.hidden_leaks,
        hidden=score.hidden,
        hidden_leaks=score.hidden_leaks,
        by_hand=manual.got,
        needless=manual.got - manual.right,
    )
    print(found, file=sys.stderr)
    return found


def variants(scenario: Scenario, with_faults: bool) -> Iterable[tuple[str, Scenario]]:
    """The runs: without the X-ray, with it, without requiring it, and with each fault."""
    yield "without X-ray", scenario.model_copy(update={"sensors": ()})
    yield "with X-ray", scenario
    (xray,) = scenario.sensors
    for name, changes in FAULTS.items() if with_faults else ():
        yield name, scenario.model_copy(update={"sensors": (xray.model_copy(update=changes),)})


def main(
    *,
    items: Annotated[int, typer.Option(min=1, help="number of items on the belt")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    photos: Annotated[Path | None, typer.Option(help="folder of photos, CLASS/*.jpg")] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=240, help="frames per second; default: as the scenario"),
    ] = None,
    faults: Annotated[bool, typer.Option(help="also run each fault of the messages")] = True,
    config: Annotated[Path | None, typer.Option(help="TOML file of the line")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Hazard recall and handwork with and without an X-ray. Exit codes: 0 done, 1 failed."""
    with command():
        scenario = read_scenario("xray").model_copy(update={"items": items})
        if fps is not None:
            camera = scenario.camera.model_copy(update={"fps": fps})
            scenario = scenario.model_copy(update={"camera": camera})
        if photos is not None:
            load = scenario.load.model_copy(update={"photos": 1.0})
            scenario = scenario.model_copy(update={"load": load})
        line, pictures = read_config(config), PhotoFolders(photos)
        rows = [
            run(name, line, plant, seed=seed, pictures=pictures)
            for name, plant in variants(scenario, faults)
        ]
    if as_json:
        print(json.dumps({"rows": [_figures(row) for row in rows]}))
        return
    for row in rows:
        print(row.name)
        print(f"  hazard recall    {share(row.hazards - row.leaks, row.hazards)}")
        print(f"  of hidden ones   {share(row.hidden - row.hidden_leaks, row.hidden)}")
        print(f"  sorted by hand   {share(row.by_hand, row.items)}")
        print(f"  needlessly so    {share(row.needless, row.items)}")


def _figures(row: Row) -> dict[str, object]:
    parts = {
        "hazard_recall": (row.hazards - row.leaks, row.hazards),
        "hidden_recall": (row.hidden - row.hidden_leaks, row.hidden),
        "by_hand_share": (row.by_hand, row.items),
        "needless_share": (row.needless, row.items),
    }
    return asdict(row) | {
        name: {"share": part / total, "interval": wilson(part, total)}
        for name, (part, total) in parts.items()
        if total
    }


if __name__ == "__main__":
    typer.run(main)
