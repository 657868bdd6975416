"""A whole training: read the photos, train, judge, calibrate, and write the run."""

import json
import logging
import os
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from edge.errors import BadInput
from edge.files import write_whole
from edge.inference.preprocess import float_input
from edge.photos.dataset import dataset_names
from edge.photos.listing import SPLIT_FILE, listing_text
from train.data.dataset import Dataset
from train.evaluation.calibrate import calibrate_run, describe
from train.evaluation.metrics import measure, plot_confusion, plot_history
from train.evaluation.options import CalibrationOptions
from train.intervals import wilson
from train.learning.cross_validation import cross_validate
from train.learning.distribute import find_worker, open_strategy
from train.learning.fit import CHECKPOINT, Material, OnStep, fit
from train.learning.job import (
    CONFIG,
    FEATURES,
    MODEL,
    Job,
    build,
    described,
    material_of,
    negatives_of,
    read,
)
from train.learning.model import Network, in_float32
from train.learning.precision import choose_policy, set_policy
from train.progress import bars

log = logging.getLogger(__name__)

METRICS = "metrics.json"


def fine_tune(job: Job, out: Path) -> dict | None:
    """Train on the train splits of the data, choose the epoch on val, look at test once.

    Writes the run directory `out`: `model.keras`, `config.json`, `metrics.json`, `history.csv`,
    `split.csv` (the photos used and for what; a dataset itself), `plots/`, `tensorboard/`, and the
    calibration (`train.evaluation.calibrate`). An interrupted run of the same job is continued. Of
    several workers only the first writes and evaluates.

    Returns what `metrics.json` holds; None from the other workers.

    Raises:
        BadInput: the data, the weights or the output directory cannot be used.
        EwasteError: something cannot be written; `out` stays good to be continued.
    """
    strategy = open_strategy(job.distribute)
    worker = find_worker(job.distribute, os.environ)
    policy = choose_policy(job.precision)
    set_policy(policy, job.recipe.seed)
    seconds: dict[str, float] = {}
    with _timed(seconds, "reading"):
        dataset = read(job)
        network = build(job, dataset.labels)
    log.info(f"layers without pretrained weights: {_listed(network.new_layers) or 'none'}")
    out.mkdir(parents=True, exist_ok=True)
    if worker.rank == 0:
        _write_json(out / CONFIG, described(job, dataset, network, policy))
        _write_split(out, dataset)
    with _timed(seconds, "segmenting"):
        material = replace(material_of(job, dataset, out), worker=worker)
    with bars() as on_step:
        folds = None
        if job.folds:
            with _timed(seconds, "folds"):
                folds = _cross_validate(
                    job,
                    folds=job.folds,
                    dataset=dataset,
                    material=material,
                    out=out,
                    on_step=on_step,
                )
        history, of_phases = fit(
            network, material, recipe=job.recipe, out=out, on_step=on_step, strategy=strategy
        )
    if worker.rank:
        return None
    seconds |= of_phases
    model = in_float32(network.model, job.dropout)
    with _timed(seconds, "judging"):
        metrics = _judge(model, dataset, job.data)
        metrics["out_of_source"] = _judge_outside(model, dataset)
        val = measure(
            dataset.val.classes, probabilities_of(model, dataset.val.pixels), dataset.labels
        )
    metrics["folds"] = folds
    metrics["left_out"] = dict(dataset.left_out)
    metrics["epochs"] = len(history)
    metrics["val_accuracy"] = val["accuracy"]
    (out / "plots").mkdir(exist_ok=True)
    plot_history(history, out / "plots" / "history.png")
    plot_confusion(metrics, dataset.labels, out / "plots" / "confusion.png")
    partial = out / f"partial-{MODEL}"
    model.save(partial)
    partial.replace(out / MODEL)
    options = CalibrationOptions(
        seed=job.recipe.seed, masks=job.masks, negatives=negatives_of(job, dataset)
    )
    with _timed(seconds, "calibrating"):
        found = calibrate_run(out, dataset.train, dataset.val, options=options)
    for line in describe(found):
        log.info(line)
    metrics["temperature"] = found.parameters.temperature
    metrics["val_ece"] = found.figures["ece"]
    metrics["seconds_by_phase"] = seconds
    metrics["seconds"] = round(sum(seconds.values()), 1)
    metrics["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    _write_json(out / METRICS, metrics)
    _clear(out)
    return metrics


def _clear(out: Path) -> None:
    """Remove what only an unfinished run needs."""
    shutil.rmtree(out / FEATURES, ignore_errors=True)
    (out / CHECKPOINT).unlink(missing_ok=True)


def _cross_validate(
    job: Job,
    *,
    folds: int,
    dataset: Dataset,
    material: Material,
    out: Path,
    on_step: OnStep,
) -> dict:
    groups = np.concatenate([dataset.groups["train"], dataset.groups["val"]])

    def start() -> Network:
        return build(job, dataset.labels)

    result = cross_validate(
        start, material, groups=groups, recipe=job.recipe, folds=folds, out=out, on_step=on_step
    )
    log.info(
        f"{folds} folds: accuracy {result['accuracy_mean']:.1%} "
        f"+- {result['accuracy_deviation']:.1%}"
    )
    return result


def probabilities_of(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Probabilities float32 [photos, classes] of uint8 [photos, S, S, 3]."""
    return np.concatenate(
        [
            model.predict_on_batch(float_input(pixels[start : start + 32]))
            for start in range(0, len(pixels), 32)
        ]
    )


def _judge(model: keras.Model, dataset: Dataset, data: tuple[Path, ...]) -> dict:
    """Figures over all test photos, over those without a copy elsewhere, and of each dataset."""
    test, labels = dataset.test, dataset.labels
    probabilities = probabilities_of(model, test.pixels)
    metrics = measure(test.classes, probabilities, labels)
    metrics["images_clean"] = int(dataset.clean.sum())
    metrics["accuracy_clean"] = None
    if dataset.clean.any():
        clean = measure(test.classes[dataset.clean], probabilities[dataset.clean], labels)
        for figure in ("accuracy", "accuracy_low", "accuracy_high"):
            metrics[figure.replace("accuracy", "accuracy_clean")] = clean[figure]
    metrics["datasets"] = {}
    for folder, name in dataset_names(data).items():
        chosen = [index for index, source in enumerate(test.sources) if source == folder]
        if not chosen:
            continue
        figures = measure(test.classes[chosen], probabilities[chosen], labels)
        unseen = [index for index in chosen if dataset.clean[index]]
        figures["images_clean"] = len(unseen)
        figures["accuracy_clean"] = (
            float((probabilities[unseen].argmax(axis=1) == test.classes[unseen]).mean())
            if unseen
            else None
        )
        metrics["datasets"][name] = figures
        log.info(
            f"test photos of {name}: accuracy {figures['accuracy']:.1%} "
            f"({figures['accuracy_low']:.1%} to {figures['accuracy_high']:.1%}) "
            f"over {figures['images']}"
        )
    if metrics["accuracy_clean"] is not None and not dataset.clean.all():
        log.info(
            f"test photos without a copy in train or val: accuracy "
            f"{metrics['accuracy_clean']:.1%} over {metrics['images_clean']}"
        )
    return metrics


def _judge_outside(model: keras.Model, dataset: Dataset) -> dict | None:
    """Figures over the photos of each source that was left out; None where none was.

    The mean is over the classes of each source, so that none counts by its number of photos.
    """
    outside = dataset.outside
    if outside is None:
        return None
    probabilities = probabilities_of(model, outside.pixels)
    right = probabilities.argmax(axis=1) == outside.classes
    rows = []
    for source in dict.fromkeys(outside.sources):
        of_source = np.array([each == source for each in outside.sources])
        for number in np.unique(outside.classes[of_source]):
            chosen = of_source & (outside.classes == number)
            low, high = wilson(int(right[chosen].sum()), int(chosen.sum()))
            row = {
                "source": source.name,
                "label": dataset.labels[number],
                "images": int(chosen.sum()),
                "accuracy": float(right[chosen].mean()),
                "accuracy_low": low,
                "accuracy_high": high,
            }
            rows.append(row)
            log.info(
                f"left out, {row['source']}: {row['label']} {row['accuracy']:.1%} "
                f"({low:.1%} to {high:.1%}) over {row['images']}"
            )
    mean = float(np.mean([row["accuracy"] for row in rows]))
    log.info(f"sources left out: mean of their classes {mean:.1%}")
    return {"accuracy_mean": mean, "rows": rows}


def _write_split(out: Path, dataset: Dataset) -> None:
    """Write `split.csv`, which `edge.photos.dataset.find_dataset` reads; paths are relative to the
    run.

    Raises:
        BadInput: a run that is continued was begun with other photos.
    """
    path = out / SPLIT_FILE
    content = listing_text(
        (os.path.relpath(photo.resolve(), out.resolve()), dataset.labels[number], name)
        for name, split in dataset.splits.items()
        for photo, number in zip(split.paths, split.classes, strict=True)
    )
    if path.exists() and path.read_bytes() != content:
        raise BadInput(f"{path}: the photos are not those this run began with; start a new run")
    write_whole(path, content)


def _listed(names: tuple[str, ...], most: int = 24) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[what] = round(time.monotonic() - started, 1)


def _write_json(path: Path, content: dict) -> None:
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def check_out(out: Path, resume: bool) -> None:
    """Check that `out` is a directory that this training may write.

    Raises:
        BadInput: it holds another run, or nothing to resume.
    """
    if resume:
        if (out / METRICS).exists():
            _clear(out)  # what a kill just before its end left
            raise BadInput(f"{out}: the run is finished; --init {out} continues from it")
    elif (out / METRICS).exists():
        raise BadInput(f"{out}: holds a finished run already; choose another --out")
    elif (out / CONFIG).exists():
        raise BadInput(
            f"{out}: holds an unfinished run; --resume continues it, or choose another --out"
        )


def error_cause(message: str) -> str:
    """The cause in a message of TensorFlow, without its place in the graph."""
    aside = ("\t", " ", "Hint:")
    causes = [line for line in message.splitlines() if line and not line.startswith(aside)]
    return causes[-1] if causes else message
