"""The result of one run of the detector and the tracker on a frame."""

from dataclasses import dataclass

from edge.belt.detector import Detection
from edge.belt.geometry import Box
from edge.belt.tracker import TrackedItem
from edge.belt.view import View, crop
from edge.cameras.camera import Frame


@dataclass(frozen=True)
class Sighting:
    """One item in one frame.

    Attributes:
        item: the item as the tracker knows it.
        detection: what was detected of it in the frame.
        frame: the frame.
        encoder_mm: where the belt was.
        box: where the item lies in the frame, px.
        whole: whether the frame shows all of it.
        touching: whether this and earlier sightings say that it touches another item.
        outline_score: how much its outlines so far look like more than one item
            (`edge.belt.touching.multi_object_score`); None: none was whole.
        longer_mm: the item's longer side by its outlines so far, however it lies; None: none was
            whole, or they do not agree.
        area_mm2: the area of its outlines, mm²; None: as with the longer side.
    """

    item: TrackedItem
    detection: Detection
    frame: Frame
    encoder_mm: float
    box: Box
    whole: bool
    touching: bool
    outline_score: float | None = None
    longer_mm: float | None = None
    area_mm2: float | None = None

    def view(self) -> View:
        """Crop the item from the frame."""
        off_center = abs(2 * self.box.center[0] / self.frame.pixels.shape[1] - 1)
        pixels = crop(self.frame.pixels, self.box)
        return View(pixels, self.frame.captured_at, self.encoder_mm, off_center)


@dataclass(frozen=True)
class DetectionPass:
    """One run of detector and tracker.

    Attributes:
        frame: the frame it ran on.
        encoder_mm: where the belt was.
        sightings: the items in the frame.
        earlier: sightings in the frame before, of new items that this frame shows cut off.
        took_ms: time of the detector and the tracker, ms.
    """

    frame: Frame
    encoder_mm: float
    sightings: tuple[Sighting, ...]
    earlier: tuple[Sighting, ...]
    took_ms: float
