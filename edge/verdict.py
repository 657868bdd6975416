"""The decision on one item: a label or `unknown`, a bin, and the reason."""

from dataclasses import dataclass
from enum import Enum


class Reason(str, Enum):
    """Why an item went to its bin. The value is what records, MQTT, and the CSV export hold.

    The words for a person are in the `detail` beside it.
    """

    SORTED = "sorted"
    NO_BIN = "no_bin"
    NO_VIEW = "no_view"
    UNSURE = "unsure"
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    HAZARD_SUSPECTED = "hazard_suspected"
    SENSOR_SILENT = "sensor_silent"
    TOUCHING = "touching"
    NOT_CLASSIFIED = "not_classified"
    TOO_LATE = "too_late"
    NEIGHBOR_TOO_NEAR = "neighbor_too_near"
    NOT_SEEN_WHOLE = "not_seen_whole"
    NO_GATE = "no_gate"
    GATE_CLOSED = "gate_closed"
    MODEL_FAULT = "model_fault"
    CAMERA_FAULT = "camera_fault"
    ENCODER_FAULT = "encoder_fault"
    OUTPUT_FAULT = "output_fault"
    PAUSED = "paused"
    ALL_MANUAL = "all_manual"
    LINE_ENDED = "line_ended"
    COUNTED_BEFORE = "counted_before"
    INVALID = "invalid"
    UNRECORDED = "unrecorded"  # of an earlier version, whose sentence says nothing we know


@dataclass(frozen=True)
class Verdict:
    """The decision on one item.

    Attributes:
        label: one of the model's classes, or `unknown`.
        confidence: probability of the most likely class, averaged over the views, 0 to 1.
        bin: where the item goes; `manual` when unsure.
        reason: why, for programs.
        detail: why, in words for the person at the line.
        disputed: something speaks against the most likely label: a hazard is suspected, or it is
            under its threshold, or out of distribution.
    """

    label: str
    confidence: float
    bin: str
    reason: Reason
    detail: str
    disputed: bool = True


@dataclass(frozen=True)
class Unsafe:
    """Why an item goes to `manual` whatever it is."""

    reason: Reason
    detail: str
