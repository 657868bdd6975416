"""Printers: inkjets, all-in-ones with a scanner lid, laser boxes, label and receipt printers."""

import math

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings.canvas import Color, blank, lighter, made_up_name, pick, write
from edge.synthetic.drawings.solid import (
    Point,
    Projection,
    around,
    box,
    corners_of,
    glare,
    lay,
    look_at,
    sheet,
)

BODIES = (
    (236, 236, 234),
    (222, 220, 212),
    (205, 205, 205),
    (150, 154, 158),
    (70, 72, 76),
    (36, 37, 40),
)
PAPER = (246, 246, 243)
UNIT = 480
"""Pixels of a face for one unit of length."""


def draw(rng: np.random.Generator) -> Image.Image:
    """A printer on a transparent canvas."""
    forms = (*[_inkjet] * 3, *[_all_in_one] * 4, *[_laser] * 4, _receipt)
    return forms[int(rng.integers(len(forms)))](rng)


def _yaw(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(0, 12 if rng.random() < 0.4 else 40))


def _page(rng: np.random.Generator, across: float, down: float) -> Image.Image:
    """A printed page: text, a chart or a photo."""
    page = sheet(across, down, PAPER, lighter(PAPER, -14))
    draw = ImageDraw.Draw(page)
    if rng.random() < 0.45:
        sky = pick(rng, [(80, 150, 220), (230, 130, 80), (70, 170, 190)], 20)
        photo = (across * 0.08, down * 0.1, across * 0.92, down * 0.9)
        draw.rectangle(photo, fill=sky)
        land = pick(rng, [(60, 130, 60), (190, 150, 90), (120, 70, 110)], 20)
        draw.rectangle((photo[0], down * 0.55, photo[2], photo[3]), fill=land)
        middle = pick(rng, [(240, 220, 80), (220, 60, 60), (240, 240, 240)], 10)
        draw.ellipse(around(across * rng.uniform(0.3, 0.7), down * 0.5, across * 0.15), fill=middle)
        return page
    y = down * 0.1
    while y < down * 0.92:
        ink = (90, 90, 96) if rng.random() < 0.8 else (40, 90, 170)
        draw.line([(across * 0.1, y), (across * rng.uniform(0.5, 0.9), y)], fill=ink, width=3)
        y += 12
    return page


def _slab(
    image: Image.Image, view: Projection, corners: list[Point], face: Image.Image, edge: Color
) -> None:
    """A thin sheet or tray seen from whichever side, outlined so that it stands off."""
    spots = [tuple(spot) for spot in view.at(corners).tolist()]
    ImageDraw.Draw(image).polygon(spots, fill=edge)
    lay(image, view, corners, face)
    ImageDraw.Draw(image).line([*spots, spots[0]], fill=edge, width=3)


def _rear_tray(
    rng: np.random.Generator,
    image: Image.Image,
    view: Projection,
    *,
    place: Point,
    rise: float,
    color: Color,
) -> None:
    """A support that leans back from (x margin, height, away), with sheets standing in it."""
    margin, height, away = place
    lean = rise * rng.uniform(0.2, 0.5)
    tray = [
        (margin, height + rise * 0.85, away + lean),
        (1 - margin, height + rise * 0.85, away + lean),
        (1 - margin, height, away),
        (margin, height, away),
    ]
    _slab(
        image,
        view,
        tray,
        sheet(64, 64, lighter(color, -20), lighter(color, -45)),
        lighter(color, -60),
    )
    inner = margin + rng.uniform(0.03, 0.07)
    page = [
        (inner, height + rise, away + lean),
        (1 - inner, height + rise, away + lean),
        (1 - inner, height - 0.02, away - 0.02),
        (inner, height - 0.02, away - 0.02),
    ]
    blank_page = sheet(200, 200, lighter(PAPER, -4), lighter(PAPER, -30))
    _slab(image, view, page, blank_page, lighter(PAPER, -70))


def _out_tray(
    rng: np.random.Generator,
    image: Image.Image,
    view: Projection,
    *,
    reach: float,
    color: Color,
    paper: bool,
) -> None:
    """A tray that comes out of the front, with a printed page on it."""
    left, right = rng.uniform(0.14, 0.22), rng.uniform(0.78, 0.86)
    low = 0.05
    box(image, view, low=(left, 0.0, -reach), high=(right, low, 0.0), color=lighter(color, -24))
    if paper:
        inner = rng.uniform(0.03, 0.07)
        out = reach * rng.uniform(0.75, 1.1)
        page = [
            (left + inner, low + 0.06, 0),
            (right - inner, low + 0.06, 0),
            (right - inner, low + 0.01, -out),
            (left + inner, low + 0.01, -out),
        ]
        _slab(image, view, page, _page(rng, 300, 240), lighter(PAPER, -70))


def _slot(face: Image.Image, place: tuple[float, float, float, float], color: Color) -> None:
    """The dark opening that paper comes out of."""
    draw = ImageDraw.Draw(face)
    draw.rectangle(place, fill=(16, 16, 18), outline=lighter(color, -60), width=3)
    left, top, right, bottom = place
    draw.polygon(
        [
            (left, bottom),
            (right, bottom),
            (right - 20, bottom - (bottom - top) * 0.3),
            (left + 20, bottom - (bottom - top) * 0.3),
        ],
        fill=(52, 53, 56),
    )


def _buttons(
    rng: np.random.Generator,
    face: Image.Image,
    place: tuple[float, float, float, float],
    color: Color,
) -> None:
    """A control panel: a small display, a few keys, one of them green."""
    draw = ImageDraw.Draw(face)
    left, top, right, bottom = place
    tall = bottom - top
    draw.rounded_rectangle(place, 8, fill=color, outline=lighter(color, -40), width=2)
    screen = (
        left + (right - left) * 0.3,
        top + tall * 0.18,
        left + (right - left) * 0.62,
        bottom - tall * 0.18,
    )
    lit = pick(rng, [(40, 60, 90), (150, 175, 130), (90, 150, 220), (24, 26, 30)], 8)
    draw.rectangle(screen, fill=lit, outline=(15, 15, 16), width=3)
    key = (210, 212, 215) if sum(color) < 330 else (95, 97, 102)
    radius = min(tall * 0.13, 9)
    for column in range(4):
        for row in range(2):
            x = left + (right - left) * (0.05 + 0.065 * column)
            draw.ellipse(around(x, top + tall * (0.32 + 0.36 * row), radius), fill=key)
            if column < 3:
                x = left + (right - left) * (0.68 + 0.075 * column)
                draw.ellipse(around(x, top + tall * (0.32 + 0.36 * row), radius), fill=key)
    start = (left + (right - left) * 0.94, top + tall / 2)
    draw.ellipse(around(*start, radius * 1.5), fill=pick(rng, [(50, 180, 80), (60, 120, 220)]))


def _two_tones(rng: np.random.Generator) -> tuple[Color, Color]:
    body = pick(rng, BODIES, 2)
    shift = rng.choice([0.0, -90.0, -130.0]) if sum(body) > 400 else rng.choice([0.0, 25.0])
    return body, lighter(body, float(shift))


def _inkjet(rng: np.random.Generator) -> Image.Image:
    """A low printer: paper stands in the rear, comes out in front."""
    image = blank()
    body, second = _two_tones(rng)
    height, depth = rng.uniform(0.32, 0.48), rng.uniform(0.4, 0.6)
    rise, reach = rng.uniform(0.22, 0.5), rng.uniform(0.2, 0.4)
    extent = [
        *corners_of(1, height, depth),
        (0.15, height + rise, depth * 1.3),
        (0.85, height + rise, depth * 1.3),
        (0.2, 0, -reach * 1.1),
        (0.8, 0, -reach * 1.1),
    ]
    view = look_at(extent, _yaw(rng), rng.uniform(16, 34))
    _rear_tray(
        rng,
        image,
        view,
        place=(rng.uniform(0.12, 0.2), height, depth * 0.8),
        rise=rise,
        color=second,
    )
    down = height * UNIT
    front = sheet(UNIT, down, lighter(body, 8), lighter(body, -16))
    draw = ImageDraw.Draw(front)
    if second != body:
        draw.rectangle((0, down * 0.42, UNIT, down), fill=second)
    _slot(front, (UNIT * 0.12, down * 0.5, UNIT * 0.88, down * 0.94), body)
    write(front, (UNIT * 0.24, down * 0.2), made_up_name(rng), size=28, color=_ink(body))
    for number in range(int(rng.integers(2, 5))):
        draw.ellipse(around(UNIT * 0.92 - number * 30, down * 0.22, 10), fill=_ink(body))
    draw.ellipse(around(UNIT * 0.92, down * 0.22, 5), fill=(70, 220, 90))
    top = sheet(UNIT, depth * UNIT, lighter(body, 14), lighter(body, 2))
    draw = ImageDraw.Draw(top)
    lid = (26, depth * UNIT * 0.28, UNIT - 26, depth * UNIT * 0.96)
    draw.rounded_rectangle(lid, 30, fill=lighter(second, 8), outline=lighter(body, -50), width=4)
    glare(top, [(60, lid[1]), (220, lid[1]), (130, lid[3]), (30, lid[3])], 0.12)
    box(image, view, low=(0, 0, 0), high=(1, height, depth), color=body, front=front, top=top)
    _out_tray(rng, image, view, reach=reach, color=second, paper=rng.random() < 0.8)
    return image


def _ink(body: Color) -> Color:
    return lighter(body, 110 if sum(body) < 330 else -120)


def _all_in_one(rng: np.random.Generator) -> Image.Image:
    """A printer with a scanner on it: lid line, control panel, paper out of the front."""
    image = blank()
    body, second = _two_tones(rng)
    height, depth = rng.uniform(0.34, 0.5), rng.uniform(0.6, 0.8)
    scanner, reach = rng.uniform(0.08, 0.14), rng.uniform(0.15, 0.35)
    rise = rng.uniform(0.2, 0.4) if rng.random() < 0.5 else 0.0
    opened = rise == 0.0 and rng.random() < 0.3
    total = height + scanner
    extent = [*corners_of(1, total, depth), (0.2, 0, -reach * 1.1), (0.8, 0, -reach * 1.1)]
    if rise:
        extent += [(x, total + rise, depth * 1.3) for x in (0.16, 0.84)]
    if opened:
        extent += [(x, total + 0.56, depth * 1.1) for x in (0, 1)]
    view = look_at(extent, _yaw(rng), rng.uniform(18, 40))
    if rise:
        _rear_tray(
            rng, image, view, place=(0.16, height, depth * 0.97), rise=rise + scanner, color=second
        )
    if opened:
        _open_lid(image, view, total, depth, second)
    down = height * UNIT
    front = sheet(UNIT, down, lighter(body, 4), lighter(body, -16))
    _slot(front, (UNIT * 0.13, down * 0.38, UNIT * 0.87, down * 0.95), body)
    panel = (UNIT * 0.03, down * 0.04, UNIT * 0.97, down * 0.34)
    tone = pick(rng, [(40, 42, 46), (90, 94, 98), lighter(body, -20)], 4)
    _buttons(rng, front, panel, tone)
    draw = ImageDraw.Draw(front)
    draw.rectangle((0, 0, UNIT - 1, down - 1), outline=lighter(body, -35), width=3)
    box(image, view, low=(0, 0, 0), high=(1, height, depth), color=body, front=front)
    _scanner(rng, image, view, place=(height, total, depth), color=second, opened=opened)
    _out_tray(rng, image, view, reach=reach, color=body, paper=rng.random() < 0.75)
    return image


def _scanner(
    rng: np.random.Generator,
    image: Image.Image,
    view: Projection,
    *,
    place: tuple[float, float, float],
    color: Color,
    opened: bool,
) -> None:
    """The scanner over (bottom, top, depth): a lid with a name, or glass when it is open."""
    low, high, depth = place
    rim = sheet(UNIT, (high - low) * UNIT, lighter(color, 10), lighter(color, -20))
    ImageDraw.Draw(rim).line(
        [(0, rim.height * 0.45), (UNIT, rim.height * 0.45)], fill=lighter(color, -70), width=5
    )
    top = sheet(UNIT, depth * UNIT, lighter(color, 16), lighter(color, 2))
    draw = ImageDraw.Draw(top)
    inside = (24, 20, UNIT - 24, top.height - 24)
    if opened:
        draw.rectangle(
            (50, 40, UNIT - 60, top.height - 50),
            fill=(50, 62, 70),
            outline=lighter(color, -60),
            width=5,
        )
        glare(top, [(120, 40), (260, 40), (160, top.height - 50), (60, top.height - 50)], 0.3)
    else:
        draw.rounded_rectangle(inside, 26, outline=lighter(color, -28), width=4)
        write(top, (UNIT * 0.5, top.height * 0.82), made_up_name(rng), size=36, color=_ink(color))
        glare(top, [(140, 24), (280, 24), (160, top.height - 24), (30, top.height - 24)], 0.08)
    box(
        image,
        view,
        low=(-0.01, low, -0.02),
        high=(1.01, high, depth),
        color=color,
        front=rim,
        top=top,
    )


def _open_lid(
    image: Image.Image, view: Projection, height: float, depth: float, color: Color
) -> None:
    corners: list[Point] = [
        (0, height + 0.56, depth * 1.1),
        (1, height + 0.56, depth * 1.1),
        (1, height, depth),
        (0, height, depth),
    ]
    face = sheet(300, 200, lighter(color, -10), lighter(color, -30))
    ImageDraw.Draw(face).rectangle((24, 20, 276, 180), fill=(240, 240, 240))
    _slab(image, view, corners, face, lighter(color, -60))


def _laser(rng: np.random.Generator) -> Image.Image:
    """A tall box: paper comes out of a hollow on the top, drawers below; some with a scanner."""
    image = blank()
    body = pick(rng, [*BODIES[:4], BODIES[0], BODIES[1], BODIES[5]], 2)
    second = lighter(body, float(rng.choice([0, -40, -110]))) if sum(body) > 400 else body
    height, depth = rng.uniform(0.6, 0.95), rng.uniform(0.7, 1.0)
    scans = rng.random() < 0.35
    rise = 0.34 if scans else 0.12
    view = look_at(corners_of(1, height + rise, depth), _yaw(rng), rng.uniform(14, 34))
    front = _laser_front(rng, height, body, second)
    top = _hollow(rng, depth, body)
    box(image, view, low=(0, 0, 0), high=(1, height, depth), color=body, front=front, top=top)
    page = [
        (0.24, height + 0.05, depth * 0.7),
        (0.72, height + 0.05, depth * 0.7),
        (0.72, height + 0.01, depth * 0.2),
        (0.24, height + 0.01, depth * 0.2),
    ]
    if rng.random() < 0.6:
        _slab(image, view, page, _page(rng, 260, 240), lighter(PAPER, -70))
    box(
        image,
        view,
        low=(0, height, depth * 0.72),
        high=(1, height + 0.1, depth),
        color=lighter(body, 2),
    )
    if scans:
        box(
            image,
            view,
            low=(0, height, 0.1),
            high=(0.12, height + 0.14, depth),
            color=lighter(body, -6),
        )
        box(
            image,
            view,
            low=(0.88, height, 0.1),
            high=(1, height + 0.14, depth),
            color=lighter(body, -6),
        )
        _scanner(
            rng,
            image,
            view,
            place=(height + 0.14, height + rise, depth),
            color=second,
            opened=False,
        )
    return image


def _hollow(rng: np.random.Generator, depth: float, body: Color) -> Image.Image:
    across, down = UNIT, depth * UNIT
    top = sheet(across, down, lighter(body, 16), lighter(body, 6))
    draw = ImageDraw.Draw(top)
    draw.polygon(
        [
            (across * 0.16, down * 0.26),
            (across * 0.8, down * 0.26),
            (across * 0.76, down * 0.86),
            (across * 0.2, down * 0.86),
        ],
        fill=lighter(body, -42),
    )
    draw.rectangle((across * 0.16, down * 0.26, across * 0.8, down * 0.36), fill=(24, 24, 26))
    draw.polygon(
        [
            (across * 0.24, down * 0.5),
            (across * 0.72, down * 0.5),
            (across * 0.7, down * 0.86),
            (across * 0.26, down * 0.86),
        ],
        fill=lighter(body, -24),
    )
    place = (across * 0.83, down * 0.45, across * 0.97, down * 0.9)
    draw.rounded_rectangle(place, 8, fill=lighter(body, -70))
    for row in range(4):
        draw.ellipse(
            around(across * 0.9, down * (0.54 + 0.09 * row), 9),
            fill=[(70, 200, 90), (235, 150, 40), (210, 210, 210)][int(rng.integers(3))],
        )
    return top


def _laser_front(
    rng: np.random.Generator, height: float, body: Color, second: Color
) -> Image.Image:
    across, down = UNIT, height * UNIT
    front = sheet(across, down, lighter(body, 6), lighter(body, -18))
    draw = ImageDraw.Draw(front)
    line = lighter(body, -60)
    levels = [0.66] if rng.random() < 0.5 else [0.58, 0.79]
    draw.rectangle((0, down * levels[0], across, down), fill=second)
    for level in levels:
        draw.line([(0, down * level), (across, down * level)], fill=line, width=5)
        grip = around(across / 2, down * (level + 0.1), across * 0.14, down * 0.03)
        draw.rounded_rectangle(grip, 10, fill=lighter(second, -70))
    flap = (across * 0.1, down * 0.22, across * 0.9, down * levels[0] - 8)
    draw.rounded_rectangle(flap, 14, outline=line, width=4)
    draw.rounded_rectangle(around(across / 2, flap[1] + 8, across * 0.09, 7), 6, fill=line)
    write(front, (across * 0.22, down * 0.12), made_up_name(rng), size=34, color=_ink(body))
    panel = (across * 0.56, down * 0.05, across * 0.96, down * 0.18)
    if rng.random() < 0.6:
        _buttons(rng, front, panel, pick(rng, [(60, 62, 66), (120, 124, 128)], 4))
    draw.rectangle((0, 0, across - 1, down - 1), outline=lighter(body, -40), width=3)
    return front


def _receipt(rng: np.random.Generator) -> Image.Image:
    """A small box with a paper strip that curls up out of its top."""
    image = blank()
    body = pick(rng, [(38, 39, 42), (225, 223, 215), (70, 72, 76), (200, 200, 198)], 3)
    height, depth = rng.uniform(0.7, 1.0), rng.uniform(1.0, 1.3)
    rise = rng.uniform(0.35, 0.8)
    extent = [
        *corners_of(1, height, depth),
        (0.2, height + rise, depth * 0.5),
        (0.8, height + rise, depth * 0.5),
    ]
    view = look_at(extent, _yaw(rng), rng.uniform(16, 34))
    across, down = UNIT, height * UNIT
    front = sheet(across, down, lighter(body, 8), lighter(body, -16))
    draw = ImageDraw.Draw(front)
    draw.line([(0, down * 0.42), (across, down * 0.42)], fill=lighter(body, -45), width=5)
    write(front, (across * 0.3, down * 0.72), made_up_name(rng), size=40, color=_ink(body))
    for number, lamp in enumerate([(70, 210, 90), (240, 160, 40), (220, 60, 50)]):
        draw.ellipse(around(across * (0.7 + 0.09 * number), down * 0.22, 11), fill=lamp)
    draw.rounded_rectangle(around(across * 0.79, down * 0.72, 50, 20), 10, fill=lighter(body, 30))
    top = sheet(across, depth * UNIT, lighter(body, 18), lighter(body, 4))
    draw = ImageDraw.Draw(top)
    draw.rounded_rectangle(
        (36, 20, across - 36, top.height * 0.66), 24, outline=lighter(body, -35), width=4
    )
    draw.rectangle(
        (across * 0.14, top.height * 0.7, across * 0.86, top.height * 0.78), fill=(14, 14, 15)
    )
    box(image, view, low=(0, 0, 0), high=(1, height, depth), color=body, front=front, top=top)
    _strip(rng, image, view, (height, depth * 0.26), rise)
    return image


def _strip(
    rng: np.random.Generator,
    image: Image.Image,
    view: Projection,
    start: tuple[float, float],
    rise: float,
) -> None:
    """A receipt or labels, from its slot at (up, away), curling back over as it rises."""
    page = sheet(240, 320, lighter(PAPER, -6), PAPER)
    draw = ImageDraw.Draw(page)
    write(page, (120, 36), made_up_name(rng), size=40, color=(40, 40, 44))
    for y in range(80, 230, 20):
        draw.line([(24, y), (24 + rng.uniform(40, 120), y)], fill=(90, 90, 94), width=5)
        draw.line([(180, y), (216, y)], fill=(90, 90, 94), width=5)
    x = 30.0
    while x < 205:
        wide = rng.uniform(2, 8)
        draw.rectangle((x, 246, x + wide, 300), fill=(30, 30, 32))
        x += wide + rng.uniform(3, 8)
    height, away = start
    steps = 8
    curl = rng.uniform(0.1, 0.3)
    spots = [
        (height + rise * math.sin(s / steps * 1.5), away + curl * (1 - math.cos(s / steps * 1.9)))
        for s in range(steps + 1)
    ]
    for step in range(steps):
        (low, near), (high, far) = spots[step], spots[step + 1]
        part = page.crop(
            (0, round(320 * (1 - (step + 1) / steps)), 240, round(320 * (1 - step / steps)))
        )
        corners = [(0.2, high, far), (0.8, high, far), (0.8, low, near), (0.2, low, near)]
        lay(image, view, corners, part)
