"""From frames to sightings: which items are in view, where, and whether each is one object."""

import time
from dataclasses import dataclass, field, replace
from statistics import median

from edge.belt.detector import Detection, Detector
from edge.belt.gauge import PictureGauge
from edge.belt.geometry import Geometry
from edge.belt.sighting import DetectionPass, Sighting
from edge.belt.touching import LONGEST_ITEM_MM, multi_object_score, shape_of
from edge.belt.tracker import TrackedItem, Tracker, box_of
from edge.cameras.camera import Frame
from edge.status import BeltLook

DETECT_EVERY_S = 0.05
"""The detector does not run again so soon after its last pass: of 30 frames a second it sees every
other one."""
DETECT_EVERY_SHARE = 1 / 6
"""Of the view: the detector runs in any case before the belt has moved by as much, so that each
item is seen several times however fast the belt runs."""
OUTLINES_SCORED = 5
"""The maximum of outlines of an item that are measured; the item does not change. Once more than
half of them agree whether they are of several items, the rest is not measured."""
SIDES_AGREE = 0.1
"""An item whose outlines differ in length by more, as a share of the longest, has no known size."""
ITEMS_REMEMBERED = 200
"""More than can be between the forgetting distances of the tracker at once."""


@dataclass
class TouchingEvidence:
    """What the sightings of one item say about whether it touches another.

    Attributes:
        longest_item_mm: what is longer cannot be one item.
        certain: the median score of outlines above which they are of several items.
        sightings: how many there were.
        touching_sightings: those that showed more than this item.
        scores: of the outlines (`multi_object_score`).
        sides_mm: longer sides of the outlines, mm.
        areas_mm2: areas of the outlines, mm².
    """

    longest_item_mm: float = LONGEST_ITEM_MM
    certain: float = 0.0
    sightings: int = 0
    touching_sightings: int = 0
    scores: list[float] = field(default_factory=list)
    sides_mm: list[float] = field(default_factory=list)
    areas_mm2: list[float] = field(default_factory=list)

    @property
    def touching(self) -> bool:
        """Most sightings showed more than this item, or most of its outlines look like more."""
        if self.mostly_touching:
            return True
        return self.outline_score is not None and self.outline_score > self.certain

    @property
    def mostly_touching(self) -> bool:
        """Whether most sightings showed more than this item, whatever its outlines look like."""
        return 2 * self.touching_sightings > self.sightings

    @property
    def outline_score(self) -> float | None:
        """The median score of the outlines; None: there was none."""
        return median(self.scores) if self.scores else None

    @property
    def _settled(self) -> bool:
        """Whether further outlines cannot change on which side of `certain` the median score is."""
        multiple = sum(score > self.certain for score in self.scores)
        return 2 * max(multiple, len(self.scores) - multiple) > OUTLINES_SCORED

    @property
    def longer_mm(self) -> float | None:
        """The item's longer side; None where no outline was whole, or they do not agree.

        Nor is it known where the outlines may be of more than one item.
        """
        if self.outline_score is None or self.outline_score > 0 or self.touching_sightings:
            return None
        agree = min(self.sides_mm) >= (1 - SIDES_AGREE) * max(self.sides_mm)
        return median(self.sides_mm) if agree else None

    @property
    def area_mm2(self) -> float | None:
        """The item's area; None where its longer side is not known."""
        return None if self.longer_mm is None else median(self.areas_mm2)

    def add(self, detection: Detection) -> None:
        """Count one more sighting of the item."""
        self.sightings += 1
        self.touching_sightings += detection.touching
        if detection.outline is None or not detection.whole:
            return
        if not self._settled:
            shape = shape_of(detection.outline)
            self.scores.append(multi_object_score(shape, self.longest_item_mm))
            self.sides_mm.append(shape.longer_mm)
            self.areas_mm2.append(shape.area_mm2)


class Observer:
    """Detects and follows the items of one belt."""

    def __init__(
        self,
        geometry: Geometry,
        longest_item_mm: float = LONGEST_ITEM_MM,
        certainly_several: float = 0.0,
    ) -> None:
        """Start with an unknown belt.

        Args:
            geometry: what the camera shows of it.
            longest_item_mm: what is longer cannot be one item.
            certainly_several: the median score of outlines above which they are of several items.
        """
        self._geometry, self._longest_item_mm = geometry, longest_item_mm
        self._certainly_several = certainly_several
        self._detector = Detector(geometry, longest_mm=longest_item_mm)
        self._tracker, self._gauge = Tracker(), PictureGauge()
        self._evidence: dict[int, TouchingEvidence] = {}
        self._last: DetectionPass | None = None
        self._frame_mm = 0.0

    def expect(self, longest_item_mm: float, certainly_several: float) -> None:
        """Take what is longer, or whose outline scores more, for several items from now on."""
        self._longest_item_mm = longest_item_mm
        self._certainly_several = certainly_several
        self._detector.expect(longest_item_mm)

    def observe(self, frame: Frame, encoder_mm: float) -> DetectionPass:
        """Run the detector on a frame when it is time to, and return the newest pass.

        Args:
            frame: the newest frame.
            encoder_mm: where the belt was as it was captured.
        """
        last = self._last
        if last is None or self._is_time(frame, encoder_mm, last):
            last = self._last = self._detect(frame, encoder_mm, last)
        self._frame_mm = encoder_mm
        return last

    @property
    def look(self) -> BeltLook | None:
        """How the empty belt looks; None: not known yet."""
        return self._gauge.look

    def left(self, encoder_mm: float) -> list[TrackedItem]:
        """The items whose leading end has left the view."""
        return self._tracker.left(encoder_mm)

    def interrupt(self) -> None:
        """Forget the last pass: the camera lost sight of the belt."""
        self._last = None

    def _is_time(self, frame: Frame, encoder_mm: float, last: DetectionPass) -> bool:
        """Whether to run again: not twice in a moment, as long as the next frame is in time.

        The detector costs more than all else but the model.
        """
        by_next_mm = abs(encoder_mm - last.encoder_mm) + abs(encoder_mm - self._frame_mm)
        too_far = by_next_mm > DETECT_EVERY_SHARE * self._geometry.width_mm
        return too_far or frame.captured_at - last.frame.captured_at >= DETECT_EVERY_S

    def _detect(self, frame: Frame, encoder_mm: float, last: DetectionPass | None) -> DetectionPass:
        started = time.perf_counter()
        detections = self._detector.detect(frame.pixels, encoder_mm)
        seen = self._tracker.update(detections, self._geometry, encoder_mm, frame.captured_at)
        if self._detector.last is not None:
            self._gauge.see(*self._detector.last, encoder_mm, frame.captured_at)
        took_ms = (time.perf_counter() - started) * 1000
        sightings, earlier = [], []
        for item, detection in seen:
            new = item.number not in self._evidence
            evidence = self._evidence.setdefault(
                item.number, TouchingEvidence(self._longest_item_mm, self._certainly_several)
            )
            evidence.add(detection)
            sighting = Sighting(
                item=item,
                detection=detection,
                frame=frame,
                encoder_mm=encoder_mm,
                box=detection.box,
                whole=detection.whole,
                touching=evidence.touching,
                outline_score=evidence.outline_score,
                longer_mm=evidence.longer_mm,
                area_mm2=evidence.area_mm2,
            )
            sightings.append(sighting)
            if new and last and not (detection.whole or detection.touching or sighting.touching):
                earlier += self._in_last(sighting, last)
        for number in sorted(self._evidence)[:-ITEMS_REMEMBERED]:
            del self._evidence[number]
        return DetectionPass(frame, encoder_mm, tuple(sightings), tuple(earlier), took_ms)

    def _in_last(self, sighting: Sighting, last: DetectionPass) -> list[Sighting]:
        """The item of a sighting in the last pass, if it lay there whole; else nothing.

        It takes two sightings to make an item, and on a fast belt the first may show it whole for
        the only time: what lay at the view's end at the start, or came by while frames were lost.
        """
        item, geometry = sighting.item, self._geometry
        box = box_of(item, geometry, last.encoder_mm)
        width, height = geometry.width_px, geometry.height_px
        inside = min(box.left, box.top) >= 0 and box.right <= width and box.bottom <= height
        if not inside or item.first_seen_at > last.frame.captured_at:
            return []
        return [
            replace(sighting, frame=last.frame, encoder_mm=last.encoder_mm, box=box, whole=True)
        ]
