"""`learned.json`: what a generation has learned, from what, and the digests of its files."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from edge.bundle.manifest import LONGEST_NAME, Finite, Share, each_once
from edge.errors import Refused, first_problem, one_line
from edge.labels import MANUAL, UNKNOWN, label_problem, labels_problem
from edge.learned.site import SiteCalibration

MANIFEST = "learned.json"
ADAPTER, CROPS = "adapter.npz", "crops.npz"
"""The directions of all taught classes; the crops that they were taught from, as JPEG. Both are
there only where a class was taught."""
MOST_CLASSES = 20
MOST_CROPS = 200
"""Of one class."""
LONGEST_WHO = 200
REMEDY = "teach again, or type: ewaste-edge learned rollback"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Who = Annotated[str, Field(max_length=LONGEST_WHO)]
Positive = Annotated[float, Field(gt=0, le=1e12)]
Cosine = Annotated[float, Field(ge=-1, le=1)]


class _Record(BaseModel):
    """A part of the manifest: exactly these keys, exactly these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CropSource(_Record):
    """Where a crop came from.

    Attributes:
        name: of the file, or the id of the item that was reviewed.
        is_item: whether it is of a reviewed item.
        sha256: of what is kept of it in `crops.npz`.
    """

    name: Name
    is_item: bool
    sha256: Digest


class TaughtFigures(_Record):
    """How well a class was learned, as far as the device could measure it.

    Attributes:
        recall: share of its crops that are recognized by what the others teach.
        known_taken: share of the golden inputs, all of known classes, that are taken for it.
        seconds: what teaching took.
    """

    recall: Share
    known_taken: Share
    seconds: Annotated[float, Field(ge=0, le=1e9)]


class TaughtClass(_Record):
    """One class that was taught.

    Attributes:
        label: its name.
        bin: where its items go; None: to `manual`.
        hazard: whether it must never reach another label's bin.
        familiar, slope, offset, steepness, least: how it is recognized
            (`edge.learned.recognition.Recognition`).
        threshold: least confidence for the label.
        crops: what it was taught from.
        figures: how well.
        by: who taught it.
        taught_at: when.
    """

    label: str
    bin: Name | None
    hazard: bool
    familiar: Annotated[float, Field(ge=0, le=1e6)]
    slope: Positive
    offset: Finite
    steepness: Positive
    least: Cosine
    threshold: Share
    crops: Annotated[tuple[CropSource, ...], Field(min_length=1, max_length=MOST_CROPS)]
    figures: TaughtFigures
    by: Who
    taught_at: AwareDatetime

    @model_validator(mode="after")
    def _check_names(self) -> "TaughtClass":
        if problem := label_problem(self.label):
            raise ValueError(problem)
        bin_name = self.bin
        if bin_name is not None and (not bin_name.isprintable() or bin_name in (UNKNOWN, MANUAL)):
            raise ValueError("the bin must be printable, and be called neither unknown nor manual")
        return self


class LearnedManifest(_Record):
    """What a device has learned beside one bundle.

    Attributes:
        base: digest of that bundle.
        base_name: its name.
        created: when this generation was made.
        by: who made it.
        classes: what was taught, in the order of the logits behind those of the model.
        calibration: the decision parameters of the site; None: those of the bundle.
        files: file name -> SHA-256, for each of `required_files`.
    """

    format: Literal[2] = 2
    base: Digest
    base_name: Name
    created: AwareDatetime
    by: Who = ""
    classes: Annotated[tuple[TaughtClass, ...], Field(max_length=MOST_CLASSES)] = ()
    calibration: SiteCalibration | None = None
    files: Annotated[dict[str, Digest], Field(max_length=2)] = {}

    @model_validator(mode="after")
    def _check_labels(self) -> "LearnedManifest":
        labels = self.labels
        if len(set(labels)) < len(labels):
            raise ValueError("labels occur twice")
        if problem := labels_problem(labels):
            raise ValueError(f"labels: {problem}")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The taught classes."""
        return tuple(each.label for each in self.classes)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is learned: the bundle decides as it is."""
        return not self.classes and self.calibration is None

    @property
    def required_files(self) -> tuple[str, ...]:
        """The files of the generation beside its manifest."""
        return (ADAPTER, CROPS) if self.classes else ()

    @property
    def as_json(self) -> bytes:
        """The content of `learned.json`."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def parse_learned(path: Path, content: bytes) -> LearnedManifest:
    """The manifest in the file `path`.

    Raises:
        Refused: `content` is no such manifest; the message names the first field that is wrong.
    """
    try:
        # This parser bounds depth; as JSON again, since only from JSON are times taken strictly.
        manifest = LearnedManifest.model_validate_json(json.dumps(from_json(content)))
        json.loads(content, object_pairs_hook=each_once)
        if set(manifest.files) != set(manifest.required_files):
            listed = ", ".join(manifest.required_files) or "nothing"
            raise ValueError(f"files must be {listed}")
    except ValidationError as error:
        raise Refused(f"{path}: {first_problem(error)}; {REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path}: {one_line(error)}; {REMEDY}") from None
    return manifest
