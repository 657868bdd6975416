"""Washing machines: front loaders, top loaders, twin tubs."""

import math

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings.canvas import (
    Color,
    blank,
    lighter,
    made_up_name,
    pick,
    write,
)
from edge.synthetic.drawings.solid import (
    Projection,
    around,
    box,
    corners_of,
    dome,
    glare,
    knob,
    lay,
    look_at,
    sheet,
)

WHITES = ((238, 238, 236), (242, 242, 242), (230, 232, 234), (240, 237, 230))
BODIES = (*WHITES, *WHITES, (186, 189, 193), (150, 153, 158), (105, 108, 114), (45, 46, 50))
UNIT = 460
"""Pixels of a face for one unit of length."""


def draw(rng: np.random.Generator) -> Image.Image:
    """A washing machine on a transparent canvas."""
    forms = (*[_front_loader] * 5, *[_top_loader] * 3, *[_twin_tub] * 2)
    return forms[int(rng.integers(len(forms)))](rng)


def _yaw(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(0, 12 if rng.random() < 0.5 else 38))


def _front_loader(rng: np.random.Generator) -> Image.Image:
    image = blank()
    color = pick(rng, BODIES, 1.5)
    width, height, depth = 1.0, rng.uniform(1.25, 1.5), rng.uniform(0.75, 1.0)
    view = look_at(corners_of(width, height, depth), _yaw(rng), rng.uniform(4, 20))
    front = _front(rng, height, color)
    box(image, view, low=(0, 0, 0), high=(width, height, depth), color=color, front=front)
    return image


def _front(rng: np.random.Generator, height: float, color: Color) -> Image.Image:
    """The front of a front loader: panel with drawer, dial and display, door, kick plate."""
    across, down = UNIT, height * UNIT
    face = sheet(across, down, lighter(color, 6), lighter(color, -14), 70)
    draw = ImageDraw.Draw(face)
    panel = rng.uniform(0.13, 0.18) * down
    _panel(rng, face, panel, color)
    low = down * rng.uniform(0.9, 0.94)
    draw.line([(0, low), (across, low)], fill=lighter(color, -55), width=4)
    if rng.random() < 0.7:
        left = across * (0.08 if rng.random() < 0.5 else 0.74)
        hatch = (left, low - 62, left + 76, low - 16)
        draw.rectangle(hatch, outline=lighter(color, -45), width=3)
    radius = across * rng.uniform(0.29, 0.4)
    _door(rng, face, x=across / 2, y=(panel + low) / 2 - 4, radius=radius, color=color)
    draw.rectangle((0, 0, across - 1, down - 1), outline=lighter(color, -40), width=3)
    return face


def _panel(rng: np.random.Generator, face: Image.Image, tall: float, color: Color) -> None:
    draw = ImageDraw.Draw(face)
    across = face.width
    dark = rng.random() < 0.35
    back = (
        pick(rng, [(35, 36, 40), (60, 62, 66), (150, 153, 158)], 2) if dark else lighter(color, -5)
    )
    draw.rectangle((0, 0, across, tall), fill=back)
    draw.line([(0, tall), (across, tall)], fill=lighter(color, -60), width=4)
    drawer = (10, 10, across * rng.uniform(0.26, 0.34), tall - 10)
    draw.rounded_rectangle(drawer, 8, fill=lighter(color, 2), outline=lighter(color, -60), width=3)
    middle = (drawer[0] + drawer[2]) / 2
    draw.rounded_rectangle(around(middle, tall * 0.68, 42, 9), 8, fill=lighter(color, -70))
    write(face, (middle, tall * 0.32), made_up_name(rng), size=18, color=lighter(color, -120))
    place = across * (0.52 if rng.random() < 0.7 else 0.84)
    grip = pick(rng, [(200, 202, 205), (235, 235, 235), (90, 92, 96)], 3)
    knob(face, place, tall / 2, radius=tall * 0.33, color=grip, turn=rng.uniform(0, math.tau))
    start = across * (0.64 if place < across * 0.7 else 0.38)
    screen = (start, tall * 0.24, start + across * 0.15, tall * 0.6)
    draw.rectangle(screen, fill=(20, 22, 26), outline=(90, 92, 95), width=2)
    lit = pick(rng, [(255, 80, 60), (110, 220, 255), (120, 255, 140), (240, 240, 240)])
    write(face, ((screen[0] + screen[2]) / 2, tall * 0.42), "0:45", size=22, color=lit)
    for number in range(int(rng.integers(2, 5))):
        spot = (start + 12 + number * 24, tall * 0.8)
        draw.ellipse(around(*spot, 8), fill=lighter(back, 40 if dark else -50))


def _door(
    rng: np.random.Generator, face: Image.Image, *, x: float, y: float, radius: float, color: Color
) -> None:
    """A round glass door: ring, seal, glass with the drum behind, handle, reflection."""
    draw = ImageDraw.Draw(face)
    rings = [(225, 226, 228), (175, 178, 182), (140, 143, 148), (40, 41, 45), lighter(color, -12)]
    ring = pick(rng, rings, 5)
    draw.ellipse(around(x + 4, y + 7, radius * 1.05), fill=lighter(color, -60))
    dome(face, around(x, y, radius * 1.03), lighter(ring, -45), lighter(ring, 30))
    draw.ellipse(around(x, y, radius * 0.97), fill=ring)
    glass = radius * rng.uniform(0.64, 0.8)
    draw.ellipse(around(x, y, glass * 1.07), fill=lighter(ring, -70))
    tint = pick(rng, [(38, 42, 50), (28, 28, 32), (60, 70, 82), (80, 88, 96)], 3)
    dome(face, around(x, y, glass), lighter(tint, -20), lighter(tint, 35), lean=-0.2)
    if rng.random() < 0.7:
        _drum(rng, draw, x=x, y=y, glass=glass, tint=tint)
    _shine(face, x, y, glass)
    side = float(rng.choice([-1, 1]))
    grip = around(x + side * radius * 0.88, y, radius * 0.08, radius * 0.2)
    draw.rounded_rectangle(grip, 8, fill=lighter(ring, -45), outline=lighter(ring, -80), width=2)


def _drum(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    *,
    x: float,
    y: float,
    glass: float,
    tint: Color,
) -> None:
    inner = glass * 0.68
    draw.ellipse(around(x, y, inner), fill=lighter(tint, 48), outline=lighter(tint, -25), width=5)
    for ring in (0.3, 0.5, 0.75):
        holes = int(24 * ring) + 4
        for number in range(holes):
            turn = math.tau * number / holes
            spot = (x + inner * ring * math.cos(turn), y + inner * ring * math.sin(turn))
            draw.ellipse(around(*spot, 3), fill=lighter(tint, -8))
    if rng.random() < 0.4:
        for _ in range(5):
            cloth = pick(rng, [(190, 60, 60), (70, 100, 180), (230, 225, 215), (220, 180, 70)], 20)
            spot = (x + rng.normal(0, inner * 0.25), y + inner * rng.uniform(0.25, 0.5))
            draw.ellipse(around(*spot, inner * 0.32, inner * 0.22), fill=lighter(cloth, -40))


def _shine(face: Image.Image, x: float, y: float, glass: float) -> None:
    for start, end, outer, inner in ((3.5, 4.5, 0.92, 0.66), (0.5, 1.0, 0.9, 0.74)):
        turns = np.linspace(start, end, 10)
        there = [(x + glass * outer * math.cos(t), y + glass * outer * math.sin(t)) for t in turns]
        back = [(x + glass * inner * math.cos(t), y + glass * inner * math.sin(t)) for t in turns]
        glare(face, there + back[::-1], 0.3)


def _top_loader(rng: np.random.Generator) -> Image.Image:
    image = blank()
    color = pick(rng, BODIES[:-2], 1.5)
    width, height, depth = 1.0, rng.uniform(1.1, 1.45), rng.uniform(0.9, 1.1)
    rise, behind = rng.uniform(0.1, 0.22), 0.2 * depth
    opened = rng.random() < 0.35
    extent = corners_of(width, height + rise, depth)
    if opened:
        extent += [(x, height + 0.62, depth * 0.76 + 0.12) for x in (0.1, 0.9)]
    view = look_at(extent, _yaw(rng), rng.uniform(18, 38))
    front = sheet(UNIT, height * UNIT, lighter(color, 4), lighter(color, -22))
    _plain_front(rng, front, color)
    top = _lid(rng, depth, color, opened)
    box(image, view, low=(0, 0, 0), high=(width, height, depth), color=color, front=front, top=top)
    if opened:
        _open_lid(image, view, height, depth, color)
    _console(rng, image, view, (height, rise, depth - behind, depth), color)
    return image


def _plain_front(rng: np.random.Generator, face: Image.Image, color: Color) -> None:
    draw = ImageDraw.Draw(face)
    across, down = face.size
    draw.line([(0, down * 0.07), (across, down * 0.07)], fill=lighter(color, -40), width=3)
    draw.line([(0, down * 0.93), (across, down * 0.93)], fill=lighter(color, -45), width=3)
    if rng.random() < 0.5:
        for x in np.linspace(0.1, 0.9, 9) * across:
            line = [(float(x), down * 0.13), (float(x), down * 0.88)]
            draw.line(line, fill=lighter(color, -14), width=4)
    write(
        face,
        (across * rng.uniform(0.2, 0.8), down * 0.16),
        made_up_name(rng),
        size=30,
        color=lighter(color, -100),
    )
    if rng.random() < 0.4:
        seal = pick(rng, [(60, 120, 190), (240, 200, 60), (70, 160, 90)])
        draw.rectangle(around(across * 0.8, down * 0.3, 32, 44), fill=seal)
    draw.rectangle((0, 0, across - 1, down - 1), outline=lighter(color, -35), width=3)


def _lid(rng: np.random.Generator, depth: float, color: Color, opened: bool) -> Image.Image:
    """The top of a top loader: the tub when it is open, else a lid of glass or metal."""
    across, down = UNIT, depth * UNIT
    face = sheet(across, down, lighter(color, 12), lighter(color, 2))
    draw = ImageDraw.Draw(face)
    inside = (across * 0.1, down * 0.24, across * 0.9, down * 0.92)
    if opened:
        draw.rounded_rectangle(inside, 50, fill=lighter(color, -60))
        x, y, radius = across / 2, down * 0.58, across * 0.34
        dome(face, around(x, y, radius, radius * 0.92), (150, 153, 158), (58, 60, 64), lean=0)
        for turn in np.linspace(0, math.tau, 28):
            spot = (x + radius * 0.78 * math.cos(turn), y + radius * 0.72 * math.sin(turn))
            draw.ellipse(around(*spot, 5), fill=(60, 62, 66))
        dome(face, around(x, y, radius * 0.36), (90, 92, 98), (190, 193, 198))
        return face
    cover = lighter(color, 6)
    draw.rounded_rectangle(inside, 24, fill=cover, outline=lighter(color, -55), width=5)
    if rng.random() < 0.65:
        glass = pick(rng, [(45, 48, 54), (70, 78, 88), (95, 120, 160)], 6)
        draw.rounded_rectangle(
            around(across / 2, down * 0.56, across * 0.32, down * 0.24), 40, fill=glass
        )
        glare(
            face,
            [
                (across * 0.3, down * 0.34),
                (across * 0.5, down * 0.34),
                (across * 0.35, down * 0.78),
                (across * 0.22, down * 0.78),
            ],
            0.3,
        )
    draw.rounded_rectangle(around(across / 2, down * 0.89, 60, 9), 8, fill=lighter(color, -60))
    return face


def _open_lid(
    image: Image.Image, view: Projection, height: float, depth: float, color: Color
) -> None:
    far = depth * 0.76
    corners = [
        (0.1, height + 0.62, far + 0.12),
        (0.9, height + 0.62, far + 0.12),
        (0.9, height, far),
        (0.1, height, far),
    ]
    face = sheet(300, 240, lighter(color, -8), lighter(color, -30))
    draw = ImageDraw.Draw(face)
    draw.rectangle((0, 0, 299, 239), outline=lighter(color, -60), width=6)
    draw.rounded_rectangle((30, 30, 270, 205), 20, fill=lighter(color, -50))
    lay(image, view, corners, face)


def _console(
    rng: np.random.Generator,
    image: Image.Image,
    view: Projection,
    place: tuple[float, float, float, float],
    color: Color,
) -> None:
    """The control panel along the rear edge of the top."""
    height, rise, near, far = place
    back = pick(rng, [(45, 46, 50), (150, 155, 160), lighter(color, -12), (60, 80, 130)], 5)
    tall = 110
    face = sheet(UNIT, tall, lighter(back, 10), lighter(back, -10))
    draw = ImageDraw.Draw(face)
    grip = pick(rng, [(210, 212, 215), (60, 60, 64)], 3)
    for share in [0.12, 0.27, 0.85][: int(rng.integers(1, 4))]:
        knob(
            face,
            share * UNIT,
            tall / 2,
            radius=tall * 0.3,
            color=grip,
            turn=rng.uniform(0, math.tau),
        )
    if rng.random() < 0.6:
        draw.rectangle(around(UNIT * 0.55, tall * 0.45, 60, 22), fill=(18, 20, 24))
        lit = pick(rng, [(255, 110, 80), (110, 220, 255), (120, 255, 140)])
        write(face, (UNIT * 0.55, tall * 0.45), "45", size=30, color=lit)
        for number in range(5):
            key = around(UNIT * 0.45 + number * 24, tall * 0.8, 9, 6)
            draw.rounded_rectangle(key, 3, fill=(225, 225, 225))
    else:
        knob(
            face,
            0.55 * UNIT,
            tall / 2,
            radius=tall * 0.34,
            color=grip,
            turn=rng.uniform(0, math.tau),
        )
        write(
            face,
            (0.7 * UNIT, tall * 0.5),
            made_up_name(rng),
            size=22,
            color=lighter(back, 120 if sum(back) < 380 else -110),
        )
    slope = near - 0.06
    for side in (0.0, 1.0):
        wedge = [
            (side, height, slope),
            (side, height + rise, near + 0.04),
            (side, height + rise, far),
            (side, height, far),
        ]
        ImageDraw.Draw(image).polygon(
            [tuple(p) for p in view.at(wedge).tolist()], fill=lighter(color, -30)
        )
    lay(
        image,
        view,
        [
            (0, height + rise, far),
            (1, height + rise, far),
            (1, height + rise, near + 0.04),
            (0, height + rise, near + 0.04),
        ],
        lighter(color, 10),
    )
    lay(
        image,
        view,
        [
            (0, height + rise, near + 0.04),
            (1, height + rise, near + 0.04),
            (1, height, slope),
            (0, height, slope),
        ],
        face,
    )


def _twin_tub(rng: np.random.Generator) -> Image.Image:
    image = blank()
    color = pick(rng, WHITES, 1.5)
    accent = pick(
        rng,
        [
            (50, 75, 160),
            (70, 115, 190),
            (130, 50, 65),
            (100, 104, 112),
            (110, 75, 135),
            (190, 195, 200),
        ],
        6,
    )
    width, height, depth = 1.0, rng.uniform(0.95, 1.15), rng.uniform(0.55, 0.7)
    view = look_at(corners_of(width, height + 0.16, depth), _yaw(rng), rng.uniform(14, 34))
    front = sheet(UNIT, height * UNIT, lighter(color, 4), lighter(color, -24))
    _plain_front(rng, front, color)
    down = height * UNIT
    if rng.random() < 0.6:
        ImageDraw.Draw(front).rectangle((0, down * 0.84, UNIT, down), fill=lighter(accent, 20))
    top = sheet(UNIT, depth * UNIT, accent, lighter(accent, 25))
    draw = ImageDraw.Draw(top)
    split = UNIT * rng.uniform(0.54, 0.62)
    for left, right in ((20, split - 10), (split + 10, UNIT - 20)):
        place = (left, depth * UNIT * 0.3, right, depth * UNIT - 16)
        draw.rounded_rectangle(
            place, 20, fill=lighter(accent, 45), outline=lighter(accent, -50), width=5
        )
        glare(
            top,
            [
                (left + 30, place[1] + 16),
                (left + 90, place[1] + 16),
                (left + 50, place[3] - 16),
                (left + 10, place[3] - 16),
            ],
            0.3,
        )
    box(image, view, low=(0, 0, 0), high=(width, height, depth), color=color, front=front, top=top)
    _console(rng, image, view, (height, 0.16, depth * 0.74, depth), accent)
    return image
