"""Golden outputs: what the model said on the workstation, which it must say on the device too."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle import Bundle
from edge.classifier import Classifier
from edge.errors import Refused
from edge.manifest import GOLDEN, MODEL, REMEDY

GOLDEN_TOLERANCE = {"ai_edge_litert": 1, "tflite_runtime": 8}
"""Largest difference from a golden output, by runtime, in steps of the quantised output. LiteRT
with XNNPACK is bit-exact on x86-64 and aarch64. Without XNNPACK, as tflite-runtime runs 8 bits on
x86-64, other rounding adds up over 50 layers: up to 6 steps were measured, never another label."""


@dataclass(frozen=True)
class GoldenCheck:
    """How near a model on this machine came to the golden outputs.

    Attributes:
        inputs: how many were run.
        largest_difference: in steps of the quantised outputs; 0 is bit-exact.
    """

    inputs: int
    largest_difference: int


def verify_golden(bundle: Bundle, classifier: Classifier) -> GoldenCheck:
    """Run the golden inputs on this machine and compare with the golden outputs.

    Raises:
        Refused: an output is off by more than `GOLDEN_TOLERANCE`, another class comes out on top,
            or the golden file is malformed or of another model.
    """
    path = bundle.path / GOLDEN
    golden = _read_golden(path)
    size = classifier.size
    if golden["inputs"].shape[1:] != (size, size, 3) or golden["inputs"].dtype != np.uint8:
        raise Refused(f"{path}: inputs of another model; {REMEDY}")
    outputs = _run_all(classifier, golden["inputs"])
    differences = []
    for name, output in outputs.items():
        expected = golden[name]
        if (expected.shape, expected.dtype) != (output.shape, output.dtype):
            raise Refused(f"{path}: {name} of another model; {REMEDY}")
        differences.append(int(np.abs(output.astype(np.int64) - expected.astype(np.int64)).max()))
    allowed = GOLDEN_TOLERANCE[classifier.runtime]
    if max(differences) > allowed:
        raise Refused(
            f"{bundle.path / MODEL}: on this machine its outputs are up to {max(differences)} "
            f"steps off those of {GOLDEN} (allowed: {allowed}); update the TFLite runtime "
            f"(pip install -U ai-edge-litert) or {REMEDY}"
        )
    changed = outputs["logits"].argmax(axis=1) != golden["logits"].argmax(axis=1)
    if changed.any():
        raise Refused(
            f"{bundle.path / MODEL}: on this machine {int(changed.sum())} of {len(changed)} golden "
            f"inputs get another label; update the TFLite runtime or {REMEDY}"
        )
    return GoldenCheck(len(changed), max(differences))


def pack_golden(classifier: Classifier, inputs: np.ndarray) -> bytes:
    """The content of `golden.npz`: `inputs` and what the quantised model makes of them.

    Arrays: `inputs` uint8 [n, S, S, 3], `logits` int8 [n, classes], `embedding` int8 [n, 2048].
    """
    packed = io.BytesIO()
    np.savez_compressed(packed, inputs=inputs, **_run_all(classifier, inputs))
    return packed.getvalue()


def _read_golden(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as arrays:
            golden = {name: arrays[name] for name in ("inputs", "logits", "embedding")}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise Refused(f"{path}: not a golden file ({error}); {REMEDY}") from None
    if not len(golden["inputs"]):
        raise Refused(f"{path}: holds no inputs; {REMEDY}")
    return golden


def _run_all(classifier: Classifier, inputs: np.ndarray) -> dict[str, np.ndarray]:
    answers = [classifier.run(pixels) for pixels in inputs]
    return {name: np.stack([answer[name] for answer in answers]) for name in answers[0]}
