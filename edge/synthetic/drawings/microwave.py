"""Microwave ovens: a wide box with a dark door and keys or dials to its right."""

import math

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings import canvas
from edge.synthetic.drawings.canvas import Color, Rectangle, lighter
from edge.synthetic.drawings.solid import (
    Projection,
    around,
    box,
    corners_of,
    glare,
    knob,
    look_at,
    sheet,
)

BODIES = (
    (238, 238, 236),
    (232, 230, 222),
    (186, 188, 192),
    (158, 160, 164),
    (34, 34, 37),
    (24, 24, 26),
)
ACROSS = 720
"""Width of the front, px of its sheet, for a width of 1."""


def draw(rng: np.random.Generator) -> Image.Image:
    """Draw one microwave oven on a transparent canvas, RGBA."""
    image = canvas.blank()
    color = canvas.pick(rng, BODIES, 2)
    height, depth = rng.uniform(0.52, 0.68), rng.uniform(0.5, 0.75)
    yaw = rng.uniform(12, 34) * rng.choice((-1, 1)) if rng.random() < 0.7 else rng.uniform(-4, 4)
    feet = 0.035 if rng.random() < 0.8 else 0.0
    view = look_at(
        [(x, y - feet * (y == 0), z) for x, y, z in corners_of(1, height, depth)],
        yaw,
        rng.uniform(2, 24),
    )
    if feet:
        for z in (depth - 0.12, 0.05):
            for x in (0.08, 0.86):
                box(
                    image,
                    view,
                    low=(x, -feet, z),
                    high=(x + 0.07, 0.01, z + 0.06),
                    color=(30, 30, 32),
                )
    split = rng.uniform(0.7, 0.78)
    front = _front(rng, color, round(ACROSS * height), split)
    shell = lighter(color, -12) if rng.random() < 0.6 else canvas.pick(rng, BODIES[2:], 2)
    box(
        image,
        view,
        low=(0, 0, 0),
        high=(1, height, depth),
        color=shell,
        front=front,
        top=_top(rng, shell, depth),
    )
    if rng.random() < 0.7:
        _handle(image, rng, view, split=split, height=height, body=color)
    return image


def _front(rng: np.random.Generator, body: Color, down: int, split: float) -> Image.Image:
    """The front: a door from the left to `split` of the width, the panel after it."""
    face = sheet(ACROSS, down, lighter(body, 16), lighter(body, -16), rng.uniform(50, 130))
    pen = ImageDraw.Draw(face)
    edge = ACROSS * split
    door = lighter(body, 4) if rng.random() < 0.6 else (22, 22, 24)
    pen.rectangle((6, 6, edge, down - 7), fill=door, outline=lighter(body, -55), width=4)
    if sum(door) > 330:
        pen.rectangle((10, 10, edge - 4, 16), fill=lighter(door, 22))
    margin = rng.uniform(36, 66)
    window = (
        6 + margin,
        6 + margin * 0.9,
        edge - margin * rng.uniform(0.9, 1.4),
        down - 7 - margin,
    )
    _window(face, rng, window)
    _panel(face, rng, (edge + 10, 12, ACROSS - 10, down - 12), body)
    mark = (60, 60, 64) if sum(door) > 330 else (200, 202, 206)
    canvas.write(
        face, (edge / 2, down - 7 - margin / 2), canvas.made_up_name(rng), size=26, color=mark
    )
    pen.rectangle((0, 0, ACROSS - 1, down - 1), outline=lighter(body, -50), width=3)
    return face


def _window(face: Image.Image, rng: np.random.Generator, inside: Rectangle) -> None:
    """The window: dark glass over a mesh of dots, perhaps lit from within, with a reflection."""
    left, top, right, bottom = inside
    pen = ImageDraw.Draw(face)
    radius = rng.uniform(4, 46)
    glass = canvas.pick(rng, ((14, 15, 17), (30, 31, 34), (52, 53, 56)), 2)
    pen.rounded_rectangle(inside, radius, fill=glass, outline=lighter(glass, -14), width=5)
    inset = rng.uniform(26, 44)
    cavity = (left + inset, top + inset, right - inset, bottom - inset)
    lit = rng.random() < 0.12
    shine = (206, 168, 92) if lit else lighter(glass, 14)
    pen.rounded_rectangle(cavity, radius * 0.7, fill=shine)
    if lit:
        middle, floor = (cavity[0] + cavity[2]) / 2, cavity[3] - 14
        half = (cavity[2] - cavity[0]) * 0.36
        pen.ellipse((middle - half, floor - 24, middle + half, floor + 8), fill=(236, 222, 190))
    if rng.random() < 0.75:
        step = 9
        dot = lighter(shine, -70 if lit else 26)
        for row, y in enumerate(np.arange(cavity[1] + 6, cavity[3] - 5, step)):
            xs = np.arange(cavity[0] + 6 + row % 2 * step / 2, cavity[2] - 5, step)
            pen.point([(x + a, y + b) for x in xs for a in (0, 1) for b in (0, 1)], fill=dot)
    wide, high = right - left, bottom - top
    lean = high * rng.uniform(0.3, 0.8)
    for start, share in ((rng.uniform(0.3, 0.5), 0.22), (0.82, 0.05)):
        x = left + wide * start
        if x + wide * share < right - 4:
            lower = max(left + 4, x - lean)
            spots = [(x, top + 4), (x + wide * share, top + 4)]
            spots += [(lower + wide * share, bottom - 4), (lower, bottom - 4)]
            glare(face, spots, rng.uniform(0.05, 0.17))


def _panel(face: Image.Image, rng: np.random.Generator, inside: Rectangle, body: Color) -> None:
    """The controls: a display over keys, or two dials."""
    left, top, right, bottom = inside
    pen = ImageDraw.Draw(face)
    plate = lighter(body, -6) if rng.random() < 0.5 else (26, 26, 29)
    ink = (50, 52, 56) if sum(plate) > 330 else (226, 228, 232)
    pen.rectangle(inside, fill=plate)
    middle, wide = (left + right) / 2, right - left
    if rng.random() < 0.33:
        radius = min(wide * 0.3, (bottom - top) * 0.15)
        dial = canvas.pick(rng, ((220, 220, 218), (60, 60, 64), (180, 182, 186)), 5)
        for y in (top + (bottom - top) * 0.3, top + (bottom - top) * 0.68):
            for angle in np.linspace(0.75 * math.pi, 2.25 * math.pi, 11):
                x, z = middle + radius * 1.4 * math.cos(angle), y + radius * 1.4 * math.sin(angle)
                pen.ellipse(around(x, z, 3), fill=ink)
            knob(face, middle, y, radius=radius, color=dial, turn=rng.uniform(0, math.tau))
        return
    glow = canvas.pick(rng, ((60, 230, 120), (90, 200, 255), (255, 140, 60)), 8)
    pen.rectangle((left + 14, top + 16, right - 14, top + 74), fill=(10, 14, 14))
    clock = f"{int(rng.integers(1, 13))}:{int(rng.integers(60)):02d}"
    canvas.write(face, (middle, top + 45), clock, size=44, color=glow)
    _keys(face, rng, (left + 12, top + 90, right - 12, bottom - 66), plate, ink)
    start = canvas.pick(rng, ((60, 150, 80), (90, 92, 96), (200, 202, 206)), 6)
    button = (left + 16, bottom - 54, right - 16, bottom - 14)
    pen.rounded_rectangle(button, 8, fill=start, outline=lighter(start, -50), width=2)


def _keys(
    face: Image.Image, rng: np.random.Generator, inside: Rectangle, plate: Color, ink: Color
) -> None:
    left, top, right, bottom = inside
    pen = ImageDraw.Draw(face)
    rows = int(rng.integers(5, 8))
    wide, high = (right - left) / 3, (bottom - top) / rows
    key = lighter(plate, 30 if sum(plate) < 330 else -24)
    radius = rng.uniform(2, 10)
    for place in range(3 * rows):
        x, y = left + place % 3 * wide, top + place // 3 * high
        pen.rounded_rectangle((x + 3, y + 3, x + wide - 3, y + high - 4), radius, fill=key)
        if place // 3 >= rows - 4:
            digit = "123456789C0="[place - 3 * (rows - 4)]
            canvas.write(
                face, (x + wide / 2, y + high / 2), digit, size=min(24, high * 0.7), color=ink
            )
        else:
            middle = y + high / 2
            pen.line((x + wide * 0.28, middle, x + wide * 0.72, middle), fill=ink, width=4)


def _top(rng: np.random.Generator, shell: Color, depth: float) -> Image.Image:
    """The top of the case, perhaps with vents."""
    face = sheet(ACROSS, ACROSS * depth, lighter(shell, 6), lighter(shell, 24))
    if rng.random() < 0.4:
        pen = ImageDraw.Draw(face)
        for x in range(420, 660, 16):
            pen.line(
                (x, face.height * 0.12, x, face.height * 0.3), fill=lighter(shell, -50), width=6
            )
    return face


def _handle(
    image: Image.Image,
    rng: np.random.Generator,
    view: Projection,
    *,
    split: float,
    height: float,
    body: Color,
) -> None:
    """An upright bar at the right of the door, held off it."""
    bar = canvas.pick(rng, ((196, 198, 202), lighter(body, -20), (40, 40, 43)), 4)
    x, far = split - 0.055, -rng.uniform(0.03, 0.06)
    low, high = height * rng.uniform(0.1, 0.2), height * rng.uniform(0.8, 0.9)
    for y in (low, high - 0.04):
        box(image, view, low=(x, y, far), high=(x + 0.025, y + 0.04, 0.0), color=lighter(bar, -30))
    front = sheet(12, 64, lighter(bar, 40), lighter(bar, -30), 0)
    box(image, view, low=(x, low, far - 0.02), high=(x + 0.032, high, far), color=bar, front=front)
