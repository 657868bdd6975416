"""How far a gate is from the camera line, by a sheet that was carried to it.

The belt is stopped with the gate line of the sheet at the gate. The distance is where that line was
in the last picture that showed the sheet, down the belt from the camera line, and what the belt has
moved since. That is the definition of `GateSpec.distance_mm`: what the encoder counts from the
camera line to the gate.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge.belt_setup.measuring import MeasuredView, arrow_unit
from edge.belt_setup.sheet import Sheet


class MovedBy(str, Enum):
    """Who says how far the belt moved after the sheet was last in view."""

    ENTERED = "entered"
    PULSES = "pulses"
    CAMERA = "camera"
    TIME = "time"


@dataclass(frozen=True)
class GateFound:
    """The distance of a gate.

    Attributes:
        bin: that it feeds.
        distance_mm: down the belt from the camera line.
        offset_mm: where the gate line was in the last picture of the sheet.
        moved_mm: that the belt moved since.
        by: who says so.
    """

    bin: str
    distance_mm: float
    offset_mm: float
    moved_mm: float
    by: MovedBy


def find_gate(
    measured: MeasuredView, sheet: Sheet, bin_name: str, moved_mm: float, by: MovedBy
) -> GateFound:
    """The distance of a gate, from all pictures and what the belt moved after the last."""
    plane, motion = measured.plane, measured.motion
    line = measured.last.placement.moved(np.array([sheet.gate_point_mm]))[0]
    camera_line = plane.to_mm(np.array([plane.middle_px]))[0]
    unit = arrow_unit(measured.last.placement) if motion is None else np.array(motion.unit)
    offset = float((line - camera_line) @ unit)
    return GateFound(bin_name, offset + moved_mm, offset, moved_mm, by)
