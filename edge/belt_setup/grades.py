"""Whether a picture is good enough to sort by: limits for what the sheet shows of it."""

from dataclasses import dataclass
from enum import Enum

from edge.belt_setup.exposure import Light

FOCUS_PX = (3.0, 5.0)
"""Widths of edges: up to the first is good, up to the second poor. A model that looks at an item in
160 px has no use for much more than that."""
SMEAR_PX = (2.5, 5.0)
TILT_DEGREES = (5.0, 12.0)
ANGLE_DEGREES = (2.0, 6.0)
"""Off the rows of the picture: at 6 an item moves sideways by 80 mm on its way through 800 mm."""
WHITE_GOOD, WHITE_POOR = (140.0, 245.0), (90.0, 250.0)
CLIPPED = (0.005, 0.05)
CONTRAST = (100.0, 60.0)
EVENNESS = (0.7, 0.4)


class Grade(str, Enum):
    """A judgment."""

    GOOD = "good"
    POOR = "poor"
    BAD = "bad"


class Aspect(str, Enum):
    """What is judged."""

    DIRECTION = "direction"
    TILT = "tilt"
    FOCUS = "focus"
    MOTION_BLUR = "motion_blur"
    EXPOSURE = "exposure"


GRADES = tuple(Grade)


@dataclass(frozen=True)
class Graded:
    """A measured value and what is thought of it."""

    value: float
    grade: Grade


def up_to(value: float, limits: tuple[float, float]) -> Graded:
    """Good up to the first limit, poor up to the second; NaN is bad."""
    return Graded(value, GRADES[0 if value <= limits[0] else 1 if value <= limits[1] else 2])


def at_least(value: float, limits: tuple[float, float]) -> Graded:
    """Good from the first limit on, poor from the second on."""
    return Graded(value, up_to(-value, (-limits[0], -limits[1])).grade)


def exposure(light: Light) -> Graded:
    """The worst of white level, clipped pixels, contrast, and evenness; the value is the white."""
    if WHITE_GOOD[0] <= light.white <= WHITE_GOOD[1]:
        level = Grade.GOOD
    else:
        is_poor = WHITE_POOR[0] <= light.white <= WHITE_POOR[1]
        level = Grade.POOR if is_poor else Grade.BAD
    grades = (
        level,
        up_to(light.clipped, CLIPPED).grade,
        at_least(light.white - light.black, CONTRAST).grade,
        at_least(light.evenness, EVENNESS).grade,
    )
    return Graded(light.white, max(grades, key=GRADES.index))
