"""What the camera over the simulated belt sees: rubber that scrolls, and items that lie on it.

Nothing is kept that is not in view: an item's picture is made when it comes into view and dropped
when it has left, so that a belt of thousands of items takes the memory of four.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.belt.geometry import Geometry
from edge.simulator.layout import PlacedItem
from edge.simulator.optics import Lens
from edge.simulator.scenario import Optics

BELT_COLOR = (76, 86, 78)  # RGB of dark gray-green rubber
TEXTURE_MM = 2000.0  # the belt repeats itself after this length
SHADOW_MM = 5.0
SHADOW_DEPTH = 0.45
DEFAULT_OPTICS = Optics()


@dataclass(frozen=True)
class ItemLayer:
    """An item's picture, ready to be laid over the belt: `belt * keep / 255 + paint`.

    Attributes:
        keep: uint8 [h, w, 3], what remains of the belt under the item and its shadow.
        paint: uint8 [h, w, 3], the item, premultiplied by its opacity.
    """

    keep: np.ndarray
    paint: np.ndarray


class Scene:
    """The belt, the items on it, and a camera straight above."""

    def __init__(
        self,
        items: Sequence[PlacedItem],
        geometry: Geometry,
        seed: int,
        optics: Optics = DEFAULT_OPTICS,
    ) -> None:
        """Prepare the belt's rubber and the camera; items are drawn when they come into view."""
        self.geometry = geometry
        self.items = sorted(items, key=lambda item: item.position_mm)
        self._positions = [item.position_mm for item in self.items]
        self._reach_mm = max((item.length_mm for item in items), default=0.0) / 2 + 4 * SHADOW_MM
        self._removed: set[int] = set()
        self._layers: dict[int, ItemLayer] = {}
        rng = np.random.default_rng(seed)
        self._loop_px = round(TEXTURE_MM / geometry.mm_per_px)
        self._rubber = rubber(self._loop_px, geometry, rng)
        self._lens = Lens(geometry, optics, seed)

    @property
    def end_mm(self) -> float:
        """The encoder reading at which the last item has left the view."""
        return (
            max((item.position_mm for item in self.items), default=0.0)
            + self._reach_mm
            + self.geometry.width_mm / 2
        )

    def remove(self, index: int) -> None:
        """Take the item at `index` of `items` off the belt."""
        self._removed.add(index)

    def render(self, belt_mm: float, at: float = 0.0, speed_mm_s: float = 0.0) -> np.ndarray:
        """What the camera sees, uint8 RGB [H, W, 3].

        Args:
            belt_mm: where the belt is.
            at: seconds of the clock, for what changes with time.
            speed_mm_s: of the belt.
        """
        width = self.geometry.width_px
        # Column x shows the belt at encoder - (x - width/2): the rubber is laid down mirrored.
        start = round(-belt_mm / self.geometry.mm_per_px) % self._loop_px
        pixels = self._rubber[:, start : start + width].copy()
        visible = self._visible(belt_mm)
        for index in visible:
            self._lay(pixels, index, belt_mm)
        self._layers = {index: self._layers[index] for index in visible}
        return self._lens.expose(pixels, at, speed_mm_s)

    def _visible(self, encoder_mm: float) -> list[int]:
        reach = self.geometry.width_mm / 2 + self._reach_mm
        first = bisect_left(self._positions, encoder_mm - reach)
        end = bisect_right(self._positions, encoder_mm + reach)
        return [index for index in range(first, end) if index not in self._removed]

    def _lay(self, pixels: np.ndarray, index: int, encoder_mm: float) -> None:
        item = self.items[index]
        if index not in self._layers:
            self._layers[index] = item_layer(item.draw(), SHADOW_MM / self.geometry.mm_per_px)
        keep, paint = self._layers[index].keep, self._layers[index].paint
        height, width = keep.shape[:2]
        left = round(self.geometry.column(item.position_mm, encoder_mm) - width / 2)
        top = round(self.geometry.row(item.offset_mm) - height / 2)
        x0, x1 = max(0, left), min(self.geometry.width_px, left + width)
        y0, y1 = max(0, top), min(self.geometry.height_px, top + height)
        if x0 >= x1 or y0 >= y1:
            return
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        belt = pixels[y0:y1, x0:x1]
        cv2.multiply(belt, keep[part], dst=belt, scale=1 / 255)
        cv2.add(belt, paint[part], dst=belt)


def item_layer(sprite: np.ndarray, shadow_px: float) -> ItemLayer:
    """An item's picture, uint8 RGBA [h, w, 4], with a soft contact shadow around it."""
    pad = round(3 * shadow_px)
    sprite = cv2.copyMakeBorder(sprite, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0,) * 4)
    opacity = sprite[..., 3:].astype(np.float32) / 255
    shadow = SHADOW_DEPTH * cv2.GaussianBlur(opacity, (0, 0), shadow_px)[..., np.newaxis]
    keep = np.repeat((1 - opacity) * (1 - shadow) * 255, 3, axis=2)
    return ItemLayer(
        np.rint(keep).astype(np.uint8), np.rint(sprite[..., :3] * opacity).astype(np.uint8)
    )


def rubber(loop_px: int, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """A belt of `loop_px` columns that closes on itself, uint8 RGB [H, loop_px + W, 3].

    The first W columns are repeated at the end, so that any view is one slice.
    """
    height, width = geometry.height_px, geometry.width_px

    def grain(cell_px: int, depth: float) -> np.ndarray:
        cells = rng.normal(0, depth, (-(-height // cell_px) + 1, loop_px // cell_px))
        cells = np.hstack([cells, cells[:, :1]]).astype(np.float32)
        return cv2.resize(cells, (loop_px, height), interpolation=cv2.INTER_CUBIC)

    gray = grain(96, 1.5) + grain(12, 1.2) + grain(2, 2.5)
    gray += 1.5 * np.sin(np.arange(height, dtype=np.float32) * 0.9)[:, np.newaxis]  # the weave
    marks = np.zeros((height, loop_px), np.float32)
    for _ in range(loop_px // 60):  # scratches run along the belt, more or less
        x, y = int(rng.integers(40, loop_px - 260)), int(rng.integers(height))
        end = (int(x + rng.integers(30, 220)), int(y + rng.integers(-12, 12)))
        cv2.line(marks, (x, y), end, float(rng.uniform(-12, 16)), 1, cv2.LINE_AA)
    for _ in range(loop_px // 250):  # stains
        x, y = int(rng.integers(80, loop_px - 80)), int(rng.integers(height))
        axes = (int(rng.integers(8, 60)), int(rng.integers(6, 40)))
        angle = float(rng.integers(180))
        cv2.ellipse(marks, (x, y), axes, angle, 0, 360, float(rng.uniform(-7, 2)), -1, cv2.LINE_AA)
    gray += cv2.GaussianBlur(marks, (0, 0), 1.2)
    shade = (gray[..., np.newaxis] + np.array(BELT_COLOR, np.float32)).clip(0, 255)
    return np.hstack([shade, shade[:, :width]]).astype(np.uint8)
