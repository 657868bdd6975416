"""Cut the items out of photos: python train/segment.py --data DIR --weights FILE --out MASKS.

What is found on plain backgrounds teaches a network to find items on any
(`train.learning.segmenter`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from edge.process_setup import silence_tensorflow
from edge.quiet import import_quietly

silence_tensorflow()
import_quietly("tensorflow")

import cv2
import numpy as np
import typer

from edge.errors import BadInput
from edge.files import write_whole
from edge.inference.preprocess import model_input
from edge.photos.dataset import dataset_names, of_split, survey
from edge.photos.listing import SPLITS, UNSPLIT
from edge.photos.reading import LabeledPhoto, read_photos
from edge.synthetic.segmentation import reduced, segment_item, segment_on_plain_background
from train.command import command
from train.data.masks import mask_path, unsquared
from train.learning.progress import bars, say
from train.learning.segmenter import predict_masks, train_segmenter

LEARNT_FROM = ("train", UNSPLIT)


@dataclass(frozen=True)
class Found:
    """How many photos there were, and of how many the item was found.

    Attributes:
        photos: all that could be read.
        plain: items on a plain background.
        learned: items that what was learned has found.
    """

    photos: int
    plain: int
    learned: int


def segment_all(
    data: Sequence[Path], weights: str, size: int, steps: int, seed: int, out: Path
) -> Found:
    """Learn to cut items out of the photos to train on, then cut out those of all photos.

    Writes a mask (`train.data.masks`) for each photo whose item is found.

    Args:
        data: datasets, see `edge.photos.dataset.find_dataset`.
        weights: of the network, see `train.learning.model.build_network`.
        size: side of the pictures that it looks at, px.
        steps: of learning.
        seed: of the pictures that it learns from.
        out: a folder that is new or empty.

    Raises:
        BadInput: the photos or the weights cannot be used, or `out` holds something.
        OSError: a mask cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out}: holds something; give a folder that is new or empty")
    out.mkdir(parents=True, exist_ok=True)
    photos, learning = _list(data)
    kept, small, framed = [], [], []
    for photo, image in read_photos(photos, say):
        kept.append(photo)
        small.append(reduced(image))
        framed.append(model_input(image, size))
    squares = np.stack(framed)
    teaching = np.array([id(photo) in learning for photo in kept])
    classes = np.unique([photo.label for photo in kept], return_inverse=True)[1]
    with bars() as advanced:
        segmenter = train_segmenter(
            *(squares[teaching], classes[teaching], weights, steps, seed),
            lambda done: advanced("learning to cut items out", done, steps),
        )
        masks = [segment_on_plain_background(image) for image in small]
        others = [place for place, mask in enumerate(masks) if mask is None]
        plain, learned = len(masks) - len(others), 0
        likely = predict_masks(segmenter, squares[others]) if others else ()
        for done, place in enumerate(others):
            image = small[place]
            masks[place] = segment_item(image, unsquared(likely[done], *image.shape[:2]))
            learned += masks[place] is not None
            advanced("cutting items out", done + 1, len(others))
    for photo, mask in zip(kept, masks, strict=True):
        if mask is not None:
            write_whole(mask_path(out, photo.path), cv2.imencode(".png", mask)[1].tobytes())
    return Found(len(kept), plain, learned)


def _list(data: Sequence[Path]) -> tuple[list[LabeledPhoto], set[int]]:
    """All photos, and the `id` of each that may be learned from."""
    dataset_names(data)  # refuses one that is given twice
    photos, learning = [], set()
    for source in data:
        surveyed = survey(source)
        for note in surveyed.notes():
            say(note)
        listing = surveyed.listing
        for split in [UNSPLIT] if UNSPLIT in listing else SPLITS:
            of_this = of_split(source, listing, split)
            photos += of_this
            if split in LEARNT_FROM:
                learning |= {id(photo) for photo in of_this}
    return photos, learning


def main(
    data: Annotated[list[Path], typer.Option(help="photos, as for fine_tune.py; repeatable")],
    out: Annotated[Path, typer.Option(help="folder for the masks; must not hold anything")],
    weights: Annotated[str, typer.Option(help="imagenet, none, or a file of Keras")] = "imagenet",
    image_size: Annotated[int, typer.Option(min=64, max=512)] = 160,
    steps: Annotated[int, typer.Option(min=1, help="of 32 pictures to learn from")] = 500,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Cut the items out of photos. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command(out):
        found = segment_all(data, weights, image_size, steps, seed, out)
    say(
        f"{out}: {found.plain + found.learned} masks of {found.photos} photos: {found.plain} on a "
        f"plain background, {found.learned} by what was learned from those"
    )


if __name__ == "__main__":
    typer.run(main)
