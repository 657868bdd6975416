"""Segment the items of photos: python train/segment.py --data DIR --weights FILE --out MASKS.

Items found on plain backgrounds train a network that finds items on any background
(`train.learning.segmenter`).
"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from train.command import command, load_tensorflow

log = logging.getLogger("train.segment")  # also where this module is __main__


def main(
    *,
    data: Annotated[list[Path], typer.Option(help="dataset as for fine_tune.py; repeatable")],
    out: Annotated[Path, typer.Option(help="folder for the masks, new or empty")],
    weights: Annotated[
        str, typer.Option(help="initial weights: imagenet, none, or a Keras file")
    ] = "imagenet",
    image_size: Annotated[
        int, typer.Option(min=64, max=512, help="side of the network's input, px")
    ] = 160,
    steps: Annotated[int, typer.Option(min=1, help="training steps of 32 pictures each")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="seed of all random numbers")] = 0,
) -> None:
    """Segment the items of photos. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(out):
        load_tensorflow()
        from train.learning.segment_photos import segment_all

        found = segment_all(
            data=data, weights=weights, size=image_size, steps=steps, seed=seed, out=out
        )
    log.info(
        f"{out}: {found.plain + found.learned} masks of {found.photos} photos: {found.plain} on a "
        f"plain background, {found.learned} by the trained network"
    )


if __name__ == "__main__":
    typer.run(main)
