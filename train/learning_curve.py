"""Show whether more photos would help: python train/learning_curve.py --data DIR --out CURVE."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import BadInput
from train.command import command, load_tensorflow, print_json, print_lines
from train.learning.recipe import Recipe
from train.options import AugmentationKind, Epochs, ImageSize, Masks, NumberFormat, Seed, Views

DEFAULT = Recipe()
PHOTOS = "5,10,20,50,100,1000000"


def main(
    *,
    data: Annotated[list[Path], typer.Option(help="dataset as for fine_tune.py; repeatable")],
    out: Annotated[Path, typer.Option(help="folder of the curve; an unfinished one is continued")],
    photos: Annotated[
        str,
        typer.Option(help="numbers of photos of a class, with commas; the largest class ends them"),
    ] = PHOTOS,
    weights: Annotated[
        str, typer.Option(help="initial weights: imagenet, none, or a Keras file")
    ] = "imagenet",
    image_size: ImageSize = 160,
    epochs: Epochs = DEFAULT.epochs,
    views: Views = DEFAULT.views,
    augmentation: AugmentationKind = DEFAULT.augmentation,
    masks: Masks = None,
    precision: NumberFormat = "auto",
    seed: Seed = DEFAULT.seed,
    as_json: Annotated[bool, typer.Option("--json", help="print the curve as JSON")] = False,
) -> None:
    """Train on more and more photos of each class. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(out, "make room, then the same command continues it"):
        counts = _counts(photos)
        load_tensorflow()
        from train.learning.curve import learning_curve
        from train.learning.job import Job

        recipe = replace(DEFAULT, epochs=epochs, views=views, augmentation=augmentation, seed=seed)
        job = Job(
            data=tuple(data),
            weights=weights,
            image_size=image_size,
            precision=precision,
            masks=masks,
            recipe=recipe,
        )
        curve = learning_curve(job, counts, out)
        if as_json:
            print_json(curve)
        else:
            print_lines(_lines(curve))


def _counts(photos: str) -> list[int]:
    """The numbers of `--photos`.

    Raises:
        BadInput: they are none.
    """
    try:
        counts = [int(each) for each in photos.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 2:
        raise BadInput(f"--photos {photos}: give numbers from 2 on, such as {PHOTOS}")
    return counts


def _lines(curve: dict) -> list[str]:
    """The curve in words."""
    lines = [
        f"{row['photos']:>6} photos of a class: {row['accuracy']:.1%} right on val "
        f"({row['accuracy_low']:.1%} to {row['accuracy_high']:.1%})"
        + ("" if row["probe"] is None else f"; logistic regression {row['probe']:.1%}")
        for row in curve["rows"]
    ]
    if curve["twice_as_many"] is None:
        lines.append(
            "what more photos would bring cannot be estimated: the last step was no better"
        )
    else:
        lines.append(f"twice as many photos: about {curve['twice_as_many']:.1%} expected")
    if curve["helped"]:
        lines.append(f"the last step helped most: {', '.join(curve['helped'][:3])}")
    return lines


if __name__ == "__main__":
    typer.run(main)
