"""Keyboards: with and without number keys, low and high caps, split and bent ones."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings import canvas
from edge.synthetic.drawings.canvas import Color, lighter
from edge.synthetic.drawings.solid import box, corners_of, look_at

Bend = Callable[[float, float], tuple[float, float]]
"""From a place on the straight layout to where it is, both in key widths."""


@dataclass(frozen=True)
class Key:
    """One key: its rectangle in key widths, what is written on it, and whether it is a letter."""

    x: float
    y: float
    width: float
    height: float
    text: str
    letter: bool


@dataclass(frozen=True)
class Colors:
    """The colors of a keyboard; `light` shines between the keys, if at all."""

    frame: Color
    key: Color
    other: Color
    ink: Color
    light: tuple[Color, ...] = ()


STYLES = (
    Colors((28, 28, 30), (46, 46, 49), (46, 46, 49), (222, 222, 224)),
    Colors((52, 53, 57), (30, 30, 32), (30, 30, 32), (232, 232, 234)),
    Colors((20, 20, 22), (40, 41, 46), (58, 60, 66), (236, 236, 238)),
    Colors((206, 198, 176), (228, 222, 204), (188, 181, 162), (60, 58, 52)),
    Colors((226, 224, 216), (244, 243, 238), (206, 204, 198), (70, 70, 72)),
    Colors((198, 200, 205), (246, 246, 248), (246, 246, 248), (110, 112, 118)),
    Colors((236, 236, 238), (252, 252, 252), (236, 238, 242), (90, 92, 98)),
    Colors((150, 152, 157), (36, 36, 39), (36, 36, 39), (230, 230, 232)),
    Colors((60, 50, 120), (88, 74, 176), (226, 80, 120), (240, 236, 250)),
    Colors((60, 66, 78), (232, 230, 222), (110, 150, 160), (64, 66, 70)),
)
LIGHTS = (
    ((60, 120, 255), (40, 220, 255)),
    ((255, 50, 40), (255, 90, 40)),
    ((60, 255, 120), (30, 220, 90)),
    ((255, 60, 60), (250, 220, 60), (60, 230, 110), (60, 150, 255), (220, 70, 240)),
)
ROWS = (
    (("`1234567890-=", 1.0), ("", 2.0)),
    (("", 1.5), ("QWERTYUIOP[]", 1.0), ("", 1.5)),
    (("", 1.75), ("ASDFGHJKL;'", 1.0), ("", 2.25)),
    (("", 2.25), ("ZXCVBNM,./", 1.0), ("", 2.75)),
)
BOTTOM = (1.25, 1.25, 1.25, 6.25, 1.25, 1.25, 1.25, 1.25)


def draw(rng: np.random.Generator) -> Image.Image:
    """Draw one keyboard on a transparent canvas, RGBA."""
    form = rng.choice(4, p=(0.5, 0.15, 0.2, 0.15))
    function, arrows, numbers = ((1, 1, 1), (1, 1, 0), (0, 0, 0), (1, 0, 0))[int(form)]
    keys = _layout(bool(function), bool(arrows), bool(numbers))
    width = max(key.x + key.width for key in keys)
    height = max(key.y + key.height for key in keys)
    bent = rng.random() < 0.2
    bend = (_split if rng.random() < 0.5 else _arch)(rng) if bent else None
    colors = STYLES[int(rng.integers(len(STYLES)))]
    if sum(colors.key) < 180 and sum(colors.frame) < 180 and rng.random() < 0.45:
        light = LIGHTS[int(rng.integers(len(LIGHTS)))]
        colors = Colors(colors.frame, colors.key, colors.key, lighter(light[0], 60), light)
    if bend is not None:
        return _bent(rng, keys, (width, height), bend, colors)
    return _straight(rng, keys, (width, height), colors)


def _layout(function: bool, arrows: bool, numbers: bool) -> list[Key]:
    """The keys of a layout; the main block is 15 key widths wide."""
    keys = []
    first = 1.35 if function else 0.0
    if function:
        places = [0, *(2 + i for i in range(4)), *(6.5 + i for i in range(4))]
        places += [11 + i for i in range(4)]
        keys += [Key(x, 0, 1, 1, "", x not in (0,) and not 6 < x < 11) for x in places]
    for row, parts in enumerate(ROWS):
        x = 0.0
        for text, width in parts:
            for letter in text or " ":
                keys.append(Key(x, first + row, width, 1, letter.strip(), bool(text)))
                x += width
    x = 0.0
    for width in BOTTOM:
        keys.append(Key(x, first + 4, width, 1, "", width > 2))
        x += width
    right = 15.25
    if arrows:
        for column in range(3):
            tops = (0.0, first, first + 1) if function else (first, first + 1)
            keys += [Key(right + column, top, 1, 1, "", False) for top in tops]
            keys.append(Key(right + column, first + 4, 1, 1, "-", False))
        keys.append(Key(right + 1, first + 3, 1, 1, "^", False))
        right += 3.25
    if numbers:
        for index, text in enumerate("#/*789456123"):
            keys.append(Key(right + index % 3, first + index // 3, 1, 1, text, index > 2))
        keys.append(Key(right, first + 4, 2, 1, "0", True))
        keys.append(Key(right + 2, first + 4, 1, 1, ".", True))
        keys.append(Key(right + 3, first, 1, 1, "-", False))
        keys.append(Key(right + 3, first + 1, 1, 2, "+", False))
        keys.append(Key(right + 3, first + 3, 1, 2, "", False))
    return keys


def _missing(rng: np.random.Generator, keys: list[Key]) -> set[int]:
    """Which caps have come off."""
    lost = int(rng.integers(1, 7)) if rng.random() < 0.2 else 0
    return {int(index) for index in rng.integers(0, len(keys), lost)}


def _straight(
    rng: np.random.Generator, keys: list[Key], size: tuple[float, float], colors: Colors
) -> Image.Image:
    """A rectangular board, seen from above or from ahead."""
    side, above = rng.uniform(0.25, 0.7), rng.uniform(0.25, 0.9)
    below = rng.uniform(0.25, 0.6) if rng.random() < 0.7 else rng.uniform(1.2, 2.4)
    unit = 740 / (size[0] + 2 * side)
    across, down = 740, round(unit * (size[1] + above + below))
    face = Image.new("RGBA", (across, down), (*lighter(colors.frame, 6), 255))
    pen = ImageDraw.Draw(face)
    pen.rectangle((0, down - unit * below * 0.5, across, down), fill=lighter(colors.frame, -8))
    pen.rectangle((2, 2, across - 3, down - 3), outline=lighter(colors.frame, 26), width=3)
    low = rng.random() < 0.4
    lost = _missing(rng, keys)
    for index, key in enumerate(keys):
        left, top = unit * (side + key.x), unit * (above + key.y)
        place = (left, top, left + unit * key.width, top + unit * key.height)
        if colors.light:
            pen.rectangle(_inset(place, -unit * 0.02), fill=_shine(colors.light, left / across))
        if index in lost:
            pen.rectangle(_inset(place, unit * 0.12), fill=lighter(colors.frame, -30))
            pen.ellipse(_about(place, unit * 0.2), fill=lighter(colors.frame, 50))
        else:
            _cap(face, pen, place, key=key, unit=unit, colors=colors, low=low)
    _trim(face, pen, rng, (unit, above, below), colors)
    depth = down / across
    thick = rng.uniform(0.025, 0.06)
    view = look_at(corners_of(1, thick, depth), rng.uniform(-18, 18), rng.uniform(42, 88))
    image = canvas.blank()
    if rng.random() < 0.4:
        _cord(image, rng, tuple(view.at([(rng.uniform(0.3, 0.7), 0, depth)])[0].tolist()), colors)
    box(
        image,
        view,
        low=(0, 0, 0),
        high=(1, thick, depth),
        color=lighter(colors.frame, -12),
        top=face,
    )
    return image


def _shine(lights: tuple[Color, ...], share: float) -> Color:
    """The light between the keys at a share of the width."""
    places = np.linspace(0, 1, len(lights))
    return canvas.clamp([np.interp(share, places, [c[i] for c in lights]) for i in range(3)])


def _inset(place: canvas.Rectangle, by: float) -> canvas.Rectangle:
    return place[0] + by, place[1] + by, place[2] - by, place[3] - by


def _about(place: canvas.Rectangle, reach: float) -> canvas.Rectangle:
    x, y = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
    return x - reach, y - reach, x + reach, y + reach


def _cap(
    face: Image.Image,
    pen: ImageDraw.ImageDraw,
    place: canvas.Rectangle,
    *,
    key: Key,
    unit: float,
    colors: Colors,
    low: bool,
) -> None:
    """One cap: flat, or high with sides that fall away from a smaller top."""
    tone = colors.key if key.letter else colors.other
    left, top, right, bottom = _inset(place, unit * (0.08 if low or colors.light else 0.03))
    if not low:
        pen.rectangle((left, top, right, bottom), fill=_side(tone))
        left, top, right, bottom = (
            left + unit * 0.12,
            top + unit * 0.06,
            right - unit * 0.12,
            bottom - unit * 0.2,
        )
    else:
        pen.rounded_rectangle((left, top + 2, right, bottom + 2), 4, fill=_side(tone))
    pen.rounded_rectangle((left, top, right, bottom), unit * 0.12, fill=lighter(tone, 14))
    middle = ((left + right) / 2, (top + bottom) / 2)
    if len(key.text) == 1 and key.text.isalnum():
        canvas.write(face, middle, key.text, size=unit * 0.5, color=colors.ink)
    elif key.width < 4:
        y = top + (bottom - top) * 0.4
        end = left + unit * (0.35 + 0.25 * (key.width > 1.2))
        pen.line((left + unit * 0.14, y, end, y), fill=colors.ink, width=max(2, round(unit * 0.09)))


def _side(tone: Color) -> Color:
    """The side of a cap, in the shadow between the keys."""
    return canvas.clamp(np.asarray(tone) * 0.58)


def _trim(
    face: Image.Image,
    pen: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    edges: tuple[float, float, float],
    colors: Colors,
) -> None:
    """Lights of the locks, a name, and extra buttons on the border."""
    unit, above, below = edges
    mark = lighter(colors.frame, 90 if sum(colors.frame) < 380 else -90)
    x, y = face.width - unit * 3, unit * above * 0.5
    if above > 0.45:
        for index in range(3):
            spot = (x + index * unit * 0.8, y - 3, x + index * unit * 0.8 + 8, y + 4)
            pen.ellipse(spot, fill=(90, 230, 110) if rng.random() < 0.5 else mark)
        canvas.write(face, (unit * 2, y), canvas.made_up_name(rng), size=unit * 0.42, color=mark)
        if rng.random() < 0.4:
            for index in range(6):
                start = unit * (5 + index * 0.9)
                pen.rounded_rectangle((start, y - 6, start + unit * 0.6, y + 6), 5, fill=mark)
    if below > 1.2:
        top = face.height - unit * below * 0.82
        pen.rounded_rectangle(
            (unit * 0.4, top, face.width - unit * 0.4, face.height - unit * 0.12),
            unit * 0.5,
            fill=lighter(colors.frame, -14),
            outline=lighter(colors.frame, 20),
            width=3,
        )


def _cord(
    image: Image.Image, rng: np.random.Generator, start: tuple[float, float], colors: Colors
) -> None:
    x, y = start
    reach = min(y - 20, 260)
    sway = rng.uniform(-160, 160)
    spots = [(x, y + 12), (x, y - reach * 0.4), (x + sway, y - reach * 0.5), (x + sway, y - reach)]
    canvas.tube(image, canvas.rounded_path(spots, closed=False), 10, lighter(colors.frame, -10))


def _split(rng: np.random.Generator) -> Bend:
    """Two halves, each turned outwards."""
    turn, gap = math.radians(rng.uniform(6, 13)), rng.uniform(0.5, 1.4)

    def bend(x: float, y: float) -> tuple[float, float]:
        side = -1 if x < 6.7 else 1
        away, down = x - 6.7, y - 6
        across = away * math.cos(turn) - side * down * math.sin(turn)
        return 6.7 + across + side * gap, 6 + side * away * math.sin(turn) + down * math.cos(turn)

    return bend


def _arch(rng: np.random.Generator) -> Bend:
    """Rows that sag to both sides like a smile."""
    sag = rng.uniform(0.012, 0.022)
    return lambda x, y: (x, y + sag * (x - 7.5) ** 2)


def _bent(
    rng: np.random.Generator,
    keys: list[Key],
    size: tuple[float, float],
    bend: Bend,
    colors: Colors,
) -> Image.Image:
    """A split or arched board: every key is bent into place, the case follows their outline."""
    keys = [part for key in keys for part in _halves(key)]
    shapes = [_bent_key(key, bend) for key in keys]
    rest = rng.uniform(0.8, 2.6)
    rim = _rim(shapes, rest)
    low, high = rim.min(axis=0), rim.max(axis=0)
    unit = 736 / float((high - low).max())
    shift = 384 - unit * (low + high) / 2
    image = canvas.blank()
    case = [(float(x), float(y)) for x, y in rim * unit + shift]
    mask = canvas.polygon_mask(canvas.rounded_path(case, rounds=3))
    canvas.dome(image, mask, lighter(colors.frame, 16), 0.15)
    pen = ImageDraw.Draw(image)
    lost = _missing(rng, keys)
    for index, (key, shape) in enumerate(zip(keys, shapes, strict=True)):
        tone = colors.key if key.letter else colors.other
        if index in lost:
            tone = lighter(colors.frame, -40)
        spots = shape * unit + shift
        middle = spots.mean(axis=0)
        for grow, lift, shade in ((0.96, 0.0, _side(tone)), (0.78, -0.05, lighter(tone, 14))):
            # Wide keys would otherwise shrink more at their ends than at their long sides.
            inset = (1 - grow) * unit / 2
            away = spots - middle
            lengths = np.abs(away).max(axis=0)
            corners = middle + away * (1 - inset / lengths) + (0, lift * unit)
            pen.polygon([tuple(spot) for spot in corners.tolist()], fill=shade)
        if key.text.isalnum():
            canvas.write(
                image, (middle[0], middle[1]), key.text, size=unit * 0.46, color=colors.ink
            )
    return image


def _halves(key: Key) -> list[Key]:
    """The space bar of a bent board is two keys; long caps bend better in parts."""
    if key.width < 4:
        return [key]
    left = 6.65 - key.x
    return [
        Key(key.x, key.y, left, key.height, "", True),
        Key(key.x + left + 0.1, key.y, key.width - left - 0.1, key.height, "", True),
    ]


def _bent_key(key: Key, bend: Bend) -> np.ndarray:
    """The corners of a key, float [4, 2], turned with the half it belongs to."""
    middle = (key.x + key.width / 2, key.y + key.height / 2)
    center = np.asarray(bend(*middle))
    # The halves part at the key's middle, not through it, so turn it as one piece.
    across = np.asarray(bend(middle[0] + 0.01, middle[1])) - bend(middle[0], middle[1])
    down = np.asarray(bend(middle[0], middle[1] + 0.01)) - bend(middle[0], middle[1])
    across, down = across / np.hypot(*across), down / np.hypot(*down)
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    half_width, half_height = key.width / 2, key.height / 2
    return np.array([center + a * half_width * across + b * half_height * down for a, b in corners])


def _rim(shapes: list[np.ndarray], rest: float) -> np.ndarray:
    """The outline of the case round all keys, with room for the palms below, float [n, 2]."""
    spots = np.concatenate(shapes)
    left, right = spots[:, 0].min(), spots[:, 0].max()
    columns = np.linspace(left, right, 9)
    upper, lower = [], []
    for x in columns:
        near = spots[np.abs(spots[:, 0] - x) < (right - left) / 7]
        upper.append((x, near[:, 1].min() - 0.5))
        lower.append((x, near[:, 1].max() + 0.4 + rest))
    upper[0], lower[0] = (left - 0.6, upper[0][1]), (left - 0.6, lower[0][1])
    upper[-1], lower[-1] = (right + 0.6, upper[-1][1]), (right + 0.6, lower[-1][1])
    return np.asarray(upper + lower[::-1])
