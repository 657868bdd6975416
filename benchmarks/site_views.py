"""Views of items at a simulated site: another belt, another light, another camera."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.belt.geometry import Box
from edge.belt.shading import shaded
from edge.belt.view import View, crop, encoded
from edge.errors import BadInput
from edge.photos.dataset import find_photos
from edge.photos.reading import read_photo, read_photos
from edge.simulator.pieces import cropped, scaled_mm, turned_sprite
from edge.simulator.scene import SHADOW_MM, item_layer
from edge.synthetic.drawings.rubber import BELT_COLOR, draw_rubber
from edge.synthetic.items import CLASSES, draw_item
from edge.synthetic.segmentation import segment_item

LOOP_PX, LOOP_HEIGHT_PX = 2400, 640
DRAWN_SIDE = 256


@dataclass(frozen=True)
class Site:
    """What the camera sees at one site.

    Attributes:
        belt: RGB of the belt.
        grain: how strong its texture is; 1 is that of the simulator.
        light: gain of red, green, and blue; 1 is the simulator's lamp.
        slope: by how much the light falls from one side of a view to the other, as a share.
        noise: the maximum sensor noise, gray levels.
        blur_px: the length of the motion blur.
        mm_per_px: how much belt one pixel shows.
    """

    belt: tuple[int, int, int] = BELT_COLOR
    grain: float = 1.0
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    slope: float = 0.0
    noise: int = 5
    blur_px: int = 1
    mm_per_px: float = 0.625


SITES = {
    "home": Site(),
    "dim": Site(
        belt=(58, 62, 82),
        grain=2.5,
        light=(0.62, 0.58, 0.5),
        slope=0.3,
        noise=14,
        blur_px=3,
        mm_per_px=0.9,
    ),
    "harsh": Site(
        belt=(128, 116, 92),
        grain=3.0,
        light=(1.3, 1.18, 0.95),
        slope=0.4,
        noise=10,
        blur_px=3,
        mm_per_px=1.1,
    ),
    "coarse": Site(
        belt=(96, 58, 52),
        grain=2.0,
        light=(0.95, 0.72, 0.5),
        slope=0.4,
        noise=24,
        blur_px=5,
        mm_per_px=2.0,
    ),
}


@dataclass(frozen=True)
class Sprite:
    """An item without its background: its class, and uint8 RGBA [h, w, 4]."""

    label: str
    pixels: np.ndarray


def photo_sprites(folder: Path) -> list[Sprite]:
    """Segment the items of photos CLASS/*.jpg; those that cannot be are left out.

    Raises:
        BadInput: no photo can be read, or none segmented.
    """
    sprites = []
    for photo, _ in read_photos(find_photos(folder)):
        pixels = read_photo(photo.path)
        mask = segment_item(pixels)
        if mask is not None:
            sprites.append(Sprite(photo.label, cropped(np.dstack([pixels, mask]))))
    if not sprites:
        raise BadInput(f"{folder}: no item can be segmented from its background")
    return sprites


def drawn_sprites(seed: int, each: int) -> list[Sprite]:
    """Draw items, `each` of every class."""
    rng = np.random.default_rng(seed)
    return [
        Sprite(label, cropped(draw_item(label, int(rng.integers(2**31)), DRAWN_SIDE)))
        for label in CLASSES
        for _ in range(each)
    ]


def shuffled_rounds(sprites: Sequence[Sprite], seed: int) -> Iterator[Sprite]:
    """Yield sprites endlessly: each once, in random order, then each once again."""
    rng = np.random.default_rng(seed)
    while True:
        for index in rng.permutation(len(sprites)):
            yield sprites[index]


class Camera:
    """The camera of a site: shows items on its belt, each as the line would record it."""

    def __init__(self, site: Site, seed: int) -> None:
        """Draw the belt."""
        self._site = site
        rubber = draw_rubber(LOOP_PX, LOOP_HEIGHT_PX, 0, np.random.default_rng(seed))
        texture = site.grain * (rubber.astype(np.float32) - BELT_COLOR)
        self._belt = np.clip(texture + site.belt, 0, 255).astype(np.uint8)

    def view(self, sprite: Sprite, rng: np.random.Generator) -> bytes:
        """Show an item, turned at random and of a random size of its class, as a JPEG."""
        site = self._site
        longest_px = scaled_mm(sprite.label, rng) / site.mm_per_px
        turned = cropped(turned_sprite(sprite.pixels, rng.uniform(-180, 180)))
        scale = longest_px / max(turned.shape[:2])
        size = (max(1, round(turned.shape[1] * scale)), max(1, round(turned.shape[0] * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        layer = item_layer(cv2.resize(turned, size, interpolation=way), SHADOW_MM / site.mm_per_px)
        height, width = layer.keep.shape[:2]
        top = int(rng.integers(LOOP_HEIGHT_PX - height))
        left = int(rng.integers(LOOP_PX - width))
        pixels = shaded(self._belt[top : top + height, left : left + width], layer.keep, 1 / 255)
        pixels = self._exposed(cv2.add(pixels, layer.paint), rng)
        pad_x, pad_y = (width - size[0]) // 2, (height - size[1]) // 2
        box = Box(pad_x, pad_y, pad_x + size[0], pad_y + size[1])
        return encoded(View(crop(pixels, box), captured_at=0.0, encoder_mm=0.0))

    def _exposed(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        site = self._site
        if site.blur_px > 1:
            pixels = cv2.blur(pixels, (site.blur_px, 1))
        fall = np.linspace(1 + site.slope / 2, 1 - site.slope / 2, pixels.shape[1])
        lit = pixels * fall[np.newaxis, :, np.newaxis] * np.array(site.light)
        return np.clip(lit + rng.integers(0, site.noise + 1, pixels.shape), 0, 255).astype(np.uint8)
