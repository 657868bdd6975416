"""Fine-tune ResNet50 on labelled photos: python train/fine_tune.py --data DIR --out RUN."""

import csv
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from edge.errors import BadInput, EwasteError
from edge.files import write_whole
from edge.photos import SPLIT_FILE
from edge.preprocess import float_input
from train.calibrate import Costs, calibrate_run, describe
from train.dataset import Dataset, read_dataset
from train.fit import Recipe, fit
from train.metrics import measure, plot_confusion, plot_history
from train.model import build_network, continue_from

console = Console(stderr=True, highlight=False)


def fine_tune(
    data: list[Path],
    out: Path,
    weights: str,
    init: Path | None,
    image_size: int,
    dropout: float,
    recipe: Recipe,
    keep_duplicates: bool = False,
) -> dict:
    """Train on the train splits of `data`, choose the epoch on val, look at test once.

    Writes the run directory `out`: `model.keras`, `config.json`, `metrics.json`, `history.csv`,
    `split.csv` (the photos used and for what; a dataset itself), `plots/`, and what
    `train.calibrate` finds. Returns what `metrics.json` holds. `keep_duplicates`: see
    `train.dataset.read_dataset`.

    Raises:
        BadInput: the data, the weights or the output directory cannot be used.
    """
    if (out / "metrics.json").exists():
        raise BadInput(f"{out}: holds a finished run already; choose another --out")
    keras.utils.set_random_seed(recipe.seed)
    started = time.monotonic()
    dataset = read_dataset(data, image_size, recipe.seed, console.print, keep_duplicates)
    labels, train, val, test = dataset.labels, dataset.train, dataset.val, dataset.test
    console.print(
        f"{len(labels)} classes; {len(train.classes)} photos to train, "
        f"{len(val.classes)} to choose, {len(test.classes)} to judge"
    )
    if any(dataset.left_out.values()):
        console.print(
            f"left out for a copy in a later split: {dataset.left_out['train']} photos of train, "
            f"{dataset.left_out['val']} of val (--keep-duplicates keeps them)"
        )
    network = build_network(len(labels), image_size, weights, dropout)
    if init is not None:
        network = continue_from(network, init / "model.keras")
    console.print(f"start without pretrained weights: {_listed(network.fresh) or 'none'}")
    out.mkdir(parents=True, exist_ok=True)
    config = {
        "labels": labels,
        "image_size": image_size,
        "data": [str(folder) for folder in data],
        "weights": weights,
        "init": None if init is None else str(init),
        "fresh_layers": network.fresh,
        "dropout": dropout,
        "keep_duplicates": keep_duplicates,
        **asdict(recipe),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
    }
    _write_json(out / "config.json", config)
    _write_split(out, dataset)

    with Progress(console=console, transient=True) as progress:
        history = fit(network, train, val, recipe, out, _bars(progress), console.print)
    metrics = _judge(network.model, dataset, data)
    metrics["left_out"] = dict(dataset.left_out)
    metrics["epochs"] = len(history)
    metrics["val_accuracy"] = max(row["val_accuracy"] for row in history)
    metrics["seconds"] = round(time.monotonic() - started, 1)
    metrics["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    (out / "plots").mkdir(exist_ok=True)
    plot_history(history, out / "plots" / "history.png")
    plot_confusion(metrics, labels, out / "plots" / "confusion.png")
    partial = out / "partial.keras"
    network.model.save(partial)
    partial.replace(out / "model.keras")
    found = calibrate_run(out, train, val, None, Costs(), recipe.seed)
    console.print(describe(found), markup=False)
    metrics["temperature"] = found.levels.temperature
    metrics["val_ece"] = found.figures["ece"]
    _write_json(out / "metrics.json", metrics)
    return metrics


def _judge(model: keras.Model, dataset: Dataset, data: list[Path]) -> dict:
    """Figures over all test photos, over those without a copy elsewhere, and of each dataset."""
    test, labels = dataset.test, dataset.labels
    probabilities = np.concatenate(
        [
            model.predict_on_batch(float_input(test.pixels[start : start + 32]))
            for start in range(0, len(test.classes), 32)
        ]
    )
    metrics = measure(test.classes, probabilities, labels)
    metrics["images_clean"] = int(dataset.clean.sum())
    metrics["accuracy_clean"] = None
    if dataset.clean.any():
        clean = measure(test.classes[dataset.clean], probabilities[dataset.clean], labels)
        metrics["accuracy_clean"] = clean["accuracy"]
    metrics["datasets"] = {}
    for folder in data:
        chosen = [index for index, source in enumerate(test.sources) if source == folder]
        figures = measure(test.classes[chosen], probabilities[chosen], labels)
        metrics["datasets"][folder.name] = figures
        console.print(
            f"test photos of {folder.name}: accuracy {figures['accuracy']:.1%} "
            f"({figures['accuracy_low']:.1%} to {figures['accuracy_high']:.1%}) "
            f"over {figures['images']}"
        )
    if metrics["accuracy_clean"] is not None and not dataset.clean.all():
        console.print(
            f"test photos without a copy in train or val: accuracy "
            f"{metrics['accuracy_clean']:.1%} over {metrics['images_clean']}"
        )
    return metrics


def _write_split(out: Path, dataset: Dataset) -> None:
    """Write `split.csv`, which `edge.photos.find_dataset` reads; paths are relative to the run."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("path", "label", "split"))
    for name, split in dataset.splits.items():
        for path, number in zip(split.paths, split.classes, strict=True):
            relative = os.path.relpath(path.resolve(), out.resolve())
            writer.writerow((relative, dataset.labels[number], name))
    write_whole(out / SPLIT_FILE, lines.getvalue().encode())


def _listed(names: tuple[str, ...], most: int = 24) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")


def _bars(progress: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, int] = {}

    def advanced(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done)

    return advanced


def _write_json(path: Path, content: dict) -> None:
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def main(
    data: Annotated[
        list[Path],
        typer.Option(
            help="folder SPLIT/CLASS/*.jpg or CLASS/*.jpg, or a CSV file path,label[,split]; "
            "repeatable"
        ),
    ],
    out: Annotated[Path, typer.Option(help="the run directory to write")],
    weights: Annotated[str, typer.Option(help="imagenet, none, or an .h5 file")] = "imagenet",
    init: Annotated[Path | None, typer.Option(help="an earlier run to continue from")] = None,
    image_size: Annotated[int, typer.Option(min=32, max=512)] = 224,
    epochs: Annotated[int, typer.Option(min=1)] = 15,
    head_epochs: Annotated[int, typer.Option(min=0, help="of them for the fresh layers only")] = 10,
    copies: Annotated[int, typer.Option(min=1, help="varied copies of each photo")] = 4,
    rate: Annotated[float, typer.Option(min=1e-6, help="peak learning rate")] = 1e-3,
    dropout: Annotated[float, typer.Option(min=0, max=0.9)] = 0.4,
    patience: Annotated[int, typer.Option(min=1)] = 5,
    seed: int = 0,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="train on copies of val and test photos too")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="figures as JSON on stdout")] = False,
) -> None:
    """Fine-tune ResNet50 on labelled photos. Exit codes: 0 done, 1 failed, 2 bad input."""
    recipe = Recipe(epochs, head_epochs, copies, rate, patience, seed)
    try:
        metrics = fine_tune(data, out, weights, init, image_size, dropout, recipe, keep_duplicates)
    except EwasteError as error:
        console.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    if as_json:
        print(json.dumps(metrics))


if __name__ == "__main__":
    typer.run(main)
