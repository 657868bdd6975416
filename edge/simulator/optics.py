"""The effects of light, lens, exposure, and sensor on the frames of the simulated camera."""

from math import pi, sin

import cv2
import numpy as np

from edge.belt.geometry import Geometry
from edge.belt.shading import shaded
from edge.simulator.scenario import Optics

LAMP_HZ = 100.0  # lamps on 50 Hz mains flicker twice a period
DRIFT_S = 120.0
SHADOW_S = 20.0  # the time in which a shadow crosses the view
SHADOW_WIDTH = 0.25  # its spread, as a share of the view
TILE_MARGIN = 64


class Lens:
    """The lens and the sensor of one camera."""

    def __init__(self, geometry: Geometry, optics: Optics, seed: int) -> None:
        """Set up the light of the lamp, the dust on the lens, and the noise of the sensor."""
        self._geometry, self._optics = geometry, optics
        self._rng = np.random.default_rng(seed)
        self._light = light(geometry) * optics.brightness
        if optics.dust:
            self._light *= dust(geometry, optics.dust, self._rng)
        self._light = np.rint(self._light).astype(np.uint8)
        # So tall that two frames rarely share a row of noise, which would seem to move.
        tile = (2 * geometry.height_px, geometry.width_px + TILE_MARGIN, 3)
        self._noise = self._rng.integers(0, optics.noise, tile, dtype=np.uint8, endpoint=True)

    def expose(self, pixels: np.ndarray, at: float, speed_mm_s: float) -> np.ndarray:
        """Expose a frame of an evenly lit belt, in place.

        Args:
            pixels: the belt, uint8 RGB [H, W, 3].
            at: seconds of the clock.
            speed_mm_s: the belt speed, which causes motion blur.

        Returns:
            The frame, uint8 RGB [H, W, 3].
        """
        optics = self._optics
        blur_px = round(abs(speed_mm_s) * optics.exposure_ms / 1000 / self._geometry.mm_per_px)
        if blur_px > 1:
            cv2.blur(pixels, (blur_px, 1), dst=pixels)
        flicker = optics.flicker * sin(2 * pi * LAMP_HZ * at)
        gain = (1 + flicker) * (1 + optics.drift * sin(2 * pi * at / DRIFT_S))
        shaded(pixels, self._light, gain / 255, dst=pixels)
        if optics.shadow:
            shaded(pixels, self._shadow(at), 1 / 255, dst=pixels)
        dx, dy = self._rng.integers((TILE_MARGIN, self._geometry.height_px))
        height, width = pixels.shape[:2]
        return cv2.add(pixels, self._noise[dy : dy + height, dx : dx + width], dst=pixels)

    def _shadow(self, at: float) -> np.ndarray:
        """The shadow of a person who walks by, uint8 [H, W, 3]; 255 is none."""
        x = np.linspace(0, 1, self._geometry.width_px, dtype=np.float32)
        # It moves back and forth, and is out of view for a while at either end.
        center = 0.5 + 0.9 * sin(pi * at / SHADOW_S)
        share = 1 - self._optics.shadow * np.exp(-(((x - center) / SHADOW_WIDTH) ** 2))
        row = np.repeat(np.rint(255 * share).astype(np.uint8)[:, np.newaxis], 3, axis=1)
        return np.broadcast_to(row, (self._geometry.height_px, *row.shape)).copy()


def light(geometry: Geometry) -> np.ndarray:
    """The light of the lamp, slightly weaker in the corners: float32 [H, W, 3], 255 is full."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, geometry.height_px, dtype=np.float32),
        np.linspace(-1, 1, geometry.width_px, dtype=np.float32),
        indexing="ij",
    )
    share = 1 - 0.07 * x * x - 0.07 * y * y
    return np.repeat((share * 255)[..., np.newaxis], 3, axis=2)


def dust(geometry: Geometry, specks: int, rng: np.random.Generator) -> np.ndarray:
    """The share of light that specks on the lens let through, float32 [H, W, 1]."""
    clear = np.ones((geometry.height_px, geometry.width_px), np.float32)
    for _ in range(specks):
        center = int(rng.integers(geometry.width_px)), int(rng.integers(geometry.height_px))
        cv2.circle(clear, center, int(rng.integers(2, 9)), float(rng.uniform(0.5, 0.9)), cv2.FILLED)
    return cv2.GaussianBlur(clear, (0, 0), 3)[..., np.newaxis]
