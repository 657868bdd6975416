"""Convert the model of a run to any of its variants, with either quantizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.tflite import tensorflow_converter as tflite
from convert.tflite.layers import (
    FusedLayer,
    LayerSqnr,
    rank_layers,
    read_layers,
    read_map_layer,
)
from convert.tflite.metadata import add_metadata

SQNR_IMAGES = 16
"""Calibration images that the SQNR of layers is measured on."""


@dataclass(frozen=True)
class Converter:
    """Converts one model to its variants.

    Attributes:
        graph: its exported graph, a SavedModel.
        fp32: the unquantized .tflite file.
        calibration: images for the ranges of activations, uint8 RGB [images, S, S, 3].
        quantizer: `tflite` or `ai-edge`.
        labels: the class names, for the metadata in the file.
    """

    graph: Path
    fp32: bytes
    calibration: np.ndarray
    quantizer: str
    labels: tuple[str, ...]

    def convert(self, variant: str) -> bytes:
        """The .tflite file of one of `convert.proof.evaluator.VARIANTS`.

        Raises:
            EwasteError: the converter failed.
            Refused: the input of the int8 model is not raw RGB.
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

    def selective(self) -> "SelectiveConverter":
        """A converter that keeps some layers in float; it calibrates again, which takes a while."""
        calibrated = tflite.CalibratedModel(self.graph, self.calibration, SQNR_IMAGES)
        layers = tuple(read_layers(self.fp32))
        return SelectiveConverter(self, calibrated, layers, read_map_layer(self.fp32))


@dataclass(frozen=True)
class SelectiveConverter:
    """Selective quantization: int8 models with some layers in float.

    Attributes:
        full: the converter of fully quantized models.
        calibrated: the calibrated model.
        layers: all layers but that of the activation map, in the order of execution.
        map_layer: that one; None for a model without a map.
    """

    full: Converter
    calibrated: tflite.CalibratedModel
    layers: tuple[FusedLayer, ...]
    map_layer: FusedLayer | None = None

    def rank(self) -> list[LayerSqnr]:
        """The layers by SQNR, lowest first."""
        sqnr_db = self.calibrated.tensor_sqnr([layer.name for layer in self.layers])
        return rank_layers(self.layers, sqnr_db)

    def convert(self, keep_float: Sequence[str]) -> bytes:
        """The int8 model with some layers in float.

        The layer of the activation map stays in float with the layer whose output it reads.

        Args:
            keep_float: names of these layers.

        Raises:
            EwasteError: the converter failed.
        """
        if self.map_layer is not None and set(self.map_layer.inputs) & set(keep_float):
            keep_float = (*keep_float, self.map_layer.name)
        if self.full.quantizer == "ai-edge":
            from convert.tflite import ai_edge

            model = ai_edge.quantize("int8", self.full.fp32, self.full.calibration, keep_float)
        else:
            model = self.calibrated.quantize(keep_float)
        return add_metadata(model, self.full.labels)
