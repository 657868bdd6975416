"""Accuracy of a bundle on labeled photos, or on drawn items: python benchmarks/accuracy.py."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import track

from benchmarks.machine import facts
from benchmarks.variants import variants_of
from convert.proof.golden import draw_input
from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle
from edge.bundle.verify import verify
from edge.calibration.reliability import (
    calibration_error,
    calibration_error_by_chance,
    reliability,
)
from edge.errors import BadInput, EwasteError, Refused
from edge.files import read_bounded, write_whole
from edge.inference.classifier import Classifier
from edge.intervals import wilson
from edge.photos.dataset import find_photos, photos_below
from edge.photos.reading import LabeledPhoto, read_photos
from edge.synthetic.debris import draw_debris
from edge.synthetic.drawings.background import draw_background
from train.command import command

Labeled = tuple[int, np.ndarray]
"""The number of a class, and a picture, uint8 RGB."""
DEBRIS_SHARE = 0.85
"""Of the side of a picture."""
LARGEST = 2**20
"""Bytes of a baseline."""


@dataclass
class Answers:
    """What one variant makes of the same pictures.

    Attributes:
        name: of the variant.
        classifier: it.
        probabilities: of each picture, float32 [classes].
        logits: likewise.
        embeddings: of each picture, float32 [features].
    """

    name: str
    classifier: Classifier
    probabilities: list[np.ndarray] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)
    embeddings: list[np.ndarray] = field(default_factory=list)

    @property
    def is_float(self) -> bool:
        """Whether it is the model before it was quantized."""
        return self.classifier._predictor.input.kind == "float32"

    @property
    def top(self) -> np.ndarray:
        """The class of each picture, int [pictures]."""
        return np.argmax(self.probabilities, axis=1)

    def add(self, picture: np.ndarray) -> None:
        """Classify one more picture, uint8 RGB [height, width, 3]."""
        answer = self.classifier.predict(picture)
        self.probabilities.append(answer.probabilities)
        self.logits.append(answer.logits)
        self.embeddings.append(answer.embedding)


def opened(bundle_path: Path, models: Sequence[Path]) -> tuple[Bundle, list[Answers]]:
    """A bundle, and its variants: its own, and those in other files.

    Raises:
        EwasteError: one cannot be used.
    """
    bundle, classifier = verify(bundle_path).require()
    own, *others = variants_of(bundle, models)
    found = [Answers(own.name, classifier)]
    for each in others:
        other = Classifier(each.path, bundle.labels, bundle.manifest.temperature)
        found.append(Answers(each.name, other))
    return bundle, found


def labeled_photos(photos: Path, labels: Sequence[str]) -> Iterator[Labeled]:
    """The photos of `photos/CLASS/*`.

    Raises:
        BadInput: there are none, or of a class that the model does not know.
    """
    found = find_photos(photos)
    unknown = sorted({photo.label for photo in found} - set(labels))
    if unknown:
        raise BadInput(f"{photos}: classes that the model does not know: {', '.join(unknown)}")
    for photo, picture in track(read_photos(found), "classifying", len(found), transient=True):
        yield labels.index(photo.label), picture


def drawn_items(labels: Sequence[str], count: int, size: int) -> Iterator[Labeled]:
    """So many drawn items of each class, on drawn backgrounds."""
    for seed in range(count * len(labels)):
        number = seed // count
        yield number, draw_input(labels[number], seed, size)


def other_pictures(others: Path | None, count: int, size: int) -> Iterator[np.ndarray]:
    """Pictures of things of no known class: photos, or so many drawn pieces of debris.

    Raises:
        BadInput: there are no photos.
    """
    if others is None:
        yield from (draw_debris_on_background(seed, size) for seed in range(count))
        return
    photos = [LabeledPhoto(path, "") for path in photos_below(others)]
    yield from (picture for _, picture in read_photos(photos))


def draw_debris_on_background(seed: int, size: int) -> np.ndarray:
    """A drawn piece of debris, uint8 RGB [size, size, 3]."""
    picture = draw_background(np.random.default_rng(seed), size).astype(np.float32)
    side = round(size * DEBRIS_SHARE)
    edge, piece = (size - side) // 2, draw_debris(seed, side).astype(np.float32)
    place = picture[edge : edge + side, edge : edge + side]
    place += (piece[..., :3] - place) * (piece[..., 3:] / 255)
    return picture.astype(np.uint8)


def evaluate(
    bundle: Bundle, variants: Sequence[Answers], pictures: Iterable[Labeled]
) -> dict[str, Any]:
    """Measure variants on the same pictures.

    Returns:
        The figures of the first (`train.evaluation.metrics.measure`) with its calibration, and a
        row for each in `variants`.
    """
    from train.evaluation.metrics import measure  # slow: it brings scikit-learn

    classes = []
    for number, picture in pictures:
        classes.append(number)
        for variant in variants:
            variant.add(picture)
    truth = np.array(classes)
    reference = next((each for each in variants if each.is_float), None)
    rows = []
    for variant in variants:
        probabilities = np.stack(variant.probabilities)
        error = calibration_error(reliability(truth, probabilities))
        chance, chance_95 = calibration_error_by_chance(probabilities)
        right = int((variant.top == truth).sum())
        low, high = wilson(right, len(truth))
        row = {"variant": variant.name, "images": len(truth), "accuracy": right / len(truth)}
        row |= {"low": low, "high": high, "ece": error}
        row |= {"ece_by_chance": chance, "ece_by_chance_95": chance_95}
        rows.append(row | _agreement(variant, reference))
    figures = measure(truth, np.stack(variants[0].probabilities), bundle.labels)
    calibration = {key: rows[0][key] for key in ("ece", "ece_by_chance", "ece_by_chance_95")}
    return {**figures, **calibration, "variants": rows}


def _agreement(variant: Answers, reference: Answers | None) -> dict[str, float | None]:
    """With how many pictures a variant and the float one give the same class."""
    if reference is None:
        return {"agreement": None, "agreement_low": None, "agreement_high": None}
    same = int((variant.top == reference.top).sum())
    low, high = wilson(same, len(variant.top))
    share = same / len(variant.top)
    return {"agreement": share, "agreement_low": low, "agreement_high": high}


def judge_others(
    bundle: Bundle, known: Answers, pictures: Iterable[np.ndarray]
) -> dict[str, Any] | None:
    """How well the detector tells things of no known class from the items; None: it has none."""
    from train.evaluation.ood_detectors import rejection

    if bundle.detector is None:
        return None
    others = Answers(known.name, known.classifier)
    for picture in pictures:
        others.add(picture)
    if not others.logits:
        raise BadInput("--others: no picture in it")
    of_known, of_others = (
        bundle.detector.score(np.stack(each.logits), np.stack(each.embeddings))
        for each in (known, others)
    )
    return {"images": len(of_others), **rejection(of_known, of_others)}


def check_baseline(figures: Mapping[str, Any], path: Path) -> None:
    """See that the figures are not worse than committed ones by more than their intervals.

    Raises:
        BadInput: the file holds no such figures, or those of other pictures.
        Refused: a figure is worse.
    """
    before = _read_baseline(path)
    if before["pictures"] != figures["pictures"]:
        raise BadInput(
            f"{path}: figures of {before['pictures']}, not of {figures['pictures']}; write it again"
        )
    worse = []
    if figures["accuracy"] < before["accuracy_low"]:
        worse.append(
            f"accuracy {figures['accuracy']:.2%}, before {before['accuracy']:.2%} (from "
            f"{before['accuracy_low']:.2%} on)"
        )
    for label, recall_low in before["recall_low"].items():
        found = figures["per_class"].get(label, {"recall": 0.0})["recall"]
        if found < recall_low:
            worse.append(f"recall of {label} {found:.2%}, before at least {recall_low:.2%}")
    most = before["accepted_at_95_high"]
    if most is not None and _accepted(figures, "accepted_at_95", 1.0) > most:
        accepted = _accepted(figures, "accepted_at_95", 1.0)
        worse.append(f"accepts {accepted:.2%} of other things, before at most {most:.2%}")
    if worse:
        raise Refused(f"worse than {path}: {'; '.join(worse)}")


def _accepted(figures: Mapping[str, Any], name: str, default: float | None) -> Any:
    return default if figures["unknown"] is None else figures["unknown"][name]


def _read_baseline(path: Path) -> dict[str, Any]:
    expected = {"pictures": str, "accuracy": float, "accuracy_low": float, "recall_low": dict}
    try:
        found = json.loads(read_bounded(path, LARGEST))
        is_ours = all(isinstance(found[name], kind) for name, kind in expected.items())
        limits = [*found["recall_low"].values(), found["accepted_at_95_high"] or 0.0]
        is_ours = is_ours and all(isinstance(each, float) for each in limits)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: no baseline ({error}); write one with --keep") from None
    if not is_ours:
        raise BadInput(f"{path}: no baseline; write one with --keep")
    return found


def baseline_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What later figures are held against."""
    return {
        "pictures": figures["pictures"],
        "bundle": figures["bundle"],
        "accuracy": figures["accuracy"],
        "accuracy_low": figures["accuracy_low"],
        "recall_low": {label: each["recall_low"] for label, each in figures["per_class"].items()},
        "accepted_at_95_high": _accepted(figures, "accepted_at_95_high", None),
    }


def keep_baseline(figures: Mapping[str, Any], path: Path) -> None:
    """Write what later figures are held against; an earlier baseline is replaced.

    Raises:
        BadInput: something else is there.
        EwasteError: it cannot be written.
    """
    if path.exists():
        _read_baseline(path)
    content = json.dumps(baseline_of(figures), indent=2, ensure_ascii=False) + "\n"
    try:
        write_whole(path, content.encode())
    except OSError as error:
        raise EwasteError(f"{path}: cannot be written ({error.strerror})") from None


def main(
    *,
    photos: Annotated[
        Path | None, typer.Option(help="folder of photos, CLASS/*.jpg; default: drawn items")
    ] = None,
    others: Annotated[
        Path | None, typer.Option(help="folder of photos of other things; default: drawn debris")
    ] = None,
    drawn: Annotated[int, typer.Option(min=1, help="drawn items of each class")] = 30,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    model: Annotated[
        list[Path] | None,
        typer.Option(help="another .tflite variant of the bundle's model; repeatable"),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="figures to hold these against (--keep)")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="baseline to write")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Evaluate a bundle. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused, or a drop."""
    with command():
        loaded, variants = opened(bundle, model or [])
        size = variants[0].classifier.size
        if photos is None:
            pictures, source = drawn_items(loaded.labels, drawn, size), f"{drawn} drawn of a class"
        else:
            pictures, source = labeled_photos(photos, loaded.labels), f"photos in {photos.name}"
        figures = evaluate(loaded, variants, pictures)
        count = drawn * len(loaded.labels)
        unknown = judge_others(loaded, variants[0], other_pictures(others, count, size))
        figures |= {"unknown": unknown, "bundle": loaded.digest, "pictures": source}
        if as_json:
            print(json.dumps({**figures, "facts": facts()}))
        else:
            _print(figures)
        if baseline is not None:
            check_baseline(figures, baseline)
        if keep is not None:
            keep_baseline(figures, keep)


def _print(figures: Mapping[str, Any]) -> None:
    print(
        f"accuracy {figures['accuracy']:.2%} ({figures['accuracy_low']:.2%} to "
        f"{figures['accuracy_high']:.2%}) over {figures['images']} images"
    )
    for label, each in figures["per_class"].items():
        recall = f"{each['recall_low']:.3f} to {each['recall_high']:.3f}"
        print(
            f"  {label:16} precision {each['precision']:.3f}  recall {each['recall']:.3f} "
            f"({recall})  F1 {each['f1']:.3f}  ({each['images']})"
        )
    for row in figures["variants"]:
        agreement = (
            "" if row["agreement"] is None else f", agrees with float {row['agreement']:.2%}"
        )
        print(
            f"{row['variant']}: accuracy {row['accuracy']:.2%}{agreement}, calibration error "
            f"{row['ece']:.3f} (by chance {row['ece_by_chance']:.3f}, at most "
            f"{row['ece_by_chance_95']:.3f})"
        )
    unknown = figures["unknown"]
    if unknown is not None:
        print(
            f"other things: AUROC {unknown['auroc']:.3f}, {unknown['accepted_at_95']:.1%} accepted "
            f"({unknown['accepted_at_95_low']:.1%} to {unknown['accepted_at_95_high']:.1%}) where "
            f"95 % of the items are kept ({unknown['images']})"
        )


if __name__ == "__main__":
    typer.run(main)
