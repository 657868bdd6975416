"""Golden outputs: the model's outputs on the workstation, which the device must reproduce."""

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.arrays import read_arrays
from edge.bundle.bundle import Bundle
from edge.bundle.manifest import GOLDEN, MODEL, REMEDY, UNKNOWN_FILE
from edge.errors import Refused, one_line
from edge.inference.activation import ACTIVATION_MAP
from edge.inference.backend import LITERT, OPENVINO, TFLITE, TFLITE_RUNTIMES
from edge.inference.classifier import ANSWER, Classifier, softmax
from edge.inference.ood import OodDetector
from edge.inference.preprocess import model_input

OTHER_ROUNDING = 8
"""Steps that other kernels than XNNPACK's may be off: their rounding adds up over 50 layers. As
tflite-runtime runs 8 bits, 5 to 9 steps were measured on x86-64, and 7 on an emulated aarch64,
never another label; with a single layer computed by LiteRT's own reference kernel, 5."""
GOLDEN_TOLERANCE = {LITERT: 1, TFLITE: OTHER_ROUNDING, OPENVINO: OTHER_ROUNDING}
"""Largest difference from a golden output, by runtime, in steps of the quantized output. LiteRT
with XNNPACK is bit-exact on x86-64 and aarch64. A delegate has `OTHER_ROUNDING`."""

MOST_INPUTS = 256
LARGEST_FRAME = 4096
"""px; a camera's largest side (`edge.config`)."""

PREPROCESS_TOLERANCE = 0.5
"""Mean difference of a pixel, in levels of 255: OpenCV builds round single pixels differently."""


@dataclass(frozen=True)
class GoldenCheck:
    """How near a model on this machine came to the golden outputs.

    Attributes:
        inputs: how many were run.
        largest_difference: in steps of the outputs; 0 is bit-exact.
        median_ms: of one inference.
        outputs: its outputs for them, by name, as the model stores it: [inputs, values]; of an
            activation map [inputs, height, width, classes].
    """

    inputs: int
    largest_difference: int
    median_ms: float = 0.0
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)


Stored = Mapping[str, np.ndarray]
"""What a golden file holds, by name (`pack_golden`)."""


def verify_golden(
    bundle: Bundle, classifier: Classifier, stored: Stored | None = None
) -> GoldenCheck:
    """Run the golden inputs on this machine and compare with the golden outputs.

    Args:
        bundle: it.
        classifier: its model.
        stored: what `read_golden` has read; None: it is read here.

    Raises:
        Refused: an output is off by more than `GOLDEN_TOLERANCE` allows, another class comes out on
            top, or the golden file is malformed or of another model.
    """
    path = bundle.path / GOLDEN
    golden = read_golden(bundle) if stored is None else stored
    size = classifier.size
    if golden["inputs"].shape[1:] != (size, size, 3) or golden["inputs"].dtype != np.uint8:
        raise Refused(f"{path}: inputs of another model; {REMEDY}")
    outputs, times = _run_all(classifier, golden["inputs"], _outputs_of(bundle))
    differences = []
    for name, output in outputs.items():
        expected = golden[name]
        if (expected.shape, expected.dtype) != (output.shape, output.dtype):
            raise Refused(f"{path}: {name} of another model; {REMEDY}")
        differences.append(steps_off(output, expected))
    allowed, computed = _allowed(classifier)
    if max(differences) > allowed:
        raise Refused(
            f"{bundle.path / MODEL}: {computed} its outputs are up to {max(differences)} "
            f"steps off those of {GOLDEN} (allowed: {allowed}); "
            f"{_remedy(classifier, ' (pip install -U ai-edge-litert)')}"
        )
    changed = outputs["logits"].argmax(axis=1) != golden["logits"].argmax(axis=1)
    if changed.any():
        raise Refused(
            f"{bundle.path / MODEL}: {computed} {int(changed.sum())} of {len(changed)} golden "
            f"inputs get another label; {_remedy(classifier)}"
        )
    return GoldenCheck(len(changed), max(differences), float(np.median(times)), outputs)


def _allowed(classifier: Classifier) -> tuple[int, str]:
    """The steps that it may be off, and what computes it, in words."""
    if classifier.delegate is not None:
        return OTHER_ROUNDING, f"with the delegate {classifier.delegate.path}"
    computed = "on this machine"
    if classifier.runtime not in TFLITE_RUNTIMES:
        computed = f"on this machine {classifier.runtime} computes it otherwise:"
    return GOLDEN_TOLERANCE[classifier.runtime], computed


def _remedy(classifier: Classifier, how: str = "") -> str:
    """What to do where it is off by more; `how` a TFLite runtime is updated."""
    if classifier.delegate is not None:
        return "remove [classifier] delegate, or take another one"
    if classifier.runtime not in TFLITE_RUNTIMES:
        return "another runtime computes it right; type: ewaste-edge select-runtime"
    return f"update the TFLite runtime{how} or {REMEDY}"


def verify_answers(
    bundle: Bundle,
    classifier: Classifier,
    detector: OodDetector | None,
    golden: GoldenCheck,
) -> None:
    """Ask of the golden outputs all that a line asks of an item's: probabilities and likeness.

    A rule for touching items must fit the embeddings, and its scores must be numbers, too.

    Raises:
        Refused: that fails, or ends in what is no number.
    """
    logits, embeddings = (
        classifier.dequantize(name, golden.outputs[name]) for name in ("logits", "embedding")
    )
    if not np.isfinite(softmax(logits, bundle.manifest.temperature)).all():
        raise Refused(f"{bundle.path / MODEL}: probabilities that are no numbers; {REMEDY}")
    stored = golden.outputs.get(ACTIVATION_MAP)
    if stored is not None and not np.isfinite(classifier.dequantize(ACTIVATION_MAP, stored)).all():
        raise Refused(f"{bundle.path / MODEL}: an activation map of no numbers; {REMEDY}")
    path = bundle.path / UNKNOWN_FILE
    if bundle.touching is not None:
        if bundle.touching.center.shape != embeddings.shape[1:]:
            raise Refused(f"{path}: a rule for touching items of another model; {REMEDY}")
        if not np.isfinite(bundle.touching.score(embeddings, 0.0)):
            raise Refused(f"{path}: scores of touching items that are no numbers; {REMEDY}")
    if detector is None:
        return
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            scores = detector.score(logits, embeddings)
    except (ValueError, TypeError, IndexError, MemoryError) as error:
        raise Refused(f"{path}: does not fit the model ({one_line(error)}); {REMEDY}") from None
    if scores.shape != (golden.inputs,) or not np.isfinite(scores).all():
        raise Refused(f"{path}: likenesses that are no numbers; {REMEDY}")


def golden_answers(bundle: Bundle, classifier: Classifier) -> tuple[np.ndarray, np.ndarray]:
    """The golden outputs of a bundle that was verified, as numbers; nothing is run.

    Returns:
        Logits, float32 [inputs, classes], and embeddings, float32 [inputs, features].

    Raises:
        Refused: the golden file is malformed.
    """
    golden = read_golden(bundle)
    logits, embeddings = (classifier.dequantize(name, golden[name]) for name in ANSWER)
    return logits, embeddings


def verify_preprocessing(bundle: Bundle, stored: Stored | None = None) -> int | None:
    """Make the model's input of the golden frame as a line would, and compare.

    `stored` is what `read_golden` has read; None: it is read here.

    Returns the largest difference of a pixel; None for an older bundle, without such a frame.

    Raises:
        Refused: another way of resizing, padding or ordering colors than on the workstation.
    """
    path = bundle.path / GOLDEN
    golden = read_golden(bundle) if stored is None else stored
    if "frame" not in golden:
        return None
    frame, expected = golden["frame"], golden["frame_input"]
    size = bundle.manifest.input.size
    is_frame = frame.ndim == 3 and frame.shape[2] == 3 and frame.dtype == np.uint8
    fits = is_frame and min(frame.shape) > 0 and max(frame.shape) <= LARGEST_FRAME
    if not fits or (expected.shape, expected.dtype) != ((size, size, 3), np.uint8):
        raise Refused(f"{path}: a frame of another model; {REMEDY}")
    off = np.abs(model_input(frame, size).astype(int) - expected.astype(int))
    if off.mean() > PREPROCESS_TOLERANCE:
        raise Refused(
            f"{path}: on this machine a frame becomes another input ({off.mean():.1f} levels off "
            f"on average, at most {PREPROCESS_TOLERANCE:g} allowed); resized or colored otherwise "
            "than in training; reinstall ewaste-edge and opencv-python-headless"
        )
    return int(off.max())


def pack_golden(
    classifier: Classifier,
    inputs: np.ndarray,
    frame: np.ndarray | None = None,
    with_map: bool = False,
) -> bytes:
    """The content of `golden.npz`: `inputs` and what the quantized model makes of them.

    `frame` is a camera's picture, uint8 RGB [height, width, 3], to check preprocessing with; it is
    kept with its model input as `frame` and `frame_input`. `with_map` keeps the activation maps
    too, which a manifest that declares the map asks for.

    Arrays: `inputs` uint8 [n, S, S, 3], `logits` int8 [n, classes], `embedding` int8 [n, 2048];
    `activation_map` int8 [n, h, w, classes]; float32 where the last layers were left in float.
    """
    packed = io.BytesIO()
    names = (*ANSWER, ACTIVATION_MAP) if with_map else ANSWER
    outputs: dict[str, Any] = dict(_run_all(classifier, inputs, names)[0])
    if frame is not None:
        outputs |= {"frame": frame, "frame_input": model_input(frame, classifier.size)}
    np.savez_compressed(packed, inputs=inputs, **outputs)
    return packed.getvalue()


def steps_off(output: np.ndarray, expected: np.ndarray) -> int:
    """The largest difference, in steps: integers, or for floats 1/255 of what the golden ones span.

    So a layer that was left in float is held to what it would be held to as 8 bits.
    """
    if np.issubdtype(expected.dtype, np.integer):
        return int(np.abs(output.astype(np.int64) - expected.astype(np.int64)).max())
    step = max(float(expected.max()) - float(expected.min()), 1e-9) / 255
    off = float(np.abs(output - expected).max()) / step
    return int(np.ceil(off - 1e-3)) if np.isfinite(off) else 2**31


def first_inputs(bundle: Bundle, stored: Stored, most: int) -> Stored:
    """A golden file with its first `most` inputs only."""
    named = {"inputs", *_outputs_of(bundle)}
    return {name: array[:most] if name in named else array for name, array in stored.items()}


def read_golden(bundle: Bundle) -> Stored:
    """What the golden file of a bundle holds.

    Raises:
        Refused: it is malformed.
    """
    path = bundle.path / GOLDEN
    needed = ("inputs", *_outputs_of(bundle))
    try:
        golden = read_arrays(bundle.content(GOLDEN), (*needed, "frame", "frame_input"))
        missing = [name for name in needed if name not in golden]
        if missing:
            raise ValueError(f"no {missing[0]}")
        if ("frame" in golden) != ("frame_input" in golden):
            raise ValueError("a frame without its input")
        inputs = golden["inputs"]
        if not inputs.ndim or not 1 <= len(inputs) <= MOST_INPUTS:
            raise ValueError(f"expected 1 to {MOST_INPUTS} inputs")
    except (ValueError, MemoryError) as error:
        raise Refused(f"{path}: not a golden file ({one_line(error)}); {REMEDY}") from None
    return golden


def _outputs_of(bundle: Bundle) -> tuple[str, ...]:
    """The outputs that a bundle is held to."""
    return ANSWER if bundle.manifest.activation_map is None else (*ANSWER, ACTIVATION_MAP)


def _run_all(
    classifier: Classifier, inputs: np.ndarray, names: Sequence[str]
) -> tuple[dict[str, np.ndarray], list[float]]:
    """The outputs by name, and the milliseconds that each inference took."""
    answers, times = [], []
    for pixels in inputs:
        started = time.perf_counter()
        answers.append(classifier.run(pixels, names))
        times.append((time.perf_counter() - started) * 1000)
    return {name: np.stack([answer[name] for answer in answers]) for name in answers[0]}, times
