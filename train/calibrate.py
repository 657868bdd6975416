"""Calibrate a run on its val photos: python train/calibrate.py --run RUN [--data DIR]."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from edge.calibration.costs import Costs
from edge.errors import BadInput
from edge.photos.dataset import photos_below
from edge.photos.listing import SPLIT_FILE
from train.command import command, load_tensorflow, print_json
from train.evaluation.options import CalibrationOptions
from train.options import Masks

log = logging.getLogger("train.calibrate")  # also where this module is __main__

DEFAULT = Costs()


def main(
    *,
    run: Annotated[Path, typer.Option(help="finished run to calibrate")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="dataset as for fine_tune.py; without it the run's split.csv"),
    ] = None,
    hazard: Annotated[
        list[str] | None,
        typer.Option(help="label whose items must reach no other bin; repeatable"),
    ] = None,
    wrong_cost: Annotated[
        float, typer.Option(min=1, help="cost of an item in a wrong bin, in items sorted by hand")
    ] = DEFAULT.wrong,
    hazard_cost: Annotated[
        float, typer.Option(min=1, help="cost of a hazard in a wrong bin, in items sorted by hand")
    ] = DEFAULT.hazard,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(
            help="folder of photos of things of no known class, a folder for each kind; repeatable"
        ),
    ] = None,
    masks: Masks = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of all random numbers")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print figures as JSON")] = False,
) -> None:
    """Calibrate a run on val. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(run):
        load_tensorflow()
        from train.data.dataset import read_dataset
        from train.evaluation.calibrate import calibrate_run, describe, find_hazards
        from train.evaluation.predictor import open_predictor

        predictor = open_predictor(run, threads=2)
        find_hazards(run, predictor.labels, hazard)
        sources = data or [run / SPLIT_FILE]
        dataset = read_dataset(sources, predictor.size, seed, keep_duplicates=not data)
        if dataset.labels != predictor.labels:
            raise BadInput(f"{sources[0]}: other classes than the run's")
        others = [photo for folder in negatives or [] for photo in photos_below(folder)]
        if negatives and not others:
            raise BadInput(f"--negatives {negatives[0]}: holds no photo")
        options = CalibrationOptions(
            costs=Costs(wrong_cost, hazard_cost),
            seed=seed,
            masks=masks,
            negatives=(*dataset.negatives, *others),
        )
        found = calibrate_run(run, dataset.train, dataset.val, hazard, options)
        for line in describe(found):
            log.info(line)
        if as_json:
            print_json({"parameters": found.parameters.model_dump(mode="json"), **found.figures})


if __name__ == "__main__":
    typer.run(main)
