"""Accuracy of a bundle on labeled photos, or on drawn items: python benchmarks/accuracy.py."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track

from convert.proof.golden import draw_input
from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.bundle.verify import verify
from edge.errors import BadInput
from edge.photos.dataset import find_photos
from edge.photos.reading import read_photos
from train.command import command


def evaluate(bundle_path: Path, photos: Path) -> dict:
    """Measure a bundle on `photos/CLASS/*` (`train.evaluation.metrics.measure`).

    Raises:
        EwasteError: the bundle or the photos cannot be used.
    """
    from train.evaluation.metrics import measure  # slow: it brings scikit-learn

    bundle, classifier = verify(bundle_path).require()
    found = find_photos(photos)
    unknown = sorted({photo.label for photo in found} - set(bundle.labels))
    if unknown:
        raise BadInput(f"{photos}: classes that the model does not know: {', '.join(unknown)}")
    readable = read_photos(found)
    classes, probabilities = [], []
    for photo, image in track(readable, "classifying", len(found), transient=True):
        classes.append(bundle.labels.index(photo.label))
        probabilities.append(classifier.predict(image).probabilities)
    return measure(np.array(classes), np.stack(probabilities), bundle.labels)


def evaluate_drawn(bundle_path: Path, count: int) -> dict:
    """Measure a bundle on `count` drawn items of each class, on drawn backgrounds.

    Raises:
        EwasteError: the bundle cannot be used.
    """
    from train.evaluation.metrics import measure  # slow: it brings scikit-learn

    bundle, classifier = verify(bundle_path).require()
    classes = [number for number in range(len(bundle.labels)) for _ in range(count)]
    probabilities = []
    for seed, number in enumerate(classes):
        pixels = draw_input(bundle.labels[number], seed, classifier.size)
        probabilities.append(classifier.predict_input(pixels).probabilities)
    return measure(np.array(classes), np.stack(probabilities), bundle.labels)


def main(
    *,
    photos: Annotated[
        Path | None, typer.Option(help="folder of photos, CLASS/*.jpg; default: drawn items")
    ] = None,
    drawn: Annotated[int, typer.Option(min=1, help="drawn items of each class")] = 30,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Evaluate a bundle. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    with command():
        figures = evaluate_drawn(bundle, drawn) if photos is None else evaluate(bundle, photos)
    if as_json:
        print(json.dumps(figures))
        return
    print(
        f"accuracy {figures['accuracy']:.2%} ({figures['accuracy_low']:.2%} to "
        f"{figures['accuracy_high']:.2%}) over {figures['images']} images"
    )
    for label, each in figures["per_class"].items():
        print(
            f"  {label:16} precision {each['precision']:.3f}  recall {each['recall']:.3f}  "
            f"F1 {each['f1']:.3f}  ({each['images']})"
        )


if __name__ == "__main__":
    typer.run(main)
