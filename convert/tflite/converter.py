"""One run's model in all its variants, by either quantizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.proof.layers import Layer, LayerError, rank_layers, read_layers
from convert.tflite import tensorflow_converter as tflite
from convert.tflite.metadata import add_metadata

COMPARED_LAYERS = 16
"""How many calibration images layers are compared on."""


@dataclass(frozen=True)
class Converter:
    """Makes the variants of one model.

    Attributes:
        graph: its exported graph.
        fp32: it as unquantized TFLite.
        calibration: what ranges are taken from, uint8 RGB [images, S, S, 3].
        quantizer: `tflite` or `ai-edge`.
        labels: the classes, for the metadata in the file.
    """

    graph: Path
    fp32: bytes
    calibration: np.ndarray
    quantizer: str
    labels: tuple[str, ...]

    def convert(self, variant: str) -> bytes:
        """The .tflite file of one of `convert.proof.judging.VARIANTS`.

        Raises:
            EwasteError: the converter failed.
            Refused: an int8 model came out that takes something else than raw RGB.
        """
        if self.quantizer == "ai-edge" and variant not in ("fp32", "fp16"):
            from convert.tflite import ai_edge

            model = ai_edge.quantize(variant, self.fp32, self.calibration)
        else:
            model = {
                "fp32": lambda: self.fp32,
                "fp16": lambda: tflite.convert_fp16(self.graph),
                "dynamic": lambda: tflite.convert_dynamic(self.graph),
                "int8": lambda: tflite.convert_int8(self.graph, self.calibration),
                "int16x8": lambda: tflite.convert_int16x8(self.graph, self.calibration),
            }[variant]()
        return add_metadata(model, self.labels)

    def partly(self) -> "PartlyConverter":
        """For leaving some layers in float; it calibrates once more, which takes a while."""
        calibrated = tflite.Calibrated(self.graph, self.calibration, COMPARED_LAYERS)
        return PartlyConverter(self, calibrated, tuple(read_layers(self.fp32)))


@dataclass(frozen=True)
class PartlyConverter:
    """Makes int8 models with some layers in float.

    Attributes:
        whole: what makes the whole ones.
        calibrated: the model with its ranges.
        layers: all of them, in the order they run.
    """

    whole: Converter
    calibrated: tflite.Calibrated
    layers: tuple[Layer, ...]

    def rank(self) -> list[LayerError]:
        """The layers, those that quantizing hurts most first."""
        errors = self.calibrated.tensor_errors([layer.name for layer in self.layers])
        return rank_layers(self.layers, errors)

    def convert(self, keep_float: Sequence[str]) -> bytes:
        """The int8 model with the layers of these names in float.

        Raises:
            EwasteError: the converter failed.
        """
        if self.whole.quantizer == "ai-edge":
            from convert.tflite import ai_edge

            model = ai_edge.quantize("int8", self.whole.fp32, self.whole.calibration, keep_float)
        else:
            model = self.calibrated.quantize(keep_float)
        return add_metadata(model, self.whole.labels)
