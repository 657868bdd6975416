"""Drawn items: pictures of electronic waste with true masks, for a clone without photos."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edge.files import folder_beside
from edge.synthetic.drawings import (
    battery,
    keyboard,
    microwave,
    mobile,
    mouse,
    pcb,
    player,
    printer,
    television,
    washing_machine,
)
from edge.synthetic.drawings.background import draw_background

DRAWINGS: Mapping[str, Callable[[np.random.Generator], Image.Image]] = {
    "Battery": battery.draw,
    "Keyboard": keyboard.draw,
    "Microwave": microwave.draw,
    "Mobile": mobile.draw,
    "Mouse": mouse.draw,
    "PCB": pcb.draw,
    "Player": player.draw,
    "Printer": printer.draw,
    "Television": television.draw,
    "Washing Machine": washing_machine.draw,
}
CLASSES = tuple(DRAWINGS)

SIZE_MM: Mapping[str, tuple[float, float]] = {
    "Battery": (90, 140),
    "Keyboard": (180, 220),
    "Microwave": (150, 210),
    "Mobile": (110, 160),
    "Mouse": (90, 130),
    "PCB": (110, 190),
    "Player": (100, 180),
    "Printer": (150, 210),
    "Television": (150, 220),
    "Washing Machine": (150, 210),
}
"""The minimum and maximum longest side of an item on the simulated belt, mm. Small items have about
their real size; machines are scaled down so that each fits in the camera's view."""

LIES_FLAT = frozenset({"Battery", "Keyboard", "Mobile", "Mouse", "PCB", "Player"})
MARGIN = 0.03


def draw_item(label: str, seed: int, size: int = 256) -> np.ndarray:
    """Draw one item, which fills most of the square; the same arguments give the same bytes.

    Args:
        label: its class.
        seed: of its looks.
        size: width and height, px.

    Returns:
        uint8 RGBA [size, size, 4], straight alpha, 0 outside the item and 255 inside.

    Raises:
        ValueError: there is no such class.
    """
    if label not in DRAWINGS:
        raise ValueError(f"no drawing of {label!r}; the classes are {', '.join(CLASSES)}")
    rng = np.random.default_rng((CLASSES.index(label), seed))
    drawn = np.asarray(DRAWINGS[label](rng).convert("RGBa"))
    item = _fit(_tilt(drawn, rng, flat=label in LIES_FLAT), size)
    return _light(_wear(item, rng), rng)


def draw_on_background(label: str, seed: int, size: int = 224) -> np.ndarray:
    """Draw one item on a random background: uint8 RGB [size, size, 3]."""
    rng = np.random.default_rng((len(CLASSES) + CLASSES.index(label), seed))
    side = int(size * rng.uniform(0.7, 0.97))
    item = draw_item(label, seed, side).astype(np.float32)
    picture = draw_background(rng, size).astype(np.float32)
    left, top = (int(place) for place in rng.integers(0, size - side + 1, 2))
    alpha = np.zeros((size, size), np.float32)
    alpha[top : top + side, left : left + side] = item[..., 3] / 255
    shadow = cv2.GaussianBlur(np.roll(alpha, (size // 60, size // 60), (0, 1)), (0, 0), size / 50)
    picture *= 1 - rng.uniform(0.2, 0.6) * shadow[..., np.newaxis]
    patch = picture[top : top + side, left : left + side]
    patch += (item[..., :3] - patch) * (item[..., 3:] / 255)
    picture += rng.normal(0, rng.uniform(0.5, 5), (size, size, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_dataset(out: Path, per_class: Mapping[str, int], seed: int, size: int = 224) -> None:
    """Write drawn items as an ImageFolder, `out/SPLIT/CLASS/NNNN.jpg`, completely or not at all.

    Args:
        out: a folder that does not exist yet or is empty.
        per_class: the number of pictures per class of each split; no picture is in two splits.
        seed: of the pictures.
        size: width and height, px.

    Raises:
        FileExistsError: `out` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out}: is not empty; choose another folder")
    with folder_beside(out) as staged:
        number = seed * 1_000_000
        for split, count in per_class.items():
            for label in CLASSES:
                folder = staged / split / label
                folder.mkdir(parents=True)
                for place in range(count):
                    picture = Image.fromarray(draw_on_background(label, number + place, size))
                    picture.save(folder / f"{place:04d}.jpg", quality=92)
            number += count
        if out.exists():
            out.rmdir()
        staged.replace(out)


def _tilt(drawn: np.ndarray, rng: np.random.Generator, flat: bool) -> np.ndarray:
    """View an item from a slight angle, turned: flat items by any angle, others by at most 20°.

    Takes and returns uint8 RGBA of the same size, with premultiplied colors, so that the edge gets
    no dark fringe.
    """
    side = drawn.shape[0]
    turn = rng.uniform(-180, 180) if flat and rng.random() < 0.5 else rng.uniform(-20, 20)
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, 0.7)
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + rng.normal(0, side * 0.025, (4, 2))
    view = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(drawn, view, (side, side), flags=cv2.INTER_LINEAR)


def _fit(drawn: np.ndarray, size: int) -> np.ndarray:
    """Crop an item and scale it to fill a square of `size` px except for a margin.

    Takes premultiplied colors and returns straight colors.
    """
    solid = drawn[..., 3] > 8
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    cut = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    margin = max(2, round(size * MARGIN))
    scale = (size - 2 * margin) / max(cut.shape[:2])
    height, width = (max(1, round(length * scale)) for length in cut.shape[:2])
    premultiplied = Image.frombuffer("RGBa", cut.shape[1::-1], np.ascontiguousarray(cut))
    small = premultiplied.resize((width, height), Image.Resampling.BOX)
    fitted = np.zeros((size, size, 4), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    fitted[top : top + height, left : left + width] = np.asarray(small.convert("RGBA"))
    return fitted


def _wear(item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add scratches and dust to an item, uint8 RGBA in and out."""
    size = item.shape[0]
    marks = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(0, 14))):
        start = rng.uniform(0, size, 2)
        angle, length = rng.uniform(0, math.tau), rng.uniform(0.03, 0.35) * size
        end = start + length * np.array([math.cos(angle), math.sin(angle)])
        # A scratch is thinner than a pixel of a small picture: its strength stands for its width.
        strength = float(rng.uniform(-35, 50)) * min(1, size / 400)
        (x0, y0), (x1, y1) = start.astype(int).tolist(), end.astype(int).tolist()
        cv2.line(marks, (x0, y0), (x1, y1), strength, 1, cv2.LINE_8)
    clouds, specks = (
        cv2.resize(
            rng.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_LINEAR
        )
        for cells in (7, max(2, size // 2))
    )
    dust = clouds * (0.5 + 0.5 * specks)
    amount = rng.uniform(0, 0.22)
    colors = item[..., :3] + marks[..., np.newaxis]
    colors += (np.array([150, 140, 120]) - colors) * (amount * dust)[..., np.newaxis]
    return _with_colors(item, colors)


def _light(item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light an item from one side, warm or cold; uint8 RGBA in and out."""
    size = item.shape[0]
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    angle = rng.uniform(0, math.tau)
    along = x * math.cos(angle) + y * math.sin(angle)
    strength = rng.uniform(0, 0.22)
    gain = rng.uniform(0.75, 1.15) * (1 + strength * along)
    tint = rng.normal(1, 0.03, 3)
    return _with_colors(item, item[..., :3] * gain[..., np.newaxis] * tint)


def _with_colors(item: np.ndarray, colors: np.ndarray) -> np.ndarray:
    shown = np.clip(colors, 0, 255).astype(np.uint8) * (item[..., 3:] > 0)
    return np.dstack([shown, item[..., 3]])
