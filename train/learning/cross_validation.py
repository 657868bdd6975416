"""K-fold cross-validation that shares the frozen features between the folds."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from edge.errors import BadInput
from edge.files import write_whole
from train.intervals import wilson
from train.learning.fit import Material, OnStep, fit
from train.learning.model import Network
from train.learning.recipe import Recipe

log = logging.getLogger(__name__)

RESULT = "folds.json"


def cross_validate(
    build: Callable[[], Network],
    material: Material,
    *,
    groups: np.ndarray,
    recipe: Recipe,
    folds: int,
    out: Path,
    on_step: OnStep,
) -> dict:
    """Train on all but one part of the photos and judge on that part, for each of `folds` parts.

    Copies of one picture are in one part, the classes even over the parts. No epoch is chosen on
    the photos that judge: the last one counts. Folds that `out` holds already are not done again.

    Args:
        build: makes the network as it is before training.
        material: all photos, those without a label last; all folds train on the latter.
        groups: int [labeled photos], as of `train.data.duplicates.find_groups`.
        recipe: how to train.
        folds: how many parts, 2 or more.
        out: folder for `folds.json`.
        on_step: gets the progress.

    Returns what `folds.json` holds: mean and deviation of the accuracy, and each fold's accuracy
    with its Wilson interval.

    Raises:
        BadInput: a class has too few different photos for so many folds.
    """
    classes = material.classes[: len(groups)]
    least = min(len(np.unique(groups[classes == each])) for each in np.unique(classes))
    if least < folds:
        raise BadInput(f"--folds {folds}: a class has only {least} different photos; use fewer")
    result = out / RESULT
    rows = json.loads(result.read_text())["folds"] if result.exists() else []
    everything = np.arange(len(material.classes))
    labeled, others = everything[: len(groups)], everything[len(groups) :]
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=recipe.seed)
    recipe = replace(recipe, patience=recipe.epochs + recipe.unfreeze_epochs)
    for number, (train, val) in enumerate(parts.split(labeled, classes, groups)):
        if number < len(rows):
            continue
        log.info(f"fold {number + 1} of {folds}: {len(train)} to train, {len(val)} to judge")
        keras.utils.set_random_seed(recipe.seed)
        network = build()
        learned = np.concatenate([train, np.intersect1d(others, material.train)])
        part = replace(material, train=learned, val=val, augmented=everything, judged=everything)
        history, _ = fit(
            network, part, recipe=recipe, out=out / f"fold-{number + 1}", on_step=on_step
        )
        right = round(history[-1]["val_accuracy"] * len(val))
        low, high = wilson(right, len(val))
        rows.append(
            {
                "images": len(val),
                "accuracy": right / len(val),
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
        write_whole(result, json.dumps(_summary(rows), indent=2).encode() + b"\n")
        shutil.rmtree(out / f"fold-{number + 1}")
    return _summary(rows)


def _summary(rows: list[dict]) -> dict:
    accuracy = [row["accuracy"] for row in rows]
    return {
        "accuracy_mean": float(np.mean(accuracy)),
        "accuracy_deviation": float(np.std(accuracy, ddof=1)) if len(rows) > 1 else 0.0,
        "folds": rows,
    }
