"""How the empty belt looks: light, haze, and dirt, while belt and items move on."""

import cv2
import numpy as np
import pytest

from edge.belt.gauge import LOOKS_NEEDED, PictureGauge
from edge.belt.geometry import Geometry
from edge.belt.observer import Observer
from edge.cameras.camera import Frame
from edge.status import BeltLook

WIDTH, HEIGHT = 640, 360
GEOMETRY = Geometry(WIDTH, HEIGHT, 1.25)
SECONDS = 90


def texture(seed: int) -> np.ndarray:
    """A belt that is long enough, uint8 [h, w, 3]."""
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, 12_000)).astype(np.float32)
    coarse = cv2.GaussianBlur(noise, (0, 0), 5)
    gray = 80 + 8 * coarse / coarse.std() + 4 * cv2.GaussianBlur(noise, (0, 0), 1.2)
    return np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)


BELT = texture(3)


def looked_at(change, belt: np.ndarray = BELT) -> BeltLook:
    """What the observer measures of a belt with items, after some time."""
    observer = Observer(GEOMETRY)
    for number in range(SECONDS):
        belt_mm = 250.0 * number
        left = belt.shape[1] - WIDTH - round(belt_mm / 1.25) % (belt.shape[1] - WIDTH)
        pixels = belt[:, left : left + WIDTH].copy()
        at = (number * 211) % 900 - 200
        cv2.rectangle(pixels, (at, 120), (at + 120, 220), (230, 210, 40), -1)
        seen = np.ascontiguousarray(change(pixels))
        observer.observe(Frame(seen, captured_at=float(number), sequence=number), belt_mm)
    assert observer.look is not None
    return observer.look


def clean(pixels: np.ndarray) -> np.ndarray:
    return pixels


def soiled(pixels: np.ndarray) -> np.ndarray:
    """Grease on the lens: soft, with a veil of light."""
    soft = cv2.GaussianBlur(pixels, (0, 0), 6).astype(np.float32)
    return (0.7 * soft + 30).astype(np.uint8)


def spotted(pixels: np.ndarray) -> np.ndarray:
    """Three drops on the lens."""
    darker = pixels.astype(np.float32)
    for place in ((150, 90), (400, 200), (520, 300)):
        mask = cv2.circle(np.zeros(pixels.shape[:2], np.float32), place, 22, 0.3, -1)
        darker *= 1 - cv2.GaussianBlur(mask, (0, 0), 4)[..., np.newaxis]
    return darker.astype(np.uint8)


@pytest.fixture(scope="module")
def reference() -> BeltLook:
    return looked_at(clean)


def test_a_clean_lens_over_another_piece_of_belt_looks_the_same(reference):
    again = looked_at(clean, texture(8))
    assert again.green == pytest.approx(reference.green, rel=0.05)
    assert again.contrast == pytest.approx(reference.contrast, rel=0.15)
    assert again.spots < 0.002 and reference.spots < 0.002


def test_brighter_light_moves_the_level_and_nothing_else(reference):
    bright = looked_at(lambda pixels: cv2.convertScaleAbs(pixels, alpha=1.4))
    assert bright.green / reference.green == pytest.approx(1.4, rel=0.05)
    assert bright.contrast == pytest.approx(reference.contrast, rel=0.15)
    assert bright.spots < 0.002
    warm = looked_at(lambda pixels: (pixels * np.float32((1.3, 1, 0.8))).astype(np.uint8))
    assert warm.red / warm.blue > 1.5


def test_grease_takes_contrast_and_drops_are_spots(reference):
    assert looked_at(soiled).contrast < 0.5 * reference.contrast
    drops = looked_at(spotted)
    assert drops.spots > 0.005 and drops.contrast > 0.8 * reference.contrast


def test_while_the_belt_stands_nothing_is_taken_for_dirt():
    gauge, small = PictureGauge(), BELT[:180, :320]
    free = np.zeros(small.shape[:2], np.uint8)
    for number in range(3 * LOOKS_NEEDED):
        gauge.see(small, free, 0.0, float(number))
    assert gauge.look is None
    covered = np.ones_like(free)
    for number in range(3 * LOOKS_NEEDED):
        gauge.see(small, covered, 100.0 * number, 1000.0 + number)
    assert gauge.look is None, "no belt was seen"
