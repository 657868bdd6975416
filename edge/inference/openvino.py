"""OpenVINO, which reads TFLite models too."""

import importlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import EwasteError
from edge.files import write_whole
from edge.inference.backend import OPENVINO
from edge.inference.predictor import Tensor
from edge.inference.tflite import TflitePredictor

PRECISION = "f32"
"""What is not quantized would run in bfloat16 otherwise."""


class OpenVinoPredictor:
    """A TFLite model in OpenVINO, on the CPU. Not safe to share between threads.

    OpenVINO tells neither the signature of the model nor how its outputs are quantized, so a TFLite
    runtime reads these.

    Attributes:
        runtime: its name.
        input: what it takes.
        outputs: what it gives, by the names of its signature.
    """

    runtime = OPENVINO

    def __init__(self, content: bytes, threads: int) -> None:
        """Load a model.

        Args:
            content: of the model file.
            threads: of one inference.

        Raises:
            BadInput: the model is none of ours.
            EwasteError: OpenVINO or a TFLite runtime is not installed.
        """
        try:
            openvino: Any = importlib.import_module("openvino")
        except ImportError:
            raise EwasteError(
                "openvino, which was chosen, is not installed; type: ewaste-edge select-runtime"
            ) from None
        read = TflitePredictor(content, threads)
        self.input: Tensor = read.input
        self.outputs: Mapping[str, Tensor] = read.outputs
        with tempfile.TemporaryDirectory(prefix="ewaste-openvino-") as folder:
            path = Path(folder) / "model.tflite"  # it reads this format from files only
            write_whole(path, content, durable=False)
            settings = {"INFERENCE_PRECISION_HINT": PRECISION, "INFERENCE_NUM_THREADS": threads}
            self._model = openvino.Core().compile_model(str(path), "CPU", settings)
        names = read.tensor_names
        self._places = {name: self._model.output(names[name]) for name in self.outputs}

    def run(self, batch: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Compute the outputs `names`, each without its batch, as the model stores them."""
        answers = self._model([batch])
        return {name: np.array(answers[self._places[name]][0]) for name in names}
