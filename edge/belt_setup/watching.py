"""Watching a camera while the sheet lies on the belt or is carried along."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.belt_setup.detection import Flaw, Unusable, explain_missing
from edge.belt_setup.measuring import SheetSighting, look
from edge.belt_setup.sheet import Sheet
from edge.cameras.camera import Camera, NoFrame
from edge.encoders.encoder import Encoder

MOST_SIGHTINGS = 2000
"""Of more, every other one is dropped: it is a long film of a sheet."""
TELLING = (*(Flaw.NOT_FLAT, Flaw.BENT, Flaw.TOO_FEW_CORNERS, Flaw.OTHER_BOARD, Flaw.NO_SHEET),)
"""The first of these that was met says best what to do."""


UNCLEAR = (Flaw.OTHER_BOARD, Flaw.NO_SHEET)
"""A longer look at the picture may tell more."""


@dataclass
class Watched:
    """What a camera has shown.

    Attributes:
        sightings: pictures with a usable sheet, in order of time, all of one kind of sheet.
        flaws: the worst case of each flaw.
        pictures: how many there were.
        end_reading_mm: of the encoder with the last picture; None: there is none.
        end_at: when that was taken, s.
        blank: the first picture without a board of ours, uint8 [h, w].
    """

    sightings: list[SheetSighting] = field(default_factory=list)
    flaws: dict[Flaw, Unusable] = field(default_factory=dict)
    pictures: int = 0
    end_reading_mm: float | None = None
    end_at: float = 0.0
    blank: np.ndarray | None = None

    def add(self, seen: SheetSighting | Unusable) -> None:
        """Take in a picture."""
        if isinstance(seen, Unusable):
            before = self.flaws.get(seen.flaw)
            if before is None or before.measured < seen.measured:
                self.flaws[seen.flaw] = seen
        elif not self.sightings or seen.found.sheet == self.sightings[0].found.sheet:
            self.sightings.append(seen)
            if len(self.sightings) > MOST_SIGHTINGS:
                del self.sightings[1:-1:2]

    def reason(self) -> Unusable:
        """Why there is no usable sheet in any picture."""
        worst = next((self.flaws[flaw] for flaw in TELLING if flaw in self.flaws), None)
        if worst is None or self.blank is None or worst.flaw not in UNCLEAR:
            return worst or Unusable(Flaw.NO_SHEET)
        why = explain_missing(self.blank)
        # A mirrored marker may be read as another one.
        return why if why.flaw is Flaw.MIRRORED or worst.flaw is Flaw.NO_SHEET else worst


def watch(
    camera: Camera, encoder: Encoder | None, boards: Sequence[Sheet], stopped: Callable[[], bool]
) -> Watched:
    """Look for the sheet in all that a camera shows until it ends or `stopped()`.

    Raises:
        BadInput, CameraLost: as `Camera.read`.
    """
    watched = Watched()
    while not stopped():
        frame = camera.read()
        if frame is None:
            break
        if isinstance(frame, NoFrame):
            continue
        reading = None if encoder is None else encoder.position_mm(frame.captured_at)
        watched.pictures += 1
        watched.end_at, watched.end_reading_mm = frame.captured_at, reading
        seen = look(frame.pixels, frame.captured_at, reading, boards)
        watched.add(seen)
        if watched.blank is None and isinstance(seen, Unusable) and seen.flaw in UNCLEAR:
            watched.blank = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY)
    return watched
