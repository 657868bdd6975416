"""Televisions: flat screens on a stand, tubes with a deep back, old sets in a wooden case."""

import math

import cv2
import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings.canvas import Color, blank, lighter, made_up_name, pick, write
from edge.synthetic.drawings.solid import (
    Projection,
    around,
    box,
    corners_of,
    glare,
    knob,
    lay,
    look_at,
    sheet,
)

UNIT = 560
"""Pixels of a face for one unit of length."""


def draw(rng: np.random.Generator) -> Image.Image:
    """A television on a transparent canvas."""
    forms = (*[_flat] * 5, *[_tube] * 3, *[_wooden] * 2)
    return forms[int(rng.integers(len(forms)))](rng)


def _yaw(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(0, 8 if rng.random() < 0.45 else 34))


def _flat(rng: np.random.Generator) -> Image.Image:
    image = blank()
    case = pick(
        rng,
        [(22, 22, 24), (30, 30, 34), (40, 40, 44), (18, 18, 20), (150, 153, 158), (205, 206, 208)],
        2,
    )
    height, foot = rng.uniform(0.54, 0.68), rng.uniform(0.06, 0.15)
    depth = rng.uniform(0.04, 0.1)
    extent = [*corners_of(1, height + foot, depth), (0.3, 0, -0.16), (0.7, 0, 0.2)]
    view = look_at(extent, _yaw(rng), rng.uniform(2, 12))
    stand = lighter(case, rng.uniform(-10, 25))
    if rng.random() < 0.6:
        _foot(rng, image, view, foot, stand)
    else:
        for x in (0.16, 0.84):
            legs = [(x, foot, 0.02), (x + 0.03, 0, -0.13), (x - 0.03, 0, -0.13)]
            ImageDraw.Draw(image).polygon(_spots(view, legs), fill=lighter(stand, 20))
            legs = [(x, foot, 0.02), (x + 0.03, 0, 0.17), (x - 0.03, 0, 0.17)]
            ImageDraw.Draw(image).polygon(_spots(view, legs), fill=stand)
    front = _bezel(rng, height, case, rng.uniform(0.012, 0.06), rng.uniform(0.02, 0.11))
    box(image, view, low=(0, foot, 0), high=(1, foot + height, depth), color=case, front=front)
    return image


def _spots(view: Projection, points: list[tuple[float, float, float]]) -> list[tuple[float, float]]:
    return [tuple(spot) for spot in view.at(points).tolist()]


def _foot(
    rng: np.random.Generator, image: Image.Image, view: Projection, foot: float, color: Color
) -> None:
    wide, turns = rng.uniform(0.18, 0.34), np.linspace(0, math.tau, 40)
    round_foot = rng.random() < 0.5
    for rise, tone in ((0.0, -12), (0.02, 12)):
        if round_foot:
            ring = [(0.5 + wide * math.cos(t), rise, 0.03 + 0.17 * math.sin(t)) for t in turns]
        else:
            ring = [
                (0.5 + a * wide, rise, 0.03 + b * 0.15)
                for a, b in ((-1, 1), (1, 1), (1.1, -1), (-1.1, -1))
            ]
        ImageDraw.Draw(image).polygon(_spots(view, ring), fill=lighter(color, tone))
    neck = rng.uniform(0.05, 0.12)
    box(
        image,
        view,
        low=(0.5 - neck, 0.02, 0),
        high=(0.5 + neck, foot + 0.02, 0.06),
        color=lighter(color, -6),
    )


def _bezel(
    rng: np.random.Generator, height: float, case: Color, edge: float, below: float
) -> Image.Image:
    """The front of a flat screen: `edge` left, right and above the picture, `below` under it."""
    across, down = UNIT, height * UNIT
    face = sheet(across, down, lighter(case, 14), case)
    draw = ImageDraw.Draw(face)
    rim, chin = edge * UNIT, below * UNIT
    inside = (int(rim), int(rim), int(across - rim), int(down - max(chin, rim)))
    face.paste(_screen(rng, inside[2] - inside[0], inside[3] - inside[1]), inside[:2])
    draw.rectangle(inside, outline=lighter(case, -40), width=2)
    draw.rectangle((0, 0, across - 1, int(down) - 1), outline=lighter(case, 45), width=2)
    if chin > 18:
        letters = lighter(case, 130 if sum(case) < 300 else -110)
        write(
            face,
            (across / 2, down - chin / 2),
            made_up_name(rng),
            size=min(26, chin * 0.6),
            color=letters,
        )
        draw.ellipse(around(across * 0.93, down - chin / 2, 4), fill=(220, 40, 40))
    if chin > 40 and rng.random() < 0.6:
        for y in np.arange(down - chin + 10, down - 8, 6):
            for start, end in ((0.05, 0.38), (0.62, 0.9)):
                draw.line(
                    [(across * start, y), (across * end, y)], fill=lighter(case, -22), width=2
                )
    return face


def _screen(rng: np.random.Generator, across: int, down: int, bulge: bool = False) -> Image.Image:
    """What a screen shows, RGBA: nothing, a picture, snow, bars; at times cracked."""
    shows = rng.choice(["off", "picture", "snow", "bars", "blue"], p=[0.54, 0.29, 0.08, 0.03, 0.06])
    if shows == "off":
        tone = pick(
            rng,
            [(16, 17, 19), (34, 36, 38), (58, 62, 62), (70, 78, 74)]
            if bulge
            else [(8, 8, 10), (20, 21, 24), (44, 46, 50)],
            4,
        )
        screen = sheet(across, down, lighter(tone, 26), lighter(tone, -10), rng.uniform(30, 150))
    elif shows == "blue":
        screen = sheet(across, down, (30, 60, 190), (10, 20, 120), rng.uniform(0, 180))
    elif shows == "snow":
        grain = rng.integers(0, 255, (max(2, down // 4), max(2, across // 4)), np.uint8)
        screen = (
            Image.fromarray(grain).resize((across, down), Image.Resampling.NEAREST).convert("RGBA")
        )
    elif shows == "bars":
        screen = sheet(across, down, (0, 0, 0))
        bars = [
            (230, 230, 230),
            (220, 220, 30),
            (30, 210, 210),
            (30, 200, 40),
            (210, 30, 200),
            (210, 30, 30),
            (30, 40, 210),
        ]
        for place, bar in enumerate(bars):
            left = across * place / 7
            ImageDraw.Draw(screen).rectangle((left, 0, left + across / 7, down), fill=bar)
    else:
        screen = _picture(rng, across, down)
    if rng.random() < 0.75:
        left, slant = rng.uniform(0.1, 0.7) * across, rng.uniform(0.1, 0.4) * across
        wide = rng.uniform(0.1, 0.4) * across
        glare(
            screen,
            [(left, 0), (left + wide, 0), (left + wide - slant, down), (left - slant, down)],
            rng.uniform(0.04, 0.14),
        )
    if rng.random() < 0.12:
        _crack(rng, screen)
    return screen


def _picture(rng: np.random.Generator, across: int, down: int) -> Image.Image:
    """A landscape, a pitch or colored blurs."""
    kind = int(rng.choice(3, p=[0.45, 0.2, 0.35]))
    if kind == 0:
        sky = pick(rng, [(90, 150, 220), (240, 140, 80), (60, 70, 140), (200, 120, 160)], 15)
        screen = sheet(across, down, sky, lighter(sky, 60))
        draw = ImageDraw.Draw(screen)
        draw.ellipse(
            around(rng.uniform(0.2, 0.8) * across, down * 0.4, down * 0.12), fill=(255, 240, 190)
        )
        for layer in range(3):
            background = pick(rng, [(40, 90, 60), (60, 70, 110), (90, 60, 50), (30, 60, 110)], 12)
            level = down * (0.5 + 0.15 * layer)
            ridge = [
                (float(x) * across, level + float(rng.normal(0, down * 0.07)))
                for x in np.linspace(0, 1, 9)
            ]
            draw.polygon([(0, down), *ridge, (across, down)], fill=lighter(background, -15 * layer))
    elif kind == 1:
        screen = sheet(across, down, (60, 150, 60), (40, 120, 45))
        draw = ImageDraw.Draw(screen)
        draw.rectangle((0, 0, across, down * 0.18), fill=(110, 100, 120))
        for place in range(0, 8, 2):
            left = across * place / 8
            draw.rectangle((left, down * 0.18, left + across / 8, down), fill=(52, 138, 54))
        for _ in range(9):
            shirt = pick(rng, [(210, 40, 40), (240, 240, 240), (40, 60, 180)])
            x, y = rng.uniform(0.05, 0.95) * across, rng.uniform(0.3, 0.9) * down
            draw.rectangle(around(x, y, 5, 13), fill=shirt)
    else:
        few = rng.integers(0, 180, (3, 5, 1)) + rng.integers(0, 76, (3, 5, 3))
        few = np.clip(few * rng.uniform(0.5, 1.1, 3), 0, 255).astype(np.uint8)
        blurred = cv2.resize(few, (across, down), interpolation=cv2.INTER_CUBIC)
        screen = Image.fromarray(blurred).convert("RGBA")
    return screen


def _crack(rng: np.random.Generator, screen: Image.Image) -> None:
    draw = ImageDraw.Draw(screen)
    start = np.array([rng.uniform(0.2, 0.8) * screen.width, rng.uniform(0.2, 0.8) * screen.height])
    for turn in np.linspace(0, math.tau, int(rng.integers(8, 14)), endpoint=False):
        spot, way = start, turn + rng.normal(0, 0.2)
        path = [tuple(start.tolist())]
        for _ in range(int(rng.integers(2, 6))):
            way += rng.normal(0, 0.25)
            spot = spot + rng.uniform(25, 80) * np.array([math.cos(way), math.sin(way)])
            path.append(tuple(spot.tolist()))
        draw.line(path, fill=(205, 210, 215), width=2)
    for reach in (18, 45, 80):
        ring = [
            (
                float(start[0] + reach * math.cos(t) * rng.uniform(0.8, 1.2)),
                float(start[1] + reach * math.sin(t) * rng.uniform(0.8, 1.2)),
            )
            for t in np.linspace(0, math.tau, 11)
        ]
        draw.line(ring, fill=(170, 175, 180), width=1)


def _bulging(
    rng: np.random.Generator, face: Image.Image, inside: tuple[int, int, int, int]
) -> None:
    """Set a tube's screen, its corners round and its sides curved, into a face."""
    across, down = inside[2] - inside[0], inside[3] - inside[1]
    screen = _screen(rng, across, down, bulge=True)
    mask = Image.new("L", (across, down), 0)
    turns = np.linspace(0, math.tau, 60)
    power = rng.uniform(0.22, 0.36)
    edge = [
        (
            across / 2 * (1 + math.copysign(abs(math.cos(t)) ** power, math.cos(t))),
            down / 2 * (1 + math.copysign(abs(math.sin(t)) ** power, math.sin(t))),
        )
        for t in turns
    ]
    ImageDraw.Draw(mask).polygon(edge, fill=255)
    spot = [
        (across * x, down * y) for x, y in ((0.1, 0.12), (0.34, 0.08), (0.3, 0.3), (0.12, 0.36))
    ]
    glare(screen, spot, rng.uniform(0.05, 0.3))
    face.paste(screen, inside[:2], mask)
    ImageDraw.Draw(face).line(
        [(x + inside[0], y + inside[1]) for x, y in edge], fill=(15, 15, 16), width=6
    )


def _tube(rng: np.random.Generator) -> Image.Image:
    """A set of the nineties: a deep back that narrows, a bezel with a speaker or buttons."""
    image = blank()
    case = pick(
        rng, [(38, 38, 40), (55, 55, 58), (170, 172, 175), (130, 130, 134), (205, 200, 190)], 3
    )
    height, depth = rng.uniform(0.76, 0.9), rng.uniform(0.6, 0.9)
    antenna = rng.random() < 0.3
    extent = corners_of(1, height, depth * 0.6)
    if antenna:
        extent.append((0.5, height + 0.43, 0.25))
    view = look_at(extent, _yaw(rng), rng.uniform(5, 28))
    draw = ImageDraw.Draw(image)
    if antenna:
        _rabbit_ears(image, view, (0.5, height, 0.25), 0.4)
    rear, ledge = depth, 0.14
    near = [(0, height, ledge), (1, height, ledge), (1, 0, ledge), (0, 0, ledge)]
    far = [
        (0.2, height * 0.86, rear),
        (0.8, height * 0.86, rear),
        (0.8, 0.08, rear),
        (0.2, 0.08, rear),
    ]
    tones = (14, -40, -60, -40)
    for place, tone in enumerate(tones):
        after = (place + 1) % 4
        lay(image, view, [far[place], far[after], near[after], near[place]], lighter(case, tone))
        if place == 0:
            for share in (0.3, 0.45, 0.6):
                pair = [
                    tuple((np.asarray(near[k]) * (1 - share) + np.asarray(far[k]) * share).tolist())
                    for k in (0, 1)
                ]
                draw.line(_spots(view, pair), fill=lighter(case, -30), width=3)
    front = _tube_front(rng, height, case)
    box(image, view, low=(0, 0, 0), high=(1, height, ledge), color=case, front=front)
    return image


def _tube_front(rng: np.random.Generator, height: float, case: Color) -> Image.Image:
    across, down = UNIT, int(height * UNIT)
    face = sheet(across, down, lighter(case, 12), lighter(case, -14))
    draw = ImageDraw.Draw(face)
    speakers = rng.random() < 0.35
    rim = int(UNIT * (0.12 if speakers else rng.uniform(0.05, 0.09)))
    top, chin = int(UNIT * 0.06), int(UNIT * rng.uniform(0.1, 0.17))
    inside = (rim, top, across - rim, down - chin)
    draw.rounded_rectangle(
        around(
            (inside[0] + inside[2]) / 2,
            (inside[1] + inside[3]) / 2,
            (inside[2] - inside[0]) / 2 + 12,
            (inside[3] - inside[1]) / 2 + 12,
        ),
        30,
        fill=lighter(case, -28),
    )
    _bulging(rng, face, inside)
    if speakers:
        for x in (rim / 2, across - rim / 2):
            for y in np.arange(top + 20, down - chin, 12):
                for shift in (-14, 0, 14):
                    draw.ellipse(around(x + shift, float(y), 3), fill=lighter(case, -60))
    middle = down - chin / 2
    letters = lighter(case, 120 if sum(case) < 330 else -120)
    write(face, (across * 0.5, middle - 4), made_up_name(rng), size=24, color=letters)
    for number in range(int(rng.integers(3, 7))):
        draw.rounded_rectangle(
            around(across * 0.66 + number * 26, middle + 4, 9, 6), 3, fill=lighter(case, -45)
        )
    draw.ellipse(around(across * 0.1, middle, 9), fill=(170, 40, 40))
    draw.rectangle((0, 0, across - 1, down - 1), outline=lighter(case, -35), width=3)
    return face


def _rabbit_ears(
    image: Image.Image, view: Projection, foot: tuple[float, float, float], rise: float
) -> None:
    draw = ImageDraw.Draw(image)
    x, y, z = foot
    for reach in (-0.34, 0.3):
        path = _spots(view, [(x, y, z), (x + reach, y + rise, z)])
        draw.line(path, fill=(70, 70, 72), width=9)
        draw.line(path, fill=(190, 190, 195), width=5)
        draw.ellipse(around(*path[1], 7), fill=(60, 60, 62))
    draw.ellipse(around(*_spots(view, [foot])[0], 34, 20), fill=(40, 40, 42))


def _wooden(rng: np.random.Generator) -> Image.Image:
    """An old set: wooden case, round-cornered screen, knobs and a grille beside it."""
    image = blank()
    wood = pick(rng, [(120, 72, 38), (96, 56, 30), (150, 98, 56), (70, 44, 30), (160, 50, 40)], 8)
    height, depth = rng.uniform(0.66, 0.84), rng.uniform(0.3, 0.5)
    legs, antenna = rng.random() < 0.35, rng.random() < 0.6
    base = 0.16 if legs else 0.0
    extent = [(x, y * 1.0, z) for x, y, z in corners_of(1, base + height, depth)]
    if antenna:
        extent.append((0.5, base + height + 0.39, depth / 2))
    view = look_at(extent, _yaw(rng), rng.uniform(3, 16))
    if legs:
        for x in (0.12, 0.88):
            for z in (depth * 0.85, 0.05):
                path = [
                    (x - 0.03, base, z),
                    (x + 0.03, base, z),
                    (x + (0.06 if x > 0.5 else -0.06), 0, z),
                ]
                ImageDraw.Draw(image).polygon(_spots(view, path), fill=lighter(wood, -30))
    if antenna:
        _rabbit_ears(image, view, (0.5, base + height, depth / 2), 0.36)
    front = _wooden_front(rng, height, wood)
    top = sheet(UNIT, depth * UNIT, lighter(wood, 10), lighter(wood, 30))
    _veins(rng, top, lighter(wood, 4))
    box(
        image,
        view,
        low=(0, base, 0),
        high=(1, base + height, depth),
        color=wood,
        front=front,
        top=top,
    )
    return image


def _veins(rng: np.random.Generator, face: Image.Image, color: Color) -> None:
    draw = ImageDraw.Draw(face)
    for y in rng.uniform(0, face.height, 16).tolist():
        draw.line([(0, y), (face.width, y + float(rng.normal(0, 8)))], fill=color, width=2)


def _wooden_front(rng: np.random.Generator, height: float, wood: Color) -> Image.Image:
    across, down = UNIT, int(height * UNIT)
    face = sheet(across, down, lighter(wood, 10), lighter(wood, -12))
    _veins(rng, face, lighter(wood, -14))
    draw = ImageDraw.Draw(face)
    right = int(across * rng.uniform(0.68, 0.76))
    plate = pick(rng, [(44, 38, 34), (190, 175, 140), (150, 150, 150), (30, 30, 32)], 6)
    draw.rounded_rectangle(
        (26, 26, across - 26, down - 26), 18, fill=plate, outline=lighter(wood, -40), width=4
    )
    draw.rounded_rectangle((34, 34, right - 4, down - 34), 40, fill=lighter(plate, -26))
    _bulging(rng, face, (44, 44, right - 14, down - 44))
    x = (right + across - 26) / 2
    grip = pick(rng, [(200, 190, 165), (60, 56, 52), (180, 180, 182)], 6)
    for place in range(int(rng.integers(2, 4))):
        knob(
            face,
            x,
            down * (0.17 + 0.16 * place),
            radius=29,
            color=grip,
            turn=rng.uniform(0, math.tau),
        )
    for y in range(int(down * 0.66), down - 42, 11):
        draw.line(
            [(right + 10, y), (across - 38, y)],
            fill=lighter(plate, -45 if sum(plate) > 300 else 40),
            width=4,
        )
    write(
        face,
        (x, down * 0.61),
        made_up_name(rng),
        size=18,
        color=lighter(plate, 110 if sum(plate) < 300 else -110),
    )
    draw.rectangle((0, 0, across - 1, down - 1), outline=lighter(wood, -35), width=4)
    return face
