"""Search the recipe on val: python train/tune.py --data DIR --out STUDY --trials 30."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import BadInput
from train.command import command, load_tensorflow, print_json, print_table
from train.learning.recipe import Augmentation, Precision, Recipe, UnfreezeStage

DEFAULT = Recipe()


def main(
    *,
    data: Annotated[list[Path], typer.Option(help="dataset as for fine_tune.py; repeatable")],
    out: Annotated[Path, typer.Option(help="folder of the study; an existing study is continued")],
    trials: Annotated[
        int, typer.Option(min=1, help="number of trials, including those finished earlier")
    ] = 30,
    weights: Annotated[
        str, typer.Option(help="initial weights: imagenet, or a Keras file")
    ] = "imagenet",
    image_size: Annotated[
        int, typer.Option(min=32, max=512, help="side of the model's input, px")
    ] = 160,
    epochs: Annotated[
        int, typer.Option(min=1, help="epochs that train the new layers")
    ] = DEFAULT.epochs,
    unfreeze_epochs: Annotated[
        int, typer.Option(min=0, help="further epochs that train unfrozen stages as well")
    ] = DEFAULT.unfreeze_epochs,
    unfreeze: Annotated[
        UnfreezeStage, typer.Option(help="first stage to unfreeze")
    ] = DEFAULT.unfreeze,
    views: Annotated[
        int, typer.Option(min=1, help="number of augmented views of each photo")
    ] = DEFAULT.views,
    copies: Annotated[
        int | None, typer.Option(min=1, hidden=True, help="earlier name of --views")
    ] = None,
    augmentation: Annotated[
        Augmentation,
        typer.Option(help="kind of augmented views; belt pastes items on other backgrounds"),
    ] = DEFAULT.augmentation,
    precision: Annotated[Precision, typer.Option(help="number format to train in")] = "auto",
    seed: Annotated[int, typer.Option(help="seed of all random numbers")] = DEFAULT.seed,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Search the recipe on val. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(out):
        if find_spec("optuna") is None:
            raise BadInput("Optuna is missing; run: pip install '.[tune]'")
        load_tensorflow()
        from train.learning.job import Job
        from train.learning.search import table_of, tune

        recipe = replace(
            DEFAULT,
            epochs=epochs,
            unfreeze_epochs=unfreeze_epochs,
            unfreeze=unfreeze,
            views=copies or views,
            augmentation=augmentation,
            seed=seed,
        )
        job = Job(
            data=tuple(data),
            weights=weights,
            image_size=image_size,
            precision=precision,
            recipe=recipe,
        )
        result = tune(job, trials, out)
        if as_json:
            print_json(result)
        else:
            print_table(table_of(result))


if __name__ == "__main__":
    typer.run(main)
