"""Quantizing with Google's ai-edge-quantizer, which changes a float .tflite file."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import re
from collections.abc import Sequence

import numpy as np

from convert.tflite.flatbuffer import take_floats, take_raw_bytes
from convert.tflite.tensorflow_converter import check_input
from edge.errors import BadInput, EwasteError
from edge.inference.preprocess import INPUT_OFFSET, float_input
from edge.quiet import quiet

try:
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.quantizer import Quantizer
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update
except ModuleNotFoundError:
    raise BadInput(
        "--quantizer ai-edge needs another package; run: pip install ai-edge-quantizer"
    ) from None

SIGNATURE, INPUT = "serving_default", "serving_default_image:0"
ALL = qtyping.TFLOperationName.ALL_SUPPORTED
ACTIVATION_BITS = {"int8": 8, "int16x8": 16}


def quantize(
    variant: str, fp32: bytes, calibration: np.ndarray, keep_float: Sequence[str] = ()
) -> bytes:
    """Quantize a float .tflite file to `dynamic`, `int8` or `int16x8`.

    `calibration` is uint8 RGB [images, S, S, 3]; layers whose outputs are named in `keep_float`
    stay float. An int8 model takes raw RGB bytes, the others float32 `RGB - 117`.

    Raises:
        EwasteError: the quantizer failed.
    """
    try:
        with quiet():
            model = _quantize(variant, fp32, calibration, keep_float)
    except Exception as error:  # it raises whatever it comes across
        raise EwasteError(f"ai-edge-quantizer failed: {str(error).splitlines()[0]}") from error
    if variant == "int8":
        model = take_raw_bytes(model)
        check_input(model)
    return take_floats(model) if variant == "int16x8" else model


def _quantize(
    variant: str, fp32: bytes, calibration: np.ndarray, keep_float: Sequence[str]
) -> bytes:
    recipe = RecipeManager()
    ranges = None
    if variant == "dynamic":
        recipe.add_dynamic_config(".*", ALL, 8)
    else:
        recipe.add_static_config(".*", ALL, ACTIVATION_BITS[variant], 8)
        ranges = _ranges(fp32, calibration, recipe)
    for name in keep_float:
        recipe.add_quantization_config(
            regex=re.escape(name), operation_name=ALL, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    maker = Quantizer(fp32)
    maker.load_quantization_recipe(recipe.get_quantization_recipe())
    return bytes(maker.quantize(ranges, enable_progress_report=False).quantized_model)


def _ranges(fp32: bytes, calibration: np.ndarray, recipe: RecipeManager) -> dict:
    """The smallest and largest value of each tensor over all calibration images.

    Not the quantizer's own moving average, which cuts off what is large on few images: on a
    well-trained model, the logits of the images it is surest of.
    """
    calibrator = Calibrator(fp32, num_threads=2, qsv_update_func=min_max_update)
    inputs = [{"image": float_input(pixels)[np.newaxis]} for pixels in calibration]
    calibrator.calibrate({SIGNATURE: inputs}, recipe)
    ranges = calibrator.get_model_qsvs()
    # The input must take every byte as it is: scale 1.0, whatever the calibration photos hold.
    whole = {"min": -float(INPUT_OFFSET), "max": 255.0 - INPUT_OFFSET}
    ranges[INPUT] = {key: np.full_like(ranges[INPUT][key], value) for key, value in whole.items()}
    return ranges
