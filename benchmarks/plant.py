"""Scores of all scenarios of the simulated plant: python benchmarks/plant.py --items 200."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from edge.config import Config, read_config
from edge.errors import BadInput
from edge.simulator.scenario import read_scenario, scenario_names
from edge.simulator.score import BinScore, Score
from edge.simulator.simulate import PhotoFolders, SimulationResult, simulate
from train.command import command

COUNTS = (
    "items",
    "counted",
    "right",
    "wrong",
    "unknown",
    "missed",
    "duplicates",
    "false_positives",
    "miscounted",
    "touching",
    "touching_recognized",
    "touching_false",
    "misrecorded",
    "routed_right",
    "hazards",
    "hazard_leaks",
    "hidden",
    "hidden_leaks",
    "deadlines_missed",
    "late_misrouted",
)


def row(name: str, result: SimulationResult, wall_s: float) -> dict:
    """The figures of one scenario."""
    counts = {key: getattr(result.score, key) for key in COUNTS}
    times = {"belt_s": round(result.belt_s), "wall_s": round(wall_s)}
    return {"scenario": name, **counts, "inferences": result.inferences, **times}


def pooled_bins(scores: list[Score]) -> dict[str, BinScore]:
    """The scores of each bin over all runs."""
    return {
        bin_name: BinScore(
            fed=sum(score.bins[bin_name].fed for score in scores),
            got=sum(score.bins[bin_name].got for score in scores),
            right=sum(score.bins[bin_name].right for score in scores),
        )
        for bin_name in scores[0].bins
    }


def run_all(
    config: Config,
    *,
    names: list[str],
    items: int,
    seed: int,
    pictures: PhotoFolders,
    fps: float | None = None,
) -> tuple[pd.DataFrame, dict[str, BinScore]]:
    """Run scenarios one after the other.

    Args:
        config: of the line.
        names: names of the scenarios.
        items: number of items in each scenario.
        seed: of the first scenario; each further one adds 1.
        pictures: the photos that items are made from.
        fps: frames per second; None: those of each scenario.

    Returns:
        A table with a row for each scenario, and the scores of the bins over all of them.
    """
    rows, scores = [], []
    for place, name in enumerate(names):
        scenario = read_scenario(name)
        camera = scenario.camera if fps is None else scenario.camera.model_copy(update={"fps": fps})
        scenario = scenario.model_copy(update={"items": items, "camera": camera})
        began = time.perf_counter()
        result = simulate(config, scenario, seed=seed + place, pictures=pictures)
        rows.append(row(name, result, time.perf_counter() - began))
        scores.append(result.score)
        print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), file=sys.stderr)
    return pd.DataFrame(rows).set_index("scenario"), pooled_bins(scores)


def main(
    *,
    scenarios: Annotated[
        list[str] | None, typer.Argument(help="names of scenarios; default: all")
    ] = None,
    items: Annotated[int, typer.Option(min=1, help="number of items in each scenario")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="random seed")] = 0,
    photos: Annotated[Path | None, typer.Option(help="folder of photos, CLASS/*.jpg")] = None,
    debris: Annotated[Path | None, typer.Option(help="folder of photos of debris")] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=240, help="frames per second; default: as the scenario"),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of the line")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Run scenarios of the simulated plant. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command():
        names = scenarios or scenario_names()
        unknown = sorted(set(names) - set(scenario_names()))
        if unknown:
            raise BadInput(f"no such scenario: {', '.join(unknown)}")
        pictures = PhotoFolders(photos, debris)
        table, bins = run_all(
            read_config(config), names=names, items=items, seed=seed, pictures=pictures, fps=fps
        )
    total = table.sum()
    shares = {
        name: {"fed": each.fed, "got": each.got, "purity": each.purity, "recovery": each.recovery}
        for name, each in bins.items()
    }
    if as_json:
        rows = table.reset_index().to_dict("records")
        print(
            json.dumps(
                {
                    "scenarios": rows,
                    "total": {key: int(value) for key, value in total.items()},
                    "bins": _plain(shares),
                }
            )
        )
        return
    print(pd.concat([table, total.to_frame("all").T]).to_string())
    print(pd.DataFrame(shares).T.to_string(float_format="{:.3f}".format))


def _plain(shares: dict[str, dict]) -> dict[str, dict]:
    """The same with null instead of NaN, which JSON does not have."""
    return {
        name: {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in each.items()
        }
        for name, each in shares.items()
    }


if __name__ == "__main__":
    typer.run(main)
