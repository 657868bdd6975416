"""From what a camera has shown of the sheet to the numbers of the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge.belt_setup.detection import Flaw, Unusable
from edge.belt_setup.gate import GateFound, MovedBy, find_gate
from edge.belt_setup.grades import (
    ANGLE_DEGREES,
    FOCUS_PX,
    SMEAR_PX,
    TILT_DEGREES,
    Aspect,
    Graded,
    exposure,
    up_to,
)
from edge.belt_setup.measuring import MeasuredView, measure
from edge.belt_setup.motion import Direction, direction_of
from edge.belt_setup.sheet import Sheet
from edge.belt_setup.watching import Watched
from edge.belt_setup.writing import Change
from edge.cameras.device import is_live
from edge.config import Config, overruled
from edge.errors import BadInput, Refused

AGAIN = "print it with: ewaste-edge calibrate sheet --out sheet.pdf"
FLAWS: Mapping[Flaw, str] = {
    Flaw.NO_SHEET: "no marker sheet in the pictures; lay all of it in view, with light on it, and "
    "see that the camera is in focus; with less than 12 px to a square, print it on A3",
    Flaw.TOO_FEW_CORNERS: "no more than {:.0f} of the 28 corners of the sheet can be made out, and "
    "12 in 3 rows and 3 columns are needed; lay all of it in view, and see to focus, light, and "
    "what covers it",
    Flaw.OTHER_DICTIONARY: f"markers of another kind of sheet; {AGAIN}",
    Flaw.OTHER_BOARD: f"a marker board of another size or layout; {AGAIN}",
    Flaw.MIRRORED: "the picture is mirrored, which the model and the belt's direction do not "
    "allow for; switch the flip of the camera off",
    Flaw.NOT_FLAT: "the sheet is not flat: its corners are {:.1f} px off a plane; glue it on a "
    "stiff board, and lay that on the belt",
    Flaw.BENT: "the sheet is bent, or the lens distorts more than fits a belt (by {:.0%} at the "
    "border); glue the sheet on a stiff board, or take a lens with less distortion",
    Flaw.NOT_ON_BELT: "the sheet lay in another plane from one picture to the next: its corners "
    "are {:.1f} px off; lay it flat on the belt, and do not lift it between two pictures",
}
NEAREST_GATE_MM = 1.0
"""The configuration takes no less."""
TURN = {
    Direction.DOWN: "90 degrees counterclockwise",
    Direction.LEFT: "180 degrees",
    Direction.UP: "90 degrees clockwise",
}
"""What the picture needs for the belt to move to the right in it."""


@dataclass(frozen=True)
class BeltFinding:
    """The outcome.

    Attributes:
        measured: what the pictures tell.
        sheet: which sheet they show.
        pictures: how many there were, with or without it.
        gate: None: none was asked for.
        grades: of each aspect that could be judged.
        changes: of the configuration.
    """

    measured: MeasuredView
    sheet: Sheet
    pictures: int
    gate: GateFound | None
    grades: Mapping[Aspect, Graded]
    changes: tuple[Change, ...]

    @property
    def angle(self) -> float:
        """The belt's direction in the picture, degrees: as measured, else by the arrow."""
        motion = self.measured.motion
        return self.measured.arrow_angle if motion is None else motion.angle

    @property
    def fits(self) -> bool:
        """Whether a line can work with it (see `require_fit`)."""
        is_behind = self.gate is None or self.gate.distance_mm >= NEAREST_GATE_MM
        return direction_of(self.angle) is Direction.RIGHT and is_behind


def watched_config(config: Config) -> Config:
    """The configuration to watch by: a recording sends no pulses, so its pictures count.

    Raises:
        BadInput: no camera is configured.
    """
    if config.camera.source == "simulated":
        raise BadInput("no camera is configured; give --camera, or set [camera] source")
    if config.belt.encoder == "pulses" and not is_live(config.camera.source):
        return overruled(config, {"belt.encoder": "camera"}, {})
    return config


def conclude(
    config: Config, watched: Watched, bin_name: str | None, moved_mm: float | None
) -> BeltFinding | Unusable:
    """Put together what was watched.

    Args:
        config: that it was watched by.
        watched: the pictures.
        bin_name: of the gate that the sheet's line is at now; None: at none.
        moved_mm: that the belt moved after the last picture of the sheet; None: ask the encoder.
    """
    if not watched.sightings:
        return watched.reason()
    measured = measure(watched.sightings)
    if isinstance(measured, Unusable):
        return measured
    sheet = watched.sightings[0].found.sheet
    gate = None
    if bin_name is not None:
        moved, by = (
            _moved(config, watched, measured) if moved_mm is None else (moved_mm, MovedBy.ENTERED)
        )
        gate = find_gate(measured, sheet, bin_name, moved, by)
    changes = _changes(config, measured, gate)
    return BeltFinding(measured, sheet, watched.pictures, gate, _grades(measured), changes)


def require_fit(finding: BeltFinding) -> None:
    """See that a line can work with what was found.

    Raises:
        Refused: the belt moves another way in the picture, or the gate is not behind the camera.
    """
    direction = direction_of(finding.angle)
    if direction is not Direction.RIGHT:
        raise Refused(
            f"the belt moves {direction.value} in the picture, and the line expects it to move "
            f"right; turn the picture by {TURN[direction]} (or the sheet, if its arrow does not "
            "point along the belt); nothing is changed"
        )
    gate = finding.gate
    if gate is not None and gate.distance_mm < NEAREST_GATE_MM:
        raise Refused(
            f"the gate line is {-gate.distance_mm:.0f} mm before the camera line, and a gate lies "
            "behind it; stop the belt with the line at the gate; nothing is changed"
        )


def refusal(unusable: Unusable) -> Refused:
    """The error for a sheet that cannot be used."""
    return Refused(FLAWS[unusable.flaw].format(unusable.measured))


def require_gate(config: Config, bin_name: str) -> None:
    """See that a bin has a gate.

    Raises:
        BadInput: it has none.
    """
    known = [gate.bin for gate in config.gates]
    if bin_name not in known:
        raise BadInput(f"--gate: there is no gate of that bin; choose one of {', '.join(known)}")


def _moved(config: Config, watched: Watched, measured: MeasuredView) -> tuple[float, MovedBy]:
    """What the encoder counted after the last picture of the sheet, as the line will count it."""
    last, end = watched.sightings[-1].reading_mm, watched.end_reading_mm
    if last is None or end is None:
        raise BadInput("no encoder says how far the belt moved; give --moved")
    belt = config.belt
    if belt.encoder == "pulses":
        return end - last, MovedBy.PULSES
    if belt.encoder == "camera":
        return (end - last) * measured.scale.along / belt.mm_per_px, MovedBy.CAMERA
    speed = belt.speed_mm_s if measured.motion is None else measured.motion.speed_mm_s
    return (end - last) * speed / belt.speed_mm_s, MovedBy.TIME


def _grades(measured: MeasuredView) -> dict[Aspect, Graded]:
    grades = {
        Aspect.FOCUS: up_to(measured.focus_px, FOCUS_PX),
        Aspect.EXPOSURE: exposure(measured.light),
        Aspect.TILT: up_to(measured.scale.tilt_degrees, TILT_DEGREES),
    }
    if measured.smear_px is not None:
        grades[Aspect.MOTION_BLUR] = up_to(measured.smear_px, SMEAR_PX)
    if measured.motion is not None:
        angle = Graded(
            measured.motion.angle, up_to(abs(measured.motion.angle), ANGLE_DEGREES).grade
        )
        grades[Aspect.DIRECTION] = angle
    return grades


def _changes(config: Config, measured: MeasuredView, gate: GateFound | None) -> tuple[Change, ...]:
    changes = [Change(("belt", "mm_per_px"), round(measured.scale.along, 5))]
    if measured.motion is not None:
        changes.append(Change(("belt", "speed_mm_s"), round(measured.motion.speed_mm_s, 1)))
    if gate is not None:
        place = [each.bin for each in config.gates].index(gate.bin)
        changes.append(Change(("gates", place, "distance_mm"), round(gate.distance_mm, 1)))
    return tuple(changes)
