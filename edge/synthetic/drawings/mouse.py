"""Computer mice: with a cord or without, plain, with side grips, lit, upright, and box-shaped."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from edge.synthetic.drawings import canvas
from edge.synthetic.drawings.canvas import Color, lighter

Outline = list[tuple[float, float]]

SHELLS = (
    (40, 40, 44),
    (28, 28, 31),
    (60, 62, 68),
    (176, 180, 186),
    (206, 208, 212),
    (240, 240, 238),
    (222, 214, 192),
    (176, 34, 38),
    (40, 84, 168),
    (60, 176, 182),
    (216, 120, 160),
)
LIGHTS = ((60, 150, 255), (255, 50, 40), (70, 255, 120), (240, 60, 230), (255, 170, 40))


def draw(rng: np.random.Generator) -> Image.Image:
    """Draw one mouse on a transparent canvas, RGBA."""
    forms = (_two_buttons, _gaming, _smooth, _upright, _box)
    form = rng.choice(len(forms), p=(0.5, 0.2, 0.08, 0.1, 0.12))
    return forms[int(form)](rng)


def _shape(
    half: float, top: float, bottom: float, profile: tuple[float, ...], lean: float = 0.0
) -> Outline:
    """A closed curve from shares of the half width, front to rear, at even steps.

    `lean` widens the left side and narrows the right one.
    """
    steps = np.linspace(top, bottom, len(profile))
    right = [
        (384 + half * share * (1 - lean), float(y)) for share, y in zip(profile, steps, strict=True)
    ]
    left = [
        (384 - half * share * (1 + lean), float(y)) for share, y in zip(profile, steps, strict=True)
    ]
    return canvas.rounded_path(right + left[::-1])


def _cord(
    image: Image.Image, rng: np.random.Generator, start: tuple[float, float], color: Color
) -> None:
    """The cord, from the front of the mouse in an S or round to one side."""
    x, y = start
    side = float(rng.choice((-1, 1)))
    far = rng.uniform(60, 330)
    if y > 140:
        spots = [(x, y + 24), (x, y - 70), (x + side * far * 0.5, 40), (x + side * far, 60)]
        spots.append((x + side * min(360, far + rng.uniform(10, 120)), rng.uniform(10, 240)))
    else:
        spots = [(x, y + 24), (x, 10)]
    canvas.tube(image, canvas.rounded_path(spots, closed=False), rng.uniform(13, 18), color)
    neck = ImageDraw.Draw(image)
    neck.rounded_rectangle((x - 15, y - 26, x + 15, y + 20), 8, fill=(*lighter(color, -16), 255))


def _place(rng: np.random.Generator) -> tuple[float, float, bool]:
    """Where the mouse begins and ends on the canvas, px, and whether it has a cord."""
    corded = rng.random() < 0.55
    return (rng.uniform(190, 270) if corded else 24.0), 744.0, corded


def _wheel(
    image: Image.Image, *, x: float, top: float, long: float, wide: float, tone: Color
) -> None:
    """A ribbed wheel in its slot."""
    pen = ImageDraw.Draw(image)
    slot = (x - wide * 0.72, top - 8, x + wide * 0.72, top + long + 8)
    pen.rounded_rectangle(slot, wide * 0.7, fill=(12, 12, 13, 255))
    wheel = Image.new("L", image.size, 0)
    inside = (x - wide * 0.45, top + 4, x + wide * 0.45, top + long - 4)
    ImageDraw.Draw(wheel).rounded_rectangle(inside, wide * 0.4, fill=255)
    stops = [(0, lighter(tone, -60)), (0.45, lighter(tone, 50)), (1, lighter(tone, -70))]
    canvas.shades(image, wheel, stops)
    for y in np.arange(top + 14, top + long - 8, 13):
        line = (x - wide * 0.4, y, x + wide * 0.4, y)
        pen.line(line, fill=(*lighter(tone, -70), 255), width=4)


def _seam(image: Image.Image, spots: Outline, shell: Color, width: int = 6) -> None:
    """A gap between two parts: dark, with light on its lower edge."""
    pen = ImageDraw.Draw(image)
    bright = [(x + width * 0.7, y + width * 0.7) for x, y in spots]
    pen.line(bright, fill=(*lighter(shell, 36), 255), width=max(2, width // 2), joint="curve")
    dark = canvas.clamp(np.asarray(shell) * 0.35)
    pen.line(spots, fill=(*dark, 255), width=width, joint="curve")


def _buttons(
    image: Image.Image, body: Image.Image, shell: Color, *, top: float, end: float, bow: float
) -> None:
    """The seams of the left and right buttons, which end at `end` px, bowed by `bow`."""
    layer = image.copy()
    _seam(layer, [(384, top - 10), (384, end + bow)], shell, 7)
    across = [(20.0, end - bow * 1.6), (384 - 60, end + bow), (384 + 60, end + bow)]
    across.append((748.0, end - bow * 1.6))
    _seam(layer, canvas.rounded_path(across, closed=False), shell)
    image.paste(layer, (0, 0), body)


def _two_buttons(rng: np.random.Generator) -> Image.Image:
    """The common mouse: two buttons, a wheel, often darker grips at its sides."""
    image = canvas.blank()
    top, bottom, corded = _place(rng)
    long = bottom - top
    half = long * rng.uniform(0.29, 0.36)
    front, waist, rear = rng.uniform(0.8, 1), rng.uniform(0.82, 1), rng.uniform(0.92, 1.06)
    profile: tuple[float, ...] = (
        front * 0.7,
        front * 0.94,
        front,
        (front + waist) / 2,
        waist,
        waist,
    )
    profile += ((waist + rear) / 2, rear, rear * 0.99, rear * 0.9, 0.52)
    shell = canvas.pick(rng, SHELLS, 8)
    skirt = (26, 26, 29) if rng.random() < 0.6 else lighter(shell, -40)
    if corded:
        cord = shell if sum(shell) > 500 else (30, 30, 33)
        _cord(image, rng, (384, top), cord)
    body = canvas.polygon_mask(_shape(half, top, bottom, profile))
    gripped = rng.random() < 0.55
    canvas.dome(image, body, skirt if gripped else shell, rng.uniform(0.1, 0.5))
    if gripped:
        pinch = rng.uniform(0.6, 0.8)
        inner = (front * 0.78, front * 0.97, waist * 0.9, waist * pinch, waist * pinch, rear * 0.8)
        shape = _shape(
            half, top + 4, bottom - long * rng.uniform(0.01, 0.08), (*inner, rear * 0.8, 0.5)
        )
        body = ImageChops.multiply(body, canvas.polygon_mask(shape))
        canvas.dome(image, body, shell, rng.uniform(0.2, 0.6))
    end = top + long * rng.uniform(0.36, 0.46)
    _buttons(image, body, shell, top=top, end=end, bow=rng.uniform(-16, 34))
    tone = (70, 72, 76) if rng.random() < 0.7 else canvas.pick(rng, LIGHTS, 20)
    wide = half * rng.uniform(0.2, 0.3)
    if rng.random() < 0.35:
        plate = canvas.pick(rng, ((24, 24, 26), (170, 172, 176)), 5)
        strip = (384 - wide, top + long * 0.05, 384 + wide, end + long * 0.05)
        canvas.shade(image, canvas.rounded_mask(strip, wide), lighter(plate, 25), plate, 0)
    _wheel(
        image,
        x=384,
        top=top + long * rng.uniform(0.11, 0.16),
        long=long * 0.17,
        wide=wide,
        tone=tone,
    )
    mark = lighter(shell, 100 if sum(shell) < 330 else -100)
    canvas.write(
        image, (384, bottom - long * 0.2), canvas.made_up_name(rng), size=half * 0.24, color=mark
    )
    return image


def _gaming(rng: np.random.Generator) -> Image.Image:
    """A dark angular mouse with colored lines, side buttons and a lit wheel."""
    image = canvas.blank()
    top, bottom, corded = _place(rng)
    long = bottom - top
    half = long * rng.uniform(0.29, 0.34)
    shell = canvas.pick(rng, ((26, 27, 31), (40, 41, 46), (20, 20, 24)), 4)
    light = canvas.pick(rng, LIGHTS, 15)
    if corded:
        _cord(image, rng, (384, top), (26, 26, 29))
    profile = (0.74, 0.98, 0.94, 0.8, 0.86, 1.02, 1.06, 0.7)
    body = canvas.polygon_mask(_shape(half, top, bottom, profile, rng.uniform(-0.06, 0.06)))
    canvas.dome(image, body, lighter(shell, 6), 0.3)
    ridge = canvas.polygon_mask(
        _shape(half, top + 2, bottom - 12, (0.66, 0.84, 0.72, 0.5, 0.5, 0.66, 0.7, 0.3))
    )
    canvas.dome(image, ridge, lighter(shell, 24), 0.5)
    end = top + long * rng.uniform(0.42, 0.5)
    _buttons(image, ridge, shell, top=top, end=end, bow=rng.uniform(15, 40))
    pen = ImageDraw.Draw(image)
    for side in (-1, 1):
        line = [
            (384 + side * half * 0.78, top + long * 0.16),
            (384 + side * half * 0.56, top + long * 0.42),
            (384 + side * half * 0.56, top + long * 0.6),
            (384 + side * half * 0.72, top + long * 0.84),
        ]
        path = canvas.rounded_path(line, closed=False)
        pen.line(path, fill=(*lighter(light, -60), 255), width=16, joint="curve")
        pen.line(path, fill=(*light, 255), width=8, joint="curve")
        for share in (0.38, 0.5) if side < 0 else ():
            y = top + long * share
            key = (384 - half * 0.82, y, 384 - half * 0.66, y + long * 0.1)
            pen.rounded_rectangle(key, 10, fill=(*lighter(shell, 46), 255))
    _wheel(image, x=384, top=top + long * 0.1, long=long * 0.17, wide=half * 0.28, tone=light)
    key = (384 - 18, top + long * 0.34, 384 + 18, top + long * 0.4)
    pen.rounded_rectangle(key, 8, fill=(*lighter(shell, 60), 255))
    y = bottom - long * 0.2
    emblem = [(384, y - 44), (384 + 40, y - 4), (384, y + 48), (384 - 40, y - 4)]
    pen.polygon(emblem, fill=(*light, 255))
    pen.polygon([(x * 0.5 + 192, z * 0.5 + y * 0.5) for x, z in emblem], fill=(*shell, 255))
    return image


def _smooth(rng: np.random.Generator) -> Image.Image:
    """One smooth white or black shell without seams but a small ball or a groove, on a base."""
    image = canvas.blank()
    top, bottom, corded = _place(rng)
    long = bottom - top
    half = long * rng.uniform(0.26, 0.31)
    shell = canvas.pick(rng, ((244, 244, 246), (236, 236, 238), (36, 36, 39)), 3)
    if corded:
        _cord(image, rng, (384, top), lighter(shell, -14))
    profile = (0.6, 0.86, 0.97, 1.0, 1.0, 1.0, 1.0, 0.97, 0.86, 0.6)
    base = canvas.polygon_mask(_shape(half, top, bottom, profile))
    canvas.dome(image, base, (150, 152, 157), 0.6)
    body = canvas.polygon_mask(_shape(half * 0.94, top + 9, bottom - 9, profile))
    canvas.dome(image, body, shell, 0.5)
    pen = ImageDraw.Draw(image)
    y = top + long * 0.2
    if rng.random() < 0.5:
        pen.ellipse((368, y - 16, 400, y + 16), fill=(140, 142, 148, 255))
        pen.ellipse((374, y - 11, 388, y + 2), fill=(206, 208, 212, 255))
    else:
        _wheel(image, x=384, top=y - 40, long=long * 0.13, wide=34, tone=(160, 162, 166))
    _seam(image, [(384, top + 14), (384, y - 50)], shell, 4)
    mark = lighter(shell, -50 if sum(shell) > 330 else 70)
    canvas.write(image, (384, bottom - long * 0.17), canvas.made_up_name(rng), size=40, color=mark)
    return image


def _upright(rng: np.random.Generator) -> Image.Image:
    """A tall mouse for a hand held on edge: a hollow for the thumb, long buttons at the right."""
    image = canvas.blank()
    top, bottom, corded = _place(rng)
    long = bottom - top
    half = long * rng.uniform(0.36, 0.42)
    shell = canvas.pick(rng, ((40, 41, 45), (70, 72, 78), (190, 192, 196)), 5)
    if corded:
        _cord(image, rng, (384 + half * 0.3, top + 10), (28, 28, 31))
    spots = [(-0.55, 0.02), (0.4, 0.0), (0.85, 0.1), (1.0, 0.4), (0.95, 0.75), (0.6, 1.0)]
    spots += [(-0.5, 1.0), (-1.0, 0.82), (-0.95, 0.6), (-0.5, 0.42), (-0.6, 0.2)]
    mirror = float(rng.choice((-1, 1), p=(0.15, 0.85)))
    outline = [(384 + mirror * half * x, top + long * y) for x, y in spots]
    body = canvas.polygon_mask(canvas.rounded_path(outline))
    canvas.dome(image, body, shell, 0.35, (0.5, -0.5))
    inner = [
        (-0.3, 0.0),
        (0.2, 0.2),
        (0.1, 0.5),
        (-0.1, 0.72),
        (-0.5, 1.0),
        (-1.1, 1.0),
        (-1.1, 0.2),
    ]
    hollow = [(384 + mirror * half * x, top + long * y) for x, y in inner]
    thumb = ImageChops.multiply(canvas.polygon_mask(canvas.rounded_path(hollow)), body)
    canvas.shade(image, thumb, (22, 22, 25), (56, 57, 62), 30)
    pen = ImageDraw.Draw(image)
    for share in (0.3, 0.44):
        x, y = 384 - mirror * half * 0.28, top + long * share
        pen.rounded_rectangle((x - 40, y, x + 40, y + long * 0.09), 18, fill=(120, 122, 128, 255))
    layer = image.copy()
    edge = [
        (384 + mirror * half * x, top + long * y)
        for x, y in ((0.12, 0.48), (0.5, 0.52), (1.1, 0.44))
    ]
    _seam(layer, canvas.rounded_path(edge, closed=False), shell)
    split = [(384 + mirror * half * x, top + long * y) for x, y in ((0.5, -0.05), (0.58, 0.5))]
    _seam(layer, split, shell)
    image.paste(layer, (0, 0), body)
    _wheel(
        image,
        x=384 + mirror * half * 0.53,
        top=top + long * 0.1,
        long=long * 0.16,
        wide=52,
        tone=(90, 92, 96),
    )
    return image


def _box(rng: np.random.Generator) -> Image.Image:
    """An old box of a mouse with two or three oblong buttons at the front."""
    image = canvas.blank()
    top, bottom = rng.uniform(200, 280), 740.0
    half = (bottom - top) * rng.uniform(0.29, 0.36)
    shell = canvas.pick(rng, ((222, 214, 190), (206, 200, 184), (190, 190, 188), (70, 70, 74)), 6)
    _cord(image, rng, (384, top), lighter(shell, -10))
    left, right = 384 - half, 384 + half
    base = canvas.rounded_mask((left, top, right, bottom), 34)
    canvas.shade(image, base, lighter(shell, -14), lighter(shell, -52), 60)
    canvas.shade(
        image,
        canvas.rounded_mask((left + 22, top + 6, right - 22, bottom - 44), 30),
        lighter(shell, 24),
        lighter(shell, -4),
        70,
    )
    count = int(rng.integers(2, 4))
    key = (
        lighter(shell, -16)
        if rng.random() < 0.5
        else canvas.pick(rng, ((110, 112, 116), (60, 60, 64)), 5)
    )
    wide = (right - left - 68) / count
    end = top + (bottom - top) * rng.uniform(0.28, 0.42)
    pen = ImageDraw.Draw(image)
    for index in range(count):
        x = left + 34 + index * wide
        cap = (x + 4, top + 20, x + wide - 4, end)
        pen.rounded_rectangle(
            (cap[0] - 5, cap[1] - 5, cap[2] + 5, cap[3] + 7), 8, fill=(50, 48, 44, 255)
        )
        pen.rounded_rectangle(cap, 8, fill=(*key, 255))
        pen.rectangle(
            (cap[0] + 8, cap[1] + 6, cap[2] - 8, cap[1] + 14), fill=(*lighter(key, 30), 255)
        )
    mark = lighter(shell, -90 if sum(shell) > 330 else 80)
    canvas.write(image, (384, bottom - 110), canvas.made_up_name(rng), size=40, color=mark)
    return image
