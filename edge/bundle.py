"""What a bundle is: a quantised model with the proof that it equals the float model.

A bundle is a directory with `FILES` and `manifest.json`, which holds the digests of the others.
The workstation writes one with `write_bundle`; the device refuses one that it cannot prove.
"""

import hashlib
import io
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from edge.classifier import Classifier
from edge.errors import BadInput, EwasteError, Refused
from edge.files import sync_folder, write_whole
from edge.preprocess import INPUT_OFFSET

MODEL, LABELS, GOLDEN, CARD = "model.tflite", "labels.txt", "golden.npz", "model_card.md"
FILES = (MODEL, LABELS, GOLDEN, CARD)
MANIFEST = "manifest.json"
DEFAULT_BUNDLE = Path(__file__).parent / "models" / "ewaste-resnet50-int8"
DEFAULT_HAZARDS = frozenset({"Battery"})
GOLDEN_TOLERANCE = {"ai_edge_litert": 1, "tflite_runtime": 8}
"""Largest difference from a golden output, by runtime, in steps of the quantised output. LiteRT
with XNNPACK is bit-exact on x86-64 and aarch64. Without XNNPACK, as tflite-runtime runs 8 bits on
x86-64, other rounding adds up over 50 layers: up to 6 steps were measured, never another label."""

REMEDY = "copy the bundle again or convert it anew"

Share = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    """A part of the manifest: exactly these keys, exactly these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class InputContract(_Record):
    """What the model takes: raw camera bytes of `size` x `size`, see `edge.preprocess`."""

    size: PositiveInt
    dtype: Literal["uint8"] = "uint8"
    layout: Literal["NHWC"] = "NHWC"
    colour: Literal["RGB"] = "RGB"
    scale: Annotated[float, Field(ge=1, le=1)] = 1.0
    zero_point: Annotated[int, Field(ge=INPUT_OFFSET, le=INPUT_OFFSET)] = INPUT_OFFSET


class ParityGate(_Record):
    """What a quantised model must reach to become a bundle; shares and differences are 0 to 1.

    Attributes:
        agreement: least share of images with the same top answer, quantised and Keras.
        accuracy_drop: most accuracy that quantising may cost.
        agreement_fp32: the same as `agreement`, for unquantised TFLite and Keras.
        probability_difference_fp32: largest difference between unquantised TFLite and Keras.
    """

    agreement: Share = 0.985
    accuracy_drop: Annotated[float, Field(ge=-1, le=1)] = 0.005
    agreement_fp32: Share = 1.0
    probability_difference_fp32: Share = 1e-3


class DatasetParity(_Record):
    """The main figures of a comparison on the photos of one dataset folder."""

    images: PositiveInt
    agreement: Share
    accuracy_float: Share
    accuracy_float_interval: tuple[Share, Share]
    accuracy_quantised: Share
    accuracy_quantised_interval: tuple[Share, Share]


class ParityVerdict(_Record):
    """What the comparison of the quantised model with the float model said.

    Shares are 0 to 1, the intervals are Wilson's at 95 %. `agreement` is the share of the images
    that got the same top answer from the quantised model and from Keras, `agreement_fp32` from the
    unquantised TFLite model and from Keras. Differences of probabilities are quantised to Keras.
    `gate` is what the figures were judged by, `datasets` the figures by dataset folder.
    """

    passed: bool
    gate: ParityGate
    split: str
    images: PositiveInt
    agreement: Share
    agreement_fp32: Share
    accuracy_float: Share
    accuracy_float_interval: tuple[Share, Share]
    accuracy_quantised: Share
    accuracy_quantised_interval: tuple[Share, Share]
    accuracy_drop: Annotated[float, Field(ge=-1, le=1)]
    max_probability_difference: Share
    mean_probability_difference: Share
    datasets: dict[str, DatasetParity]

    @property
    def holds(self) -> bool:
        """Whether it says "passed" and its own figures bear that out."""
        gate = self.gate
        return (
            self.passed
            and self.agreement >= gate.agreement
            and self.accuracy_drop <= gate.accuracy_drop
            and self.agreement_fp32 >= gate.agreement_fp32
        )


class Calibration(_Record):
    """The training photos that the ranges of the quantised model were taken from."""

    images: PositiveInt
    seed: int


class Manifest(_Record):
    """`manifest.json`: what the model is, what it was proved by, and the digest of each file.

    Attributes:
        created: when it was converted, UTC.
        labels: the classes, in the order of the model's outputs.
        hazards: labels that must never reach another class's bin.
        temperature: the logits are divided by it before the softmax.
        threshold: least confidence for a label, else the item is `unknown`.
        training: the single figures of the run's `metrics.json`.
        dataset: SHA-256 over the sorted relative names and digests of all photos.
        versions: of the software that made the bundle.
        files: file name -> SHA-256, for each of `FILES`.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(min_length=1)]
    created: AwareDatetime
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    hazards: tuple[str, ...]
    input: InputContract
    temperature: PositiveFloat = 1.0
    threshold: Share = 0.5
    parity: ParityVerdict
    training: dict[str, float | int | bool | str]
    dataset: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    calibration: Calibration
    versions: dict[str, str]
    files: dict[str, str] = {}

    @model_validator(mode="after")
    def _check_labels(self) -> "Manifest":
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels occur twice")
        if any(label != label.strip() or not label.isprintable() for label in self.labels):
            raise ValueError("labels must be printable, with no space around them")
        if "" in self.labels or not set(self.hazards) <= set(self.labels):
            raise ValueError("labels must not be empty, and hazards must be labels")
        return self


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are proved to be those of its manifest.

    Attributes:
        path: the directory.
        manifest: what `manifest.json` says.
        labels: the classes, in the order of the model's outputs.
        digest: SHA-256 of `manifest.json`, hence of everything in the bundle.
    """

    path: Path
    manifest: Manifest
    labels: tuple[str, ...]
    digest: str


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and check all that can be checked without running the model.

    Raises:
        BadInput: `path` is not a bundle at all.
        Refused: a file is missing, altered or malformed, or the parity verdict is not "passed".
    """
    contents = _read_files(path)
    manifest = _parse_manifest(path / MANIFEST, contents[MANIFEST])
    if set(manifest.files) != set(FILES):
        raise Refused(f"{path / MANIFEST}: must list {', '.join(FILES)}; {REMEDY}")
    for name in FILES:
        if sha256(contents[name]) != manifest.files[name]:
            raise Refused(f"{path / name}: altered since it was converted; {REMEDY}")
    if contents[LABELS] != _labels_text(manifest.labels):
        raise Refused(f"{path / LABELS}: other labels than in {MANIFEST}; {REMEDY}")
    if not manifest.parity.holds:
        raise Refused(f"{path / MANIFEST}: the model did not pass parity; train and convert anew")
    return Bundle(path, manifest, manifest.labels, sha256(contents[MANIFEST]))


def open_classifier(bundle: Bundle, threads: int = 2) -> Classifier:
    """Load the model of a bundle, to run on `threads` threads.

    Raises:
        Refused: the model takes another input than the manifest says.
        BadInput: the runtime cannot load the model.
    """
    manifest = bundle.manifest
    classifier = Classifier(bundle.path / MODEL, bundle.labels, manifest.temperature, threads)
    if classifier.size != manifest.input.size:
        raise Refused(
            f"{bundle.path / MODEL}: takes images of {classifier.size} pixels, but the manifest "
            f"says {manifest.input.size}; {REMEDY}"
        )
    return classifier


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


def write_bundle(out: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> Bundle:
    """Write a bundle whole, or not at all; a bundle that lies there already is replaced.

    `contents` are the model, the golden file and the card; the labels and the manifest with all
    digests are added. A process killed in between leaves at most hidden folders beside `out`,
    which the next call removes.

    Raises:
        BadInput: `out` exists and is no bundle.
        Refused: what would be written is no valid bundle.
        EwasteError: it cannot be written.
    """
    out = out.resolve()
    check_replaceable(out)
    contents = {**contents, LABELS: _labels_text(manifest.labels)}
    digests = {name: sha256(content) for name, content in contents.items()}
    sealed = manifest.model_copy(update={"files": digests})
    contents[MANIFEST] = sealed.model_dump_json(indent=2).encode() + b"\n"
    fresh, aside = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear(out, fresh, aside)
        fresh.mkdir()
        for name, content in contents.items():
            write_whole(fresh / name, content)
        load_bundle(fresh)
        if out.exists():
            out.rename(aside)
        fresh.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise EwasteError(f"{out}: cannot be written ({error}); check space and rights") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)
    return load_bundle(out)


def check_replaceable(out: Path) -> None:
    """See that `out` is free or a bundle.

    Raises:
        BadInput: something else is there, which must not be lost.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise BadInput(f"{out}: exists and is no bundle; remove it or choose another place")


def sha256(content: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _read_files(path: Path) -> dict[str, bytes]:
    names = (MANIFEST, *FILES)
    missing = [name for name in names if not (path / name).is_file()]
    if len(missing) == len(names):
        raise BadInput(f"{path}: not a bundle (expected a folder with {MANIFEST} and {MODEL})")
    if missing:
        raise Refused(f"{path / missing[0]}: missing from the bundle; {REMEDY}")
    try:
        return {name: (path / name).read_bytes() for name in names}
    except OSError as error:
        raise Refused(f"{path}: the bundle cannot be read ({error}); {REMEDY}") from None


def _parse_manifest(path: Path, content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Refused(f"{path}: {where}: {first['msg'].splitlines()[0]}; {REMEDY}") from None


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


def _labels_text(labels: tuple[str, ...]) -> bytes:
    return "".join(f"{label}\n" for label in labels).encode()


def _clear(out: Path, fresh: Path, aside: Path) -> None:
    """Remove what a killed call left; if it was killed between the renames, undo the first."""
    if aside.exists() and not out.exists():
        aside.rename(out)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)
