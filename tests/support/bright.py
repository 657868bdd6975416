"""A model that looks at what is bright, and its bundle: where its maximum is, is known."""

from pathlib import Path

import numpy as np

from edge.bundle.bundle import Bundle, write_bundle
from edge.bundle.golden import pack_golden
from edge.bundle.manifest import CARD, GOLDEN, MODEL, UNKNOWN_FILE, InputContract, MapContract
from edge.inference.classifier import Classifier
from edge.inference.ood import OodDetector, OodRule, pack_detector
from tests.support.bundles import plain_manifest

BRIGHT = Path(__file__).parents[1] / "data" / "bright.tflite"
BRIGHT_LABELS = ("Battery", "Mouse", "PCB")
"""What is bright speaks for Battery, what is blue for Mouse, and nothing for PCB."""
BRIGHT_SIZE, BRIGHT_PLACES = 64, 8
"""Side of the input, px; height and width of the map."""


def made_bright() -> bytes:
    """Make the model by TensorFlow's converter."""
    import tensorflow as tf

    from tests.support.odd_models import converted

    step = BRIGHT_SIZE // BRIGHT_PLACES
    toward = tf.constant([[0.02, -0.02, -0.02], [0.02, -0.02, -0.02], [0.02, 0.04, -0.02]])

    def answer(image):
        pooled = tf.nn.avg_pool2d(tf.cast(image, tf.float32), step, step, "VALID")
        against = tf.constant([1.0, 0.0, 0.0])
        maps = tf.nn.conv2d(pooled, toward[tf.newaxis, tf.newaxis], 1, "VALID") - against
        return {
            "logits": tf.reduce_mean(maps, (1, 2)),
            "embedding": tf.reduce_mean(pooled, (1, 2)),
            "activation_map": maps,
        }

    return converted(answer, (1, BRIGHT_SIZE, BRIGHT_SIZE, 3))


def bright_bundle(path: Path, with_map: bool = True, **changes: object) -> Bundle:
    """Write the bundle of the model.

    Args:
        path: the new directory.
        with_map: whether the manifest declares the activation map.
        changes: other values of the manifest.
    """
    rule = OodRule(score="energy", threshold=-8.0)
    declared = MapContract(height=BRIGHT_PLACES, width=BRIGHT_PLACES, correlation=1.0)
    fields = {
        "name": "bright",
        "labels": BRIGHT_LABELS,
        "input": InputContract(size=BRIGHT_SIZE),
        "bins": {"small": ("Mouse",), "hazardous": ("Battery",)},
        "activation_map": declared if with_map else None,
        "unknown": rule,
    }
    content = BRIGHT.read_bytes()
    classifier = Classifier(BRIGHT, BRIGHT_LABELS, threads=1, content=content)
    shape = (2, BRIGHT_SIZE, BRIGHT_SIZE, 3)
    inputs = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    detector = OodDetector(rule, {"temperature": np.array(1.0, np.float32)})
    contents = {
        MODEL: content,
        GOLDEN: pack_golden(classifier, inputs, with_map=with_map),
        CARD: b"# Bright\n",
        UNKNOWN_FILE: pack_detector(detector),
    }
    return write_bundle(path, plain_manifest(**(fields | changes)), contents)


def bright_square(height: int, width: int, top: int, left: int, side: int) -> np.ndarray:
    """A dark picture, uint8 RGB [height, width, 3], with a white square."""
    picture = np.full((height, width, 3), 16, np.uint8)
    picture[top : top + side, left : left + side] = 255
    return picture
