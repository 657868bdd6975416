"""Inputs for the golden check: drawn images, never photos of a dataset."""

import cv2
import numpy as np

from edge.bundle.golden import GOLDEN_TOLERANCE, pack_golden
from edge.inference.classifier import Classifier
from edge.synthetic import items

INPUTS = 32
"""Images in `golden.npz`."""
DRAWINGS_PER_INPUT = 4
"""Drawings that an image is chosen from."""


def make_golden(classifier: Classifier, seed: int, with_map: bool = False) -> bytes:
    """The content of `golden.npz` for a quantized model: `INPUTS` images, its classes in turn.

    Args:
        classifier: the quantized model.
        seed: of the drawings.
        with_map: whether to keep the activation maps too.
    """
    inputs = [
        _clearest(
            classifier,
            classifier.labels[slot % len(classifier.labels)],
            seed + DRAWINGS_PER_INPUT * slot,
        )
        for slot in range(INPUTS)
    ]
    frame = draw_frame(seed, classifier.size)
    return pack_golden(classifier, np.stack(inputs), frame, with_map=with_map)


def draw_input(label: str, seed: int, size: int) -> np.ndarray:
    """Draw an item of class `label`; for a class that cannot be drawn, an ellipse on noise.

    Args:
        label: the class name.
        seed: of the drawing.
        size: height and width, px.

    Returns:
        uint8 RGB [size, size, 3].
    """
    if label in items.CLASSES:
        return items.draw_on_background(label, seed, size)
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    center = generator.integers(size // 4, 3 * size // 4, 2).tolist()
    axes = generator.integers(size // 8, size // 3, 2).tolist()
    color = generator.integers(0, 256, 3).tolist()
    cv2.ellipse(picture, center, axes, float(generator.uniform(0, 180)), 0, 360, color, -1)
    return picture


def draw_frame(seed: int, size: int) -> np.ndarray:
    """Draw an image of colored noise that is wider than high and larger than the model's input.

    A different channel order, padding or resizing changes its predictions.

    Args:
        seed: of the noise.
        size: height and width of the model's input, px.

    Returns:
        uint8 RGB [9/4 size, 3 size, 3].
    """
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (size // 4, size // 3, 3), dtype=np.uint8)
    return cv2.resize(coarse, (3 * size, 9 * size // 4), interpolation=cv2.INTER_CUBIC)


def _clearest(classifier: Classifier, label: str, seed: int) -> np.ndarray:
    """The drawing with the largest margin between the two highest logits.

    If the margin is more than twice the tolerance, a runtime that rounds differently within the
    tolerance cannot predict another class.
    """
    drawings = [
        draw_input(label, seed + attempt, classifier.size) for attempt in range(DRAWINGS_PER_INPUT)
    ]
    margins = []
    for drawing in drawings:
        second, first = np.sort(classifier.run(drawing)["logits"].astype(np.int64))[-2:]
        margins.append(first - second)
        if margins[-1] > 2 * max(GOLDEN_TOLERANCE.values()):
            break
    return drawings[int(np.argmax(margins))]
