"""Players: turntables, boomboxes, disc players, decks, pocket players, cassette players."""

import math
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings.canvas import (
    SIDE,
    Color,
    blank,
    lighter,
    made_up_name,
    pick,
    rgb_at,
    write,
)
from edge.synthetic.drawings.solid import (
    around,
    box,
    corners_of,
    dome,
    glare,
    knob,
    lay,
    look_at,
    sheet,
    speaker,
)

MIDDLE = SIDE / 2
SHELLS = (
    (205, 208, 212),
    (170, 174, 180),
    (40, 41, 45),
    (60, 62, 68),
    (50, 90, 190),
    (200, 50, 55),
)
INKS = ((90, 220, 255), (120, 240, 150), (255, 120, 70), (240, 240, 240))


def draw(rng: np.random.Generator) -> Image.Image:
    """A player of music or films on a transparent canvas."""
    forms = (
        *[_turntable] * 4,
        *[_boombox] * 3,
        *[_round_boombox] * 3,
        *[_disc_player] * 3,
        *[_deck] * 2,
        *[_pocket] * 2,
        *[_cassette] * 2,
        _gramophone,
    )
    return forms[int(rng.integers(len(forms)))](rng)


def _record(rng: np.random.Generator, face: Image.Image, x: float, y: float, radius: float) -> None:
    """A record on its platter: grooves, a light wedge, a colored label."""
    draw = ImageDraw.Draw(face)
    draw.ellipse(around(x, y, radius * 1.07), fill=(150, 152, 156), outline=(90, 92, 96), width=4)
    draw.ellipse(around(x, y, radius), fill=(18, 18, 20))
    for share in np.arange(0.42, 0.98, 0.055):
        tone = int(rng.integers(28, 52))
        draw.ellipse(around(x, y, radius * float(share)), outline=(tone, tone, tone + 2), width=2)
    for turn in rng.uniform(0, math.tau) + np.array([0, math.pi]):
        wedge = [
            (x + radius * 0.97 * math.cos(turn + a), y + radius * 0.97 * math.sin(turn + a))
            for a in np.linspace(-0.22, 0.22, 7)
        ]
        glare(face, [(x, y), *wedge], 0.16)
    label = pick(
        rng, [(200, 50, 45), (230, 180, 60), (50, 90, 170), (230, 225, 210), (220, 120, 50)]
    )
    draw.ellipse(around(x, y, radius * 0.36), fill=label)
    draw.ellipse(around(x, y, radius * 0.28), outline=lighter(label, -60), width=3)
    draw.rectangle(around(x, y - radius * 0.16, radius * 0.16, 4), fill=lighter(label, -90))
    draw.ellipse(around(x, y, 6), fill=(225, 225, 225))


def _arm(
    rng: np.random.Generator, face: Image.Image, foot: tuple[float, float], tip: tuple[float, float]
) -> None:
    """A tone arm from its foot to the needle over the record."""
    draw = ImageDraw.Draw(face)
    metal = pick(rng, [(205, 207, 210), (180, 182, 186), (40, 40, 42)], 4)
    dome(face, around(*foot, 46), (70, 72, 76), (170, 172, 176))
    back = (foot[0] + (foot[0] - tip[0]) * 0.12, foot[1] + (foot[1] - tip[1]) * 0.2)
    elbow = (foot[0] - 6, foot[1] + (tip[1] - foot[1]) * 0.7)
    draw.line([back, foot], fill=(50, 50, 54), width=26)
    draw.line([foot, elbow, tip], fill=(70, 72, 74), width=17, joint="curve")
    draw.line([foot, elbow, tip], fill=metal, width=11, joint="curve")
    way = math.atan2(tip[1] - elbow[1], tip[0] - elbow[0])
    end = (tip[0] + 34 * math.cos(way), tip[1] + 34 * math.sin(way))
    draw.line([tip, end], fill=(24, 24, 26), width=24)
    draw.ellipse(around(*foot, 22), fill=metal, outline=(70, 72, 74), width=3)


def _turntable(rng: np.random.Generator) -> Image.Image:
    """A record player, from above or from a corner, at times with its lid up."""
    image = blank()
    woods = [
        (130, 78, 40),
        (160, 104, 60),
        (96, 58, 34),
        (34, 34, 37),
        (190, 192, 196),
        (40, 110, 120),
        (170, 50, 50),
    ]
    case = pick(rng, woods, 6)
    depth, height = rng.uniform(0.74, 0.9), rng.uniform(0.1, 0.24)
    plate = pick(rng, [lighter(case, 12), (40, 41, 44), (190, 192, 196), (225, 215, 190)], 4)
    face = sheet(700, 700 * depth, lighter(plate, 10), lighter(plate, -12))
    draw = ImageDraw.Draw(face)
    draw.rectangle((0, 0, 699, face.height - 1), outline=lighter(case, -20), width=10)
    radius = face.height * rng.uniform(0.4, 0.44)
    x, y = 30 + radius * 1.07, face.height / 2
    _record(rng, face, x, y, radius)
    right = 700 - 66
    knob(
        face,
        right,
        face.height * 0.86,
        radius=24,
        color=pick(rng, [(205, 205, 208), (60, 60, 62)], 2),
        turn=rng.uniform(0, 6),
    )
    draw.rounded_rectangle(around(right, face.height * 0.66, 14, 40), 5, fill=lighter(plate, -60))
    draw.rounded_rectangle(
        around(50, face.height - 40, 24, 14), 5, fill=(205, 207, 210), outline=(90, 90, 92), width=2
    )
    turn = rng.uniform(0.15, 0.75)
    share = rng.uniform(0.5, 0.92)
    _arm(
        rng,
        face,
        (right, face.height * 0.2),
        (x + radius * share * math.cos(turn), y + radius * share * math.sin(turn)),
    )
    lid = rng.random() < 0.35
    pitch = rng.uniform(24, 45) if lid or rng.random() < 0.5 else rng.uniform(65, 90)
    extent = corners_of(1, height, depth)
    if lid:
        extent += [(x, height + 0.6, depth + 0.14) for x in (0, 1)]
    view = look_at(extent, rng.uniform(-28, 28), pitch)
    if lid:
        up = [
            (0, height + 0.6, depth + 0.14),
            (1, height + 0.6, depth + 0.14),
            (1, height, depth),
            (0, height, depth),
        ]
        tint = pick(rng, [(190, 196, 202), (120, 126, 132), lighter(case, -10)], 4)
        cover = sheet(400, 260, lighter(tint, 20), lighter(tint, -20), 40)
        ImageDraw.Draw(cover).rectangle((0, 0, 399, 259), outline=lighter(tint, -60), width=8)
        glare(cover, [(90, 0), (180, 0), (100, 260), (10, 260)], 0.3)
        lay(image, view, up, cover)
    front = sheet(700, 700 * height, case, lighter(case, -20))
    draw = ImageDraw.Draw(front)
    for row in rng.uniform(0, front.height, 8).tolist():
        draw.line(
            [(0, row), (700, row + float(rng.normal(0, 5)))], fill=lighter(case, -10), width=2
        )
    if height > 0.16:
        for start in (0.06, 0.68):
            for row in range(24, front.height - 16, 14):
                draw.line(
                    [(700 * start, row), (700 * (start + 0.26), row)],
                    fill=lighter(case, -50),
                    width=5,
                )
    write(
        front,
        (350, front.height / 2),
        made_up_name(rng),
        size=min(50, front.height * 0.4),
        color=lighter(case, 90),
    )
    box(image, view, low=(0, 0, 0), high=(1, height, depth), color=case, front=front, top=face)
    return image


def _gramophone(rng: np.random.Generator) -> Image.Image:
    """An old player: a wooden box, a record on it, a large brass horn over it."""
    image = blank()
    wood = pick(rng, [(120, 66, 36), (96, 50, 30), (150, 90, 50)], 6)
    brass = pick(rng, [(214, 164, 70), (200, 140, 80), (190, 120, 60)], 6)
    view = look_at(
        [*corners_of(1, 0.4, 0.9), (0, 1.55, 0.5), (1, 1.55, 0.5)],
        rng.uniform(-28, 28),
        rng.uniform(14, 24),
    )
    face = sheet(500, 450, lighter(wood, 26), lighter(wood, 10))
    _record(rng, face, 240, 220, 190)
    front = sheet(500, 200, lighter(wood, 8), lighter(wood, -20))
    ImageDraw.Draw(front).rectangle((36, 36, 464, 164), outline=lighter(wood, -40), width=8)
    box(image, view, low=(0, 0, 0), high=(1, 0.4, 0.9), color=wood, front=front, top=face)
    draw = ImageDraw.Draw(image)
    side = float(rng.choice([-1, 1]))
    pipe = [
        (0.5 + 0.4 * side, 0.4, 0.7),
        (0.5 + 0.4 * side, 0.75, 0.7),
        (0.5 + 0.1 * side, 0.95, 0.6),
    ]
    spots = [tuple(spot) for spot in view.at(pipe).tolist()]
    draw.line(spots, fill=lighter(brass, -60), width=34, joint="curve")
    draw.line(spots, fill=brass, width=22, joint="curve")
    x, y = view.at([(0.5 - 0.12 * side, 1.1, 0.5)])[0].tolist()
    radius, petals = rng.uniform(165, 200), int(rng.integers(7, 12))
    turns = np.linspace(0, math.tau, 90)
    for share in np.linspace(1, 0.12, 16).tolist():
        reach = radius * share * (1 + 0.05 * np.cos(petals * turns))
        shift = (1 - share) * radius * 0.45 * side
        rim = np.stack(
            [x + shift + reach * np.cos(turns), y + shift * side * 0.6 + reach * np.sin(turns)],
            axis=1,
        )
        tone = lighter(brass, 45 - 130 * (1 - share) ** 0.7)
        draw.polygon([tuple(spot) for spot in rim.tolist()], fill=tone)
    for turn in np.linspace(0, math.tau, petals, endpoint=False):
        edge = (x + 0.96 * radius * math.cos(turn), y + 0.96 * radius * math.sin(turn))
        middle = (x + radius * 0.4 * side, y + radius * 0.24)
        start = (edge[0] * 0.3 + middle[0] * 0.7, edge[1] * 0.3 + middle[1] * 0.7)
        draw.line([start, edge], fill=lighter(brass, -45), width=4)
    return image


def _handle(
    image: Image.Image, *, left: float, right: float, top: float, bottom: float, color: Color
) -> None:
    draw = ImageDraw.Draw(image)
    for tone, width in ((-45, 34), (0, 24), (22, 8)):
        path = [
            (left, bottom),
            (left + 20, top + 12),
            (left + 50, top),
            (right - 50, top),
            (right - 20, top + 12),
            (right, bottom),
        ]
        draw.line(path, fill=lighter(color, tone), width=width, joint="curve")


def _boombox(rng: np.random.Generator) -> Image.Image:
    """A radio cassette player: two loudspeakers, a handle, a cassette or disc between them."""
    image = blank()
    shell = pick(rng, SHELLS, 3)
    tall = rng.uniform(330, 420)
    left, right, bottom = 24, SIDE - 24, 690
    top = bottom - tall
    if rng.random() < 0.5:
        ImageDraw.Draw(image).line(
            [(right - 70, top), (right - rng.uniform(10, 160), top - 190)],
            fill=(175, 177, 180),
            width=9,
        )
    _handle(
        image,
        left=left + 60,
        right=right - 60,
        top=top - rng.uniform(70, 120),
        bottom=top + 12,
        color=lighter(shell, -20),
    )
    face = sheet(right - left, tall, lighter(shell, 16), lighter(shell, -24))
    draw = ImageDraw.Draw(face)
    across = face.width
    radius = min(tall * 0.36, across * rng.uniform(0.135, 0.165))
    dark = pick(rng, [(34, 34, 37), (60, 61, 64), lighter(shell, -50)], 4)
    square = rng.random() < 0.4
    for x in (radius + 26, across - radius - 26):
        y = tall * 0.56
        if square:
            draw.rounded_rectangle(around(x, y, radius + 12, tall * 0.4), 14, fill=dark)
        speaker(
            face,
            x,
            y,
            radius=radius,
            rim=lighter(shell, -40) if not square else (150, 152, 156),
            cone=(52, 53, 57),
        )
    low, high = 2 * radius + 50, across - 2 * radius - 50
    _tuner(rng, face, (low, 16, high, tall * 0.3), shell)
    if rng.random() < 0.6:
        _tape(rng, face, (low + 12, tall * 0.36, high - 12, tall * 0.76))
    else:
        middle = (low + high) / 2
        radius = min((high - low) * 0.42, tall * 0.22)
        draw.ellipse(
            around(middle, tall * 0.56, radius),
            fill=lighter(shell, -30),
            outline=lighter(shell, -70),
            width=5,
        )
        draw.ellipse(around(middle, tall * 0.56, radius * 0.6), fill=(40, 42, 46))
    keys = np.linspace(low + 10, high - 10, 7)
    for start, end in pairwise(keys.tolist()):
        draw.rectangle(
            (start + 2, tall * 0.82, end - 2, tall * 0.93),
            fill=(205, 207, 210),
            outline=(60, 60, 62),
            width=2,
        )
    mask = Image.new("L", face.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, across - 1, face.height - 1), float(rng.choice([12, 40, 90])), fill=255
    )
    image.paste(face, (left, int(top)), mask)
    return image


def _tuner(
    rng: np.random.Generator,
    face: Image.Image,
    place: tuple[float, float, float, float],
    shell: Color,
) -> None:
    draw = ImageDraw.Draw(face)
    left, top, right, bottom = place
    draw.rectangle(
        (left, top, right, bottom - 34), fill=(22, 24, 28), outline=lighter(shell, -70), width=3
    )
    ink = pick(rng, INKS)
    middle = (top + bottom - 34) / 2
    for x in np.linspace(left + 14, right - 14, 16):
        draw.line([(x, middle - 8), (x, middle + 8)], fill=ink, width=2)
    draw.line([(left + 10, middle), (right - 10, middle)], fill=ink, width=2)
    x = rng.uniform(left + 20, right - 20)
    draw.line([(x, top + 4), (x, bottom - 40)], fill=(240, 60, 40), width=5)
    for x in np.linspace(left + 18, right - 18, 5):
        knob(
            face,
            float(x),
            bottom - 12,
            radius=13,
            color=(190, 192, 196),
            turn=rng.uniform(0, math.tau),
        )


def _tape(
    rng: np.random.Generator, face: Image.Image, place: tuple[float, float, float, float]
) -> None:
    """A cassette behind its window."""
    draw = ImageDraw.Draw(face)
    left, top, right, bottom = place
    wide, tall = right - left, bottom - top
    draw.rounded_rectangle(place, 10, fill=(30, 30, 33), outline=(12, 12, 13), width=4)
    label = pick(rng, [(235, 230, 215), (220, 170, 70), (200, 80, 70), (110, 150, 190)])
    draw.rounded_rectangle(
        (left + wide * 0.1, top + tall * 0.14, right - wide * 0.1, bottom - tall * 0.14),
        6,
        fill=label,
    )
    draw.rounded_rectangle(
        (left + wide * 0.2, top + tall * 0.36, right - wide * 0.2, bottom - tall * 0.28),
        10,
        fill=(40, 36, 34),
    )
    for share in (0.33, 0.67):
        x, y, radius = left + wide * share, top + tall * 0.54, tall * 0.12
        draw.ellipse(around(x, y, radius), fill=(235, 235, 232))
        draw.ellipse(around(x, y, radius * 0.5), fill=(40, 36, 34))
    glare(
        face,
        [
            (left + wide * 0.1, top),
            (left + wide * 0.4, top),
            (left + wide * 0.2, bottom),
            (left, bottom),
            (left, top + 30),
        ],
        0.14,
    )


def _round_boombox(rng: np.random.Generator) -> Image.Image:
    """A plump disc player with two loudspeakers, a display, a disc lid on top, a handle."""
    image = blank()
    shell = pick(rng, SHELLS, 3)
    second = pick(rng, [(195, 198, 203), lighter(shell, -50), (50, 52, 56), lighter(shell, 30)], 4)
    draw = ImageDraw.Draw(image)
    tall = rng.uniform(190, 235)
    center = 450
    handle = around(MIDDLE, center - 90, 300, rng.uniform(180, 250))
    for tone, width in ((-45, 40), (10, 26)):
        draw.arc(handle, 180, 360, fill=lighter(second, tone), width=width)
    dome(
        image, around(MIDDLE, center, 360, tall), lighter(shell, -45), lighter(shell, 22), lean=0.05
    )
    lid = around(MIDDLE, center - tall * 0.5, 200, tall * 0.42)
    draw.ellipse(lid, fill=lighter(second, -40))
    dome(image, around(MIDDLE, center - tall * 0.53, 192, tall * 0.38), second, lighter(second, 45))
    if rng.random() < 0.6:
        draw.ellipse(
            around(MIDDLE, center - tall * 0.53, 90, tall * 0.17),
            fill=(60, 66, 74),
            outline=lighter(second, -50),
            width=3,
        )
    radius = tall * rng.uniform(0.5, 0.58)
    for side in (-1, 1):
        speaker(
            image,
            MIDDLE + side * 220,
            center + tall * 0.18,
            radius=radius,
            rim=lighter(second, -10),
            cone=(60, 61, 65),
        )
    panel = around(MIDDLE, center + tall * 0.3, 92, tall * 0.34)
    draw.rounded_rectangle(panel, 30, fill=second, outline=lighter(second, -50), width=3)
    screen = around(MIDDLE, center + tall * 0.12, 54, 26)
    draw.rectangle(screen, fill=(30, 16, 16))
    write(image, (MIDDLE, center + tall * 0.12), "88", size=44, color=pick(rng, INKS))
    for row in range(2):
        for column in (-1, 0, 1):
            spot = around(MIDDLE + 46 * column, center + tall * (0.34 + 0.17 * row), 17, 10)
            draw.ellipse(spot, fill=lighter(second, -70))
    write(
        image,
        (MIDDLE, center + tall * 0.76),
        made_up_name(rng),
        size=26,
        color=lighter(shell, 110 if sum(shell) < 350 else -110),
    )
    return image


def _rainbow(rng: np.random.Generator, radius: float) -> Image.Image:
    """A compact disc seen from its bright side, RGBA, 2 x radius wide."""
    size = int(2 * radius)
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    turn = np.arctan2(y, x) * 2 + rng.uniform(0, 6)
    far = np.hypot(x, y)
    waves = [0.5 + 0.5 * np.cos(turn + 5 * far + shift) for shift in (0, 2.1, 4.2)]
    shine = np.abs(np.cos(turn * 0.5 + 0.6)) ** 4
    colors = (
        175
        + 55 * (np.dstack(waves) - 0.5) * (0.4 + 1.6 * shine[..., np.newaxis])
        + 45 * shine[..., np.newaxis]
    )
    disc = Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8)).resize(
        (size, size), Image.Resampling.BILINEAR
    )
    return disc.convert("RGBA")


def _disc_player(rng: np.random.Generator) -> Image.Image:
    """A portable compact disc player from above: round lid, display, keys; at times open."""
    image = blank()
    draw = ImageDraw.Draw(image)
    shell = pick(rng, [*SHELLS, (225, 226, 228), (190, 193, 198)], 5)
    radius = 345.0
    lower = rng.random() < 0.5
    if lower:
        draw.rounded_rectangle(
            around(MIDDLE, MIDDLE + 130, 300, 235), 130, fill=lighter(shell, -40)
        )
    draw.ellipse(around(MIDDLE, MIDDLE, radius), fill=lighter(shell, -55))
    dome(image, around(MIDDLE, MIDDLE - 4, radius * 0.975), lighter(shell, -15), lighter(shell, 32))
    bright = lighter(shell, 110 if sum(shell) < 350 else -110)
    if rng.random() < 0.4:
        disc = radius * rng.uniform(0.6, 0.8)
        mask = Image.new("L", (int(2 * disc),) * 2, 0)
        ImageDraw.Draw(mask).ellipse((0, 0, 2 * disc - 1, 2 * disc - 1), fill=255)
        image.paste(_rainbow(rng, disc), (int(MIDDLE - disc), int(MIDDLE - disc)), mask)
        draw.ellipse(around(MIDDLE, MIDDLE, disc), outline=lighter(shell, -70), width=6)
        draw.ellipse(
            around(MIDDLE, MIDDLE, disc * 0.3),
            fill=(225, 227, 230),
            outline=(150, 152, 155),
            width=3,
        )
        draw.ellipse(around(MIDDLE, MIDDLE, disc * 0.13), fill=lighter(shell, -60))
    else:
        inner = radius * rng.uniform(0.62, 0.82)
        draw.ellipse(around(MIDDLE, MIDDLE, inner), outline=lighter(shell, -40), width=6)
        second = pick(rng, [lighter(shell, -25), lighter(shell, 25), (60, 62, 68)], 3)
        dome(image, around(MIDDLE, MIDDLE, inner * 0.9), second, lighter(second, 30))
        bright = lighter(second, 110 if sum(second) < 350 else -110)
        if rng.random() < 0.5:
            draw.rounded_rectangle(
                around(MIDDLE, MIDDLE - inner * 0.1, inner * 0.4, inner * 0.16),
                30,
                fill=(40, 44, 52),
            )
        write(image, (MIDDLE, MIDDLE + inner * 0.3), made_up_name(rng), size=44, color=bright)
    low = MIDDLE + radius * 0.86
    screen = around(MIDDLE, low, 80, 27)
    draw.rounded_rectangle(
        screen,
        8,
        fill=pick(rng, [(150, 165, 140), (120, 140, 150), (30, 34, 40)], 5),
        outline=(40, 40, 42),
        width=4,
    )
    write(
        image,
        (MIDDLE, low),
        "12 03:45",
        size=30,
        color=(30, 34, 32)
        if rgb_at(image, int(screen[0]) + 12, int(low))[0] > 90
        else (140, 220, 240),
    )
    for turn in (0.75, 1.0, 2.14, 2.39):
        spot = (MIDDLE + radius * 0.87 * math.cos(turn), MIDDLE + radius * 0.87 * math.sin(turn))
        draw.ellipse(
            around(*spot, 24), fill=lighter(shell, -70), outline=lighter(shell, 20), width=3
        )
    return image


def _deck(rng: np.random.Generator) -> Image.Image:
    """A wide flat box: disc drawer, display, keys and a volume knob."""
    image = blank()
    shell = pick(
        rng, [(28, 29, 32), (44, 45, 49), (190, 193, 197), (160, 163, 168), (34, 34, 36)], 4
    )
    height, depth = rng.uniform(0.13, 0.34), rng.uniform(0.5, 0.75)
    view = look_at(corners_of(1, height, depth), rng.uniform(-32, 32), rng.uniform(10, 38))
    down = 700 * height
    front = sheet(700, down, lighter(shell, 14), lighter(shell, -8))
    draw = ImageDraw.Draw(front)
    bright = lighter(shell, 120 if sum(shell) < 350 else -120)
    drawer = (40, down * 0.16, 290, down * 0.16 + max(26, down * 0.26))
    draw.rectangle(
        drawer,
        fill=lighter(shell, 12),
        outline=lighter(shell, -28 if sum(shell) > 200 else 50),
        width=4,
    )
    write(front, (165, down * 0.72), made_up_name(rng), size=min(34, down * 0.28), color=bright)
    screen = (310, down * 0.2, 520, down * 0.62)
    draw.rectangle(screen, fill=(10, 12, 18), outline=lighter(shell, -40), width=3)
    write(front, (415, down * 0.41), "00:12:45", size=min(44, down * 0.34), color=pick(rng, INKS))
    key = (180, 182, 186) if sum(shell) < 350 else (80, 82, 86)
    for number in range(5):
        draw.rounded_rectangle(
            around(330 + number * 42, down * 0.8, 15, max(6, down * 0.06)), 5, fill=key
        )
    knob(
        front,
        620,
        down * 0.5,
        radius=min(54, down * 0.36),
        color=key,
        turn=rng.uniform(0, math.tau),
    )
    draw.ellipse(around(545, down * 0.4, 8), fill=(230, 60, 50))
    draw.rectangle((0, 0, 699, down - 1), outline=lighter(shell, 30), width=3)
    top = sheet(700, 700 * depth, lighter(shell, 8), lighter(shell, 24))
    draw = ImageDraw.Draw(top)
    for row in range(5):
        for column in range(14):
            x, y = 200 + column * 22, top.height * 0.15 + row * 18
            draw.rectangle((x, y, x + 14, y + 5), fill=lighter(shell, -20))
    for foot in (0.08, 0.84):
        box(image, view, low=(foot, -0.025, 0.03), high=(foot + 0.08, 0, 0.1), color=(24, 24, 25))
    box(image, view, low=(0, 0, 0), high=(1, height, depth), color=shell, front=front, top=top)
    return image


def _pocket(rng: np.random.Generator) -> Image.Image:
    """A pocket music player: a small screen over a click wheel, at times with earphones."""
    image = blank()
    draw = ImageDraw.Draw(image)
    shell = pick(
        rng,
        [
            (238, 238, 238),
            (205, 208, 212),
            (38, 39, 42),
            (70, 150, 200),
            (210, 80, 130),
            (120, 190, 90),
            (190, 60, 60),
        ],
        5,
    )
    half = rng.uniform(185, 230)
    if rng.random() < 0.4:
        _earphones(rng, image, half)
    top, bottom = 26, SIDE - 26
    body = (MIDDLE - half, top, MIDDLE + half, bottom)
    corner = rng.uniform(20, 70)
    draw.rounded_rectangle(body, corner, fill=lighter(shell, -70))
    inside = (body[0] + 5, top + 5, body[2] - 5, bottom - 5)
    face = sheet(
        inside[2] - inside[0], inside[3] - inside[1], lighter(shell, 14), lighter(shell, -22), 60
    )
    mask = Image.new("L", face.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, face.width - 1, face.height - 1), corner, fill=255
    )
    image.paste(face, (int(inside[0]), int(inside[1])), mask)
    wide = half - rng.uniform(26, 50)
    low = top + 40 + wide * rng.uniform(1.35, 1.6)
    _menu(rng, image, (MIDDLE - wide, top + 40, MIDDLE + wide, low))
    y = (low + bottom) / 2
    radius = min((bottom - low) / 2 - 26, half - 34)
    wheel = pick(rng, [(232, 232, 232), (250, 250, 250), (110, 112, 116), (30, 30, 32)], 3)
    draw.ellipse(around(MIDDLE, y, radius), fill=wheel, outline=lighter(wheel, -40), width=4)
    draw.ellipse(
        around(MIDDLE, y, radius * 0.38),
        fill=lighter(shell, -8),
        outline=lighter(wheel, -45),
        width=4,
    )
    mark = lighter(wheel, 110 if sum(wheel) < 350 else -110)
    write(image, (MIDDLE, y - radius * 0.7), "MENU", size=radius * 0.2, color=mark)
    tip = radius * 0.12
    for side in (-1, 1):
        x = MIDDLE + side * radius * 0.7
        for shift in (0, side * tip):
            draw.polygon(
                [
                    (x + shift - side * tip, y - tip),
                    (x + shift - side * tip, y + tip),
                    (x + shift, y),
                ],
                fill=mark,
            )
    y += radius * 0.7
    draw.polygon(
        [(MIDDLE - tip, y - tip), (MIDDLE - tip, y + tip), (MIDDLE + tip * 0.6, y)], fill=mark
    )
    draw.rectangle((MIDDLE + tip, y - tip, MIDDLE + tip * 1.5, y + tip), fill=mark)
    return image


def _menu(
    rng: np.random.Generator, image: Image.Image, place: tuple[float, float, float, float]
) -> None:
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = place
    kind = int(rng.integers(3))
    lit = [(24, 26, 30), (225, 232, 238), (170, 185, 170)][kind]
    draw.rectangle(place, fill=lit, outline=(20, 20, 22), width=6)
    if kind == 0:
        glare(
            image,
            [
                (left + 10, top + 6),
                (left + (right - left) * 0.6, top + 6),
                (left + (right - left) * 0.2, bottom - 6),
                (left + 6, bottom - 6),
            ],
            0.12,
        )
        return
    draw.rectangle((left + 6, top + 6, right - 6, top + 36), fill=lighter(lit, -45))
    chosen = int(rng.integers(5))
    for row in range(5):
        y = top + 44 + row * (bottom - top - 54) / 5
        if row == chosen:
            draw.rectangle(
                (left + 6, y, right - 6, y + 38), fill=(60, 110, 200) if kind == 1 else (60, 70, 60)
            )
        tone = (240, 240, 240) if row == chosen else (40, 44, 48)
        draw.line(
            [(left + 24, y + 20), (left + 24 + rng.uniform(70, 200), y + 20)], fill=tone, width=12
        )


def _earphones(rng: np.random.Generator, image: Image.Image, half: float) -> None:
    draw = ImageDraw.Draw(image)
    tone = pick(rng, [(240, 240, 240), (30, 30, 32)], 3)
    x = MIDDLE + half
    for side, shift in ((1, 0), (1, 60)):
        turns = np.linspace(0, 1, 30)
        path = [
            (
                MIDDLE + 60 + (x + 40 - MIDDLE) * math.sin(t * 2.2),
                40 + t * (480 + shift) + 20 * math.sin(t * 9),
            )
            for t in turns.tolist()
        ]
        draw.line(path, fill=lighter(tone, -25), width=9, joint="curve")
        dome(image, around(path[-1][0] + 14 * side, path[-1][1] + 10, 34), lighter(tone, -50), tone)


def _cassette(rng: np.random.Generator) -> Image.Image:
    """A pocket cassette player: a window onto the tape, keys along the side."""
    image = blank()
    draw = ImageDraw.Draw(image)
    shell = pick(
        rng,
        [
            (60, 90, 160),
            (40, 41, 45),
            (40, 41, 45),
            (175, 178, 183),
            (175, 178, 183),
            (220, 190, 50),
            (190, 50, 50),
            (95, 98, 104),
        ],
        4,
    )
    half_wide, half_tall = 330.0, rng.uniform(205, 275)
    body = around(MIDDLE, MIDDLE + 14, half_wide, half_tall)
    for number in range(5):
        x = MIDDLE - 250 + number * 84
        key = pick(rng, [(200, 202, 206)], 3) if number else (220, 110, 50)
        draw.rounded_rectangle(
            (x, body[1] - 28, x + 66, body[1] + 20), 8, fill=key, outline=(50, 50, 52), width=3
        )
    draw.rounded_rectangle(body, 34, fill=lighter(shell, -50))
    face = sheet(
        2 * half_wide - 12, 2 * half_tall - 12, lighter(shell, 22), lighter(shell, -18), 50
    )
    mask = Image.new("L", face.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, face.width - 1, face.height - 1), 30, fill=255)
    if rng.random() < 0.6:
        band = ImageDraw.Draw(face)
        band.rectangle((0, face.height * 0.8, face.width, face.height), fill=(190, 193, 198))
    _tape(
        rng,
        face,
        (
            face.width * 0.1,
            face.height * 0.12,
            face.width * 0.82,
            face.height * rng.uniform(0.58, 0.74),
        ),
    )
    dark = rgb_at(face, face.width // 2, int(face.height * 0.9))
    write(
        face,
        (face.width * 0.42, face.height * 0.87),
        made_up_name(rng),
        size=44,
        color=lighter(dark, 110 if sum(dark) < 350 else -120),
    )
    draw = ImageDraw.Draw(face)
    for row in range(5):
        y = face.height * (0.2 + 0.1 * row)
        draw.line(
            [(face.width * 0.87, y), (face.width * 0.95, y)], fill=lighter(shell, -60), width=6
        )
    image.paste(face, (int(body[0] + 6), int(body[1] + 6)), mask)
    return image
