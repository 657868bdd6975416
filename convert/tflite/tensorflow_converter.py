"""Convert the Keras model of a run to TFLite with TensorFlow's converter.

Importing this module imports TensorFlow, which takes seconds and prints to stderr.
"""

from edge.process_setup import silence_tensorflow
from edge.quiet import import_quietly

silence_tensorflow()
import_quietly("tensorflow")

import math
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from convert.run import Run
from convert.tflite.activation import add_activation_map
from convert.tflite.flatbuffer import use_raw_rgb_input
from convert.tflite.layers import MAX_SQNR_DB
from edge.calibration.answers import Answers
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.activation import ACTIVATION_MAP
from edge.inference.preprocess import INPUT_OFFSET, float_input
from edge.inference.tflite import load_runtime
from edge.quiet import quiet
from train.evaluation.predictor import AnswerBatch

OUTPUTS = ("logits", "embedding")
METRIC = "noise_to_signal"
Result = TypeVar("Result")


def load_model(run: Run) -> keras.Model:
    """Load the float model of a run: float32 [N, S, S, 3] `RGB - 117` -> probabilities.

    If `run.size` is not the size of the training, the weights are moved to an input of that size.

    Raises:
        BadInput: the file is not a Keras model of that form, or cannot have an input of that size.
    """
    try:
        model = keras.models.load_model(run.model, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{run.model}: not a Keras model ({_first_line(error)})") from None
    missing = {*OUTPUTS, "probabilities"} - {layer.name for layer in model.layers}
    if missing:
        raise BadInput(f"{run.model}: has no layer named {', '.join(sorted(missing))}")
    size, classes = (run.trained_size, run.trained_size, 3), len(run.labels)
    if model.input_shape[1:] != size or model.output_shape[1:] != (classes,):
        raise BadInput(
            f"{run.model}: turns {model.input_shape[1:]} into {model.output_shape[1:]}, but "
            f"{run.path / 'config.json'} says {size} and {classes} labels"
        )
    return model if run.size == run.trained_size else _resized(model, run)


def _resized(model: keras.Model, run: Run) -> keras.Model:
    """The same layers and weights behind an input of `run.size`."""
    try:
        resized = keras.models.clone_model(model, keras.Input((run.size, run.size, 3)))
        resized.set_weights(model.get_weights())
    except ValueError as error:
        raise BadInput(
            f"{run.model}: cannot take images of {run.size} px instead of {run.trained_size} "
            f"({_first_line(error)}); train at that size"
        ) from None
    return resized


def serving_model(model: keras.Model, with_map: bool = True) -> keras.Model:
    """The model of a run before its softmax: `logits`, `embedding` and, if it can, a map.

    Args:
        model: the model of a run.
        with_map: add the output `activation_map`, where the head follows global average pooling.
    """
    outputs = {name: model.get_layer(name).output for name in OUTPUTS}
    activation_map = add_activation_map(model) if with_map else None
    if activation_map is not None:
        outputs[ACTIVATION_MAP] = activation_map
    # A fixed name: the default counts the models of this process and would end up in the file.
    return keras.Model(model.input, outputs, name="served")


def float_answers(served: keras.Model) -> AnswerBatch:
    """The answers of the float model, as `serving_model` makes it."""

    def answer(pixels: np.ndarray) -> Answers:
        given = served.predict_on_batch(float_input(pixels))
        return Answers(given["logits"], given["embedding"], given.get(ACTIVATION_MAP))

    return answer


def export_graph(served: keras.Model, folder: Path) -> None:
    """Write a model of `serving_model` as a SavedModel: `image` -> its outputs.

    The input of its signature `serving_default` is one image, float32 [1, S, S, 3].

    Raises:
        EwasteError: the export failed, for example because the disk is full.
    """
    image = tf.TensorSpec((1, *served.input_shape[1:]), tf.float32, name="image")
    archive = keras.export.ExportArchive()
    archive.track(served)
    archive.add_endpoint(
        "serving_default", lambda image: served(image, training=False), input_signature=[image]
    )
    _guarded(lambda: archive.write_out(str(folder), verbose=False))


def convert_fp32(graph: Path) -> bytes:
    """Convert an exported graph to TFLite in float32."""
    return _convert(tf.lite.TFLiteConverter.from_saved_model(str(graph)))


def convert_fp16(graph: Path) -> bytes:
    """Convert with 16-bit weights; most runtimes still compute in float32."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _convert(converter)


def convert_dynamic(graph: Path) -> bytes:
    """Convert with 8-bit weights; the ranges of activations are measured at each inference."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return _convert(converter)


def convert_int16x8(graph: Path, calibration: np.ndarray) -> bytes:
    """Convert with 16-bit activations and 8-bit weights; input and outputs stay float32."""
    converter = _calibrated(graph, calibration)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    return _convert(converter)


def convert_int8(graph: Path, calibration: np.ndarray) -> bytes:
    """Convert an exported graph to TFLite with 8-bit integers in all layers.

    The input is uint8 with scale 1.0 and zero point 117, that is raw RGB; the outputs are int8.

    Args:
        graph: the SavedModel.
        calibration: images for the ranges of activations, uint8 RGB [images, S, S, 3].

    Raises:
        EwasteError: the converter failed.
        Refused: the converter chose another scale for the input.
    """
    converter = _calibrated(graph, calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    model = _convert(converter)
    check_input(model)
    return model


class CalibratedModel:
    """A calibrated model, for selective quantization and for the SQNR of its layers.

    It uses TensorFlow's QuantizationDebugger, which calibrates only once.
    """

    def __init__(self, graph: Path, calibration: np.ndarray, sqnr_images: int) -> None:
        """Calibrate the model.

        Args:
            graph: the SavedModel.
            calibration: images for the ranges of activations, uint8 RGB [images, S, S, 3].
            sqnr_images: number of these images that the SQNR is measured on.

        Raises:
            EwasteError: the converter failed.
        """
        converter = _calibrated(graph, calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]

        def feed() -> Iterator[list[np.ndarray]]:
            for pixels in calibration[:sqnr_images]:
                yield [float_input(pixels)[np.newaxis]]

        self._debugger = _guarded(
            lambda: tf.lite.experimental.QuantizationDebugger(
                converter=converter,
                debug_dataset=feed,
                debug_options=tf.lite.experimental.QuantizationDebugOptions(
                    layer_direct_compare_metrics={METRIC: noise_to_signal}
                ),
            )
        )

    def tensor_sqnr(self, layers: Sequence[str]) -> dict[str, float]:
        """Measure the SQNR of the output of each layer, dB, 0 to `MAX_SQNR_DB`.

        Layers that do not compute, such as padding, add no noise and are left out.

        Args:
            layers: names of the layers' outputs.
        """
        _guarded(self._debugger.run)
        sqnr_db = {}
        for name, figures in self._debugger.layer_statistics.items():
            # The debugger calls a layer NumericVerify/LAYER, digits, a colon and a number.
            found = name.removeprefix("NumericVerify/").rpartition(":")[0]
            matching = [layer for layer in layers if re.fullmatch(re.escape(layer) + r"\d*", found)]
            if matching:
                sqnr_db[max(matching, key=len)] = to_sqnr_db(float(figures[METRIC]))
        return sqnr_db

    def quantize(self, keep_float: Sequence[str]) -> bytes:
        """Quantize the model but for some layers; its input is raw RGB.

        Args:
            keep_float: names of the layers that stay in float.

        Raises:
            EwasteError: the converter failed.
        """
        # Like `get_nondebug_quantized_model` of the debugger, which cannot leave out all layers.
        calibrated = self._debugger.calibrated_model
        model = use_raw_rgb_input(
            _guarded(lambda: mlir_quantize(calibrated, denylisted_nodes=list(keep_float)))
        )
        check_input(model)
        return model


def to_sqnr_db(noise_to_signal: float) -> float:
    """The SQNR of a ratio of noise to signal power, dB, 0 to `MAX_SQNR_DB`.

    SQNR = 10 log10(signal power / quantization noise power).
    """
    if noise_to_signal <= 0:
        return MAX_SQNR_DB
    return min(MAX_SQNR_DB, max(0.0, -10 * math.log10(noise_to_signal)))


def noise_to_signal(
    exact: np.ndarray, quantized: np.ndarray, scale: float, zero_point: int
) -> float:
    """The ratio of quantization noise power to signal power in a layer's output, 0 to 1.

    It is the mean over the channels, each limited to 1, so that a channel with a huge range does
    not hide the others. The power of a signal is its variance; constant channels do not count.

    Args:
        exact: float32 [..., channels], output of the float layer for the same input.
        quantized: int8, the quantized output, of the same shape.
        scale: quantization step of `quantized`.
        zero_point: the value of `quantized` that stands for 0.
    """
    exact = exact.reshape(-1, exact.shape[-1]).astype(np.float64)
    restored = (quantized.astype(np.float64).reshape(exact.shape) - zero_point) * scale
    # A vector (the embedding, the logits) is one channel whose features vary.
    axis = 0 if len(exact) > 1 else 1
    signal, noise = exact.var(axis=axis), ((restored - exact) ** 2).mean(axis=axis)
    varying = signal > 0
    if not varying.any():
        return 0.0
    return float(np.minimum(noise[varying] / signal[varying], 1.0).mean())


def check_input(model: bytes) -> None:
    """Check that the input of a quantized model is raw RGB.

    Raises:
        Refused: it is not.
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
    """Feed the converter; a black and a white corner fix the input range to [0, 255] - 117."""
    pinned = calibration.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255

    def feed() -> Iterator[dict[str, np.ndarray]]:
        for pixels in pinned:
            yield {"image": float_input(pixels)[np.newaxis]}

    return feed


def _calibrated(graph: Path, calibration: np.ndarray) -> tf.lite.TFLiteConverter:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative(calibration)
    return converter


def _convert(converter: tf.lite.TFLiteConverter) -> bytes:
    return _guarded(converter.convert)


def _guarded(action: Callable[[], Result]) -> Result:
    try:
        with quiet():
            return action()
    except Exception as error:  # the C++ side of the converter raises exceptions of any type
        raise EwasteError(f"the TFLite converter failed: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
