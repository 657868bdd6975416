"""`manifest.json`: what a model is, what proved it, and the digests of its bundle's files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

from edge.bundle.format_1 import to_format_2
from edge.bundle.sizes import SizeDistribution
from edge.errors import Refused, first_problem, one_line
from edge.inference.activation import MOST_PLACES
from edge.inference.ood import OodRule
from edge.inference.preprocess import INPUT_OFFSET, LARGEST_SIZE
from edge.intervals import wilson
from edge.labels import labels_problem

MODEL, LABELS, GOLDEN, CARD = "model.tflite", "labels.txt", "golden.npz", "model_card.md"
FILES = (MODEL, LABELS, GOLDEN, CARD)
UNKNOWN_FILE = "unknown.npz"
"""What the unknown detector compares with (`edge.inference.ood`); only where the manifest names
one."""
MANIFEST = "manifest.json"
DEFAULT_HAZARD_THRESHOLD = 0.15
"""Of a hazard, where nothing was calibrated: what a few percent of all other items reach."""
REMEDY = "copy the bundle again or convert it again"

MOST_LABELS, LONGEST_NAME = 1000, 255
LARGEST_COUNT = 10**12
"""Of images: more are no count but an attempt."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Images = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
Finite = Annotated[float, Field(ge=-1e12, le=1e12)]
Temperature = Annotated[float, Field(ge=0.01, le=100)]
"""Beyond these all answers are certain, or none is: no calibration ends there (it takes 0.05 to
20), and a vanishing one makes numbers that are none."""


class _Record(BaseModel):
    """A part of the manifest: exactly these keys, exactly these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class InputContract(_Record):
    """What the model takes: raw camera bytes of `size` x `size`, see
    `edge.inference.preprocess`.
    """

    size: Annotated[int, Field(ge=1, le=LARGEST_SIZE)]
    dtype: Literal["uint8"] = "uint8"
    layout: Literal["NHWC"] = "NHWC"
    color: Literal["RGB"] = "RGB"
    scale: Annotated[float, Field(ge=1, le=1)] = 1.0
    zero_point: Annotated[int, Field(ge=INPUT_OFFSET, le=INPUT_OFFSET)] = INPUT_OFFSET


FEWEST_IMAGES = 20
"""On fewer images than this, a quantized model must give the same answers on all."""


class ParityGate(_Record):
    """What a quantized model must reach to become a bundle; shares and differences are 0 to 1.

    Attributes:
        agreement: least share of images with the same top answer, quantized and Keras.
        accuracy_drop: most accuracy that quantizing may cost.
        class_loss: most images of one class that Keras gets right and the quantized model does
            not, net of those it gets right instead.
        kl: most Kullback-Leibler divergence of the quantized probabilities from Keras', mean over
            the images, in nats; thresholds are set by these probabilities.
        training_drop: most accuracy that Keras may lack to what its training run reports, on the
            run's own test photos, or by the 95 % interval on others; with more, labels or
            preprocessing are not those of training.
        training_changed: most of the run's own test photos, where they are judged on, that Keras
            may give another answer than in training (one always may).
        agreement_fp32: the same as `agreement`, for unquantized TFLite and Keras.
        probability_difference_fp32: largest difference between unquantized TFLite and Keras.
        few_images: on fewer images than this, but at least `FEWEST_IMAGES`, chance is allowed for:
            one more than `agreement` allows may differ, and more while the 95 % interval reaches
            it; one more than `accuracy_drop` allows may be wrong. A single image is no verdict.
            0: never.
    """

    agreement: Share = 0.99
    accuracy_drop: Annotated[float, Field(ge=-1, le=1)] = 0.003
    class_loss: Count = 1
    kl: Annotated[float, Field(ge=0, le=1e12)] = 0.05
    training_drop: Share = 0.05
    training_changed: Share = 0.01
    agreement_fp32: Share = 1.0
    probability_difference_fp32: Share = 1e-3
    few_images: Count = 100

    def agrees_enough(self, agreement: float, images: int) -> bool:
        """Whether the same top answer on this share of so many images is enough."""
        few = FEWEST_IMAGES <= images < self.few_images
        if few and wilson(round(agreement * images), images)[1] >= self.agreement:
            return True
        return agreement >= self.agreement - self._one_image(images)

    def costs_little(self, accuracy_drop: float, images: int) -> bool:
        """Whether quantizing may cost this much accuracy on so many images."""
        return accuracy_drop <= self.accuracy_drop + self._one_image(images)

    def _one_image(self, images: int) -> float:
        """The share of all that one image is; 0 if there are enough of them, or too few."""
        return 1 / images if FEWEST_IMAGES <= images < self.few_images else 0.0


class DatasetParity(_Record):
    """The main figures of a comparison on the photos of one dataset folder."""

    images: Images
    agreement: Share
    accuracy_float: Share
    accuracy_float_interval: tuple[Share, Share]
    accuracy_quantized: Share
    accuracy_quantized_interval: tuple[Share, Share]


class ClassParity(_Record):
    """How often a class is recognized: of `images` so many right by Keras and quantized."""

    images: Images
    right_float: Count
    right_quantized: Count

    @property
    def lost(self) -> int:
        """How many fewer images quantizing leaves right; below 0, more."""
        return self.right_float - self.right_quantized


class Drift(_Record):
    """What quantizing does to the certainty of the answers.

    Attributes:
        kl: mean Kullback-Leibler divergence of the quantized probabilities from Keras', nats.
        ece_float, ece_quantized: expected calibration error, 0 to 1.
        unknown_score: the score that detects out-of-distribution items, such as `confidence`.
        unknown_mean: mean change of that score, quantized minus Keras.
        unknown_max: largest change of it on one image, without its sign.
        unknown_crossed: share of the images that it moves over the threshold, either way.
    """

    kl: Annotated[float, Field(ge=0, le=1e12)]
    ece_float: Share
    ece_quantized: Share
    unknown_score: str
    unknown_mean: Finite
    unknown_max: Annotated[float, Field(ge=0, le=1e12)]
    unknown_crossed: Share


class ParityVerdict(_Record):
    """The result of the comparison of the quantized model with the float model.

    Shares are 0 to 1, the intervals are Wilson's at 95 %. `agreement` is the share of the images
    that got the same top answer from the quantized model and from Keras, `agreement_fp32` from the
    unquantized TFLite model and from Keras. Differences of probabilities are quantized to Keras.
    `gate` is what the figures were judged by, `datasets` the figures by dataset folder, `classes`
    those by label. `accuracy_drop_interval` is paired, at 95 %; `mcnemar_p` the exact two-sided
    probability of a change as uneven as this by chance.
    """

    passed: bool
    gate: ParityGate
    split: str
    images: Images
    agreement: Share
    agreement_fp32: Share
    accuracy_float: Share
    accuracy_float_interval: tuple[Share, Share]
    accuracy_quantized: Share
    accuracy_quantized_interval: tuple[Share, Share]
    accuracy_drop: Annotated[float, Field(ge=-1, le=1)]
    accuracy_drop_interval: tuple[Finite, Finite] | None = None
    mcnemar_p: Share | None = None
    max_probability_difference: Share
    mean_probability_difference: Share
    drift: Drift | None = None
    classes: dict[str, ClassParity] = {}
    datasets: dict[str, DatasetParity]

    @property
    def holds(self) -> bool:
        """Whether it states "passed" and its own figures confirm it."""
        gate = self.gate
        return (
            self.passed
            and gate.agrees_enough(self.agreement, self.images)
            and gate.costs_little(self.accuracy_drop, self.images)
            and self.agreement_fp32 >= gate.agreement_fp32
            and (self.drift is None or self.drift.kl <= gate.kl)
            and all(figures.lost <= gate.class_loss for figures in self.classes.values())
        )


class Calibration(_Record):
    """How the model was quantized: by what, and the training photos its ranges come from."""

    images: Images
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    quantizer: str = "tflite"


Places = Annotated[int, Field(ge=1, le=MOST_PLACES)]


class MapContract(_Record):
    """The model's third output `activation_map`, [1, `height`, `width`, classes]: what each place
    of the input says for each class, see `edge.inference.activation`.

    Attributes:
        height, width: places of the map.
        correlation: of the quantized model's map and Keras', for the class that Keras sees; the
            median over the images of the comparison.
    """

    height: Places
    width: Places
    correlation: Annotated[float, Field(ge=-1, le=1)]


class DecisionParameters(_Record):
    """What the answers of a model are decided by; a run's `calibration.json`, a bundle's manifest.

    Attributes:
        labels: the classes, in the order of the model's outputs.
        hazards: labels that must never reach another class's bin.
        temperature: the logits are divided by it before the softmax.
        threshold: least confidence for a label, else the item is `unknown`.
        thresholds: the same for single labels, where it is not `threshold`.
        hazard_thresholds: hazard -> the probability from which an item of any other label goes to
            `manual`; `DEFAULT_HAZARD_THRESHOLD` for a hazard that is not named.
        unknown: how out-of-distribution items are detected; None where only thresholds do it.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=2, max_length=MOST_LABELS)]
    hazards: tuple[str, ...]
    temperature: Temperature = 1.0
    threshold: Share = 0.5
    thresholds: dict[str, Share] = {}
    hazard_thresholds: dict[str, Share] = {}
    unknown: OodRule | None = None

    @model_validator(mode="after")
    def _check_labels(self) -> "DecisionParameters":
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels occur twice")
        if problem := labels_problem(self.labels):
            raise ValueError(f"labels: {problem}")
        if not set(self.hazards) <= set(self.labels):
            raise ValueError("hazards must be labels")
        if not set(self.thresholds) <= set(self.labels):
            raise ValueError("thresholds must be of labels")
        if not set(self.hazard_thresholds) <= set(self.hazards):
            raise ValueError("hazard_thresholds must be of hazards")
        return self

    @property
    def threshold_of(self) -> dict[str, float]:
        """The least confidence of each label."""
        return {label: self.thresholds.get(label, self.threshold) for label in self.labels}

    @property
    def hazard_threshold_of(self) -> dict[str, float]:
        """The probability from which each hazard is suspected."""
        return {
            hazard: self.hazard_thresholds.get(hazard, DEFAULT_HAZARD_THRESHOLD)
            for hazard in self.hazards
        }


class Manifest(DecisionParameters):
    """`manifest.json`: what the model is, what it was proved by, and the digest of each file.

    Attributes:
        created: when it was converted, UTC.
        bins: bin -> the labels that go there, where the line's configuration says nothing else.
        training: the single figures of the run's `metrics.json`.
        dataset: SHA-256 over the sorted relative names and digests of all photos.
        float_layers: names of the layers that are not quantized; none in most models.
        sizes: label -> how large its items are; a class that is not named may have any size. A
            bundle without sizes does not have the key, and devices of earlier versions read it.
        activation_map: the output that shows where the model looked. A bundle without it does not
            have the key either.
        versions: of the software that made the bundle.
        files: file name -> SHA-256, for each of `required_files`.
    """

    format: Literal[2] = 2
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    created: AwareDatetime
    bins: dict[str, tuple[str, ...]] = {}
    input: InputContract
    parity: ParityVerdict
    training: dict[str, float | int | bool | str]
    dataset: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    calibration: Calibration
    float_layers: tuple[str, ...] = ()
    sizes: dict[str, SizeDistribution] = {}
    activation_map: MapContract | None = None
    versions: dict[str, str]
    files: dict[str, str] = {}

    @model_validator(mode="after")
    def _check_bins(self) -> "Manifest":
        binned = [label for labels in self.bins.values() for label in labels]
        if len(set(binned)) < len(binned) or not set(binned) <= set(self.labels):
            raise ValueError("bins must hold labels, each at most once")
        if not all(name.isprintable() for name in (self.name, *self.bins)):
            raise ValueError("name and bins must be printable")
        if not set(self.sizes) <= set(self.labels):
            raise ValueError("sizes must be of labels")
        return self

    @property
    def as_json(self) -> bytes:
        """The content of `manifest.json`."""
        absent = {name for name in ("sizes", "activation_map") if not getattr(self, name)}
        return self.model_dump_json(indent=2, exclude=absent).encode() + b"\n"

    @property
    def required_files(self) -> tuple[str, ...]:
        """The files of the bundle beside the manifest."""
        return FILES if self.unknown is None else (*FILES, UNKNOWN_FILE)


def parse_manifest(path: Path, content: bytes) -> Manifest:
    """The manifest in the file `path`.

    Raises:
        Refused: `content` is no manifest; the message names the first field that is wrong.
    """
    try:
        read = to_format_2(from_json(content))
        if isinstance(read, dict) and read.get("format", 2) != 2:
            # First of all: the keys of another format mean nothing here.
            raise Refused(f"{path}: format: {str(read['format'])[:40]} is not 1 or 2; {REMEDY}")
        # As JSON again: only from JSON are times and lists taken strictly and still understood.
        manifest = Manifest.model_validate_json(json.dumps(read))
        # Only now: the parser above bounds depth, which this one does not.
        json.loads(content, object_pairs_hook=each_once)
    except ValidationError as error:
        raise Refused(f"{path}: {first_problem(error)}; {REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path}: {one_line(error)}; {REMEDY}") from None
    return manifest


def each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON. With a key twice, two readers may see two manifests."""
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a key occurs twice")
    return read


def labels_text(labels: Sequence[str]) -> bytes:
    """The content of `labels.txt`: one label a line."""
    return "".join(f"{label}\n" for label in labels).encode()


def manifest_schema() -> str:
    """The JSON Schema of `manifest.json`, as `edge/bundle/manifest.schema.json` holds it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Manifest.model_json_schema(),
    }
    return json.dumps(schema, indent=2) + "\n"
