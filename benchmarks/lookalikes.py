"""How pure groups of look-alikes are, and what they save: python benchmarks/lookalikes.py.

A queue of items in random order is answered on as a person would: one answer for the first item
that waits and for its look-alikes. An item of another class than the first of its group is unlike.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from edge.bundle.bundle import DEFAULT_BUNDLE
from edge.bundle.verify import verify
from edge.inference.classifier import Classifier
from edge.inference.embedding_code import embedding_code
from edge.photos.dataset import find_photos
from edge.photos.reading import read_photos
from edge.records.grouping import LEAST_ALIKE, group_around, units
from edge.synthetic.items import CLASSES, draw_item, draw_on_background
from train.command import command

DOUBTFUL = 0.9
SIDE = 224
BELT = 70
Labeled = Iterable[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Seen:
    """What the model makes of an item: its class, the top label, its confidence, its code."""

    label: str
    top: str
    confidence: float
    code: bytes


@dataclass(frozen=True)
class GroupRow:
    """What groups come to.

    Attributes:
        name: of the items.
        items: number of them.
        keys: number of answers that they take.
        grouped: items that are in a group of two or more.
        unlike: of these, those of another class than the first one of their group.
    """

    name: str
    items: int
    keys: int
    grouped: int
    unlike: int


def seen(classifier: Classifier, items: Labeled) -> list[Seen]:
    """Classify items: pairs of a class and uint8 RGB [height, width, 3]."""
    found = []
    for label, picture in items:
        prediction = classifier.predict(picture)
        place = int(prediction.probabilities.argmax())
        confidence = float(prediction.probabilities[place])
        code = embedding_code(prediction.embedding)
        found.append(Seen(label, classifier.labels[place], confidence, code))
    return found


def passes(pieces: int, times: int, seed: int) -> Labeled:
    """The same drawn pieces again and again, each time turned, on a belt."""
    rng = np.random.default_rng(seed)
    for number in range(pieces):
        label = CLASSES[number % len(CLASSES)]
        item = draw_item(label, number, int(0.7 * SIDE))
        for _ in range(times):
            yield label, _on_belt(item, rng)


def _on_belt(item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay an item, uint8 RGBA [h, w, 4], turned on a noisy belt: uint8 RGB [SIDE, SIDE, 3]."""
    turn = cv2.getRotationMatrix2D((item.shape[1] / 2, item.shape[0] / 2), rng.uniform(0, 360), 1)
    turn[:, 2] += (SIDE - item.shape[0]) / 2 + rng.uniform(-8, 8, 2)
    laid = cv2.warpAffine(item, turn, (SIDE, SIDE)).astype(np.float32)
    opacity = laid[..., 3:] / 255
    picture = laid[..., :3] * opacity + BELT * (1 - opacity)
    picture = picture * rng.uniform(0.9, 1.1) + rng.normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def answer_in_groups(name: str, queue: Sequence[Seen], least: float, seed: int) -> GroupRow:
    """Go through a queue in random order; least cosine of a group is `least`."""
    order = np.random.default_rng(seed).permutation(len(queue))
    waiting = [queue[place] for place in order]
    keys = grouped = unlike = 0
    while waiting:
        same = [place for place, each in enumerate(waiting) if each.top == waiting[0].top]
        group = group_around(units([waiting[place].code for place in same]), least)
        taken = {same[place] for place in group}
        keys += 1
        grouped += len(taken) if len(taken) > 1 else 0
        unlike += sum(waiting[place].label != waiting[0].label for place in taken)
        waiting = [each for place, each in enumerate(waiting) if place not in taken]
    return GroupRow(name, len(queue), keys, grouped, unlike)


def measure(
    bundle_path: Path, photos: Sequence[Path], drawn: int, least: float, seed: int
) -> list[GroupRow]:
    """Measure groups of photos, of drawn items, and of drawn pieces that come again.

    Raises:
        EwasteError: the bundle or the photos cannot be used.
    """
    _, classifier = verify(bundle_path).require()
    found = [each for folder in photos for each in find_photos(folder)]
    sets = {
        "drawn": ((label, draw_on_background(label, n)) for n in range(drawn) for label in CLASSES),
        "pieces": passes(drawn, 10, seed),
    }
    if found:
        sets = {"photos": ((photo.label, image) for photo, image in read_photos(found)), **sets}
    rows = []
    for name, items in sets.items():
        queue = seen(classifier, items)
        doubtful = [each for each in queue if each.confidence < DOUBTFUL]
        rows.append(answer_in_groups(name, queue, least, seed))
        rows.append(answer_in_groups(f"{name}, doubtful", doubtful, least, seed))
    return rows


def main(
    *,
    photos: Annotated[list[Path] | None, typer.Option(help="folder of photos, CLASS/*.jpg")] = None,
    bundle: Annotated[Path, typer.Option(help="directory of the bundle")] = DEFAULT_BUNDLE,
    drawn: Annotated[int, typer.Option(min=1, help="drawn items of each class")] = 60,
    least: Annotated[float, typer.Option(min=0, max=1, help="least cosine")] = LEAST_ALIKE,
    seed: Annotated[int, typer.Option(min=0, help="seed of the order")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure groups of look-alikes. Exit codes: 0 done, 1 failed, 2 bad input, 3 refused."""
    with command():
        rows = measure(bundle, photos or [], drawn, least, seed)
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
        return
    print(f"{'':18} {'items':>6} {'keys':>6} {'grouped':>8} {'unlike':>7}")
    for row in rows:
        print(f"{row.name:18} {row.items:6} {row.keys:6} {row.grouped:8} {row.unlike:7}")


if __name__ == "__main__":
    typer.run(main)
