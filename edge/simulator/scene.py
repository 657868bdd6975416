"""Render what the camera over the simulated belt sees: scrolling rubber with items on it.

Only the pictures of items in view are kept, so a belt of thousands of items takes the memory of
four.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.belt.geometry import Geometry
from edge.belt.shading import shaded
from edge.simulator.layout import PlacedItem
from edge.simulator.optics import Lens
from edge.simulator.scenario import Optics
from edge.synthetic.drawings.rubber import draw_rubber

TEXTURE_MM = 2000.0  # the belt repeats itself after this length
SHADOW_MM = 5.0
SHADOW_DEPTH = 0.45
DEFAULT_OPTICS = Optics()


@dataclass(frozen=True)
class ItemLayer:
    """The picture of an item, ready to be blended with the belt: `belt * keep / 255 + paint`.

    Attributes:
        keep: uint8 [h, w, 3], the share of the belt that remains under the item and its shadow.
        paint: uint8 [h, w, 3], the item, premultiplied by its opacity.
    """

    keep: np.ndarray
    paint: np.ndarray


class Scene:
    """The belt, the items on it, and a camera above."""

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
        self._rubber = draw_rubber(
            self._loop_px, height=geometry.height_px, width=geometry.width_px, rng=rng
        )
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
        """Remove the item at `index` of `items` from the belt."""
        self._removed.add(index)

    def render(self, belt_mm: float, at: float = 0.0, speed_mm_s: float = 0.0) -> np.ndarray:
        """Render a frame, uint8 RGB [H, W, 3].

        Args:
            belt_mm: the belt position.
            at: seconds of the clock, for effects that change with time.
            speed_mm_s: the belt speed.
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
        shaded(belt, keep[part], 1 / 255, dst=belt)
        cv2.add(belt, paint[part], dst=belt)


def item_layer(sprite: np.ndarray, shadow_px: float) -> ItemLayer:
    """Prepare the picture of an item, uint8 RGBA [h, w, 4], with a soft contact shadow."""
    pad = round(3 * shadow_px)
    sprite = cv2.copyMakeBorder(sprite, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0,) * 4)
    opacity = sprite[..., 3:].astype(np.float32) / 255
    shadow = SHADOW_DEPTH * cv2.GaussianBlur(opacity, (0, 0), shadow_px)[..., np.newaxis]
    keep = np.repeat((1 - opacity) * (1 - shadow) * 255, 3, axis=2)
    return ItemLayer(
        np.rint(keep).astype(np.uint8), np.rint(sprite[..., :3] * opacity).astype(np.uint8)
    )
