"""Commands without a belt or photos: simulate, draw."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.options import (
    PATH,
    AsJson,
    BundleDir,
    ConfigFile,
    Photos,
    parse_name,
    require_finite,
)
from edge.commands.printing import print_table, show_item
from edge.commands.settings import read_settings
from edge.errors import BadInput, EwasteError
from edge.terminal import err, out

if TYPE_CHECKING:
    from edge.config import Config
    from edge.simulator.scenario import Scenario
    from edge.simulator.score import Score

TITLES = {"duplicates": "duplicate records", "routed_right": "routed to the right bin"}
"""Figures of a score whose key does not say enough to people."""


def simulate(
    *,
    scenario: Annotated[
        str | None,
        typer.Argument(
            parser=parse_name,
            metavar="[SCENARIO]",
            help="name of a scenario, or a .toml file; without: an even belt",
        ),
    ] = None,
    items: Annotated[int | None, typer.Option(min=1, help="number of items on the belt")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the random items and their places")] = 0,
    photos: Photos = None,
    debris: Annotated[
        Path | None, typer.Option(**PATH, help="folder with photos of other things on the belt")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=240, callback=require_finite, help="frames per simulated second"),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(**PATH, help="video file to write, .mp4 or .avi")
    ] = None,
    sizes: Annotated[bool, typer.Option(help="let the size of an item have a say")] = True,
    list_them: Annotated[bool, typer.Option("--list", help="list the scenarios")] = False,
    config: ConfigFile = None,
    bundle: BundleDir = None,
    as_json: AsJson = False,
) -> None:
    """Run a simulated belt as fast as possible and score what the line made of it."""
    from edge.config import overruled
    from edge.simulator.simulate import PhotoFolders
    from edge.simulator.simulate import simulate as simulate_belt

    if list_them:
        _print_scenarios()
        return
    settings = read_settings(config, bundle=bundle, camera="simulated")
    if not sizes:
        settings = overruled(settings, {"decision.sizes": "off"}, {})
    pictures = PhotoFolders(photos, debris, cards=scenario is None)
    plant = _plant(settings, scenario, fps=fps, items=items, photos=photos is not None)
    show = (lambda record: None) if as_json else show_item
    with out.beside(), err.beside():
        score = simulate_belt(
            settings, plant, seed=seed, pictures=pictures, video=video, on_record=show
        ).score
    if as_json:
        out.print(json.dumps(_figures(score)))
    else:
        _print_score(score)


def _print_scenarios() -> None:
    from edge.simulator.scenario import read_scenario, scenario_names

    for name in scenario_names():
        out.print(f"{name:22} {read_scenario(name).about}")


def _plant(
    settings: "Config", name: str | None, *, fps: float | None, items: int | None, photos: bool
) -> "Scenario":
    """The scenario of this name, or an even belt, with what was given on the command line."""
    from edge.simulator.scenario import changed, read_scenario
    from edge.simulator.simulate import plain_scenario

    if name is None:
        plant = plain_scenario(settings, fps=10.0, items=100, photos=photos)
    else:
        plant = read_scenario(name)
    given = {"fps": fps, "items": items}
    return changed(plant, {key: value for key, value in given.items() if value})


def _print_score(score: "Score") -> None:
    """Print a score as two tables: what became of the items, and what each bin got."""
    figures = _figures(score)
    bins = figures.pop("bins")
    rows = [(TITLES.get(key, key.replace("_", " ")), str(value)) for key, value in figures.items()]
    print_table(("what", "items"), rows)
    out.print()
    shares = ("purity", "recovery")
    rows = [
        (
            name,
            *(str(each[key]) for key in ("fed", "got")),
            *("-" if each[key] is None else f"{each[key]:.1%}" for key in shares),
        )
        for name, each in bins.items()
    ]
    print_table(("bin", "fed", "got", *shares), rows)


def _figures(score: "Score") -> dict[str, Any]:
    """A score as JSON knows it; the purity of an empty bin is null."""
    figures = asdict(score)
    for name, each in score.bins.items():
        shares = {"purity": each.purity, "recovery": each.recovery}
        figures["bins"][name] |= {
            key: None if math.isnan(share) else share for key, share in shares.items()
        }
    return figures


def draw(
    *,
    target: Annotated[
        Path, typer.Option("--out", **PATH, help="folder to write to; it must be empty")
    ],
    train: Annotated[int, typer.Option(min=1, help="pictures per class for training")] = 60,
    val: Annotated[int, typer.Option(min=1, help="pictures per class for validation")] = 10,
    test: Annotated[int, typer.Option(min=1, help="pictures per class for the test")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="seed of the drawings")] = 0,
    size: Annotated[
        int, typer.Option(min=32, max=1024, help="width and height of a picture, px")
    ] = 224,
) -> None:
    """Write a dataset of drawn items, for a clone without photos."""
    from edge.synthetic.items import CLASSES, write_dataset

    try:
        write_dataset(target, {"train": train, "val": val, "test": test}, seed, size)
    except FileExistsError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise EwasteError(f"{target}: cannot be written ({error.strerror})") from None
    out.print(f"{target}: {(train + val + test) * len(CLASSES)} drawn pictures")
