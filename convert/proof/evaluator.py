"""Run each variant of a model, compare it with Keras, and check it against the parity gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.proof.activation import MapParity, compare_maps
from convert.proof.parity import (
    FP32,
    ComparisonImages,
    ModelOutputs,
    OodScore,
    Parity,
    TrainingClaim,
    check_gate,
    compare,
)
from convert.proof.variants import VariantRow, make_row
from edge.bundle.manifest import ParityGate
from edge.inference.classifier import Classifier
from edge.quiet import quiet
from train.data.balance import balanced_indices
from train.evaluation.predictor import AnswerBatch, answer_all, tflite_answers
from train.progress import bar

VARIANTS = (FP32, "fp16", "dynamic", "int8", "int16x8")
INT8, SELECTIVE = "int8", "int8+float"
"""The variants that a bundle may hold: all layers quantized, or selective quantization, which keeps
some layers in float."""
SLOW = frozenset({"int16x8"})
"""Variants without fast kernels in any runtime: seconds per image."""


@dataclass(frozen=True)
class EvaluatedVariant:
    """A variant of the model and its comparison with Keras.

    Attributes:
        model: content of the .tflite file.
        classifier: the loaded model.
        images: the images of the comparison.
        keras: the outputs of Keras for these images.
        outputs: the outputs of the variant.
        parity: the comparison.
        activation: the comparison of the activation maps; None where there are none.
        failed: the criteria of the gate that it fails.
        row: its row of the table.
        float_layers: names of the layers that are not quantized.
    """

    model: bytes
    classifier: Classifier
    images: ComparisonImages
    keras: ModelOutputs
    outputs: ModelOutputs
    parity: Parity
    activation: MapParity | None
    failed: tuple[str, ...]
    row: VariantRow
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvaluationOptions:
    """How variants are evaluated.

    Attributes:
        gate: the limits of the parity gate.
        score: the score that separates known items from OOD samples.
        temperature: the logits are divided by it before the softmax.
        threads: threads of an inference.
        slow_images: number of images that the variants in `SLOW` are compared on.
        scratch: a folder for model files.
        claim: what the training run claims of its model; None: nothing that can be checked.
    """

    gate: ParityGate
    score: OodScore
    temperature: float
    threads: int
    slow_images: int
    scratch: Path
    claim: TrainingClaim | None = None


class VariantEvaluator:
    """Compares variants with Keras and with unquantized TFLite on the same images."""

    def __init__(
        self, images: ComparisonImages, keras: ModelOutputs, options: EvaluationOptions
    ) -> None:
        """Evaluate on `images`, for which `keras` are the outputs of Keras."""
        self._images, self._keras, self._options = images, keras, options
        self._fp32 = keras
        self._loaded = 0

    def set_fp32(self, outputs: ModelOutputs) -> None:
        """Set the outputs of unquantized TFLite for the images."""
        self._fp32 = outputs

    def evaluate(
        self, variant: str, model: bytes, float_layers: Sequence[str] = (), note: str = ""
    ) -> EvaluatedVariant:
        """Run a variant, compare it with Keras, and check it against the gate.

        Args:
            variant: its name.
            model: content of its .tflite file.
            float_layers: names of the layers that are not quantized.
            note: a remark for its row of the table.
        """
        images, keras, fp32 = self._images, self._keras, self._fp32
        options = self._options
        if variant in SLOW and len(images.names) > options.slow_images:
            chosen = balanced_indices(images.classes, options.slow_images)
            images, keras, fp32 = images.take(chosen), keras.take(chosen), fp32.take(chosen)
            note = f"slow: {len(chosen)} images only"
        classifier = self.load(model)
        outputs = fp32
        if variant != FP32:
            outputs = run_model(
                tflite_answers(classifier, with_maps=True),
                images.pixels,
                options.temperature,
                f"running {variant}",
            )
        parity = compare(
            images, variant, keras=keras, fp32=fp32, quantized=outputs, score=options.score
        )
        activation = compare_maps(keras, outputs)
        failed = tuple(check_gate(parity, options.gate, options.claim))
        return EvaluatedVariant(
            model=model,
            classifier=classifier,
            images=images,
            keras=keras,
            outputs=outputs,
            parity=parity,
            activation=activation,
            failed=failed,
            row=make_row(
                parity, file_bytes=len(model), failed=failed, threads=options.threads, note=note
            ),
            float_layers=tuple(float_layers),
        )

    def load(self, model: bytes) -> Classifier:
        """A classifier that runs this .tflite file."""
        self._loaded += 1
        path = self._options.scratch / f"{self._loaded}.tflite"
        path.write_bytes(model)
        with quiet():
            return Classifier(
                path, self._images.labels, self._options.temperature, self._options.threads
            )


def run_model(
    answer: AnswerBatch, pixels: np.ndarray, temperature: float, description: str
) -> ModelOutputs:
    """Run a model on all images, with a progress bar on a terminal.

    Args:
        answer: the model.
        pixels: uint8 RGB [n, S, S, 3].
        temperature: the logits are divided by it before the softmax.
        description: text of the progress bar.
    """
    with bar(description, len(pixels)) as on_step:
        return ModelOutputs.of(answer_all(answer, pixels, on_step), temperature)
