"""The Keras model of a run as TFLite, unquantized and quantized, by TensorFlow's converter.

Importing this imports TensorFlow, which takes seconds and prints.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from convert.proof.run import Run
from convert.tflite.flatbuffer import take_raw_bytes
from edge.errors import BadInput, EwasteError, Refused
from edge.inference.classifier import load_runtime
from edge.inference.preprocess import INPUT_OFFSET, float_input
from edge.quiet import quiet

OUTPUTS = ("logits", "embedding")
Made = TypeVar("Made")


def load_model(run: Run) -> keras.Model:
    """Load the float model of a run: float32 [N, S, S, 3] `RGB - 117` -> probabilities.

    Where the run is to have another size than it was trained at, the same weights take that.

    Raises:
        BadInput: the file is no Keras model, not one of that form, or it cannot take that size.
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
        fresh = keras.models.clone_model(model, keras.Input((run.size, run.size, 3)))
        fresh.set_weights(model.get_weights())
    except ValueError as error:
        raise BadInput(
            f"{run.model}: cannot take images of {run.size} px instead of {run.trained_size} "
            f"({_first_line(error)}); train at that size"
        ) from None
    return fresh


def float_answers(model: keras.Model) -> Callable[[np.ndarray], list[np.ndarray]]:
    """What gives the logits and embeddings of a batch, float32 [N, S, S, 3] `RGB - 117`."""
    told = keras.Model(model.input, [model.get_layer(name).output for name in OUTPUTS])
    return told.predict_on_batch


def export_graph(model: keras.Model, folder: Path) -> None:
    """Write the inference graph of `model` as a SavedModel: `image` -> `logits`, `embedding`.

    The signature `serving_default` takes one image, float32 [1, S, S, 3].

    Raises:
        EwasteError: it cannot be exported, such as for want of space.
    """
    outputs = {name: model.get_layer(name).output for name in OUTPUTS}
    # A name of its own, for Keras' would count the models of this process, and end up in the file.
    served = keras.Model(model.input, outputs, name="served")
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="image")
    archive = keras.export.ExportArchive()
    archive.track(served)
    archive.add_endpoint(
        "serving_default", lambda image: served(image, training=False), input_signature=[image]
    )
    _guarded(lambda: archive.write_out(str(folder), verbose=False))


def convert_fp32(graph: Path) -> bytes:
    """Convert an exported graph to TFLite as it is, in float32."""
    return _convert(tf.lite.TFLiteConverter.from_saved_model(str(graph)))


def convert_fp16(graph: Path) -> bytes:
    """The same with weights of 16 bits; the arithmetic stays float32 where nothing faster is."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _convert(converter)


def convert_dynamic(graph: Path) -> bytes:
    """Weights of 8 bits; the ranges of activations are taken anew at each inference."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return _convert(converter)


def convert_int16x8(graph: Path, calibration: np.ndarray) -> bytes:
    """Activations of 16 bits, weights of 8; input and outputs stay float32."""
    converter = _calibrated(graph, calibration)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    return _convert(converter)


def convert_int8(graph: Path, calibration: np.ndarray) -> bytes:
    """Convert an exported graph to TFLite with 8-bit integers throughout.

    `calibration` is uint8 RGB [images, S, S, 3]: the ranges of all tensors are taken from it. The
    input becomes uint8 with scale 1.0 and zero point 117, that is raw RGB; the outputs int8.

    Raises:
        EwasteError: the converter failed.
        Refused: the converter gave the input another scale.
    """
    converter = _calibrated(graph, calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    model = _convert(converter)
    check_input(model)
    return model


class Calibrated:
    """A model whose ranges are taken already, to be quantized in parts and layer by layer.

    It stands on TensorFlow's QuantizationDebugger, which calibrates once for all that follows.
    """

    def __init__(self, graph: Path, calibration: np.ndarray, compared: int) -> None:
        """Calibrate on uint8 RGB [images, S, S, 3]; layers are compared on the first `compared`.

        Raises:
            EwasteError: the converter failed.
        """
        converter = _calibrated(graph, calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]

        def feed() -> Iterator[list[np.ndarray]]:
            for pixels in calibration[:compared]:
                yield [float_input(pixels)[np.newaxis]]

        self._debugger = _guarded(
            lambda: tf.lite.experimental.QuantizationDebugger(
                converter=converter,
                debug_dataset=feed,
                debug_options=tf.lite.experimental.QuantizationDebugOptions(
                    layer_direct_compare_metrics={"noise_share": noise_share}
                ),
            )
        )

    def tensor_errors(self, layers: Sequence[str]) -> dict[str, float]:
        """By the name of each layer's output: how much of it is lost (`noise_share`), 0 to 1.

        Layers that only pass numbers on, such as padding, lose nothing and are left out.
        """
        _guarded(self._debugger.run)
        errors = {}
        for name, figures in self._debugger.layer_statistics.items():
            # The debugger's name of a layer: NumericVerify/LAYER, digits, a colon and a number.
            found = name.removeprefix("NumericVerify/").rpartition(":")[0]
            fitting = [layer for layer in layers if re.fullmatch(re.escape(layer) + r"\d*", found)]
            if fitting:
                errors[max(fitting, key=len)] = float(figures["noise_share"])
        return errors

    def quantize(self, keep_float: Sequence[str]) -> bytes:
        """Quantize all but the layers of these names; the input takes raw RGB bytes.

        Raises:
            EwasteError: the converter failed.
        """
        # As the debugger's own `get_nondebug_quantized_model`, which cannot leave out all layers.
        calibrated = self._debugger.calibrated_model
        model = take_raw_bytes(
            _guarded(lambda: mlir_quantize(calibrated, denylisted_nodes=list(keep_float)))
        )
        check_input(model)
        return model


def noise_share(exact: np.ndarray, quantized: np.ndarray, scale: float, zero_point: int) -> float:
    """How much of a layer's output quantizing loses: noise over signal, the mean of its channels.

    By channels, for one with a huge range drowns the others. 0 is nothing; 1 is all, as if a
    channel were constant. Channels that are constant themselves do not count.

    Args:
        exact: float32 [..., channels], from the unquantized layer with the same input.
        quantized: int8, of the same shape.
        scale: of the latter, one step.
        zero_point: of the latter, what stands for 0.
    """
    exact = exact.reshape(-1, exact.shape[-1]).astype(np.float64)
    found = (quantized.astype(np.float64).reshape(exact.shape) - zero_point) * scale
    # A vector (the embedding, the logits) is one channel: its features vary, not its places.
    axis = 0 if len(exact) > 1 else 1
    signal, noise = exact.var(axis=axis), ((found - exact) ** 2).mean(axis=axis)
    alive = signal > 0
    return float(np.minimum(noise[alive] / signal[alive], 1.0).mean()) if alive.any() else 0.0


def check_input(model: bytes) -> None:
    """See that a quantized model takes raw RGB bytes.

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


def _calibrated(graph: Path, calibration: np.ndarray) -> tf.lite.TFLiteConverter:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative(calibration)
    return converter


def _convert(converter: tf.lite.TFLiteConverter) -> bytes:
    return _guarded(converter.convert)


def _guarded(action: Callable[[], Made]) -> Made:
    try:
        with quiet():
            return action()
    except Exception as error:  # the converter raises whatever its C++ side does
        raise EwasteError(f"the TFLite converter failed: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
