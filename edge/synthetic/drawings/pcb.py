"""Printed circuit boards: digital boards, bare boards, power boards, cards, phone boards."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings.canvas import SIDE, Color, Rectangle, blank, lighter, pick, write
from edge.synthetic.drawings.solid import around, dome, sheet

GREENS = ((28, 110, 58), (20, 88, 50), (52, 140, 70), (36, 120, 40))
OTHERS = ((28, 62, 140), (150, 34, 38), (24, 26, 28), (26, 80, 110))
BROWNS = ((176, 128, 62), (196, 150, 84), (150, 96, 48), (205, 140, 50))
GOLD = (214, 176, 86)
TIN = (190, 193, 196)
CHIP = (34, 35, 38)
WHITE = (232, 236, 230)


@dataclass
class Board:
    """A board in work: its face, its color and the places that parts have taken."""

    face: Image.Image
    color: Color
    taken: list[Rectangle] = field(default_factory=list)

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        """Draws on the face."""
        return ImageDraw.Draw(self.face)

    def take(
        self, rng: np.random.Generator, wide: float, tall: float, gap: float = 7
    ) -> Rectangle | None:
        """A free place for a part of that size, px; None when a few tries find none."""
        for _ in range(12):
            left = float(rng.uniform(14, max(15, self.face.width - wide - 14)))
            top = float(rng.uniform(14, max(15, self.face.height - tall - 14)))
            place = (left, top, left + wide, top + tall)
            if all(
                place[0] > other[2] + gap
                or place[2] < other[0] - gap
                or place[1] > other[3] + gap
                or place[3] < other[1] - gap
                for other in self.taken
            ):
                self.taken.append(place)
                return place
        return None


def draw(rng: np.random.Generator) -> Image.Image:
    """A circuit board from above on a transparent canvas."""
    forms = (_digital, _digital, _digital, _power, _power, _bare, _card, _phone)
    return forms[int(rng.integers(len(forms)))](rng)


def _digital(rng: np.random.Generator) -> Image.Image:
    board = _board(rng, rng.uniform(0.62, 1.0), GREENS if rng.random() < 0.68 else OTHERS)
    _copper(rng, board, 26)
    _holes(board)
    if rng.random() < 0.5:
        _fingers(rng, board)
    if rng.random() < 0.5:
        _ports(rng, board)
    _place(rng, board, _flat_pack, count=(1, 4), least=90, most=190)
    _place(rng, board, _heatsink, count=(0, 2), least=90, most=150)
    _place(rng, board, _slot, count=(0, 4), least=170, most=340)
    _place(rng, board, _dual, count=(5, 12), least=50, most=120)
    _place(rng, board, _header, count=(1, 4), least=60, most=170)
    _place(rng, board, _capacitor, count=(3, 14), least=26, most=46)
    _place(rng, board, _crystal, count=(1, 3), least=46, most=66)
    _place(rng, board, _row, count=(16, 34), least=50, most=130)
    _place(rng, board, _resistor, count=(0, 10), least=56, most=80)
    _place(rng, board, _text, count=(2, 6), least=60, most=110)
    return _cut(rng, board)


def _power(rng: np.random.Generator) -> Image.Image:
    board = _board(rng, rng.uniform(0.55, 0.95), BROWNS if rng.random() < 0.6 else GREENS)
    _copper(rng, board, 12)
    _holes(board)
    _place(rng, board, _transformer, count=(1, 3), least=110, most=190)
    _place(rng, board, _heatsink, count=(1, 3), least=90, most=190)
    _place(rng, board, _capacitor, count=(4, 9), least=60, most=110)
    _place(rng, board, _coil, count=(0, 3), least=70, most=120)
    _place(rng, board, _header, count=(2, 5), least=60, most=130)
    _place(rng, board, _dual, count=(1, 4), least=50, most=110)
    _place(rng, board, _capacitor, count=(5, 12), least=28, most=54)
    _place(rng, board, _disc, count=(4, 10), least=34, most=56)
    _place(rng, board, _resistor, count=(14, 30), least=60, most=92)
    _place(rng, board, _text, count=(2, 6), least=50, most=90)
    return _cut(rng, board)


def _bare(rng: np.random.Generator) -> Image.Image:
    """A board without parts: tracks, rows of pads, white outlines."""
    board = _board(rng, rng.uniform(0.6, 1.0), GREENS if rng.random() < 0.75 else BROWNS)
    _copper(rng, board, 60)
    _place(rng, board, _grid, count=(1, 4), least=110, most=230)
    _holes(board)
    _place(rng, board, _pads, count=(24, 44), least=50, most=150)
    _place(rng, board, _text, count=(5, 12), least=50, most=110)
    if rng.random() < 0.4:
        _fingers(rng, board)
    return _cut(rng, board)


def _card(rng: np.random.Generator) -> Image.Image:
    """A long card with a row of equal chips over gold contacts."""
    board = _board(rng, rng.uniform(0.24, 0.36), GREENS if rng.random() < 0.75 else OTHERS)
    _copper(rng, board, 14)
    width, height = board.face.size
    for row in np.arange(height - 34, height, 1):
        board.pen.line([(0, float(row)), (width, float(row))], fill=lighter(board.color, -12))
    step = int(rng.integers(10, 14))
    for x in range(14, width - 14, step):
        if abs(x - width * 0.45) > 14:
            board.pen.rectangle((x, height - 32, x + step * 0.62, height - 3), fill=GOLD)
    notch = width * 0.45
    board.pen.rectangle((notch - 5, height - 40, notch + 5, height), fill=(20, 22, 22))
    board.taken.append((0, height - 40, width, height))
    chips, gap = int(rng.integers(4, 9)), 12.0
    wide = (width - 60) / chips - gap
    tall = min(height * 0.5, wide * 1.7)
    for number in range(chips):
        left = 30 + number * (wide + gap)
        place = (left, height * 0.14, left + wide, height * 0.14 + tall)
        board.taken.append(place)
        _dual(rng, board, place)
    _place(rng, board, _row, count=(8, 16), least=30, most=70)
    return _cut(rng, board, plain=True)


def _phone(rng: np.random.Generator) -> Image.Image:
    """A small dense board: metal shields, tiny parts, connectors, an outline with cut-outs."""
    board = _board(rng, rng.uniform(0.42, 0.6), [*GREENS, (22, 60, 90), (24, 40, 36)])
    _copper(rng, board, 16)
    _place(rng, board, _shield, count=(1, 4), least=110, most=240)
    _place(rng, board, _flat_pack, count=(2, 7), least=70, most=140)
    _place(rng, board, _socket, count=(1, 3), least=60, most=110)
    _place(rng, board, _row, count=(20, 36), least=40, most=110)
    _place(rng, board, _gold_spot, count=(4, 10), least=16, most=34)
    return _cut(rng, board)


def _place(
    rng: np.random.Generator,
    board: Board,
    part: Callable[[np.random.Generator, Board, Rectangle], None],
    *,
    count: tuple[int, int],
    least: float,
    most: float,
) -> None:
    """Put some of a part wherever there is room, each `least` to `most` px long."""
    for _ in range(int(rng.integers(*count))):
        long = float(rng.uniform(least, most))
        across, down = long * SHAPES.get(part.__name__, 1.0), long
        if rng.random() < 0.5:
            across, down = down, across
        place = board.take(rng, across, down)
        if place is not None:
            part(rng, board, place)


SHAPES = {
    "_dual": 0.62,
    "_slot": 0.12,
    "_header": 0.3,
    "_crystal": 0.45,
    "_row": 0.3,
    "_resistor": 0.26,
    "_text": 0.3,
    "_pads": 0.5,
    "_disc": 0.5,
    "_transformer": 0.85,
    "_heatsink": 0.5,
    "_shield": 0.7,
    "_socket": 0.5,
}
"""Width by height of the parts that are not square."""


def _board(rng: np.random.Generator, aspect: float, colors: tuple[Color, ...] | list) -> Board:
    color = pick(rng, colors, 7)
    width = SIDE - 44
    face = sheet(width, width * aspect, lighter(color, 10), lighter(color, -8), rng.uniform(0, 180))
    return Board(face, color)


def _copper(rng: np.random.Generator, board: Board, buses: int) -> None:
    """Bundles of parallel tracks with 45 degree bends, vias at their ends."""
    pen, (width, height) = board.pen, board.face.size
    tone = lighter(board.color, float(rng.choice([26, 34, -20])))
    for _ in range(buses):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        across = rng.random() < 0.5
        first, slope, last = rng.uniform(30, 240), rng.uniform(15, 90), rng.uniform(20, 200)
        side = float(rng.choice([-1, 1]))
        for line in range(int(rng.integers(1, 8))):
            shift = line * 9
            path = [
                (0.0, shift),
                (first, shift),
                (first + slope, shift + side * slope),
                (first + slope + last, shift + side * slope),
            ]
            spots = [(x + a, y + b) if across else (x + b, y + a) for a, b in path]
            pen.line(spots, fill=tone, width=3)
            for spot in (spots[0], spots[-1]):
                pen.ellipse(around(*spot, 5), fill=lighter(tone, 40))
                pen.ellipse(around(*spot, 2), fill=lighter(board.color, -50))
    for x, y in rng.uniform(0, 1, (50, 2)).tolist():
        pen.ellipse(around(x * width, y * height, 4), fill=TIN if board.color[0] > 120 else GOLD)


def _holes(board: Board) -> None:
    width, height = board.face.size
    for x in (30, width - 30):
        for y in (30, height - 30):
            board.pen.ellipse(around(x, y, 20), fill=GOLD)
            board.pen.ellipse(around(x, y, 12), fill=(28, 28, 28))
            board.taken.append(around(x, y, 20))


def _fingers(rng: np.random.Generator, board: Board) -> None:
    """Gold contacts along part of the lower edge."""
    width, height = board.face.size
    left, right = sorted(rng.uniform(0.1, 0.9, 2) * width)
    left, right = (left, right) if right - left > 180 else (70.0, width - 70.0)
    board.pen.rectangle((left - 8, height - 52, right + 8, height), fill=lighter(board.color, -14))
    for x in np.arange(left, right - 8, 13):
        board.pen.rectangle((float(x), height - 46, float(x) + 8, height), fill=GOLD)
    board.taken.append((left - 8, height - 56, right + 8, height))


def _ports(rng: np.random.Generator, board: Board) -> None:
    """Sockets along the upper edge: metal, black and colored blocks."""
    x = 60.0
    while x < board.face.width - 150:
        wide, tall = rng.uniform(40, 110), rng.uniform(60, 100)
        color = pick(
            rng, [TIN, TIN, (40, 40, 44), (40, 70, 160), (40, 140, 120), (150, 60, 130)], 5
        )
        place = (x, 0.0, x + wide, tall)
        _shadow(board, place)
        board.pen.rectangle(place, fill=color, outline=lighter(color, -60), width=3)
        board.pen.rectangle((x + 8, 6, x + wide - 8, tall * 0.3), fill=lighter(color, 28))
        board.pen.line(
            [(x + 6, tall * 0.6), (x + wide - 6, tall * 0.6)], fill=lighter(color, -45), width=4
        )
        board.taken.append(place)
        x += wide + rng.uniform(6, 60)


def _shadow(board: Board, place: Rectangle, by: float = 6) -> None:
    left, top, right, bottom = place
    dark = lighter(board.color, -48)
    board.pen.rectangle((left + by, top + by, right + by, bottom + by), fill=dark)


def _pins(board: Board, place: Rectangle, sides: str) -> None:
    """Metal legs along the sides `x` (left and right) and `y` (top and bottom)."""
    left, top, right, bottom = place
    step = 10
    if "x" in sides:
        for y in np.arange(top + 6, bottom - 8, step).tolist():
            board.pen.rectangle((left - 9, y, right + 9, y + 5), fill=TIN)
    if "y" in sides:
        for x in np.arange(left + 6, right - 8, step).tolist():
            board.pen.rectangle((x, top - 9, x + 5, bottom + 9), fill=TIN)


def _case(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    tone = lighter(CHIP, float(rng.uniform(-14, 16)))
    board.pen.rectangle(place, fill=tone, outline=lighter(tone, 34), width=2)
    board.pen.line([(left, bottom), (right, bottom)], fill=lighter(tone, -25), width=4)
    board.pen.ellipse((left + 7, top + 7, left + 15, top + 15), fill=lighter(tone, 55))
    middle, short = (top + bottom) / 2, min(right - left, bottom - top)
    for shift, share in ((-0.13, 0.6), (0.05, 0.45), (0.2, 0.52)):
        wide = (right - left) * share * 0.5
        x, y = (left + right) / 2, middle + shift * short
        board.pen.line(
            [(x - wide, y), (x + wide, y)], fill=lighter(tone, 95), width=max(3, int(short * 0.05))
        )


def _flat_pack(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    inner = (left + 10, top + 10, right - 10, bottom - 10)
    _shadow(board, inner)
    if rng.random() < 0.75:
        _pins(board, inner, "xy")
        _case(rng, board, inner)
        return
    board.pen.rectangle(inner, fill=lighter(board.color, 24), outline=WHITE, width=2)
    die = around((left + right) / 2, (top + bottom) / 2, (right - left) * 0.26)
    _case(rng, board, die)


def _dual(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    if right - left > bottom - top:
        inner, sides = (left, top + 10, right, bottom - 10), "y"
    else:
        inner, sides = (left + 10, top, right - 10, bottom), "x"
    _shadow(board, inner)
    _pins(board, inner, sides)
    _case(rng, board, inner)


def _heatsink(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    metal = pick(rng, [(185, 188, 192), (60, 62, 66), (150, 150, 155), (90, 110, 160)], 5)
    _shadow(board, place, 10)
    board.pen.rectangle(place, fill=lighter(metal, -40))
    flat = right - left > bottom - top
    for start in np.arange(left if flat else top, (right if flat else bottom) - 4, 13).tolist():
        fin = (start, top, start + 7, bottom) if flat else (left, start, right, start + 7)
        board.pen.rectangle(fin, fill=lighter(metal, 20))


def _slot(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    color = pick(rng, [(232, 230, 222), (36, 36, 40), (40, 70, 160), (130, 70, 50)], 5)
    _shadow(board, place)
    board.pen.rectangle(place, fill=color, outline=lighter(color, -50), width=2)
    if right - left > bottom - top:
        line, width = (
            [(left + 8, (top + bottom) / 2), (right - 8, (top + bottom) / 2)],
            bottom - top,
        )
    else:
        line, width = (
            [((left + right) / 2, top + 8), ((left + right) / 2, bottom - 8)],
            right - left,
        )
    board.pen.line(
        line,
        fill=lighter(color, -90 if sum(color) > 350 else 40),
        width=max(3, int(width * 0.34)),
    )


def _header(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """A plug socket with a double row of pins."""
    left, top, right, bottom = place
    color = pick(
        rng, [(236, 234, 226), (30, 30, 33), (236, 234, 226), (190, 50, 45), (40, 80, 170)], 4
    )
    _shadow(board, place)
    board.pen.rectangle(place, fill=color, outline=lighter(color, -60), width=3)
    pin = (205, 180, 100) if sum(color) < 350 else (120, 116, 104)
    across = max(1, round((right - left) / 18))
    down = max(1, round((bottom - top) / 18))
    for column in range(across):
        for row in range(down):
            x = left + (right - left) * (column + 0.5) / across
            y = top + (bottom - top) * (row + 0.5) / down
            board.pen.rectangle(around(x, y, 4), fill=pin)


def _capacitor(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """An electrolytic capacitor that leans away: sleeve, then the silver top with its cross."""
    left, top, right, bottom = place
    x, y, radius = (left + right) / 2, (top + bottom) / 2, (right - left) * 0.42
    sleeve = pick(rng, [(32, 32, 36), (32, 32, 36), (40, 60, 130), (30, 80, 70), (90, 60, 40)], 6)
    lean = radius * 0.5
    board.pen.ellipse(
        around(x + radius * 0.5, y + radius * 0.6, radius), fill=lighter(board.color, -50)
    )
    for share in np.linspace(0, 1, 10).tolist():
        tone = lighter(sleeve, -25 + 45 * share)
        board.pen.ellipse(
            around(x + lean * (0.7 - share), y + lean * (0.7 - share), radius), fill=tone
        )
    x, y = x - lean * 0.3, y - lean * 0.3
    turn = rng.uniform(0, math.tau)
    board.pen.pieslice(around(x, y, radius), turn * 57, turn * 57 + 70, fill=(205, 208, 212))
    dome(board.face, around(x, y, radius * 0.84), (150, 153, 157), (222, 224, 226))
    for way in (turn, turn + math.pi / 2):
        reach = (radius * 0.62 * math.cos(way), radius * 0.62 * math.sin(way))
        board.pen.line(
            [(x - reach[0], y - reach[1]), (x + reach[0], y + reach[1])],
            fill=(120, 122, 126),
            width=max(2, int(radius * 0.1)),
        )


def _crystal(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    _shadow(board, place)
    radius = min(place[2] - place[0], place[3] - place[1]) / 2
    board.pen.rounded_rectangle(
        place, radius, fill=(200, 203, 206), outline=(130, 132, 135), width=3
    )
    left, top, right, bottom = place
    board.pen.rounded_rectangle(
        (left + 7, top + 6, right - 7, bottom - 9), radius, fill=(222, 224, 226)
    )


def _row(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """A row of tiny parts: dark resistors or tan capacitors with bright ends."""
    left, top, right, bottom = place
    tall = max(16, min(26, right - left, bottom - top))
    body = pick(rng, [(40, 40, 43), (170, 140, 95), (40, 40, 43), (120, 90, 60)], 5)
    flat = right - left > bottom - top
    start, end = (left, right) if flat else (top, bottom)
    for spot in np.arange(start, end - 12, 18).tolist():
        part = (spot, top, spot + 11, top + tall) if flat else (left, spot, left + tall, spot + 11)
        board.pen.rectangle(part, fill=TIN)
        middle = (
            (part[0], part[1] + 5, part[2], part[3] - 5)
            if flat
            else (part[0] + 5, part[1], part[2] - 5, part[3])
        )
        board.pen.rectangle(middle, fill=body)


def _resistor(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """A resistor or diode on its wires, with colored bands."""
    left, top, right, bottom = place
    flat = right - left > bottom - top
    x, y = (left + right) / 2, (top + bottom) / 2
    wire = [(left, y), (right, y)] if flat else [(x, top), (x, bottom)]
    board.pen.line(wire, fill=TIN, width=4)
    for spot in wire:
        board.pen.ellipse(around(*spot, 6), fill=(170, 172, 174))
    body = pick(
        rng, [(214, 186, 140), (120, 170, 200), (214, 186, 140), (40, 38, 38), (200, 100, 60)], 6
    )
    long, thick = 0.3 * max(right - left, bottom - top), 0.42 * min(right - left, bottom - top)
    middle = around(x, y, long, thick) if flat else around(x, y, thick, long)
    board.pen.rounded_rectangle(middle, thick * 0.8, fill=body, outline=lighter(body, -60), width=2)
    bands = [
        (120, 60, 30),
        (200, 40, 40),
        (30, 30, 30),
        (230, 150, 40),
        (60, 130, 60),
        (90, 60, 160),
        GOLD,
    ]
    for share in (-0.55, -0.2, 0.15, 0.6):
        at = share * long
        band = (
            (x + at - 3, y - thick, x + at + 3, y + thick)
            if flat
            else (x - thick, y + at - 3, x + thick, y + at + 3)
        )
        board.pen.rectangle(band, fill=bands[int(rng.integers(len(bands)))])


def _disc(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """A film or ceramic capacitor from above."""
    color = pick(
        rng, [(200, 120, 40), (50, 90, 180), (190, 60, 50), (225, 195, 60), (50, 130, 90)], 8
    )
    _shadow(board, place)
    board.pen.rounded_rectangle(place, 9, fill=color, outline=lighter(color, -55), width=2)
    left, top, right, bottom = place
    board.pen.rounded_rectangle(
        (left + 5, top + 4, right - 8, top + (bottom - top) * 0.4), 6, fill=lighter(color, 35)
    )


def _coil(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """A ring wound with copper wire."""
    left, top, right, bottom = place
    x, y, radius = (left + right) / 2, (top + bottom) / 2, (right - left) * 0.46
    core = pick(rng, [(60, 62, 66), (70, 130, 90), (200, 180, 70)], 5)
    board.pen.ellipse(around(x + 6, y + 6, radius), fill=lighter(board.color, -50))
    board.pen.ellipse(around(x, y, radius * 0.92), fill=core)
    for turn in np.linspace(0, math.tau * 0.92, 26).tolist():
        near, far = radius * 0.4, radius
        ends = [(x + r * math.cos(turn), y + r * math.sin(turn)) for r in (near, far)]
        board.pen.line(ends, fill=(196, 112, 56), width=max(4, int(radius * 0.13)))
        board.pen.line(ends, fill=(226, 150, 90), width=2)
    board.pen.ellipse(around(x, y, radius * 0.4), fill=lighter(board.color, -40))


def _transformer(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """A transformer or a relay: core, yellow tape, or a plain colored box."""
    left, top, right, bottom = place
    _shadow(board, place, 10)
    if rng.random() < 0.6:
        tape = pick(rng, [(225, 190, 50), (230, 205, 90), (60, 100, 170)], 6)
        board.pen.rectangle(place, fill=(66, 64, 64), outline=(40, 40, 40), width=3)
        inset = (bottom - top) * 0.2
        board.pen.rectangle((left + 6, top + inset, right - 6, bottom - inset), fill=tape)
        for y in np.arange(top + inset + 8, bottom - inset, 14).tolist():
            board.pen.line([(left + 6, y), (right - 6, y)], fill=lighter(tape, -28), width=2)
        board.pen.rectangle((left, top, right, top + inset * 0.5), fill=(98, 96, 96))
        return
    color = pick(rng, [(40, 80, 170), (32, 32, 35), (228, 226, 220)], 5)
    board.pen.rectangle(place, fill=color, outline=lighter(color, -50), width=3)
    ink = lighter(color, 130 if sum(color) < 350 else -130)
    for share in (0.3, 0.45, 0.6):
        y = top + (bottom - top) * share
        board.pen.line(
            [(left + 14, y), (left + (right - left) * rng.uniform(0.5, 0.85), y)], fill=ink, width=5
        )


def _shield(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    _shadow(board, place)
    metal = sheet(right - left, bottom - top, (214, 216, 218), (150, 153, 157), rng.uniform(20, 70))
    pen = ImageDraw.Draw(metal)
    pen.rectangle((0, 0, metal.width - 1, metal.height - 1), outline=(120, 122, 126), width=4)
    for x in range(24, metal.width - 16, 26):
        for y in (14, metal.height - 14):
            pen.ellipse(around(x, y, 4), fill=(96, 98, 102))
    board.face.paste(metal, (int(left), int(top)))


def _socket(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    board.pen.rectangle(place, fill=(200, 203, 206), outline=(110, 112, 116), width=3)
    board.pen.rectangle((left + 10, top + 10, right - 10, bottom - 10), fill=(30, 30, 32))
    for x in np.arange(left + 16, right - 18, 12).tolist():
        board.pen.rectangle((x, top + 14, x + 5, bottom - 14), fill=GOLD)


def _gold_spot(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    board.pen.ellipse(place, fill=GOLD, outline=lighter(GOLD, -50), width=2)


def _pads(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """Two rows of solder pads inside a white outline, or a ring of pads."""
    left, top, right, bottom = place
    pad = GOLD if rng.random() < 0.5 else TIN
    board.pen.rectangle(place, outline=WHITE, width=2)
    step = int(rng.integers(12, 18))
    flat = right - left > bottom - top
    for spot in np.arange(
        (left if flat else top) + 10, (right if flat else bottom) - 8, step
    ).tolist():
        for edge in (0.2, 0.8):
            x, y = (
                (spot, top + (bottom - top) * edge)
                if flat
                else (left + (right - left) * edge, spot)
            )
            board.pen.ellipse(around(x, y, 6.5), fill=pad)
            board.pen.ellipse(around(x, y, 2), fill=lighter(board.color, -60))


def _grid(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    """A field of solder pads, as under a socket or on the back of a board."""
    left, top, right, bottom = place
    pad = pick(rng, [GOLD, TIN], 5)
    step = float(rng.uniform(16, 24))
    for x in np.arange(left + 8, right - 6, step).tolist():
        for y in np.arange(top + 8, bottom - 6, step).tolist():
            board.pen.ellipse(around(x, y, step * 0.34), fill=pad)
            board.pen.ellipse(around(x, y, 2), fill=lighter(board.color, -60))


def _text(rng: np.random.Generator, board: Board, place: Rectangle) -> None:
    left, top, right, bottom = place
    word = f"{'RCUJDQ'[int(rng.integers(6))]}{int(rng.integers(1, 99))}"
    flat = right - left > bottom - top
    patch = Image.new("RGBA", (int(right - left) + 2, int(bottom - top) + 2), (*board.color, 255))
    size = 0.9 * min(right - left, bottom - top)
    write(
        patch,
        (patch.width / 2, patch.height / 2),
        word,
        size=size,
        color=WHITE,
        turn=0 if flat else 90,
    )
    board.face.paste(patch, (int(left), int(top)))


def _cut(rng: np.random.Generator, board: Board, plain: bool = False) -> Image.Image:
    """The board in the middle of the canvas, its outline a rectangle, notched, or an L."""
    width, height = board.face.size
    mask = Image.new("L", board.face.size, 0)
    pen = ImageDraw.Draw(mask)
    pen.rounded_rectangle((0, 0, width - 1, height - 1), float(rng.choice([0, 8, 22])), fill=255)
    shape = rng.random()
    if not plain and shape < 0.18:
        corner = rng.uniform(0.2, 0.4, 2) * (width, height)
        left = 0 if rng.random() < 0.5 else width - corner[0]
        top = 0 if rng.random() < 0.5 else height - corner[1]
        pen.rectangle((left, top, left + corner[0], top + corner[1]), fill=0)
    elif not plain and shape < 0.45:
        for _ in range(int(rng.integers(1, 4))):
            x = rng.uniform(0.1, 0.85) * width
            wide, deep = rng.uniform(20, 90), rng.uniform(14, 50)
            y = 0 if rng.random() < 0.5 else height - deep
            pen.rectangle((x, y, x + wide, y + deep), fill=0)
    image = blank()
    place = ((SIDE - width) // 2, (SIDE - height) // 2)
    side = sheet(width, height, lighter(board.color, -50))
    image.paste(side, (place[0] + 4, place[1] + 6), mask)
    image.paste(board.face, place, mask)
    return image
