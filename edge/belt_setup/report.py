"""A finding for people and for programs."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from edge.belt_setup.gate import MovedBy
from edge.belt_setup.grades import Aspect, Grade
from edge.belt_setup.motion import direction_of
from edge.belt_setup.procedure import BeltFinding
from edge.config import Config

REMEDIES: Mapping[Aspect, str] = {
    Aspect.DIRECTION: "turn the camera until the belt moves along the rows of the picture",
    Aspect.TILT: "mount the camera so that it looks straight down",
    Aspect.FOCUS: "focus the lens on the belt, and clean it",
    Aspect.MOTION_BLUR: "shorten the exposure ([camera] exposure_us), and give more light",
    Aspect.EXPOSURE: "the paper should be at 140 to 245, evenly lit, and nothing clipped: change "
    "light, exposure, or gain",
}
MOVED: Mapping[MovedBy, str] = {
    MovedBy.ENTERED: "as entered",
    MovedBy.PULSES: "by the pulses",
    MovedBy.CAMERA: "by the camera",
    MovedBy.TIME: "by speed and time",
}
CORNERS = 28


def rows(finding: BeltFinding) -> Iterator[tuple[str, str]]:
    """What was found, as a name and a text."""
    found, scale, motion = finding.measured, finding.measured.scale, finding.measured.motion
    grades = finding.grades
    yield (
        "sheet",
        f"{finding.sheet.name}, in {found.sightings} of {finding.pictures} pictures, "
        f"{found.corners} of {CORNERS} corners, residual {scale.residual_px:.2f} px",
    )
    yield (
        "scale",
        f"{scale.along:.4f} mm per px along the belt, {scale.across:.4f} across; at the left "
        f"border {scale.left:.4f}, at the right {scale.right:.4f}",
    )
    yield "tilt", f"{scale.tilt_degrees:.1f} degrees: {grades[Aspect.TILT].grade.value}"
    how = "by the arrow of the sheet" if motion is None else grades[Aspect.DIRECTION].grade.value
    yield (
        "direction",
        f"{direction_of(finding.angle).value}, {finding.angle:+.1f} degrees off the rows: {how}",
    )
    yield "sheet's arrow", f"{found.arrow_angle:+.1f} degrees off the rows"
    if motion is None:
        yield "speed", "not measured: the sheet was not carried along"
    else:
        yield "speed", f"{motion.speed_mm_s:.1f} mm/s over {motion.way_mm:.0f} mm"
    if found.encoder_mm_per_mm is not None:
        yield "encoder", f"counted {found.encoder_mm_per_mm:.4f} mm to each mm of the sheet's way"
    yield from _quality(finding)
    if finding.gate is not None:
        gate = finding.gate
        yield (
            f"gate {gate.bin}",
            f"{gate.distance_mm:.1f} mm: {gate.offset_mm:.1f} in the last picture of the sheet and "
            f"{gate.moved_mm:.1f} after it, {MOVED[gate.by]}",
        )


def _quality(finding: BeltFinding) -> Iterator[tuple[str, str]]:
    found, grades = finding.measured, finding.grades
    yield "focus", f"edges {found.focus_px:.1f} px wide: {grades[Aspect.FOCUS].grade.value}"
    blur = grades.get(Aspect.MOTION_BLUR)
    if blur is not None:
        yield (
            "motion blur",
            f"{blur.value:.1f} px ({blur.value * found.scale.along:.1f} mm): {blur.grade.value}",
        )
    light = found.light
    yield (
        "exposure",
        f"paper {light.white:.0f}, black {light.black:.0f}, {light.clipped:.1%} clipped, evenness "
        f"{light.evenness:.2f}: {grades[Aspect.EXPOSURE].grade.value}",
    )


def advice(finding: BeltFinding) -> Iterator[str]:
    """What to do about each aspect that is not good."""
    for aspect, graded in finding.grades.items():
        if graded.grade is not Grade.GOOD:
            name = aspect.value.replace("_", " ")
            yield f"the {name} is {graded.grade.value}: {REMEDIES[aspect]}"
    if finding.measured.motion is None:
        yield (
            "the sheet was seen in one place only, where a slight bend looks like the lens's "
            "distortion: let the belt carry it through the view"
        )


def changed(finding: BeltFinding, config: Config) -> Iterator[tuple[str, float, float]]:
    """Each key that changes, its number before, by default or as configured, and after."""
    before = {
        "belt.mm_per_px": config.belt.mm_per_px,
        "belt.speed_mm_s": config.belt.speed_mm_s,
        **{f"gates.{n}.distance_mm": gate.distance_mm for n, gate in enumerate(config.gates)},
    }
    for change in finding.changes:
        yield change.name, before[change.name], change.value


def as_json(finding: BeltFinding, config: Config) -> dict[str, Any]:
    """The same as rows and changes, for programs."""
    found, motion = finding.measured, finding.measured.motion
    grades = {
        aspect.value: {"value": _number(graded.value), "grade": graded.grade.value}
        for aspect, graded in finding.grades.items()
    }
    return {
        "ok": finding.fits,
        "sheet": finding.sheet.name,
        "pictures": finding.pictures,
        "sightings": found.sightings,
        "corners": found.corners,
        **{key: _number(value) for key, value in asdict(found.scale).items()},
        "direction": direction_of(finding.angle).value,
        "direction_degrees": finding.angle,
        "direction_measured": motion is not None,
        "arrow_degrees": found.arrow_angle,
        "speed_mm_s": None if motion is None else motion.speed_mm_s,
        "way_mm": None if motion is None else motion.way_mm,
        "encoder_mm_per_mm": found.encoder_mm_per_mm,
        "light": asdict(found.light),
        "grades": grades,
        "gate": None if finding.gate is None else asdict(finding.gate),
        "changes": {name: after for name, _, after in changed(finding, config)},
    }


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value
