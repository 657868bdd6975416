"""A TFLite runtime behind one class: views in, predictions out."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from edge.errors import BadInput, EwasteError
from edge.memory import release_mapped
from edge.preprocess import float_input, model_input
from edge.quiet import quiet

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
    raise EwasteError("no TFLite runtime is installed; run: pip install 'ewaste-edge[edge]'")


class Classifier:
    """One TFLite model with the signature outputs `logits` and `embedding`.

    The input is uint8 [1, S, S, 3] raw RGB (quantised) or float32 [1, S, S, 3] `RGB - 117` (float).
    Not safe to share between threads.
    """

    def __init__(
        self,
        model: Path,
        labels: Sequence[str],
        temperature: float = 1.0,
        threads: int = 2,
    ) -> None:
        """Load `model`.

        Raises:
            BadInput: the file is missing, is no such model, or has other classes than `labels`.
        """
        if not model.is_file():
            raise BadInput(f"{model}: no such model file")
        try:
            runtime = load_runtime()
            with quiet():
                self._interpreter = runtime.Interpreter(str(model), num_threads=threads)
                self._interpreter.allocate_tensors()
            signature = self._interpreter.get_signature_list()["serving_default"]
        except (ValueError, RuntimeError, KeyError) as error:
            raise BadInput(f"{model}: not a model this runtime can load ({error})") from None
        missing = {"logits", "embedding"} - set(signature["outputs"])
        if missing or len(signature["inputs"]) != 1:
            raise BadInput(f"{model}: expected one input and the outputs logits and embedding")
        self._runner = self._interpreter.get_signature_runner("serving_default")
        self._input_name, self._input = next(iter(self._runner.get_input_details().items()))
        self._outputs = self._runner.get_output_details()
        classes = int(self._outputs["logits"]["shape"][-1])
        if classes != len(labels):
            raise BadInput(f"{model}: the model has {classes} classes, but {len(labels)} labels")
        release_mapped(model)
        self.runtime = runtime.__name__.partition(".")[0]
        self.labels = tuple(labels)
        self.temperature = temperature
        self.size = int(self._input["shape"][1])

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Run the model on uint8 RGB [S, S, 3].

        Returns the outputs as the model stores them (int8 when quantised, else float32):
        `logits` [classes] and `embedding` [2048]. The arrays are copies.
        """
        if self._input["dtype"] == np.float32:
            pixels = float_input(pixels)
        answer = self._runner(**{self._input_name: pixels[np.newaxis]})
        return {name: np.array(value[0]) for name, value in answer.items()}

    def dequantize(self, name: str, stored: np.ndarray) -> np.ndarray:
        """Turn the output `name`, as stored by the model, into float32 of the same shape."""
        scale, zero_point = self._outputs[name]["quantization"]
        if not scale:
            return stored.astype(np.float32)
        return ((stored.astype(np.int32) - zero_point) * scale).astype(np.float32)

    def predict_input(self, pixels: np.ndarray) -> Prediction:
        """Classify uint8 RGB [S, S, 3] that already has the model's size."""
        stored = self.run(pixels)
        logits = self.dequantize("logits", stored["logits"])
        return Prediction(
            logits=logits,
            probabilities=softmax(logits, self.temperature),
            embedding=self.dequantize("embedding", stored["embedding"]),
        )

    def predict(self, view: np.ndarray) -> Prediction:
        """Classify one view: uint8 RGB [height, width, 3] of any size."""
        return self.predict_input(model_input(view, self.size))
