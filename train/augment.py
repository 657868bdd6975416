"""Varied copies of a photo: what a camera over a belt may make of the same item."""

import cv2
import numpy as np


def augment(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random variation of uint8 RGB [S, S, 3], of the same shape.

    Turned, mirrored, moved and scaled (shrunk onto a plain ground, as on a belt, or cropped),
    then exposed, tinted, blurred and compressed a little differently.
    """
    return _expose(_place(image, rng), rng)


def _place(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size = image.shape[0]
    if rng.random() < 0.5:
        image = image[:, ::-1]
    scale = rng.uniform(0.65, 1.0) if rng.random() < 0.4 else rng.uniform(1.0, 1.35)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.normal(0, 10), scale)
    room = abs(1 - scale) * size / 2
    turn[:, 2] += rng.uniform(-room, room, 2)
    turn[0, :2] *= rng.uniform(0.9, 1.1)
    if rng.random() < 0.4:
        border, ground = cv2.BORDER_REPLICATE, 0
    else:
        border, ground = cv2.BORDER_CONSTANT, _ground(rng)
    return cv2.warpAffine(
        np.ascontiguousarray(image), turn, (size, size), borderMode=border, borderValue=ground
    )


def _ground(rng: np.random.Generator) -> tuple[float, float, float]:
    """A plain RGB ground: mostly the dark grey-green of rubber, else any grey or colour."""
    kind = rng.random()
    if kind < 0.5:
        grey = rng.uniform(30, 90)
        return (grey, grey + rng.uniform(0, 12), grey + rng.uniform(-6, 6))
    if kind < 0.8:
        grey = rng.uniform(0, 255)
        return (grey, grey, grey)
    return tuple(rng.uniform(0, 255, 3))


def _expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.93, 1.07, 3)
    offset = rng.uniform(-15, 15)
    image = np.clip((image.astype(np.float32) - 117) * gain + 117 + offset, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.25:
        quality = int(rng.uniform(30, 90))
        image = cv2.imdecode(
            cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
        )
    return image
