"""Make a run of a Keras classifier that was trained elsewhere, with the calibration of any run."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convert.imported.affine import PREPROCESSINGS
from convert.imported.trial import Attempt, TrialResult, try_import
from edge.errors import BadInput
from edge.labels import also_called, labels_problem, normalized
from edge.photos.dataset import find_dataset
from edge.photos.listing import SPLIT_FILE, listing_text
from train.command import load_tensorflow
from train.data.dataset import Dataset, read_dataset
from train.evaluation.options import CalibrationOptions
from train.evaluation.predictor import AnswerBatch
from train.evaluation.run_config import RUN_CONFIG, RUN_MODEL
from train.intervals import mcnemar
from train.learning.weights import MOST_BYTES

log = logging.getLogger(__name__)

METRICS = "metrics.json"
MOST_LABEL_BYTES = 2**20
TRIED_PHOTOS = 64
"""Val photos that the other ways to preprocess are tried on."""
SURE = 0.01
"""Largest p-value at which another way is reported as better."""


@dataclass(frozen=True)
class ImportOptions:
    """What to import, and how.

    Attributes:
        model: the file of Keras, .keras or .h5.
        labels: a text file with a label on each line, in the order of the outputs.
        preprocessing: what the data pipeline of the training did to RGB pixels, one of
            `convert.imported.affine.PREPROCESSINGS`.
        data: the datasets to calibrate on.
        image_size: height and width of the input, px; None: that of the model.
        seed: of the calibration.
    """

    model: Path
    labels: Path
    preprocessing: str
    data: tuple[Path, ...]
    image_size: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class ImportedRun:
    """A run, and the pipeline that its conversion is compared with.

    Attributes:
        path: the directory of the run.
        answers: makes a batch predictor of the original pipeline out of that of the run's model.
    """

    path: Path
    answers: Callable[[AnswerBatch], AnswerBatch]


def import_run(options: ImportOptions, scratch: Path) -> ImportedRun:
    """Rebuild a classifier as the model of a run, and calibrate the run on val.

    Args:
        options: what to import.
        scratch: an empty folder for the run.

    Raises:
        BadInput: the file, the labels or the data cannot be used.
    """
    labels = read_labels(options.labels)
    _check_classes(options.data, labels, options.labels)
    run = scratch / "run"
    run.mkdir()
    log.info(f"reading {options.model}")
    found = try_import(
        Attempt(
            source=str(_copied(options.model, scratch)),
            shown=str(options.model),
            model=str(run / RUN_MODEL),
            preprocessing=options.preprocessing,
            size=options.image_size,
            classes=len(labels),
        )
    )
    _write_run(run, options, labels, found)
    where = "in the first convolution" if found.folded else "in a layer of its own"
    log.info(f"takes {found.size} px; preprocessing '{options.preprocessing}' {where}")
    dataset = _in_order(read_dataset(options.data, found.size, options.seed), labels)
    _write_split(run, dataset)
    load_tensorflow()
    from convert.imported.pipeline import Pipeline, load_original
    from train.evaluation.calibrate import calibrate_run, describe

    original = load_original(found.source, found.stored, options.model)
    pipeline = Pipeline(original, options.preprocessing, found.gives_logits)
    advise(pipeline.outputs, dataset, options.preprocessing)
    log.info(f"calibrating on {len(dataset.val.classes)} val photos")
    calibrated = calibrate_run(
        run, dataset.train, dataset.val, options=CalibrationOptions(seed=options.seed)
    )
    for line in describe(calibrated):
        log.info(line)
    return ImportedRun(run, pipeline.answers)


def read_labels(path: Path) -> tuple[str, ...]:
    """Read the labels of a model: a text file, UTF-8, one on each line.

    Raises:
        BadInput: it cannot be read, or holds no labels of one model.
    """
    try:
        if path.stat().st_size > MOST_LABEL_BYTES:
            raise BadInput(f"{path}: too large for labels")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not UTF-8; one label a line is needed") from None
    labels = tuple(normalized(line.strip()) for line in text.splitlines() if line.strip())
    if len(labels) < 2:
        raise BadInput(f"{path}: names {len(labels)} labels; two or more are needed, one a line")
    if problem := labels_problem(labels):
        raise BadInput(f"{path}: {problem}")
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise BadInput(f"{path}: names {repeated[0]} twice")
    return labels


def _check_classes(data: Sequence[Path], labels: Sequence[str], named: Path) -> None:
    """Check that the photos are of the model's classes, all of them."""
    classes = {
        normalized(photo.label)
        for source in data
        for photos in find_dataset(source).values()
        for photo in photos
    }
    if unknown := sorted(classes - set(labels)):
        listed = ", ".join(f"{label}{also_called(label, labels)}" for label in unknown[:8])
        raise BadInput(f"{named}: has no label {listed}, which --data shows")
    if missing := [label for label in labels if label not in classes]:
        raise BadInput(
            f"{named}: --data has no photo of {', '.join(missing[:8])}; the calibration needs "
            "photos of every label"
        )


def _copied(model: Path, scratch: Path) -> Path:
    """A copy of the file, so that what is checked is what is loaded."""
    if model.is_dir():
        saved = (model / "saved_model.pb").exists()
        kind = "a SavedModel of TensorFlow" if saved else "a folder"
        raise BadInput(f"{model}: {kind}; --keras takes whole models of Keras, .keras or .h5")
    if not model.is_file():
        raise BadInput(f"{model}: no such file (--keras)")
    if model.stat().st_size > MOST_BYTES:
        raise BadInput(f"{model}: too large to be a classifier")
    copy = scratch / "original"
    try:
        shutil.copyfile(model, copy)
    except OSError as error:
        raise BadInput(f"{model}: cannot be read ({error.strerror})") from None
    return copy


def _write_run(
    run: Path, options: ImportOptions, labels: Sequence[str], found: TrialResult
) -> None:
    config = {
        "labels": list(labels),
        "image_size": found.size,
        "seed": options.seed,
        "data": [str(each) for each in options.data],
        "weights": options.model.name,
    }
    (run / RUN_CONFIG).write_text(json.dumps(config), encoding="utf-8")
    figures = {
        "imported_from": options.model.name,
        "preprocessing": options.preprocessing,
        "preprocessing_folded": found.folded,
    }
    (run / METRICS).write_text(json.dumps(figures), encoding="utf-8")


def _in_order(dataset: Dataset, labels: tuple[str, ...]) -> Dataset:
    """The dataset with the classes numbered as the outputs of the model are."""
    places = np.array([labels.index(label) for label in dataset.labels])
    train, val, test = (
        replace(split, classes=places[split.classes])
        for split in (dataset.train, dataset.val, dataset.test)
    )
    return replace(dataset, labels=labels, train=train, val=val, test=test)


def _write_split(run: Path, dataset: Dataset) -> None:
    """Write the splits, for datasets that have none (`convert.proof.dataset.find_splits`)."""
    content = listing_text(
        (os.path.relpath(photo.resolve(), run.resolve()), dataset.labels[number], name)
        for name, split in dataset.splits.items()
        for photo, number in zip(split.paths, split.classes, strict=True)
    )
    (run / SPLIT_FILE).write_bytes(content)


def advise(outputs: Callable[[np.ndarray, str], np.ndarray], dataset: Dataset, chosen: str) -> None:
    """Warn if the model is right far more often with another preprocessing.

    Whether the answers make sense is all that tells a wrong `--preprocessing`: conversion proves
    only that the bundle gives the answers of the pipeline that was named.
    """
    generator = np.random.default_rng(0)
    places = generator.permutation(len(dataset.val.classes))[:TRIED_PHOTOS]
    pixels, classes = dataset.val.pixels[places], dataset.val.classes[places]
    right = {mode: outputs(pixels, mode).argmax(axis=1) == classes for mode in PREPROCESSINGS}
    best = max(PREPROCESSINGS, key=lambda mode: right[mode].sum())
    gained = int((right[best] & ~right[chosen]).sum())
    lost = int((right[chosen] & ~right[best]).sum())
    if gained > lost and mcnemar(lost, gained) < SURE:
        log.warning(
            f"--preprocessing {chosen}: {right[chosen].mean():.0%} of {len(places)} val photos "
            f"are right, with {best} {right[best].mean():.0%}; is that what it was trained with?"
        )
