"""Search the recipe on val: python train/tune.py --data DIR --out STUDY --trials 30."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import BadInput
from train.command import command, load_tensorflow, print_json, print_table
from train.learning.recipe import Recipe
from train.options import (
    AugmentationKind,
    EarlierViews,
    Epochs,
    ImageSize,
    NumberFormat,
    Seed,
    Unfreeze,
    UnfreezeEpochs,
    Views,
)

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
    image_size: ImageSize = 160,
    epochs: Epochs = DEFAULT.epochs,
    unfreeze_epochs: UnfreezeEpochs = DEFAULT.unfreeze_epochs,
    unfreeze: Unfreeze = DEFAULT.unfreeze,
    views: Views = DEFAULT.views,
    copies: EarlierViews = None,
    augmentation: AugmentationKind = DEFAULT.augmentation,
    precision: NumberFormat = "auto",
    seed: Seed = DEFAULT.seed,
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
