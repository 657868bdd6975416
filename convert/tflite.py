"""The Keras model of a run as TFLite: unquantised, and quantised to integers throughout.

Importing this imports TensorFlow, which takes seconds and prints.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from convert.run import Run
from edge.classifier import load_runtime
from edge.errors import BadInput, EwasteError, Refused
from edge.preprocess import INPUT_OFFSET, float_input
from edge.quiet import quiet

OUTPUTS = ("logits", "embedding")


def load_model(run: Run) -> keras.Model:
    """Load the float model of a run: float32 [N, S, S, 3] `RGB - 117` -> probabilities.

    Raises:
        BadInput: the file is no Keras model, or not one of that form.
    """
    try:
        model = keras.models.load_model(run.model, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{run.model}: not a Keras model ({_first_line(error)})") from None
    missing = {*OUTPUTS, "probabilities"} - {layer.name for layer in model.layers}
    if missing:
        raise BadInput(f"{run.model}: has no layer named {', '.join(sorted(missing))}")
    size, classes = (run.size, run.size, 3), len(run.labels)
    if model.input_shape[1:] != size or model.output_shape[1:] != (classes,):
        raise BadInput(
            f"{run.model}: turns {model.input_shape[1:]} into {model.output_shape[1:]}, but "
            f"{run.path / 'config.json'} says {size} and {classes} labels"
        )
    return model


def export_graph(model: keras.Model, folder: Path) -> None:
    """Write the inference graph of `model` as a SavedModel: `image` -> `logits`, `embedding`.

    The signature `serving_default` takes one image, float32 [1, S, S, 3].
    """
    served = keras.Model(model.input, {name: model.get_layer(name).output for name in OUTPUTS})
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="image")
    archive = keras.export.ExportArchive()
    archive.track(served)
    archive.add_endpoint(
        "serving_default", lambda image: served(image, training=False), input_signature=[image]
    )
    with quiet():
        archive.write_out(str(folder), verbose=False)


def convert_fp32(graph: Path) -> bytes:
    """Convert an exported graph to TFLite as it is, in float32."""
    return _convert(tf.lite.TFLiteConverter.from_saved_model(str(graph)))


def convert_int8(graph: Path, calibration: np.ndarray) -> bytes:
    """Convert an exported graph to TFLite with 8-bit integers throughout.

    `calibration` is uint8 RGB [images, S, S, 3]: the ranges of all tensors are taken from it. The
    input becomes uint8 with scale 1.0 and zero point 117, that is raw RGB; the outputs int8.

    Raises:
        EwasteError: the converter failed.
        Refused: the converter gave the input another scale.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative(calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    model = _convert(converter)
    check_input(model)
    return model


def check_input(model: bytes) -> None:
    """See that a quantised model takes raw RGB bytes.

    Raises:
        Refused: it does not.
    """
    with quiet():
        (details,) = load_runtime().Interpreter(model_content=model).get_input_details()
    found = details["dtype"], *details["quantization"]
    if found != (np.uint8, 1.0, INPUT_OFFSET):
        kind, scale, zero_point = found
        raise Refused(
            f"the converter made the input {kind.__name__}, scale {scale}, zero point {zero_point} "
            f"instead of uint8, 1.0, {INPUT_OFFSET}; try another TensorFlow version"
        )


def _representative(calibration: np.ndarray) -> Callable[[], Iterator[dict[str, np.ndarray]]]:
    """Feed the converter; black and white corners pin the input's range to [0, 255] - 117."""
    pinned = calibration.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255

    def feed() -> Iterator[dict[str, np.ndarray]]:
        for pixels in pinned:
            yield {"image": float_input(pixels)[np.newaxis]}

    return feed


def _convert(converter: tf.lite.TFLiteConverter) -> bytes:
    try:
        with quiet():
            return converter.convert()
    except Exception as error:  # the converter raises whatever its C++ side does
        raise EwasteError(f"the TFLite converter failed: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
