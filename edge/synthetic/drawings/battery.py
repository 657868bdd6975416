"""Batteries: cylinder cells, 9 V blocks, car batteries, button cells, phone and laptop packs."""

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings import canvas
from edge.synthetic.drawings.canvas import Color, Rectangle, lighter
from edge.synthetic.drawings.solid import box, corners_of, look_at, sheet

STEEL = (176, 178, 182)
GOLD = (212, 170, 84)
WRAPS = ((32, 32, 36), (196, 36, 34), (28, 74, 160), (24, 128, 74), (226, 178, 30), (190, 192, 196))
BANDS = (
    (190, 112, 62),
    (214, 176, 92),
    (240, 240, 240),
    (206, 30, 38),
    (30, 30, 34),
    (40, 150, 90),
)
LABELS = ((226, 228, 230), (178, 182, 188), (40, 42, 46), (60, 66, 78), (244, 244, 240))


def draw(rng: np.random.Generator) -> Image.Image:
    """Draw one battery on a transparent canvas, RGBA."""
    forms = (_cylinder, _block, _car, _button, _phone_pack, _laptop_pack, _cells)
    form = rng.choice(len(forms), p=(0.26, 0.12, 0.17, 0.07, 0.17, 0.15, 0.06))
    return forms[int(form)](rng)


def _ink(paper: Color) -> Color:
    return (24, 24, 26) if sum(paper) > 330 else (236, 236, 232)


def _barrel(image: Image.Image, box: Rectangle, color: Color, round_by: float = 0) -> None:
    """An upright cylinder seen from the side."""
    stops = [
        (0.0, lighter(color, -75)),
        (0.12, lighter(color, -25)),
        (0.3, lighter(color, 70)),
        (0.42, lighter(color, 15)),
        (0.7, lighter(color, -15)),
        (0.93, lighter(color, -80)),
        (1.0, lighter(color, -50)),
    ]
    canvas.shades(image, canvas.rounded_mask(box, round_by), stops, 0)


def _cylinder(rng: np.random.Generator) -> Image.Image:
    image = canvas.blank()
    name, slim = (("AA", 0.287), ("AAA", 0.236), ("C", 0.52), ("D", 0.55), ("18650", 0.277))[
        int(rng.choice(5, p=(0.4, 0.2, 0.12, 0.18, 0.1)))
    ]
    wrap, band = canvas.pick(rng, WRAPS), canvas.pick(rng, BANDS)
    top, bottom = 50.0, 740.0
    half = (bottom - 20) * slim / 2
    left, right = 384 - half, 384 + half
    _barrel(image, (384 - half * 0.36, 18, 384 + half * 0.36, 80), STEEL, 9)
    _barrel(image, (left + 2, top, right - 2, top + 60), lighter(STEEL, 15), 18)
    _barrel(image, (left + 3, bottom - 60, right - 3, bottom), STEEL, 14)
    _barrel(image, (left, top + 16, right, bottom - 16), wrap, 12)
    pen = ImageDraw.Draw(image)
    pen.line((left + 8, top + 16, right - 8, top + 16), fill=(40, 40, 42, 255), width=4)
    share = rng.uniform(0.12, 0.4)
    edge = top + 16 + (bottom - top) * share
    if rng.random() < 0.8:
        _barrel(image, (left, top + 16, right, edge), band, 10)
        canvas.paint(image, canvas.rounded_mask((left, edge, right, edge + 6), 0), (235, 235, 235))
    if rng.random() < 0.3:
        _barrel(image, (left, bottom - 90, right, bottom - 60), band)
    ink = _ink(wrap)
    middle = (edge + bottom - 80) / 2
    size = min(half * 0.75, (bottom - edge) / 5.6)
    canvas.write(image, (384, middle), canvas.made_up_name(rng), size=size, color=ink, turn=90)
    small = min(half * 0.3, (bottom - edge) / 14)
    canvas.write(
        image,
        (384 + half * 0.62, middle),
        f"{name}  {'3.7V  LI-ION' if name == '18650' else '1.5V  ALKALINE'}",
        size=small,
        color=ink,
        turn=90,
    )
    canvas.write(image, (384, top + 20 + half * 0.45), "+", size=half * 0.9, color=_ink(band))
    pen.rectangle((384 - half / 4, bottom - 50, 384 + half / 4, bottom - 43), fill=(*ink, 255))
    if rng.random() < 0.2:
        _leak(image, rng, left, right, bottom)
    return image.transpose(Image.Transpose.ROTATE_270) if rng.random() < 0.5 else image


def _leak(
    image: Image.Image, rng: np.random.Generator, left: float, right: float, foot: float
) -> None:
    """Pale crystals where the electrolyte came out."""
    pen = ImageDraw.Draw(image)
    for _ in range(70):
        x, y = rng.uniform(left + 8, right - 8), foot - 6 - abs(rng.normal(0, 28))
        size, tone = rng.uniform(3, 10), int(rng.integers(190, 245))
        pen.ellipse((x - size, y - size, x + size, min(y + size, foot)), fill=(tone,) * 3 + (255,))


def _block(rng: np.random.Generator) -> Image.Image:
    """A 9 V block, both snaps on its top."""
    image = canvas.blank()
    wrap, band = canvas.pick(rng, WRAPS), canvas.pick(rng, BANDS)
    width, height, depth = 0.265, 0.46, 0.175
    spots = [*corners_of(width, height, depth), (width / 2, height + 0.045, depth / 2)]
    view = look_at(spots, rng.uniform(-38, 38), rng.uniform(14, 38))
    face = sheet(420, 730, lighter(wrap, 24), lighter(wrap, -20), rng.uniform(0, 90))
    edge = rng.uniform(110, 250)
    face.paste(sheet(420, edge, lighter(band, 24), lighter(band, -20), 0), (0, 0))
    pen = ImageDraw.Draw(face)
    pen.rectangle((0, edge - 4, 420, edge + 5), fill=(236, 236, 236))
    for x, sign in ((105, "+"), (315, "-")):
        canvas.write(face, (x, 55), sign, size=80, color=_ink(band))
    ink = _ink(wrap)
    canvas.write(face, (210, edge + 105), canvas.made_up_name(rng), size=76, color=ink)
    canvas.write(face, (210, edge + 235), "9V", size=150, color=ink)
    canvas.write(face, (210, 680), "6LR61", size=36, color=ink)
    box(
        image,
        view,
        low=(0, 0, 0),
        high=(width, height, depth),
        color=wrap,
        front=face,
        top=sheet(32, 16, (70, 70, 74)),
    )
    for share, wide in sorted(((0.27, 58), (0.73, 74)), reverse=bool(rng.random() < 0.5)):
        at, above = view.at(
            [(width * share, height, depth / 2), (width * share, height + 0.032, depth / 2)]
        )
        _snap(image, at[0], at[1], wide, at[1] - above[1])
    return image


def _snap(image: Image.Image, x: float, y: float, wide: float, rise: float) -> None:
    """One of the two press studs of a 9 V block, the wider of which is the hollow one."""
    pen = ImageDraw.Draw(image)
    flat = wide * 0.4
    pen.ellipse((x - wide, y - flat, x + wide, y + flat), fill=(110, 112, 116, 255))
    _barrel(image, (x - wide * 0.8, y - rise, x + wide * 0.8, y + flat * 0.6), STEEL, 14)
    rim = (x - wide * 0.8, y - rise - flat * 0.8, x + wide * 0.8, y - rise + flat * 0.8)
    pen.ellipse(rim, fill=(214, 216, 220, 255), outline=(90, 92, 96, 255), width=3)
    hole = (x - wide * 0.45, y - rise - flat * 0.45, x + wide * 0.45, y - rise + flat * 0.45)
    pen.ellipse(hole, fill=(60, 60, 64, 255) if wide > 60 else (236, 238, 240, 255))
    if wide > 60:
        for shift in (-0.55, -0.2, 0.2, 0.55):
            line = (x + wide * shift, y - rise + flat * 0.6, x + wide * shift, y + flat * 0.4)
            pen.line(line, fill=(80, 82, 86, 255), width=4)


def _car(rng: np.random.Generator) -> Image.Image:
    """A lead battery of a car or of a standby supply, with a lid and two terminals."""
    image = canvas.blank()
    cases = ((30, 30, 34), (36, 36, 40), (224, 224, 220), (30, 44, 92), (150, 30, 30))
    lids = ((34, 34, 38), (230, 110, 30), (60, 62, 66), (196, 196, 194), (180, 40, 36))
    case, lid = canvas.pick(rng, cases, 4), canvas.pick(rng, lids, 4)
    height, depth, rim = rng.uniform(0.55, 0.9), rng.uniform(0.5, 0.7), 0.09
    lug = (0.16, height + 0.14, depth * 0.3)
    yaw = rng.uniform(12, 35) * rng.choice((-1, 1))
    view = look_at([*corners_of(1, height, depth), lug], yaw, rng.uniform(14, 38))
    front = _car_front(rng, case, height - rim)
    box(
        image,
        view,
        low=(0.02, 0, 0.02),
        high=(0.98, height - rim, depth - 0.02),
        color=case,
        front=front,
    )
    top = sheet(600, 600 * depth, lighter(lid, 26), lighter(lid, 8), 60)
    _car_caps(top, rng, lid)
    low, high = (0.0, height - rim, 0.0), (1.0, height, depth)
    box(
        image,
        view,
        low=low,
        high=high,
        color=lid,
        front=sheet(600, 54, lighter(lid, 16), lighter(lid, -12)),
        top=top,
    )
    covers = rng.random() < 0.6
    plus_left = bool(rng.random() < 0.5)
    away = depth * rng.choice((0.2, 0.78))
    for x, plus in ((0.13, plus_left), (0.87, not plus_left)):
        tint = ((206, 36, 32) if plus else (36, 36, 40)) if covers else (168, 166, 160)
        foot, tip = view.at([(x, height, away), (x, height + 0.12, away)])
        wide = rng.uniform(34, 40) if covers else 30.0
        _barrel(image, (foot[0] - wide, tip[1], foot[0] + wide, foot[1] + 10), tint, 12)
        cap = (foot[0] - wide, tip[1] - 13, foot[0] + wide, tip[1] + 15)
        ImageDraw.Draw(image).ellipse(cap, fill=(*lighter(tint, 40), 255))
        sign = view.at([(x, height - rim / 2, 0)])[0]
        canvas.write(image, (sign[0], sign[1]), "+" if plus else "-", size=58, color=_ink(lid))
    return image


def _car_front(rng: np.random.Generator, case: Color, height: float) -> Image.Image:
    """The front of the case: ribs and a sticker."""
    face = sheet(640, 640 * height, lighter(case, 22), lighter(case, -10))
    down = face.height
    pen = ImageDraw.Draw(face)
    step = int(rng.integers(36, 64))
    for x in range(24, 630, step):
        pen.line((x, 10, x, down - 12), fill=lighter(case, -20), width=6)
        pen.line((x + 6, 10, x + 6, down - 12), fill=lighter(case, 24), width=3)
    papers = ((206, 30, 34), (240, 196, 30), (30, 84, 170), (240, 240, 238), (22, 22, 24))
    paper = canvas.pick(rng, papers, 5)
    sticker = (50, down * 0.14, 590, down * rng.uniform(0.72, 0.9))
    pen.rounded_rectangle(sticker, 16, fill=paper)
    ink = _ink(paper)
    if rng.random() < 0.5:
        stripe = canvas.pick(rng, papers, 5)
        level = sticker[3] - (sticker[3] - sticker[1]) * 0.16
        pen.polygon(
            [(50, level + 30), (590, level - 20), (590, sticker[3]), (50, sticker[3])], stripe
        )
    middle = (sticker[1] + sticker[3]) / 2
    canvas.write(face, (320, middle - down * 0.13), canvas.made_up_name(rng), size=92, color=ink)
    rating = f"12V {int(rng.integers(35, 110))}Ah {int(rng.integers(30, 90)) * 10}A"
    canvas.write(face, (320, middle + down * 0.16), rating, size=48, color=ink)
    return face


def _car_caps(top: Image.Image, rng: np.random.Generator, lid: Color) -> None:
    """Six filler caps, or a smooth lid with a carrying strap."""
    pen = ImageDraw.Draw(top)
    across, down = top.size
    middle = down * 0.5
    pen.rectangle((across * 0.05, middle - 60, across * 0.95, middle + 60), fill=lighter(lid, -6))
    cap = canvas.pick(rng, ((30, 30, 32), (240, 200, 40), (200, 60, 40), (90, 92, 96)), 6)
    if rng.random() < 0.7:
        for x in np.linspace(across * 0.13, across * 0.87, 6):
            pen.ellipse((x - 32, middle - 30, x + 32, middle + 36), fill=lighter(cap, -34))
            pen.ellipse((x - 30, middle - 34, x + 30, middle + 26), fill=lighter(cap, 8))
            pen.line((x - 18, middle - 4, x + 18, middle - 4), fill=lighter(cap, -48), width=7)
    else:
        canvas.tube(top, [(across * 0.25, middle), (across * 0.75, middle)], 34, (44, 44, 48))
        canvas.fine_print(top, rng, (60, middle - 50, 330, middle - 24), _ink(lid), 12)


def _cells(rng: np.random.Generator) -> Image.Image:
    """Two to five cells side by side in a shrunk sleeve, with two wires to a plug."""
    image = canvas.blank()
    count = int(rng.integers(2, 6))
    top, bottom = 230.0, 742.0
    wide = min(150.0, 720 / count)
    left = 384 - wide * count / 2
    sleeve = canvas.pick(rng, ((30, 110, 190), (40, 150, 80), (240, 240, 236), (30, 30, 34)), 6)
    for side, tint in ((-1, (200, 30, 30)), (1, (30, 30, 33))):
        start = 384 + side * wide * 0.4
        spots = [(start, top + 20), (start, 150), (384 + side * 60, 130), (384 + side * 18, 70)]
        canvas.tube(image, canvas.rounded_path(spots, closed=False), 15, tint)
    plug = canvas.rounded_mask((384 - 50, 16, 384 + 50, 84), 8)
    canvas.shade(image, plug, (246, 244, 236), (196, 194, 188))
    for index in range(count):
        x = left + index * wide
        _barrel(image, (x, top, x + wide, bottom), sleeve, 22)
        _barrel(image, (x + 6, top - 6, x + wide - 6, top + 26), STEEL, 12)
    paper = canvas.pick(rng, ((244, 244, 240), (250, 214, 60), (210, 212, 216)), 4)
    label = (left + 14, top + 130, left + wide * count - 14, bottom - 110)
    canvas.paint(image, canvas.rounded_mask(label, 8), paper, 0.92)
    ink = _ink(paper)
    size = min(80.0, wide * count / 6)
    canvas.write(image, (384, label[1] + 50), canvas.made_up_name(rng), size=size, color=ink)
    rating = f"{('3.6', '4.8', '7.2')[int(rng.integers(3))]}V {int(rng.integers(6, 30)) * 100}mAh"
    canvas.write(image, (384, label[1] + 60 + size), rating, size=size * 0.62, color=ink)
    lines = (label[0] + 20, label[1] + 80 + size * 1.4, label[2] - 20, label[3] - 12)
    canvas.fine_print(image, rng, lines, ink, 18)
    return image


def _button(rng: np.random.Generator) -> Image.Image:
    image = canvas.blank()
    steel = canvas.pick(rng, ((200, 202, 206), (186, 184, 178)), 5)
    disc = canvas.ellipse_mask((24, 24, 744, 744))
    canvas.shade(image, disc, lighter(steel, 40), lighter(steel, -90), 55)
    inner = rng.uniform(40, 70)
    face = (24 + inner, 24 + inner, 744 - inner, 744 - inner)
    stops = [(0, lighter(steel, -50)), (0.3, lighter(steel, 5))]
    stops += [(0.5, lighter(steel, 45)), (0.7, steel), (1, lighter(steel, -30))]
    canvas.shades(image, canvas.ellipse_mask(face), stops, rng.uniform(20, 70))
    pen = ImageDraw.Draw(image)
    pen.ellipse(face, outline=(*lighter(steel, -70), 255), width=5)
    code = ("CR2032", "CR2025", "CR2016", "CR2450")[int(rng.integers(4))]
    ink = lighter(steel, -110)
    canvas.write(image, (384, 250), "+", size=260, color=ink)
    canvas.write(image, (384, 420), code, size=128, color=ink)
    canvas.write(image, (384, 530), canvas.made_up_name(rng), size=76, color=ink)
    canvas.write(image, (384, 615), "3V", size=84, color=ink)
    return image


def _phone_pack(rng: np.random.Generator) -> Image.Image:
    image = canvas.blank()
    half = rng.uniform(200, 300)
    left, top, right, bottom = 384 - half, 30.0, 384 + half, 738.0
    paper = canvas.pick(rng, LABELS, 5)
    ribbon = rng.random() < 0.3
    if ribbon:
        x = rng.uniform(left + 60, right - 160)
        copper = canvas.pick(rng, ((190, 110, 40), (206, 130, 50)), 6)
        canvas.paint(image, canvas.rounded_mask((x, 24, x + 90, 150), 6), copper)
        canvas.paint(image, canvas.rounded_mask((x - 20, 18, x + 110, 62), 4), (30, 30, 32))
        top = 110.0
    body = canvas.rounded_mask((left, top, right, bottom), 10 if ribbon else 26)
    case = canvas.pick(rng, ((34, 34, 38), (60, 60, 64), (228, 228, 226), (240, 196, 40)), 5)
    canvas.shade(image, body, lighter(case, 20), lighter(case, -20), 20)
    sheet = (left + 8, top + 70, right - 8, bottom - 14)
    canvas.shade(
        image,
        canvas.rounded_mask(sheet, 12),
        lighter(paper, 10),
        lighter(paper, -18),
        30,
    )
    pen = ImageDraw.Draw(image)
    if not ribbon:
        start = rng.uniform(left + 40, right - 300)
        pen.rectangle((start - 12, top + 10, start + 246, top + 62), fill=(26, 26, 28, 255))
        for place in range(4):
            x = start + place * 62
            pen.rectangle((x, top + 16, x + 42, top + 58), fill=(*GOLD, 255))
            pen.line((x + 10, top + 18, x + 10, top + 56), fill=(246, 220, 150, 255), width=5)
    _small_print(image, rng, sheet, _ink(paper))
    return image.transpose(Image.Transpose.ROTATE_90) if rng.random() < 0.3 else image


def _small_print(
    image: Image.Image, rng: np.random.Generator, sheet: Rectangle, ink: Color
) -> None:
    """The label of a phone battery: name, capacity, marks, a code."""
    left, top, right, bottom = sheet
    middle = (left + right) / 2
    capacity = f"{int(rng.integers(80, 500)) * 10} mAh"
    canvas.write(image, (middle, top + 60), canvas.made_up_name(rng), size=64, color=ink)
    canvas.write(image, (middle, top + 140), "Li-ion Battery 3.7V", size=34, color=ink)
    canvas.write(image, (middle, top + 205), capacity, size=66, color=ink)
    canvas.fine_print(image, rng, (left + 36, top + 260, right - 36, bottom - 150), ink, 22)
    pen = ImageDraw.Draw(image)
    cell = 9
    for row, column in np.argwhere(rng.random((11, 11)) < 0.5):
        x, y = right - 140 + column * cell, bottom - 125 + row * cell
        pen.rectangle((x, y, x + cell, y + cell), fill=(*ink, 255))
    canvas.write(image, (left + 90, bottom - 72), "CE", size=70, color=ink)
    canvas.write(image, (left + 190, bottom - 72), "+  -", size=60, color=ink)


def _laptop_pack(rng: np.random.Generator) -> Image.Image:
    """The long dark bar from under a laptop, with its label and row of contacts."""
    image = canvas.blank()
    deep, thick = rng.uniform(0.2, 0.32), rng.uniform(0.05, 0.09)
    case = canvas.pick(rng, ((30, 30, 33), (44, 44, 48), (22, 22, 24), (70, 72, 76)), 3)
    high = round(740 * deep)
    face = sheet(740, high, lighter(case, 34), lighter(case, 6))
    pen = ImageDraw.Draw(face)
    pen.rectangle((0, 0, 740, high * 0.08), fill=lighter(case, 60))
    seam = high * rng.uniform(0.66, 0.74)
    pen.line((0, seam, 740, seam), fill=lighter(case, -30), width=5)
    pen.line((0, seam + 6, 740, seam + 6), fill=lighter(case, 70), width=3)
    papers = ((18, 18, 20), (206, 208, 210), (232, 214, 60), (240, 240, 238))
    paper = canvas.pick(rng, papers, 4)
    begin = rng.uniform(40, 200)
    label = (begin, high * 0.14, begin + rng.uniform(380, 500), seam - 10)
    pen.rectangle(label, fill=paper)
    ink = _ink(paper)
    canvas.write(face, (label[0] + 85, label[1] + 22), canvas.made_up_name(rng), size=34, color=ink)
    volts = f"Li-ion {('10.8', '11.1', '14.8')[int(rng.integers(3))]}V"
    canvas.write(face, (label[2] - 100, label[1] + 22), volts, size=28, color=ink)
    lines = (label[0] + 12, label[1] + 46, label[2] - 14, label[3] - 4)
    canvas.fine_print(face, rng, lines, ink, 14)
    for x in (rng.uniform(20, 60), rng.uniform(600, 680)):
        pen.rounded_rectangle((x, seam + 16, x + 44, seam + 34), 6, fill=lighter(case, -26))
    front = sheet(740, 740 * thick, lighter(case, -2), lighter(case, -20))
    _contacts(front, rng.uniform(90, 420))
    spots = corners_of(1, thick, deep)
    view = look_at(spots, rng.uniform(-30, 30), rng.uniform(35, 72))
    box(image, view, low=(0, 0, 0), high=(1, thick, deep), color=case, front=front, top=face)
    return image


def _contacts(front: Image.Image, start: float) -> None:
    """A slot with a row of gold blades, from `start` px of the front on."""
    pen = ImageDraw.Draw(front)
    low = front.height - 5
    pen.rectangle((start, 5, start + 236, low), fill=(10, 10, 11))
    for index in range(8):
        x = start + 14 + index * 28
        pen.rectangle((x, 9, x + 13, low - 3), fill=GOLD)
