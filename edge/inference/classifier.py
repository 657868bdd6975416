"""A TFLite runtime behind one class: views in, predictions out."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edge.errors import BadInput, EwasteError, one_line
from edge.inference.activation import ACTIVATION_MAP, MOST_PLACES
from edge.inference.preprocess import LARGEST_SIZE, float_input, model_input
from edge.quiet import quiet

WIDEST_OUTPUT = 2**16
"""More values than any output of ours has."""
OUTPUT_TYPES = ("int8", "uint8", "int16", "float32")
EXPECTED = f"expected one of {', '.join(OUTPUT_TYPES)}"
ANSWER = ("logits", "embedding")
"""The outputs that an item is classified by."""
RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


@dataclass(frozen=True)
class Prediction:
    """The model's answer to one view.

    Attributes:
        logits: float32 [classes], as the model gives them.
        probabilities: float32 [classes], softmax of `logits / temperature`, sums to 1.
        embedding: float32 [2048], the globally pooled features before the last layer.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    embedding: np.ndarray


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax over the last axis of float [..., classes], at a calibrated temperature (> 0)."""
    # What is no number stays none, without a word: `edge.decision.decide` knows what to do with it.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.asarray(logits, dtype=np.float64) / temperature
        exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        return (exponents / exponents.sum(axis=-1, keepdims=True)).astype(np.float32)


def load_runtime() -> ModuleType:
    """Import the first TFLite runtime that is installed: ai-edge-litert, else tflite-runtime.

    Raises:
        EwasteError: neither is installed.
    """
    for name in RUNTIMES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise EwasteError("no TFLite runtime is installed; run: pip install ai-edge-litert")


def open_interpreter(content: bytes, threads: int, *, delegates: bool = True) -> Any:
    """An interpreter of the runtime for a model, with its tensors allocated.

    Args:
        content: of the model file.
        threads: of one inference.
        delegates: whether the runtime may hand the model to XNNPACK, as it does by itself.

    Raises:
        EwasteError: no runtime is installed.
        Exception: what the native code makes of a model that it cannot load.
    """
    runtime = load_runtime()
    given = {}
    if not delegates:
        kind = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        given["experimental_op_resolver_type"] = kind
    interpreter = runtime.Interpreter(model_content=content, num_threads=threads, **given)
    interpreter.allocate_tensors()
    return interpreter


class Classifier:
    """One TFLite model with the signature outputs `logits` and `embedding`.

    A third output, `activation_map`, is read only where it is asked for (`predict_with_map`).
    The input is uint8 [1, S, S, 3] raw RGB (quantized) or float32 [1, S, S, 3] `RGB - 117` (float).
    Not safe to share between threads.
    """

    def __init__(
        self,
        model: Path,
        labels: Sequence[str],
        temperature: float = 1.0,
        threads: int = 2,
        content: bytes | None = None,
    ) -> None:
        """Load `model`; if it was read already, its `content`, and `model` only names it.

        The runtime gets the bytes, never the path: it would map the file, and run whatever is
        written over it later.

        Raises:
            BadInput: the file is missing, is no such model, or has other classes than `labels`.
        """
        if content is None:
            content = _read(model)
        runtime = load_runtime()
        try:
            with quiet():
                self._interpreter = open_interpreter(content, threads)
                runner = self._interpreter.get_signature_runner("serving_default")
            inputs, self._outputs = runner.get_input_details(), runner.get_output_details()
            own = _places(self._interpreter)
        # Bindings to native code raise what they like.
        except Exception as error:
            reason = one_line(error) or type(error).__name__
            raise BadInput(f"{model}: not a model this runtime can load ({reason})") from None
        if set(ANSWER) - set(self._outputs) or len(inputs) != 1:
            raise BadInput(f"{model}: expected one input and the outputs logits and embedding")
        (self._input,) = inputs.values()
        if {each["index"] for each in (self._input, *self._outputs.values())} - own:
            raise BadInput(f"{model}: its signature is not that of its first graph")
        self.size = _input_size(model, self._input)
        classes = _width(model, "logits", self._outputs["logits"])
        _width(model, "embedding", self._outputs["embedding"])
        if classes != len(labels):
            raise BadInput(f"{model}: the model has {classes} classes, but {len(labels)} labels")
        self.map_shape = None
        if ACTIVATION_MAP in self._outputs:
            self.map_shape = _map_shape(model, self._outputs[ACTIVATION_MAP], classes)
        self.runtime = runtime.__name__.partition(".")[0]
        self.labels = tuple(labels)
        self.temperature = temperature

    def run(self, pixels: np.ndarray, outputs: Sequence[str] = ANSWER) -> dict[str, np.ndarray]:
        """Run the model on uint8 RGB [S, S, 3].

        Returns `outputs` as the model stores them (int8 when quantized, else float32): `logits`
        [classes], `embedding` [2048], `activation_map` [h, w, classes]. The arrays are copies.
        """
        if self._input["dtype"] == np.float32:
            pixels = float_input(pixels)
        # Not by the runner of the signature: it reads every output, the map included.
        self._interpreter.set_tensor(self._input["index"], pixels[np.newaxis])
        self._interpreter.invoke()
        return {
            name: self._interpreter.get_tensor(self._outputs[name]["index"])[0] for name in outputs
        }

    def dequantize(self, name: str, stored: np.ndarray) -> np.ndarray:
        """Turn the output `name`, as stored by the model, into float32 of the same shape."""
        scale, zero_point = self._outputs[name]["quantization"]
        if not scale:
            return stored.astype(np.float32)
        return ((stored.astype(np.int32) - zero_point) * scale).astype(np.float32)

    def predict_input(self, pixels: np.ndarray) -> Prediction:
        """Classify uint8 RGB [S, S, 3] that already has the model's size."""
        return self._prediction(self.run(pixels))

    def predict_with_map(self, pixels: np.ndarray) -> tuple[Prediction, np.ndarray | None]:
        """Classify uint8 RGB [S, S, 3], and tell what each place says for each class.

        Returns:
            The prediction, and float32 [h, w, classes] (`edge.inference.activation`); None for a
            model without a map.
        """
        if self.map_shape is None:
            return self.predict_input(pixels), None
        stored = self.run(pixels, (*ANSWER, ACTIVATION_MAP))
        return self._prediction(stored), self.dequantize(ACTIVATION_MAP, stored[ACTIVATION_MAP])

    def predict(self, view: np.ndarray) -> Prediction:
        """Classify one view: uint8 RGB [height, width, 3] of any size."""
        return self.predict_input(model_input(view, self.size))

    def _prediction(self, stored: Mapping[str, np.ndarray]) -> Prediction:
        logits = self.dequantize("logits", stored["logits"])
        return Prediction(
            logits=logits,
            probabilities=softmax(logits, self.temperature),
            embedding=self.dequantize("embedding", stored["embedding"]),
        )


def _read(model: Path) -> bytes:
    try:
        return model.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{model}: no such model file") from None
    except OSError as error:
        raise BadInput(f"{model}: cannot be read ({error.strerror})") from None


def _input_size(model: Path, details: dict[str, Any]) -> int:
    """The side of the model's input, px."""
    shape = tuple(map(int, details["shape"]))
    rank, kind = len(shape), np.dtype(details["dtype"]).name
    if rank != 4 or shape != (1, shape[1], shape[1], 3) or not 1 <= shape[1] <= LARGEST_SIZE:
        raise BadInput(f"{model}: takes {shape}, not one square picture [1, S, S, 3]")
    if kind not in ("uint8", "float32") or _is_dynamic(details):
        raise BadInput(f"{model}: takes {kind} of {shape}, not uint8 or float32 of one size")
    return shape[1]


def _width(model: Path, name: str, details: dict[str, Any]) -> int:
    """How many values an output has."""
    shape = tuple(map(int, details["shape"]))
    if (
        len(shape) != 2
        or shape[0] != 1
        or not 1 <= shape[1] <= WIDEST_OUTPUT
        or _is_dynamic(details)
    ):
        raise BadInput(f"{model}: gives {name} of {shape}, not [1, n]")
    _check_stored(model, name, details)
    return shape[1]


def _map_shape(model: Path, details: dict[str, Any], classes: int) -> tuple[int, int]:
    """Height and width of the activation map."""
    shape = tuple(map(int, details["shape"]))
    if (
        len(shape) != 4
        or (shape[0], shape[3]) != (1, classes)
        or not 1 <= min(shape[1:3]) <= max(shape[1:3]) <= MOST_PLACES
        or _is_dynamic(details)
    ):
        raise BadInput(
            f"{model}: gives {ACTIVATION_MAP} of {shape}, not [1, height, width, {classes}] of "
            f"at most {MOST_PLACES} x {MOST_PLACES}"
        )
    _check_stored(model, ACTIVATION_MAP, details)
    return shape[1], shape[2]


def _check_stored(model: Path, name: str, details: dict[str, Any]) -> None:
    """See that an output is of a type that can be made numbers of."""
    kind = np.dtype(details["dtype"]).name
    scale, zero_point = details["quantization"]
    if kind not in OUTPUT_TYPES or not (np.isfinite(scale) and np.isfinite(zero_point)):
        raise BadInput(f"{model}: gives {name} as {kind}, scaled by {scale:g}; {EXPECTED}")


def _places(interpreter: Any) -> set[int]:
    """The inputs and outputs of the first graph, which `invoke` runs."""
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    return {each["index"] for each in details}


def _is_dynamic(details: dict[str, Any]) -> bool:
    return any(int(side) < 0 for side in details.get("shape_signature", ()))
