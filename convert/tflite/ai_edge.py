"""Quantize a float .tflite file with Google's ai-edge-quantizer."""

from edge.process_setup import silence_tensorflow

silence_tensorflow()

import re
from collections.abc import Sequence

import numpy as np

from convert.tflite.flatbuffer import use_float_io, use_raw_rgb_input
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
    """Quantize a float .tflite file.

    Args:
        variant: `dynamic`, `int8` or `int16x8`.
        fp32: content of the float file.
        calibration: images for the ranges of activations, uint8 RGB [images, S, S, 3].
        keep_float: names of the layers that stay in float.

    Returns:
        The quantized file. The input of an int8 model is raw RGB, that of the others float32
        `RGB - 117`.

    Raises:
        EwasteError: the quantizer failed.
        Refused: the input of the int8 model is not raw RGB.
    """
    try:
        with quiet():
            model = _quantize(variant, fp32, calibration, keep_float)
    except Exception as error:  # the quantizer raises exceptions of any type
        raise EwasteError(f"ai-edge-quantizer failed: {str(error).splitlines()[0]}") from error
    if variant == "int8":
        model = use_raw_rgb_input(model)
        check_input(model)
    return use_float_io(model) if variant == "int16x8" else model


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
    quantizer = Quantizer(fp32)
    quantizer.load_quantization_recipe(recipe.get_quantization_recipe())
    return bytes(quantizer.quantize(ranges, enable_progress_report=False).quantized_model)


def _ranges(fp32: bytes, calibration: np.ndarray, recipe: RecipeManager) -> dict:
    """The minimum and maximum of each tensor over all calibration images.

    The moving average that the quantizer uses by default would clip values that are large on few
    images: in a well-trained model, the logits of the most confident predictions.
    """
    calibrator = Calibrator(fp32, num_threads=2, qsv_update_func=min_max_update)
    inputs = [{"image": float_input(pixels)[np.newaxis]} for pixels in calibration]
    calibrator.calibrate({SIGNATURE: inputs}, recipe)
    ranges = calibrator.get_model_qsvs()
    # Raw RGB needs scale 1.0, whatever the range of the calibration photos.
    full_range = {"min": -float(INPUT_OFFSET), "max": 255.0 - INPUT_OFFSET}
    ranges[INPUT] = {
        key: np.full_like(ranges[INPUT][key], value) for key, value in full_range.items()
    }
    return ranges
