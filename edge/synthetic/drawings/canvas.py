"""What all drawings share: a large RGBA canvas and shapes with light on them."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

SIDE = 768
"""Width and height of the canvas, px; drawings are reduced afterwards, which smooths them."""

Color = tuple[int, int, int]
Rectangle = tuple[float, float, float, float]


def blank() -> Image.Image:
    """An empty, transparent RGBA canvas of `SIDE` x `SIDE`."""
    return Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))


def clamp(color: Sequence[float] | np.ndarray) -> Color:
    """The nearest 8-bit color."""
    red, green, blue = (int(min(255, max(0, round(value)))) for value in color)
    return red, green, blue


def rgb_at(image: Image.Image, x: int, y: int) -> Color:
    """The color of one pixel of an RGB or RGBA image."""
    pixel = image.getpixel((x, y))
    if not isinstance(pixel, tuple):
        raise ValueError(f"no RGB image: {image.mode}")
    return pixel[0], pixel[1], pixel[2]


def lighter(color: Color, by: float) -> Color:
    """Add `by` gray levels to each channel; negative darkens."""
    return clamp([value + by for value in color])


def pick(rng: np.random.Generator, colors: Sequence[Color], spread: float = 10) -> Color:
    """One of `colors`, each channel off by about `spread` gray levels."""
    color = colors[int(rng.integers(len(colors)))]
    return clamp(np.asarray(color) + rng.normal(0, spread, 3))


def rounded_mask(box: Rectangle, radius: float) -> Image.Image:
    """An L mask of the canvas, 255 inside the rounded rectangle (left, top, right, bottom)."""
    mask = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius, fill=255)
    return mask


def ellipse_mask(box: Rectangle) -> Image.Image:
    """An L mask of the canvas, 255 inside the ellipse that fills `box`."""
    mask = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return mask


def polygon_mask(points: Sequence[tuple[float, float]]) -> Image.Image:
    """An L mask of the canvas, 255 inside the polygon."""
    mask = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(mask).polygon(list(points), fill=255)
    return mask


def paint(image: Image.Image, mask: Image.Image, color: Color, opacity: float = 1.0) -> None:
    """Lay a flat color on `image` where `mask` is; opaque paint adds to the object's own mask."""
    box = mask.getbbox()
    if box is None:
        return
    cover = mask.crop(box)
    if opacity < 1:
        cover = cover.point([int(value * opacity) for value in range(256)])
    coat = Image.new("RGBA", cover.size, (*color, 255))
    coat.putalpha(cover)
    image.alpha_composite(coat, box[:2])


def shade(
    image: Image.Image, mask: Image.Image, start: Color, end: Color, angle: float = 90
) -> None:
    """Lay a gradient on `image` where `mask` is, from `start` to `end` along `angle` degrees.

    0 runs left to right, 90 top to bottom; it spans the bounding box of the mask.
    """
    shades(image, mask, ((0, start), (1, end)), angle)


def shades(
    image: Image.Image,
    mask: Image.Image,
    stops: Sequence[tuple[float, Color]],
    angle: float = 90,
) -> None:
    """Lay a gradient through several `stops`, (share of the way 0 to 1, color), as `shade`."""
    box = mask.getbbox()
    if box is None:
        return
    width, height = box[2] - box[0], box[3] - box[1]
    turn = np.deg2rad(angle)
    # A coarse grid enlarged is as smooth as a fine one and many times faster.
    y, x = np.mgrid[0:1:65j, 0:1:65j]
    along = x * (width * np.cos(turn)) + y * (height * np.sin(turn))
    share = (along - along.min()) / (float(np.ptp(along)) or 1.0)
    places = [place for place, _ in stops]
    colors = [np.interp(share, places, [color[i] for _, color in stops]) for i in range(3)]
    _lay(image, mask.crop(box), np.dstack(colors), box[:2])


def dome(
    image: Image.Image,
    mask: Image.Image,
    color: Color,
    shine: float = 0.4,
    light: tuple[float, float] = (-0.4, -0.6),
) -> None:
    """Lay `color` on `image` where `mask` is, shaded as if the shape were a rounded hill.

    `shine` is the strength of the highlight, 0 (dull) to 1 (polished); `light` is where the light
    comes from, right and down of the middle.
    """
    box = mask.getbbox()
    if box is None:
        return
    cover = mask.crop(box)
    scale = 128 / max(cover.size)
    size = (max(8, round(cover.width * scale)), max(8, round(cover.height * scale)))
    inside = np.pad((np.asarray(cover.resize(size)) > 127).astype(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    steep = float(depth.max()) or 1.0
    hill = steep * np.sqrt(1 - (1 - depth / steep) ** 2)
    hill = cv2.GaussianBlur(hill, (0, 0), steep / 5)[1:-1, 1:-1]
    slope_y, slope_x = np.gradient(hill)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    facing = (1 - slope_x * light[0] - slope_y * light[1]) / (
        length * np.hypot(1, np.hypot(*light))
    )
    facing = np.clip(facing, 0, 1)[..., np.newaxis]
    lit = np.asarray(color) * (0.35 + 0.75 * facing) + 255 * shine * facing**14 * 0.6
    _lay(image, cover, lit, box[:2])


def _lay(image: Image.Image, cover: Image.Image, colors: np.ndarray, at: tuple[int, int]) -> None:
    """Stretch `colors` [rows, columns, 3] over `cover`, an L mask, and lay it on with its corner
    `at`.
    """
    coarse = Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8))
    coat = coarse.resize(cover.size, Image.Resampling.BILINEAR).convert("RGBA")
    coat.putalpha(cover)
    image.alpha_composite(coat, at)


def glow(image: Image.Image, mask: Image.Image, color: Color, blur: float, opacity: float) -> None:
    """A soft light or shadow of `mask`, blurred by `blur` px, kept on what is drawn already."""
    step = 4 if blur >= 8 else 1
    soft = mask.reduce(step).filter(ImageFilter.GaussianBlur(blur / step)).resize(mask.size)
    paint(image, ImageChops.multiply(soft, image.getchannel("A")), color, opacity)


def outline(image: Image.Image, box: Rectangle, radius: float, color: Color, width: int) -> None:
    """The edge of a rounded rectangle."""
    ImageDraw.Draw(image).rounded_rectangle(box, radius, outline=(*color, 255), width=width)


def tube(
    image: Image.Image, points: Sequence[tuple[float, float]], width: float, color: Color
) -> None:
    """A round cord through `points`, `width` px thick, lighter along its middle."""
    pen = ImageDraw.Draw(image)
    for share, by in ((1.0, -35), (0.7, 0), (0.3, 40)):
        thick = max(1, round(width * share))
        tone = (*lighter(color, by), 255)
        pen.line(list(points), fill=tone, width=thick, joint="curve")
        for x, y in (points[0], points[-1]):
            half = thick / 2
            pen.ellipse((x - half, y - half, x + half, y + half), fill=tone)


def rounded_path(
    points: Sequence[tuple[float, float]], closed: bool = True, rounds: int = 4
) -> list[tuple[float, float]]:
    """Cut the corners of a polygon, or an open line, until it is a curve (Chaikin, 1974)."""
    path = np.asarray(points, float)
    for _ in range(rounds):
        following = np.roll(path, -1, axis=0) if closed else path[1:]
        before = path if closed else path[:-1]
        cut = np.stack([0.75 * before + 0.25 * following, 0.25 * before + 0.75 * following], 1)
        cut = cut.reshape(-1, 2)
        path = cut if closed else np.vstack([path[:1], cut, path[-1:]])
    return [(float(x), float(y)) for x, y in path]


def fine_print(
    image: Image.Image, rng: np.random.Generator, box: Rectangle, color: Color, row: float
) -> None:
    """Unreadable text: `row` px high rows of words in a rectangle."""
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = box
    while top + row * 0.6 <= bottom:
        x = left
        end = left + (right - left) * rng.uniform(0.5, 1)
        while x < end:
            word = row * rng.uniform(0.6, 3.2)
            pen.rectangle((x, top, min(x + word, end), top + row * 0.55), fill=(*color, 255))
            x += word + row * 0.45
        top += row


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write(
    image: Image.Image,
    at: tuple[float, float],
    text: str,
    *,
    size: float,
    color: Color,
    turn: float = 0,
) -> None:
    """Write `text` centered at a point, `size` px high, turned counterclockwise by `turn`
    degrees.
    """
    font = _font(max(4, round(size)))
    left, top, right, bottom = font.getbbox(text)
    patch = Image.new("RGBA", (int(right - left) + 4, int(bottom - top) + 4), (*color, 0))
    ImageDraw.Draw(patch).text((2 - left, 2 - top), text, font=font, fill=(*color, 255))
    if turn:
        patch = patch.rotate(turn, expand=True, resample=Image.Resampling.BICUBIC)
    x, y = (round(at[0] - patch.width / 2), round(at[1] - patch.height / 2))
    outside = (max(0, -x), max(0, -y))
    image.alpha_composite(patch, (max(0, x), max(0, y)), outside)


def made_up_name(rng: np.random.Generator) -> str:
    """A short name that is no real brand."""
    starts, ends = (
        ("VOL", "KER", "ZEN", "MAR", "TEK", "OLU", "RAX", "SIN"),
        ("TRA", "ON", "IX", "EX"),
    )
    return starts[int(rng.integers(len(starts)))] + ends[int(rng.integers(len(ends)))]
