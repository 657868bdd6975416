"""Where items lie in a frame: what does not look like the empty belt.

The belt's texture scrolls under the camera while the lamp stays, so the detector keeps, for each
point of the image, the belt's slowly followed mean color there, and one figure for how much the
belt varies; shadows and flicker are followed apart (`edge.belt.illumination`). Only what differs by
several times that is an item.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.belt.geometry import Box, Geometry
from edge.belt.illumination import Illumination
from edge.belt.shading import shaded
from edge.belt.touching import LONGEST_ITEM_MM, Outline

WORK_WIDTH_PX = 320
CONTRAST = 5.0  # in units of the belt's own median difference
LEAST_DIFFERENCE = 12.0  # gray levels; below it a very even belt would see its own noise
MOST_DIFFERENCE = 28.0  # a black item on a dark belt differs by little more
STRONGEST_RATIO = 2.0
"""Somewhere an item differs by so many times what its faintest part does; a stain does not."""
SPECK_MM = 8.0
FOLLOW_WEIGHT = 0.02
"""Weight of a frame in the reference image of the belt: 34 frames take in half of a change."""
NEAR_CELLS = 7  # what lies nearer than half of this to an item is not followed: its soft edge
FOLLOW_EVERY = 8  # of these frames: it costs half as much as all the rest
UNIT_GAIN = 100  # the light as 8 bits: up to 2.5 times as bright
MOST_COVERED_SHARE = 0.6  # no load covers so much of the view: the light or the belt was changed
LOST_FRAMES = 15
STUCK_ITEMS = 2.5  # longest items in a row; what covers a place for longer may hang before the lens
STUCK_PROOFS = 3  # of them: what was there did not move on with the belt, as an item would have
PROOF_INTERVAL_MM = 160.0
"""The belt moves this far between two proofs that something is stuck: further than dust is wide."""


@dataclass(frozen=True)
class Detection:
    """Something that is not belt.

    Attributes:
        box: where it is in the frame, px.
        whole: the box keeps clear of the frame's border, so nothing of the object is cut off.
        touching: it cannot be one object alone, by its length or by what is known of the belt.
        outline: what of the box is not belt, for `edge.belt.touching`; None when it is not whole.
    """

    box: Box
    whole: bool
    touching: bool
    outline: Outline | None = field(default=None, compare=False, repr=False)


class Detector:
    """Finds items against the look of the empty belt, which it learns by itself."""

    def __init__(
        self,
        geometry: Geometry,
        smallest_mm: float = 25.0,
        join_mm: float = 25.0,
        longest_mm: float = LONGEST_ITEM_MM,
    ) -> None:
        """Set up for frames of `geometry`, whose view should show the belt and nothing beside it.

        Args:
            geometry: the view.
            smallest_mm: what is shorter than this in both directions is dirt.
            join_mm: parts nearer than this to each other are one object.
            longest_mm: what is longer than this cannot be one item.
        """
        self._geometry = geometry
        self._scale = max(1.0, geometry.width_px / WORK_WIDTH_PX)
        self._size = (
            round(geometry.width_px / self._scale),
            round(geometry.height_px / self._scale),
        )
        self._mm_per_cell = geometry.mm_per_px * self._scale
        self._smallest = smallest_mm / self._mm_per_cell
        self._join = join_mm / self._mm_per_cell
        self.expect(longest_mm)
        self._speck = SPECK_MM / self._mm_per_cell
        side = 2 * round(self._join / 2) + 1  # odd, or it would shift what it closes
        # A rectangle is several times as fast as a disc.
        self._closing = np.ones((side, side), np.uint8)
        self._near = np.ones((NEAR_CELLS, NEAR_CELLS), np.uint8)
        self._belt: np.ndarray | None = None
        self._look: np.ndarray = np.zeros((0, 0, 3), np.uint8)  # the same in 8 bits
        self._light = Illumination(*self._size)
        self._variation = 0.0
        self._lost_frames = self._frames = 0
        self.last: tuple[np.ndarray, np.ndarray] | None = None
        """The last frame, reduced, uint8 [h, w, 3], and what of it is not belt, uint8 [h, w]."""
        # What was covered in the last frame of a proof, and in all since; between which positions
        # the belt was while a cell was covered, and how often what covered it did not move along.
        self._covered_then, self._then_mm = np.zeros(self._size[::-1], np.uint8), 0.0
        self._covered = np.zeros_like(self._covered_then)
        self._low_mm = np.zeros(self._size[::-1], np.float32)
        self._high_mm = np.zeros_like(self._low_mm)
        self._proofs = np.zeros_like(self._covered_then)

    def expect(self, longest_mm: float) -> None:
        """Take what is longer than this for more than one item from now on."""
        self._longest = longest_mm / self._mm_per_cell

    def detect(self, pixels: np.ndarray, belt_mm: float = 0.0) -> list[Detection]:
        """The items in uint8 RGB [height, width, 3], from right to left (first on the belt first).

        Args:
            pixels: the frame.
            belt_mm: where the belt is; what stays in its place while the belt moves on is no item,
                but dust on the lens.

        Raises:
            ValueError: the frame has another size than the geometry states.
        """
        shape = (self._geometry.height_px, self._geometry.width_px, 3)
        if pixels.shape != shape:
            raise ValueError(f"expected a frame of shape {shape}, got {pixels.shape}")
        small = self._reduce(pixels)
        if self._belt is None or self._lost_frames >= LOST_FRAMES:
            self._belt, self._variation = learn_belt(small.astype(np.float32))
            self._look = cv2.convertScaleAbs(self._belt)
            self._light = Illumination(*self._size)
            self._lost_frames = 0
        light = self._light.follow(small, self._belt)
        expected = shaded(self._look, self._gain(light), 1 / UNIT_GAIN)
        difference = furthest_channel(small, expected)
        least = min(MOST_DIFFERENCE, max(LEAST_DIFFERENCE, CONTRAST * self._variation))
        foreground = cv2.threshold(difference, least, 1, cv2.THRESH_BINARY)[1]
        self.last = small, foreground
        covered = cv2.countNonZero(foreground)
        lost = covered > MOST_COVERED_SHARE * foreground.size
        self._lost_frames = self._lost_frames + 1 if lost else 0
        self._frames += 1
        if self._frames % FOLLOW_EVERY == 0:
            self._follow(small, light, difference, foreground)
        if not covered:
            self._covered.fill(0)
            return []
        self._covered &= foreground
        if abs(belt_mm - self._then_mm) >= PROOF_INTERVAL_MM:
            self._learn_lens(small, light, foreground, belt_mm)
        closed = self._close_gaps(foreground)
        parts = [
            part
            for part in outlines(closed)
            if max(part[2:]) >= self._speck and greatest(difference, part) > STRONGEST_RATIO * least
        ]
        # Averaging has made everything one cell larger on each side.
        boxes = [box for box in joined(parts, self._join) if max(box[2:]) - 2 >= self._smallest]
        found = [self._detection(box, foreground) for box in boxes]
        return sorted(found, key=lambda detection: -detection.box.right)

    def _reduce(self, pixels: np.ndarray) -> np.ndarray:
        """Average the frame down to the working size, uint8 [h, w, 3].

        Of a large frame only every other row, for reading it takes most of the time; then by
        halves, as averaging four pixels takes a quarter of the time of averaging sixteen.
        """
        columns, rows = self._size
        if pixels.shape[0] >= 4 * rows:
            pixels = pixels[::2]
        while pixels.shape[0] >= 2 * rows and pixels.shape[1] >= 2 * columns:
            if (pixels.shape[0] | pixels.shape[1]) % 2:
                break
            half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
            pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)
        if pixels.shape[1::-1] != self._size:
            little = pixels.shape[1] <= 2 * columns
            way = cv2.INTER_LINEAR if little else cv2.INTER_AREA
            pixels = cv2.resize(pixels, self._size, interpolation=way)
        return cv2.blur(pixels, (3, 3))

    def _gain(self, light: np.ndarray) -> np.ndarray:
        """A coarse light as uint8 [h, w, 3], in which `UNIT_GAIN` is 1."""
        steps = cv2.convertScaleAbs(light, alpha=UNIT_GAIN)
        return cv2.merge([cv2.resize(steps, self._size, interpolation=cv2.INTER_LINEAR)] * 3)

    def _close_gaps(self, foreground: np.ndarray) -> np.ndarray:
        """Close gaps in a uint8 mask, but not those between an item and the frame's border."""
        pad = self._closing.shape[0]
        padded = cv2.copyMakeBorder(foreground, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
        return cv2.morphologyEx(padded, cv2.MORPH_CLOSE, self._closing)[pad:-pad, pad:-pad]

    def _follow(
        self, small: np.ndarray, light: np.ndarray, difference: np.ndarray, foreground: np.ndarray
    ) -> None:
        """Let the belt's look follow the frame, in the first light, where no item is near."""
        assert self._belt is not None  # learned from the first frame
        free = 1 - cv2.dilate(foreground, self._near)
        weight = 1 - (1 - FOLLOW_WEIGHT) ** FOLLOW_EVERY
        gain = cv2.resize(cv2.merge([light] * 3), self._size, interpolation=cv2.INTER_LINEAR)
        first_light = cv2.divide(small, gain, dtype=cv2.CV_32F)
        cv2.accumulateWeighted(first_light, self._belt, weight, free)
        self._look = cv2.convertScaleAbs(self._belt)
        seen = difference[::4, ::4][free[::4, ::4] > 0]
        if seen.size:
            self._variation += weight * (float(np.median(seen)) - self._variation)

    def _learn_lens(
        self, small: np.ndarray, light: np.ndarray, foreground: np.ndarray, belt_mm: float
    ) -> None:
        """Take what the belt moves on under for a part of its look, and out of the foreground.

        That something is there at each look is not enough: where the belt moves far from one to the
        next, one item after the other may happen to be.
        """
        free = cv2.compare(self._covered, 0, cv2.CMP_EQ)  # type: ignore[call-overload]
        here = np.full_like(self._low_mm, belt_mm)
        for extreme, further in ((self._low_mm, cv2.min), (self._high_mm, cv2.max)):
            further(extreme, here, extreme)
            cv2.copyTo(here, free, extreme)
        columns = round((belt_mm - self._then_mm) / self._mm_per_cell)
        self._proofs += stayed(self._covered_then, foreground, columns, self._near)
        self._proofs *= self._covered
        self._covered_then, self._covered = foreground.copy(), foreground.copy()
        self._then_mm = belt_mm
        stuck = self._high_mm - self._low_mm > STUCK_ITEMS * self._longest * self._mm_per_cell
        stuck &= self._proofs >= STUCK_PROOFS
        if not stuck.any():
            return
        assert self._belt is not None  # learned before anything can be stuck
        gain = cv2.resize(light, self._size, interpolation=cv2.INTER_LINEAR)
        self._belt[stuck] = small[stuck] / gain[stuck][:, np.newaxis]
        self._look = cv2.convertScaleAbs(self._belt)
        self._low_mm[stuck] = self._high_mm[stuck]
        foreground[stuck] = 0

    def _detection(self, box: tuple[int, int, int, int], foreground: np.ndarray) -> Detection:
        left, top, width, height = box
        columns, rows = self._size
        whole = left > 1 and top > 1 and left + width < columns - 1 and top + height < rows - 1
        scaled = Box(
            round(left * self._scale),
            round(top * self._scale),
            min(self._geometry.width_px, round((left + width) * self._scale)),
            min(self._geometry.height_px, round((top + height) * self._scale)),
        )
        too_long = max(width, height) > self._longest
        if not whole:  # part of an object may have any shape
            return Detection(scaled, whole, too_long)
        mask = foreground[top : top + height, left : left + width].copy()
        return Detection(scaled, whole, too_long, Outline(mask, self._mm_per_cell))


def furthest_channel(image: np.ndarray, belt: np.ndarray) -> np.ndarray:
    """The difference of two uint8 [h, w, 3] in the channel that differs most, uint8 [h, w]."""
    red, green, blue = cv2.split(cv2.absdiff(image, belt))
    return cv2.max(cv2.max(red, green), blue)


def stayed(before: np.ndarray, now: np.ndarray, columns: int, near: np.ndarray) -> np.ndarray:
    """Which cells were covered by what has not moved with the belt, uint8 [h, w], 0 or 1.

    Args:
        before: what was covered in an earlier frame, uint8 [h, w], 0 or 1.
        now: what is covered in this one.
        columns: how many cells the belt has moved to the right between them.
        near: the structuring element of the tolerance, for what is less than sharp.

    It did not come from where an item there would have, or is not where an item would be by now; of
    what would be out of view nothing is known.
    """
    came = moved(cv2.dilate(before, near), columns)
    went = moved(cv2.dilate(now, near), -columns)
    return ((now > came) | (before > went)).astype(np.uint8)


def moved(mask: np.ndarray, columns: int) -> np.ndarray:
    """A uint8 mask [h, w] so many columns further to the right; 1 where it shows nothing."""
    columns = max(-mask.shape[1], min(mask.shape[1], columns))
    result = np.ones_like(mask)
    if columns >= 0:
        result[:, columns:] = mask[:, : mask.shape[1] - columns]
    else:
        result[:, :columns] = mask[:, -columns:]
    return result


def learn_belt(small: np.ndarray) -> tuple[np.ndarray, float]:
    """The belt's look and variation from one float32 frame [h, w, 3], items on it or not.

    The belt is the frame's most common color, under a light that varies smoothly: a surface of
    second degree is fitted to what is near the median color, and again to what is near the
    surface, until items have no part in it.
    """
    height, width = small.shape[:2]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1).astype(np.float32)
    some_terms, some = terms[::4, ::4].reshape(-1, 6), small[::4, ::4].reshape(-1, 3)
    surface = np.broadcast_to(np.median(some, axis=0), some.shape)
    belt = np.ones(len(some), bool)
    for _ in range(6):
        difference = np.abs(some - surface).max(axis=1)
        belt = difference <= max(6.0, 3.0 * float(np.median(difference[belt])))
        factors = np.linalg.lstsq(some_terms[belt], some[belt], rcond=None)[0]
        surface = some_terms @ factors
    variation = float(np.median(np.abs(some - surface).max(axis=1)[belt]))
    return np.ascontiguousarray(terms @ factors, np.float32), variation


def outlines(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, width, height) of the connected parts of a uint8 mask, holes filled."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = map(cv2.boundingRect, contours)
    return [(left, top, width, height) for left, top, width, height in boxes]


def greatest(image: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """The greatest value of an image [h, w] in a box (left, top, width, height)."""
    left, top, width, height = box
    return float(image[top : top + height, left : left + width].max())


def joined(
    boxes: list[tuple[int, int, int, int]], distance: float
) -> list[tuple[int, int, int, int]]:
    """Unite boxes (left, top, width, height) that are nearer than `distance` to each other."""
    done: list[tuple[int, int, int, int]] = []
    for left, top, width, height in boxes:
        right, bottom = left + width, top + height
        apart: list[tuple[int, int, int, int]] = []
        changed = True
        while changed:
            changed = False
            apart = []
            for other in done:
                gap_x = max(other[0] - right, left - other[0] - other[2])
                gap_y = max(other[1] - bottom, top - other[1] - other[3])
                if max(gap_x, gap_y) < distance:
                    left, top = min(left, other[0]), min(top, other[1])
                    right = max(right, other[0] + other[2])
                    bottom = max(bottom, other[1] + other[3])
                    changed = True
                else:
                    apart.append(other)
            done = apart
        done = [*done, (left, top, right - left, bottom - top)]
    return done
