"""Sequential voting compared with a fixed number of views: python benchmarks/voting.py."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.config import Config
from edge.simulator.scenario import Scenario, read_scenario
from edge.simulator.simulate import PhotoFolders, SimulationResult, plain_scenario, simulate
from train.command import command

FPS = 10.0


@dataclass(frozen=True)
class VotingRow:
    """The result of one way of voting; all run on the same belt.

    Attributes:
        vote: name of the way of voting.
        items: number of items on the belt.
        inferences: inferences per item.
        accuracy: share of items with the correct label, 0 to 1; unknown items are not correct.
        wrong: number of items with a wrong label.
        unknown: number of unknown items.
        routed_right: number of items in the bin of their true label.
        hazards: number of hazardous items.
        hazard_leaks: number of hazardous items in the bin of another label.
    """

    vote: str
    items: int
    inferences: float
    accuracy: float
    wrong: int
    unknown: int
    routed_right: int
    hazards: int
    hazard_leaks: int


def compare(
    config: Config, scenario: Scenario, pictures: PhotoFolders, seed: int, fixed: list[int]
) -> list[VotingRow]:
    """Run the same belt with fixed numbers of views and with the configured sequential vote.

    Raises:
        EwasteError: the bundle or the photos cannot be used.
    """
    ways: list[tuple[str, dict[str, object]]] = [
        (f"fixed {views}", {"vote": "fixed", "views": views}) for views in fixed
    ]
    most = f"sequential, at most {config.classifier.views}"
    rows = []
    ways.append((most, {"vote": "sequential"}))
    for name, keys in ways:
        classifier = config.classifier.model_copy(update=keys)
        line = config.model_copy(update={"classifier": classifier})
        rows.append(_row(name, simulate(line, scenario, seed=seed, pictures=pictures)))
    return rows


def _row(name: str, result: SimulationResult) -> VotingRow:
    score = result.score
    return VotingRow(
        vote=name,
        items=score.items,
        inferences=round(result.inferences / score.items, 3),
        accuracy=round(score.right / score.items, 4),
        wrong=score.wrong,
        unknown=score.unknown,
        routed_right=score.routed_right,
        hazards=score.hazards,
        hazard_leaks=score.hazard_leaks,
    )


def main(
    *,
    items: Annotated[int, typer.Option(min=1, help="number of items")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="random seed of the items")] = 0,
    photos: Annotated[
        Path | None, typer.Option(help="folder of photos, CLASS/*.jpg; default: drawn items")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="name of a scenario; default: an even belt")
    ] = None,
    fixed: Annotated[list[int], typer.Option(min=1, help="views per item; repeatable")] = [1, 3],  # noqa: B006
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Compare ways of voting. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    config = Config().model_copy(
        update={"classifier": Config().classifier.model_copy(update={"bundle": bundle})}
    )
    with command():
        if scenario is None:
            plant = plain_scenario(config, fps=FPS, items=items, photos=photos is not None)
        else:
            plant = read_scenario(scenario).model_copy(update={"items": items})
        rows = compare(config, plant, PhotoFolders(photos), seed, fixed)
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
        return
    print(
        f"{'vote':22}  inferences/item  right  wrong  unknown  right bin  hazard leaks"
        f"  ({rows[0].items} items)"
    )
    for row in rows:
        print(
            f"{row.vote:22}  {row.inferences:15.2f}  {row.accuracy:5.1%}  {row.wrong:5}  "
            f"{row.unknown:7}  {row.routed_right:9}  {row.hazard_leaks:5} of {row.hazards}"
        )


if __name__ == "__main__":
    typer.run(main)
