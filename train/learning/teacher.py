"""A teacher: a trained network in an ONNX file, whose embedding the new layers learn to give.

It is needed in training only. The map from the student's embedding to the teacher's is thrown away
with it, and nothing of either is on the device. Source: Romero et al., "FitNets: hints for thin
deep nets", ICLR 2015; with the cosine of whole embeddings instead of a stage's output.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.errors import BadInput, EwasteError, one_line
from edge.quiet import import_quietly

MEAN, DEVIATION = 127.0, 128.0
"""The teacher's input is (RGB - MEAN) / DEVIATION, as of the EfficientNet-Lite networks."""
EMBEDDING = "embedding"
"""Name of the output that is learned from; a teacher with one output needs no name."""
BATCH = 16
SMALLEST_SIZE, LARGEST_SIZE = 32, 1024
MOST_FEATURES = 8192
MOST_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Teacher:
    """A teacher that is ready to answer.

    Attributes:
        size: height and width of its input, px.
        features: of its embedding.
        embed: uint8 RGB [n, any, any, 3], square -> float32 [n, features].
    """

    size: int
    features: int
    embed: Callable[[np.ndarray], np.ndarray]


def open_teacher(path: Path, threads: int = 0) -> Teacher:
    """Open the ONNX file of a teacher.

    Its input is float32 [n, 3, S, S], its output `embedding`, or the only one, is [n, features].

    Args:
        path: the file.
        threads: processor cores that it may use; 0: all.

    Raises:
        BadInput: there is no such file, it is no ONNX model, or one of another shape.
        EwasteError: ONNX Runtime is not installed.
    """
    if not path.is_file():
        raise BadInput(f"--teacher {path}: no such file")
    if path.stat().st_size > MOST_BYTES:
        raise BadInput(f"--teacher {path}: larger than {MOST_BYTES >> 30} GB")
    try:
        runtime = import_quietly("onnxruntime")
    except ImportError:
        raise EwasteError(
            "--teacher: ONNX Runtime is missing; install it with: pip install onnxruntime"
        ) from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors come as exceptions
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exceptions have no common class but Exception.
        raise BadInput(f"--teacher {path}: not a usable ONNX model ({one_line(error)})") from None
    size, name = _checked_input(path, session)
    output, features = _checked_output(path, session)

    def embed(pixels: np.ndarray) -> np.ndarray:
        batches = []
        for start in range(0, len(pixels), BATCH):
            sized = [
                cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR)
                for each in pixels[start : start + BATCH]
            ]
            scaled = (np.stack(sized).astype(np.float32) - MEAN) / DEVIATION
            batches.append(session.run([output], {name: scaled.transpose(0, 3, 1, 2)})[0])
        return np.concatenate(batches).astype(np.float32)

    _try_out(path, embed, size, features)
    return Teacher(size, features, embed)


def _checked_input(path: Path, session: Any) -> tuple[int, str]:
    """Side and name of the input.

    Raises:
        BadInput: it is not one picture, channels first.
    """
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(shape) != 4:
        raise BadInput(f"--teacher {path}: its input is not one float32 [n, 3, S, S]")
    channels, height, width = shape[1:]
    sized = isinstance(height, int) and SMALLEST_SIZE <= height <= LARGEST_SIZE
    if channels != 3 or height != width or not sized:
        found = ", ".join(str(side) for side in shape)
        raise BadInput(f"--teacher {path}: its input is [{found}], not [n, 3, S, S] of a fixed S")
    return height, inputs[0].name


def _checked_output(path: Path, session: Any) -> tuple[str, int]:
    """Name and length of the embedding.

    Raises:
        BadInput: there is no output that is one.
    """
    outputs = {each.name: each.shape for each in session.get_outputs()}
    name = next(iter(outputs)) if len(outputs) == 1 else EMBEDDING
    if name not in outputs:
        raise BadInput(
            f"--teacher {path}: none of its outputs ({', '.join(outputs)}) is called {EMBEDDING}"
        )
    shape = outputs[name]
    if len(shape) != 2 or not isinstance(shape[1], int) or not 2 <= shape[1] <= MOST_FEATURES:
        raise BadInput(f"--teacher {path}: its output {name} is not [n, features]")
    return name, shape[1]


def _try_out(
    path: Path, embed: Callable[[np.ndarray], np.ndarray], size: int, features: int
) -> None:
    """Embed two pictures.

    Raises:
        BadInput: the model fails, or gives another shape or no numbers.
    """
    pictures = np.stack([np.full((size, size, 3), gray, np.uint8) for gray in (60, 200)])
    try:
        given = embed(pictures)
    except Exception as error:
        raise BadInput(f"--teacher {path}: the model fails ({one_line(error)})") from None
    if given.shape != (2, features) or not np.isfinite(given).all():
        raise BadInput(f"--teacher {path}: the model does not give {features} finite numbers")


def centered_unit(embeddings: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Directions from the mean, float32 [n, features] of length 1.

    All pictures share a large part of their embedding; without it their directions differ more.
    """
    centered = embeddings.astype(np.float32) - mean
    return centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-6)
