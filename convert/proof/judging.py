"""Variants of a model before a judge: asked, compared with Keras, held to the gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.proof.parity import (
    FP32,
    Answers,
    Ask,
    Images,
    OodScore,
    Parity,
    Trained,
    compare,
    device_engine,
    judge,
)
from convert.proof.variants import Row, make_row
from edge.bundle.manifest import ParityGate
from edge.inference.classifier import Classifier
from edge.quiet import quiet
from train.learning.progress import bar

VARIANTS = (FP32, "fp16", "dynamic", "int8", "int16x8")
BUNDLED, PARTLY = "int8", "int8+float"
"""What a bundle is made of: integers throughout, or in all but some layers."""
SLOW = frozenset({"int16x8"})
"""No runtime has fast kernels for these: seconds an image."""
BATCH = 32


@dataclass(frozen=True)
class Candidate:
    """A variant of the model, compared.

    Attributes:
        model: the .tflite file's content.
        classifier: with this model loaded.
        images: that it was judged on.
        keras: what Keras says of them.
        answers: what it says of them itself.
        parity: how the two compare.
        failed: the criteria of the gate that it fails.
        row: its line of the table.
        float_layers: names of the layers that are not quantized, where others are.
    """

    model: bytes
    classifier: Classifier
    images: Images
    keras: Answers
    answers: Answers
    parity: Parity
    failed: tuple[str, ...]
    row: Row
    float_layers: tuple[str, ...] = ()


class Judge:
    """Compares variants with what Keras and unquantized TFLite say of the same images."""

    def __init__(
        self,
        images: Images,
        keras: Answers,
        gate: ParityGate,
        score: OodScore,
        temperature: float,
        threads: int,
        slow_images: int,
        scratch: Path,
        trained: Trained | None = None,
    ) -> None:
        """Judge on `images`, of which Keras says `keras`; variants in `SLOW` on fewer.

        `trained` is what the training run says of itself. Models are loaded from files in
        `scratch`, to run on `threads` threads.
        """
        self._images, self._keras, self._gate, self._score = images, keras, gate, score
        self._temperature, self._threads = temperature, threads
        self._slow_images, self._scratch = slow_images, scratch
        self._fp32, self._trained = keras, trained
        self._loaded = 0

    def take_fp32(self, answers: Answers) -> None:
        """Take what unquantized TFLite says of the images."""
        self._fp32 = answers

    def judge(
        self, variant: str, model: bytes, float_layers: Sequence[str] = (), note: str = ""
    ) -> Candidate:
        """Ask a variant, compare it, and hold it to the gate."""
        images, keras, fp32 = self._images, self._keras, self._fp32
        if variant in SLOW and len(images.names) > self._slow_images:
            places = spread(images.truths, self._slow_images)
            images, keras, fp32 = images.take(places), keras.take(places), fp32.take(places)
            note = f"slow: {len(places)} images only"
        classifier = self.load(model)
        answers = fp32
        if variant != FP32:
            answers = ask_all(device_engine(classifier), images.pixels, f"asking {variant}")
        parity = compare(images, variant, keras, fp32, answers, self._score)
        failed = tuple(judge(parity, self._gate, self._trained))
        row = make_row(len(model), parity, failed, self._threads, note)
        return Candidate(
            *(model, classifier, images, keras, answers, parity, failed, row),
            tuple(float_layers),
        )

    def load(self, model: bytes) -> Classifier:
        """A classifier with this model."""
        self._loaded += 1
        path = self._scratch / f"{self._loaded}.tflite"
        path.write_bytes(model)
        with quiet():
            return Classifier(path, self._images.labels, self._temperature, self._threads)


def ask_all(ask: Ask, pixels: np.ndarray, what: str) -> Answers:
    """Ask an engine about all of uint8 RGB [n, S, S, 3], with a bar on a terminal."""
    parts = []
    with bar(what, len(pixels)) as advanced:
        for start in range(0, len(pixels), BATCH):
            batch = pixels[start : start + BATCH]
            parts.append(ask(batch))
            advanced(len(batch))
    return Answers(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.embeddings for part in parts]),
    )


def spread(truths: np.ndarray, most: int) -> np.ndarray:
    """Places of at most `most` images, the classes as evenly as possible, in their order."""
    occurrence = np.zeros(len(truths), dtype=int)
    for number in np.unique(truths):
        occurrence[truths == number] = np.arange((truths == number).sum())
    return np.sort(np.argsort(occurrence, kind="stable")[:most])
