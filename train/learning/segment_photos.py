"""Segment the items of photos by a network trained on those with a plain background."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.errors import BadInput
from edge.files import write_whole
from edge.inference.preprocess import model_input
from edge.photos.dataset import dataset_names, of_split, survey
from edge.photos.listing import SPLITS, UNSPLIT
from edge.photos.reading import LabeledPhoto, read_photos
from edge.synthetic.segmentation import reduced, segment_item, segment_on_plain_background
from train.data.masks import mask_path, unsquared
from train.learning.segmenter import predict_masks, train_segmenter
from train.progress import bars

log = logging.getLogger(__name__)

TRAINING_SPLITS = ("train", UNSPLIT)


@dataclass(frozen=True)
class SegmentationCounts:
    """Counts of a segmentation.

    Attributes:
        photos: photos that could be read.
        plain: items found on a plain background.
        learned: items found by the trained network.
    """

    photos: int
    plain: int
    learned: int


def segment_all(
    data: Sequence[Path], *, weights: str, size: int, steps: int, seed: int, out: Path
) -> SegmentationCounts:
    """Train a segmenter on the photos to train on, then segment all photos.

    Writes a mask (`train.data.masks`) for each photo whose item is found.

    Args:
        data: datasets, see `edge.photos.dataset.find_dataset`.
        weights: of the network, see `train.learning.model.build_network`.
        size: side of the network's input, px.
        steps: number of training steps.
        seed: of its training pictures.
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
    for photo, image in read_photos(photos):
        kept.append(photo)
        small.append(reduced(image))
        framed.append(model_input(image, size))
    squares = np.stack(framed)
    teaching = np.array([id(photo) in learning for photo in kept])
    classes = np.unique([photo.label for photo in kept], return_inverse=True)[1]
    with bars() as on_step:
        segmenter = train_segmenter(
            squares[teaching],
            classes[teaching],
            weights=weights,
            steps=steps,
            seed=seed,
            on_step=lambda done: on_step("training the segmenter", done, steps),
        )
        masks = [segment_on_plain_background(image) for image in small]
        others = [place for place, mask in enumerate(masks) if mask is None]
        plain, learned = len(masks) - len(others), 0
        likely = predict_masks(segmenter, squares[others]) if others else ()
        for done, place in enumerate(others):
            image = small[place]
            masks[place] = segment_item(image, unsquared(likely[done], *image.shape[:2]))
            learned += masks[place] is not None
            on_step("segmenting", done + 1, len(others))
    for photo, mask in zip(kept, masks, strict=True):
        if mask is not None:
            write_whole(mask_path(out, photo.path), cv2.imencode(".png", mask)[1].tobytes())
    return SegmentationCounts(len(kept), plain, learned)


def _list(data: Sequence[Path]) -> tuple[list[LabeledPhoto], set[int]]:
    """All photos, and the `id` of each that may be learned from."""
    dataset_names(data)  # refuses one that is given twice
    photos, learning = [], set()
    for source in data:
        surveyed = survey(source)
        for note in surveyed.notes():
            log.warning(note)
        listing = surveyed.listing
        for split in [UNSPLIT] if UNSPLIT in listing else SPLITS:
            of_this = of_split(source, listing, split)
            photos += of_this
            if split in TRAINING_SPLITS:
                learning |= {id(photo) for photo in of_this}
    return photos, learning
