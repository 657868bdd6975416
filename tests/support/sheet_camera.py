"""A camera over a marker sheet on a belt: tilted, blurred, with a lens that distorts."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edge.belt_setup.printing import to_pixels
from edge.belt_setup.sheet import SHEETS, Paper

PAGE_PX_PER_MM = 6
DISTANCE_MM = 800.0


@dataclass(frozen=True)
class Look:
    """What a camera over the belt is like.

    The belt's coordinates are mm from the point that the lens's axis meets; the camera is turned
    about that point by the tilts, in degrees.
    """

    width: int = 1280
    height: int = 720
    focal_px: float = 1280.0
    tilt_x: float = 0.0
    tilt_y: float = 0.0
    turn: float = 0.0
    k1: float = 0.0
    blur_px: float = 0.0
    smear_px: int = 0
    shadow: float = 0.0
    noise: float = 0.0
    paper: float = 220.0
    ink: float = 25.0

    @property
    def rotation(self) -> np.ndarray:
        turned = [
            cv2.Rodrigues(np.radians(np.array(each, np.float64)))[0]
            for each in ((self.tilt_x, 0, 0), (0, self.tilt_y, 0), (0, 0, self.turn))
        ]
        return turned[0] @ turned[1] @ turned[2]

    @property
    def middle(self) -> np.ndarray:
        return np.array([(self.width - 1) / 2, (self.height - 1) / 2])

    def to_px(self, belt_mm: np.ndarray) -> np.ndarray:
        """The truth: columns and rows of points of the belt, [n, 2] or [n, 3] (a height too)."""
        points = np.zeros((len(belt_mm), 3))
        points[:, : np.shape(belt_mm)[1]] = belt_mm
        seen = points @ self.rotation.T + (0, 0, DISTANCE_MM)
        flat = seen[:, :2] / seen[:, 2:]
        radius = np.sum(flat**2, axis=1, keepdims=True)
        return flat * (1 + self.k1 * radius) * self.focal_px + self.middle

    def to_mm(self, pixels: np.ndarray) -> np.ndarray:
        """Points of the belt, [n, 2], of columns and rows, [n, 2]."""
        flat = self._rays(pixels)
        rays = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
        normal = self.rotation[:, 2]
        hits = rays * (DISTANCE_MM * normal[2] / (rays @ normal))[:, np.newaxis]
        return ((hits - (0, 0, DISTANCE_MM)) @ self.rotation)[:, :2]

    def _rays(self, pixels: np.ndarray) -> np.ndarray:
        seen = (pixels - self.middle) / self.focal_px
        flat = seen.copy()
        for _ in range(25):
            flat = seen / (1 + self.k1 * np.sum(flat**2, axis=1, keepdims=True))
        return flat

    @property
    def mm_per_px(self) -> float:
        """The truth at the middle of the view, along its row."""
        left, right = self.to_mm(self.middle + np.array([[-0.5, 0], [0.5, 0]]))
        return float(np.linalg.norm(right - left))


@lru_cache(maxsize=4)
def printed(paper: Paper) -> np.ndarray:
    return to_pixels(SHEETS[paper], PAGE_PX_PER_MM)


@lru_cache(maxsize=2)
def grain(seed: int = 0) -> np.ndarray:
    """A dark belt of 4000 x 1000 mm, 1 px to the mm, float32."""
    rng = np.random.default_rng(seed)
    belt = cv2.GaussianBlur(rng.normal(0, 1, (1000, 4000)).astype(np.float32), (0, 0), 2.0)
    return 60 + 12 * belt / belt.std()


@lru_cache(maxsize=4)
def _seen_belt(look: Look) -> np.ndarray:
    """The point of the belt, mm, that each pixel shows, row by row, [n, 2]."""
    columns, rows = np.meshgrid(np.arange(look.width), np.arange(look.height))
    return look.to_mm(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64))


def picture(
    look: Look,
    *,
    sheet_mm: tuple[float, float] = (-150.0, -100.0),
    angle: float = 0.0,
    page: np.ndarray | None = None,
    belt_mm: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """A frame, uint8 RGB.

    `sheet_mm` is where the page's corner lies, `belt_mm` how far the belt has moved since it was
    laid there, `angle` the page's, degrees. `page` is what is printed on it (the A4 sheet).
    """
    page = printed(Paper.A4) if page is None else page
    belt = _seen_belt(look) - (belt_mm, 0)
    turn = np.radians(angle)
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    # Reduce the page first: a picture that is sampled more coarsely than it is would alias.
    coarse = max(1.0, look.mm_per_px * PAGE_PX_PER_MM / 2)
    size = (round(page.shape[1] / coarse), round(page.shape[0] / coarse))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    scale = np.array(size) / page.shape[::-1] * PAGE_PX_PER_MM
    at = ((belt - sheet_mm) @ back.T * scale - 0.5).astype(np.float32)
    shape = (look.height, look.width)
    maps = at[:, 0].reshape(shape), at[:, 1].reshape(shape)
    paper = cv2.remap(small, *maps, cv2.INTER_LINEAR, borderValue=-1)
    there = cv2.remap(np.ones_like(small), *maps, cv2.INTER_LINEAR, borderValue=0)
    rubber = (belt + np.array([3000, 500])).astype(np.float32)
    around = cv2.remap(
        grain(),
        rubber[:, 0].reshape(shape),
        rubber[:, 1].reshape(shape),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    shown = np.where(there > 0.5, look.ink + (look.paper - look.ink) * paper, around)
    return exposed(look, shown.astype(np.float32), seed)


def folded_picture(look: Look, sheet_mm: tuple[float, float], ridge_mm: float) -> np.ndarray:
    """As `picture`, of an A4 sheet with a ridge across its middle; without distortion."""
    page = printed(Paper.A4)
    height, width = page.shape
    shown = np.full((look.height, look.width), 60, np.float32)
    for left, right in ((0, width // 2), (width // 2, width)):
        corners = np.array([[left, 0], [right, 0], [right, height], [left, height]], np.float64)
        lifted = np.where(corners[:, 0] == width // 2, -ridge_mm, 0)
        belt = np.column_stack([corners / PAGE_PX_PER_MM + sheet_mm, lifted])
        to_px = cv2.getPerspectiveTransform(
            (corners - 0.5).astype(np.float32), look.to_px(belt).astype(np.float32)
        )
        half = (look.ink + (look.paper - look.ink) / 255 * page).astype(np.float32)
        half[:, :left], half[:, right:] = -1, -1
        size = (look.width, look.height)
        warped = cv2.warpPerspective(half, to_px, size, flags=cv2.INTER_AREA, borderValue=-1)
        shown = np.where(warped >= look.ink, warped, shown)
    return exposed(look, shown, 0)


def exposed(look: Look, shown: np.ndarray, seed: int) -> np.ndarray:
    """Shadow, blur, noise, and eight bits."""
    across = np.linspace(1, 1 - look.shadow, look.width, dtype=np.float32)
    shown = shown * across
    if look.blur_px:
        shown = cv2.GaussianBlur(shown, (0, 0), look.blur_px)
    if look.smear_px > 1:
        shown = cv2.blur(shown, (look.smear_px, 1))
    if look.noise:
        shown = shown + np.random.default_rng(seed).normal(0, look.noise, shown.shape)
    gray = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
