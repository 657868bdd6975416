"""How the empty belt looked when lens and light were right, and how it looks now.

The line measures the empty belt (`edge.belt.gauge`) and keeps no memory of it; what it is compared
with is learned here, and kept with the alarms, so that no restart forgets a clean lens.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.status import BeltLook

SAMPLES_NEEDED = 24
"""Number of looks at the belt that a reference is learned from."""
SAMPLES_JUDGED = 12
"""Number of looks at the belt whose medians are judged: one bad picture says nothing."""
LEAST_CONTRAST = 0.004
"""The contrast of a belt that has no texture to judge the lens by, as a share of its level."""
LEAST_LEVEL = 1.0
Figure = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class PictureReference(BaseModel):
    """How the empty belt looked when all was well.

    Attributes:
        camera: by which camera.
        look: the figures.
        taken_at: Unix seconds.
        taken_by: who declared lens and light to be right; empty: the line's first minutes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera: str = Field(max_length=1000)
    look: BeltLook
    taken_at: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    taken_by: str = Field(default="", max_length=64)


def typical(samples: Sequence[BeltLook]) -> BeltLook | None:
    """The medians of several looks at the belt; None: there are none."""
    if not samples:
        return None
    return BeltLook(
        **{name: median(getattr(each, name) for each in samples) for name in BeltLook.model_fields}
    )


def light_change(look: BeltLook, reference: BeltLook) -> float:
    """The factor by which the light has changed, 1 or more, in the color that changed most."""
    factors = [
        max(getattr(look, color), LEAST_LEVEL) / max(getattr(reference, color), LEAST_LEVEL)
        for color in ("red", "green", "blue")
    ]
    return math.exp(max(abs(math.log(factor)) for factor in factors))


def contrast_left(look: BeltLook, reference: BeltLook) -> float | None:
    """The share of the belt's contrast that is left; None: the belt has none to judge by."""
    if reference.contrast < LEAST_CONTRAST:
        return None
    return look.contrast / reference.contrast


def more_spots(look: BeltLook, reference: BeltLook) -> float:
    """The share of the view that is covered by what was not there before, 0 to 1."""
    return max(0.0, look.spots - reference.spots)
