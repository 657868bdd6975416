"""Inputs for the golden check: drawn pictures, never photos of a dataset."""

import cv2
import numpy as np

from edge.bundle.golden import GOLDEN_TOLERANCE, pack_golden
from edge.inference.classifier import Classifier
from edge.synthetic import items

INPUTS = 32
TRIES = 4


def make_golden(classifier: Classifier, seed: int) -> bytes:
    """The content of `golden.npz` for a quantized model: `INPUTS` pictures, its classes in turn."""
    inputs = [
        _clearest(classifier, classifier.labels[slot % len(classifier.labels)], seed + TRIES * slot)
        for slot in range(INPUTS)
    ]
    return pack_golden(classifier, np.stack(inputs), draw_frame(seed, classifier.size))


def draw_input(label: str, seed: int, size: int) -> np.ndarray:
    """A picture of `label`, uint8 RGB [size, size, 3]; for an unknown label, shapes on noise."""
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
    """A picture that is wider than high and larger than the model's input, uint8 RGB.

    Noise of all colors: another order of channels, padding or way of resizing shows.
    """
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (size // 4, size // 3, 3), dtype=np.uint8)
    return cv2.resize(coarse, (3 * size, 9 * size // 4), interpolation=cv2.INTER_CUBIC)


def _clearest(classifier: Classifier, label: str, seed: int) -> np.ndarray:
    """Of `TRIES` drawings the one whose top answer leads most.

    Where it leads by more than twice the tolerance, an engine that rounds differently within the
    tolerance cannot give another answer.
    """
    drawings = [draw_input(label, seed + attempt, classifier.size) for attempt in range(TRIES)]
    leads = []
    for drawing in drawings:
        second, first = np.sort(classifier.run(drawing)["logits"].astype(np.int64))[-2:]
        leads.append(first - second)
        if leads[-1] > 2 * max(GOLDEN_TOLERANCE.values()):
            break
    return drawings[int(np.argmax(leads))]
