"""A model behind one class, whatever runtime computes it: views in, predictions out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import BadInput, EwasteError, one_line
from edge.inference.activation import ACTIVATION_MAP, MOST_PLACES
from edge.inference.backend import DEFAULT_BACKEND, Backend, open_predictor
from edge.inference.predictor import Predictor, Tensor
from edge.inference.preprocess import LARGEST_SIZE, float_input, model_input
from edge.quiet import quiet

WIDEST_OUTPUT = 2**16
"""More values than any output of ours has."""
OUTPUT_TYPES = ("int8", "uint8", "int16", "float32")
EXPECTED = f"expected one of {', '.join(OUTPUT_TYPES)}"
ANSWER = ("logits", "embedding")
"""The outputs that an item is classified by."""


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
        *,
        backend: Backend = DEFAULT_BACKEND,
    ) -> None:
        """Load `model`; if it was read already, its `content`, and `model` only names it.

        The runtime gets the bytes, never the path: it would map the file, and run whatever is
        written over it later. `backend` is the runtime, with its delegate.

        Raises:
            BadInput: the file is missing, is no such model, or has other classes than `labels`.
            Refused: the delegate cannot be used.
            EwasteError: the runtime is not installed.
        """
        if content is None:
            content = _read(model)
        self._predictor = _loaded(model, content, threads, backend)
        outputs = self._predictor.outputs
        if set(ANSWER) - set(outputs):
            raise BadInput(f"{model}: expected one input and the outputs logits and embedding")
        self.size = _input_size(model, self._predictor.input)
        classes = _width(model, "logits", outputs["logits"])
        _width(model, "embedding", outputs["embedding"])
        if classes != len(labels):
            raise BadInput(f"{model}: the model has {classes} classes, but {len(labels)} labels")
        self.map_shape = None
        if ACTIVATION_MAP in outputs:
            self.map_shape = _map_shape(model, outputs[ACTIVATION_MAP], classes)
        self.runtime, self.delegate = self._predictor.runtime, backend.delegate
        self.labels = tuple(labels)
        self.temperature = temperature

    def run(self, pixels: np.ndarray, outputs: Sequence[str] = ANSWER) -> dict[str, np.ndarray]:
        """Run the model on uint8 RGB [S, S, 3].

        Returns `outputs` as the model stores them (int8 when quantized, else float32): `logits`
        [classes], `embedding` [2048], `activation_map` [h, w, classes]. The arrays are copies.
        """
        if self._predictor.input.kind == "float32":
            pixels = float_input(pixels)
        return self._predictor.run(pixels[np.newaxis], outputs)

    def dequantize(self, name: str, stored: np.ndarray) -> np.ndarray:
        """Turn the output `name`, as stored by the model, into float32 of the same shape."""
        tensor = self._predictor.outputs[name]
        if not tensor.scale:
            return stored.astype(np.float32)
        return ((stored.astype(np.int32) - tensor.zero_point) * tensor.scale).astype(np.float32)

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


def _loaded(model: Path, content: bytes, threads: int, backend: Backend) -> Predictor:
    try:
        with quiet():
            return open_predictor(content, threads, backend)
    except BadInput as error:
        raise BadInput(f"{model}: {error}") from None
    except EwasteError:
        raise
    # Bindings to native code raise what they like.
    except Exception as error:
        reason = one_line(error) or type(error).__name__
        raise BadInput(f"{model}: not a model this runtime can load ({reason})") from None


def _input_size(model: Path, tensor: Tensor) -> int:
    """The side of the model's input, px."""
    shape, kind, rank = tensor.shape, tensor.kind, len(tensor.shape)
    if rank != 4 or shape != (1, shape[1], shape[1], 3) or not 1 <= shape[1] <= LARGEST_SIZE:
        raise BadInput(f"{model}: takes {shape}, not one square picture [1, S, S, 3]")
    if kind not in ("uint8", "float32") or tensor.is_dynamic:
        raise BadInput(f"{model}: takes {kind} of {shape}, not uint8 or float32 of one size")
    return shape[1]


def _width(model: Path, name: str, tensor: Tensor) -> int:
    """How many values an output has."""
    shape = tensor.shape
    if len(shape) != 2 or shape[0] != 1 or not 1 <= shape[1] <= WIDEST_OUTPUT or tensor.is_dynamic:
        raise BadInput(f"{model}: gives {name} of {shape}, not [1, n]")
    _check_stored(model, name, tensor)
    return shape[1]


def _map_shape(model: Path, tensor: Tensor, classes: int) -> tuple[int, int]:
    """Height and width of the activation map."""
    shape = tensor.shape
    if (
        len(shape) != 4
        or (shape[0], shape[3]) != (1, classes)
        or not 1 <= min(shape[1:3]) <= max(shape[1:3]) <= MOST_PLACES
        or tensor.is_dynamic
    ):
        raise BadInput(
            f"{model}: gives {ACTIVATION_MAP} of {shape}, not [1, height, width, {classes}] of "
            f"at most {MOST_PLACES} x {MOST_PLACES}"
        )
    _check_stored(model, ACTIVATION_MAP, tensor)
    return shape[1], shape[2]


def _check_stored(model: Path, name: str, tensor: Tensor) -> None:
    """See that an output is of a type that can be made numbers of."""
    finite = np.isfinite(tensor.scale) and np.isfinite(tensor.zero_point)
    if tensor.kind not in OUTPUT_TYPES or not finite:
        raise BadInput(
            f"{model}: gives {name} as {tensor.kind}, scaled by {tensor.scale:g}; {EXPECTED}"
        )
