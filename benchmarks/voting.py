"""Views until the vote is sure against a fixed number of them, on one belt: python
benchmarks/voting.py.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.endings import one_line_errors
from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.config import Config
from edge.simulator.scenario import Scenario, read_scenario
from edge.simulator.simulate import PhotoFolders, SimulationResult, plain_scenario, simulate

FPS = 10.0


@dataclass(frozen=True)
class VotingRow:
    """One way of voting; all of them on the same belt.

    Attributes:
        vote: how.
        items: what lay on the belt.
        inferences: per item.
        accuracy: right labels among all items, 0 to 1; what is sent to `manual` as unknown is not
            right.
        wrong, unknown: items.
        routed_right: items that ended in the bin of their true label.
        hazards: batteries on the belt.
        hazard_leaks: those that ended in another label's bin.
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
    """Run the same belt with a fixed number of views and with the configured sequential vote.

    Raises:
        EwasteError: the bundle or the photos cannot be used.
    """
    ways = [(f"fixed {views}", {"vote": "fixed", "views": views}) for views in fixed]
    most = f"sequential, at most {config.classifier.views}"
    rows = []
    for name, keys in [*ways, (most, {"vote": "sequential"})]:
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
    items: Annotated[int, typer.Option(min=1, help="on the belt")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="of what they are and where")] = 0,
    photos: Annotated[
        Path | None, typer.Option(help="folder of CLASS/*.jpg to cut the items out of; none: drawn")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="none: an even belt")] = None,
    fixed: Annotated[list[int], typer.Option(min=1, help="repeatable")] = [1, 3],  # noqa: B006
    bundle: Annotated[Path, typer.Option(help="directory of the model")] = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Compare ways of voting. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    config = Config().model_copy(
        update={"classifier": Config().classifier.model_copy(update={"bundle": bundle})}
    )
    with one_line_errors():
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
