"""Mobile phones: front and back of smartphones, phones with keys, folding phones."""

import math

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings import canvas
from edge.synthetic.drawings.canvas import Color, Rectangle

FRAMES = (
    (24, 24, 27),
    (32, 34, 40),
    (196, 198, 202),
    (212, 186, 140),
    (52, 60, 84),
    (238, 238, 238),
)
BACKS = (
    (26, 28, 34),
    (236, 236, 238),
    (32, 62, 132),
    (116, 40, 52),
    (70, 104, 92),
    (196, 170, 200),
    (214, 180, 130),
)
TOP, BOTTOM = 20.0, 748.0


def draw(rng: np.random.Generator) -> Image.Image:
    """Draw one mobile phone on a transparent canvas, RGBA."""
    forms = (_front, _front_with_button, _back, _with_keys, _folding)
    form = rng.choice(len(forms), p=(0.33, 0.27, 0.13, 0.18, 0.09))
    image = forms[int(form)](rng)
    return image.transpose(Image.Transpose.ROTATE_90) if rng.random() < 0.2 else image


def _body(
    image: Image.Image, rng: np.random.Generator, half: float, radius: float, frame: Color
) -> Rectangle:
    """The frame with its side keys; returns the rectangle of the face."""
    pen = ImageDraw.Draw(image)
    keys = canvas.lighter(frame, -20)
    side = 384 + half if rng.random() < 0.7 else 384 - half
    for top, long in ((190, 110), (330, 70)):
        pen.rounded_rectangle((side - 6, top, side + 6, top + long), 4, fill=(*keys, 255))
    box = (384 - half, TOP, 384 + half, BOTTOM)
    stops = [(0, canvas.lighter(frame, 45)), (0.5, canvas.lighter(frame, -10))]
    stops.append((1, canvas.lighter(frame, 30)))
    canvas.shades(image, canvas.rounded_mask(box, radius), stops, 25)
    canvas.outline(image, box, radius, canvas.lighter(frame, -35), 3)
    return (box[0] + 8, box[1] + 8, box[2] - 8, box[3] - 8)


def _screen(image: Image.Image, rng: np.random.Generator, box: Rectangle, radius: float) -> None:
    """A screen: mostly dark glass with a reflection, else lit; now and then cracked."""
    mask = canvas.rounded_mask(box, radius)
    if rng.random() < 0.72:
        dark = canvas.pick(rng, ((14, 15, 18), (24, 27, 33), (34, 36, 42)), 3)
        canvas.shade(image, mask, canvas.lighter(dark, 14), dark, 60)
    else:
        _wallpaper(image, rng, mask)
        _icons(image, rng, box)
    _reflection(image, rng, mask, box)
    if rng.random() < 0.3:
        _cracks(image, rng, mask, box)


def _wallpaper(image: Image.Image, rng: np.random.Generator, mask: Image.Image) -> None:
    colors = [canvas.clamp(rng.integers(20, 235, 3)) for _ in range(3)]
    canvas.shades(
        image, mask, [(0, colors[0]), (0.55, colors[1]), (1, colors[2])], rng.uniform(30, 150)
    )


def _icons(image: Image.Image, rng: np.random.Generator, box: Rectangle) -> None:
    left, top, right, bottom = box
    pen = ImageDraw.Draw(image)
    step = (right - left) / 4
    size = step * 0.3
    clock = f"{int(rng.integers(24)):02d}:{int(rng.integers(60)):02d}"
    canvas.write(image, ((left + right) / 2, top + 110), clock, size=84, color=(250, 250, 250))
    pen.rectangle((right - 62, top + 18, right - 30, top + 32), fill=(245, 245, 245, 255))
    rows = [
        *(top + 230 + step * row for row in range(int(rng.integers(1, 4)))),
        bottom - step * 0.6,
    ]
    for y in rows:
        for column in range(4):
            if y != rows[-1] and rng.random() < 0.15:
                continue
            x = left + step * (column + 0.5)
            tint = tuple(int(value) for value in rng.integers(40, 256, 3))
            pen.rounded_rectangle((x - size, y - size, x + size, y + size), 16, fill=(*tint, 255))
            dot = size * 0.45
            pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=(250, 250, 250, 255))


def _reflection(
    image: Image.Image, rng: np.random.Generator, mask: Image.Image, box: Rectangle
) -> None:
    """Slanting bands of light on glass."""
    glare = Image.new("L", mask.size, 0)
    pen = ImageDraw.Draw(glare)
    start, lean = rng.uniform(box[0] - 200, box[2]), rng.uniform(150, 420)
    for offset, wide in ((0, rng.uniform(40, 240)), (rng.uniform(250, 330), rng.uniform(10, 60))):
        x = start + offset
        pen.polygon(
            [(x, box[1]), (x + wide, box[1]), (x + wide - lean, box[3]), (x - lean, box[3])],
            fill=255,
        )
    seen = Image.composite(mask, Image.new("L", mask.size, 0), glare)
    canvas.paint(image, seen, (255, 255, 255), rng.uniform(0.03, 0.16))


def _cracks(
    image: Image.Image, rng: np.random.Generator, mask: Image.Image, box: Rectangle
) -> None:
    """Broken glass: jagged rays from the point of the blow, joined by rings."""
    web = Image.new("L", mask.size, 0)
    pen = ImageDraw.Draw(web)
    x, y = rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3])
    rays = int(rng.integers(9, 18))
    angles = np.sort(rng.uniform(0, math.tau, rays))
    reach = rng.uniform(120, 650, rays)
    points = []
    for angle, far in zip(angles, reach, strict=True):
        steps = np.linspace(0, far, 7)
        bend = angle + np.cumsum(rng.normal(0, 0.05, 7))
        ray = [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(steps, bend, strict=True)]
        pen.line(ray, fill=int(rng.integers(150, 255)), width=int(rng.integers(2, 5)))
        points.append(ray)
    for ring in (1, 2, 3):
        for here, there in zip(points, points[1:] + points[:1], strict=True):
            if rng.random() < 0.6:
                pen.line([here[ring], there[ring]], fill=200, width=2)
    pen.ellipse((x - 16, y - 16, x + 16, y + 16), fill=220)
    seen = Image.composite(web, Image.new("L", mask.size, 0), mask)
    canvas.paint(image, seen, (226, 232, 238), 0.85)


def _front(rng: np.random.Generator) -> Image.Image:
    image = canvas.blank()
    half, radius = rng.uniform(168, 192), rng.uniform(34, 62)
    face = _body(image, rng, half, radius, canvas.pick(rng, FRAMES, 6))
    canvas.paint(image, canvas.rounded_mask(face, radius - 6), (10, 10, 12))
    edge, chin = rng.uniform(6, 14), rng.uniform(8, 34)
    glass = (face[0] + edge, face[1] + edge, face[2] - edge, face[3] - chin)
    _screen(image, rng, glass, radius - 12)
    pen = ImageDraw.Draw(image)
    black = (8, 8, 10, 255)
    notch = rng.integers(3)
    if notch == 0:
        wide = half * rng.uniform(0.4, 0.6)
        pen.rounded_rectangle((384 - wide, face[1], 384 + wide, glass[1] + 32), 18, fill=black)
        pen.rounded_rectangle((354, face[1] + 12, 414, face[1] + 20), 4, fill=(60, 62, 66, 255))
    elif notch == 1:
        x = (384.0, glass[0] + 44)[int(rng.integers(2))]
        pen.ellipse((x - 15, glass[1] + 18, x + 15, glass[1] + 48), fill=black)
        pen.ellipse((x - 6, glass[1] + 27, x + 6, glass[1] + 39), fill=(40, 52, 80, 255))
    else:
        pen.polygon([(346, glass[1]), (422, glass[1]), (384, glass[1] + 34)], fill=black)
    return image


def _front_with_button(rng: np.random.Generator) -> Image.Image:
    """A phone of about 2012: wide borders, speaker slot, a button below the screen."""
    image = canvas.blank()
    half, radius = rng.uniform(175, 205), rng.uniform(36, 80)
    frame = canvas.pick(rng, FRAMES, 6)
    face = _body(image, rng, half, radius, frame)
    glass = canvas.pick(rng, ((244, 244, 242), (16, 16, 18), (20, 22, 30), (232, 226, 214)), 4)
    canvas.shade(
        image, canvas.rounded_mask(face, radius - 6), glass, canvas.lighter(glass, -12), 70
    )
    edge = rng.uniform(8, 22)
    screen = (face[0] + edge, face[1] + 92, face[2] - edge, face[3] - 100)
    _screen(image, rng, screen, 3)
    pen = ImageDraw.Draw(image)
    mark = canvas.lighter(glass, -110 if sum(glass) > 330 else 75)
    pen.rounded_rectangle((334, 62, 434, 74), 6, fill=(*mark, 255))
    pen.ellipse((278, 58, 298, 78), fill=(36, 40, 56, 255))
    y = (screen[3] + face[3]) / 2
    shape = rng.integers(3)
    if shape == 0:
        ring = (384 - 38, y - 38, 384 + 38, y + 38)
        pen.ellipse(ring, fill=(*canvas.lighter(glass, -8), 255), outline=(*mark, 255), width=5)
    elif shape == 1:
        key = (384 - 56, y - 22, 384 + 56, y + 22)
        pen.rounded_rectangle(
            key, 20, fill=(*canvas.lighter(glass, 8), 255), outline=(*mark, 255), width=5
        )
    if shape > 0:
        for x in (384 - half * 0.6, 384 + half * 0.6):
            pen.arc((x - 18, y - 14, x + 18, y + 14), 20, 320, fill=(*mark, 255), width=5)
    if shape == 2:
        pen.rectangle((362, y - 16, 406, y + 16), outline=(*mark, 255), width=5)
    canvas.write(image, (384, 96), canvas.made_up_name(rng), size=22, color=mark)
    return image


def _back(rng: np.random.Generator) -> Image.Image:
    image = canvas.blank()
    half, radius = rng.uniform(168, 195), rng.uniform(40, 64)
    color = canvas.pick(rng, BACKS)
    face = _body(image, rng, half, radius, canvas.lighter(color, -14))
    mask = canvas.rounded_mask(face, radius - 6)
    other = canvas.clamp(np.asarray(color) + rng.normal(0, 35, 3))
    stops = [(0, canvas.lighter(color, 35)), (0.45, color), (1, canvas.lighter(other, -30))]
    canvas.shades(image, mask, stops, rng.uniform(40, 140))
    _reflection(image, rng, mask, face)
    _camera(image, rng, face, color)
    mark = canvas.lighter(color, 60 if sum(color) < 400 else -70)
    if rng.random() < 0.5:
        canvas.write(image, (384, 420), canvas.made_up_name(rng), size=46, color=mark)
    else:
        ImageDraw.Draw(image).ellipse((350, 340, 418, 408), outline=(*mark, 255), width=12)
    canvas.fine_print(image, rng, (320, 655, 450, 685), mark, 12)
    return image


def _camera(image: Image.Image, rng: np.random.Generator, face: Rectangle, color: Color) -> None:
    """The raised plate with lenses and a light."""
    pen = ImageDraw.Draw(image)
    plate = canvas.lighter(color, -28) if rng.random() < 0.6 else (20, 20, 22)
    left, top = face[0] + 22, face[1] + 22
    lens = rng.uniform(34, 44)
    shape = rng.integers(3)
    if shape == 0:
        box = (left, top, left + 180, top + 190)
        places = [(left + 52, top + 56), (left + 52, top + 136), (left + 132, top + 96)]
        light = (left + 136, top + 36)
    elif shape == 1:
        box = (left, top, left + 100, top + 270)
        places = [(left + 50, top + 52), (left + 50, top + 134), (left + 50, top + 214)]
        light = (left + 128, top + 60)
    else:
        box = (384 - 78, top + 10, 384 + 78, top + 110)
        places, light = [(384 - 30, top + 60)], (384 + 50, top + 60)
    pen.rounded_rectangle(
        box, 32, fill=(*plate, 255), outline=(*canvas.lighter(plate, 45), 255), width=3
    )
    for x, y in places:
        for size, tone in ((1.0, (120, 122, 128)), (0.86, (14, 14, 16)), (0.5, (30, 38, 62))):
            far = lens * size
            pen.ellipse((x - far, y - far, x + far, y + far), fill=(*tone, 255))
        pen.ellipse((x - 12, y - 14, x - 2, y - 4), fill=(190, 200, 230, 255))
    x, y = light
    pen.ellipse((x - 13, y - 13, x + 13, y + 13), fill=(250, 244, 214, 255))


def _keypad(
    image: Image.Image,
    rng: np.random.Generator,
    box: Rectangle,
    body: Color,
    rows: int = 4,
) -> None:
    """Number keys in three columns."""
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = box
    wide, high = (right - left) / 3, (bottom - top) / rows
    pale = rng.random() < 0.5
    key = (
        canvas.lighter(body, 28)
        if not pale
        else canvas.pick(rng, ((206, 208, 212), (60, 62, 66)), 6)
    )
    ink = (20, 20, 24) if sum(key) > 330 else (240, 242, 246)
    radius = rng.uniform(4, 18)
    for index in range(3 * rows):
        x, y = left + index % 3 * wide, top + index // 3 * high
        cap = (x + 5, y + 4, x + wide - 5, y + high - 6)
        pen.rounded_rectangle(
            (cap[0], cap[1] + 4, cap[2], cap[3] + 4), radius, fill=(12, 12, 14, 255)
        )
        pen.rounded_rectangle(cap, radius, fill=(*key, 255))
        canvas.write(
            image, (x + wide / 2, y + high / 2), "123456789*0#"[index], size=high * 0.62, color=ink
        )


def _pad(image: Image.Image, at: tuple[float, float], size: float, body: Color) -> None:
    """The five-way key with the green and red ones beside it."""
    pen = ImageDraw.Draw(image)
    x, y = at
    ring = canvas.lighter(body, 50)
    pen.rounded_rectangle(
        (x - size, y - size * 0.8, x + size, y + size * 0.8), size * 0.5, fill=(*ring, 255)
    )
    inner = size * 0.5
    pen.rounded_rectangle(
        (x - inner, y - inner * 0.8, x + inner, y + inner * 0.8),
        inner * 0.4,
        fill=(*canvas.lighter(body, 12), 255),
        outline=(20, 20, 22, 255),
        width=3,
    )
    for side, tint in ((-1, (40, 170, 70)), (1, (206, 40, 40))):
        middle = x + side * size * 1.75
        pen.rounded_rectangle(
            (middle - 44, y + 4, middle + 44, y + size * 0.75),
            10,
            fill=(*canvas.lighter(body, 28), 255),
        )
        pen.line(
            (middle - 22, y + size * 0.4, middle + 22, y + size * 0.4), fill=(*tint, 255), width=9
        )
        pen.rounded_rectangle(
            (middle - 44, y - size * 0.75, middle + 44, y - 6),
            10,
            fill=(*canvas.lighter(body, 22), 255),
        )


def _small_screen(image: Image.Image, rng: np.random.Generator, box: Rectangle) -> None:
    """The screen of a phone with keys: dark, gray-green, or in color."""
    mask = canvas.rounded_mask(box, 6)
    kind = rng.integers(3)
    if kind == 0:
        canvas.shade(image, mask, (44, 48, 54), (20, 22, 26), 60)
    elif kind == 1:
        canvas.shade(image, mask, (150, 172, 120), (122, 146, 98))
        ink = (36, 46, 30)
        canvas.fine_print(image, rng, (box[0] + 20, box[1] + 30, box[2] - 20, box[3] - 20), ink, 34)
    else:
        _wallpaper(image, rng, mask)
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        canvas.write(
            image, middle, f"{int(rng.integers(10, 24))}:25", size=64, color=(250, 250, 250)
        )
    _reflection(image, rng, mask, box)


def _with_keys(rng: np.random.Generator) -> Image.Image:
    image = canvas.blank()
    half = rng.uniform(145, 180)
    colors = (
        (26, 27, 30),
        (50, 56, 70),
        (180, 184, 190),
        (236, 236, 234),
        (150, 30, 36),
        (30, 56, 120),
    )
    body = canvas.pick(rng, colors, 6)
    radius = rng.uniform(40, 110)
    mask = canvas.rounded_mask((384 - half, TOP, 384 + half, BOTTOM), radius)
    stops = [(0, canvas.lighter(body, -25)), (0.1, canvas.lighter(body, 40)), (0.5, body)]
    stops += [(0.9, canvas.lighter(body, 10)), (1, canvas.lighter(body, -45))]
    canvas.shades(image, mask, stops, 0)
    split = rng.uniform(320, 375)
    panel = (384 - half + 16, 60, 384 + half - 16, split)
    canvas.paint(image, canvas.rounded_mask(panel, 22), (14, 15, 17))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((344, 40, 424, 50), 5, fill=(10, 10, 12, 255))
    _small_screen(image, rng, (panel[0] + 20, panel[1] + 44, panel[2] - 20, panel[3] - 18))
    canvas.write(
        image, (384, panel[1] + 24), canvas.made_up_name(rng), size=28, color=(226, 228, 232)
    )
    _pad(image, (384, split + 62), half * 0.4, body)
    _keypad(image, rng, (384 - half + 20, split + 124, 384 + half - 20, 712), body)
    return image


def _folding(rng: np.random.Generator) -> Image.Image:
    image = canvas.blank()
    half = rng.uniform(150, 175)
    body = canvas.pick(
        rng, ((32, 33, 38), (186, 190, 196), (196, 60, 100), (44, 60, 100), (150, 26, 30)), 6
    )
    for top, bottom in ((TOP, 378.0), (388.0, BOTTOM)):
        mask = canvas.rounded_mask((384 - half, top, 384 + half, bottom), 46)
        canvas.shade(image, mask, canvas.lighter(body, 30), canvas.lighter(body, -25), 30)
    pen = ImageDraw.Draw(image)
    hinge = (384 - half * 0.72, 358, 384 + half * 0.72, 410)
    pen.rounded_rectangle(hinge, 14, fill=(*canvas.lighter(body, -40), 255))
    pen.line((hinge[0], 374, hinge[2], 374), fill=(*canvas.lighter(body, 40), 255), width=5)
    inner = (384 - half + 22, 52, 384 + half - 22, 346)
    canvas.paint(image, canvas.rounded_mask(inner, 20), (14, 15, 17))
    _small_screen(image, rng, (inner[0] + 18, inner[1] + 30, inner[2] - 18, inner[3] - 24))
    pen.rounded_rectangle((350, 34, 418, 43), 4, fill=(12, 12, 14, 255))
    _pad(image, (384, 470), half * 0.38, body)
    _keypad(image, rng, (384 - half + 18, 530, 384 + half - 18, 722), body)
    return image
