"""The one way from pixels to model input, used by training, conversion and the device alike."""

import cv2
import numpy as np

INPUT_OFFSET = 117
"""The float model's input is `RGB - 117`; the quantized model takes the raw bytes, with scale 1.0
and zero point 117. 117 is the ImageNet mean of R, G and B (123.68, 116.78, 103.94) rounded to its
middle; what remains per channel is in the bias of conv1."""
LARGEST_SIZE = 2048
"""Of the model's input, px: a larger one is no image classifier's."""


PADDED_SIDE = 4096
"""px; the square around a picture up to so long takes 50 MB at most."""
PADDED_SHARE = 2
"""A longer picture is padded as it is if the square has at most so many times its pixels."""


def to_square(image: np.ndarray) -> np.ndarray:
    """Pad uint8 RGB [height, width, 3] to a centered square by repeating its border."""
    height, width = image.shape[:2]
    side = max(height, width)
    if height == width:
        return image
    top, left = (side - height) // 2, (side - width) // 2
    return cv2.copyMakeBorder(
        image, top, side - height - top, left, side - width - left, cv2.BORDER_REPLICATE
    )


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a square uint8 RGB [side, side, 3] to [size, size, 3].

    Bilinear alone aliases when it shrinks by more than two, and area averaging of a whole camera
    frame is slow; so large pictures go to twice the size bilinearly, then are averaged in pairs.
    """
    if image.shape[0] < 2 * size:
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    if image.shape[0] > 2 * size:
        image = cv2.resize(image, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def model_input(image: np.ndarray, size: int) -> np.ndarray:
    """Turn uint8 RGB [height, width, 3] into the model's input, uint8 RGB [size, size, 3].

    Raises:
        ValueError: the array is not a non-empty uint8 RGB image.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"expected uint8 RGB [height, width, 3], got {image.dtype} {image.shape}")
    if not _can_be_padded(image):
        return resize_square(_long_square(image, size), size)
    square = _shrunk_square(image, 2 * size)
    return resize_square(to_square(image) if square is None else square, size)


def _shrunk_square(image: np.ndarray, side: int) -> np.ndarray | None:
    """`to_square(image)`, bilinearly resized to [side, side, 3], whose full square never exists.

    Padding a camera's frame takes as long as all the rest. Where a whole number of pixels, in the
    frame and in its padding, become one, each of these is made of the frame alone or of the padding
    alone, so the padding is added last, and every bit is the same. None: that is not so here.
    """
    height, width = image.shape[:2]
    longest, missing = max(height, width), abs(height - width)
    step, axis = longest // side, 0 if height < width else 1
    before = missing // 2
    if step < 2 or longest != step * side or not missing or before % step or missing % step:
        return None

    def shrunk(part: np.ndarray) -> np.ndarray:
        smaller = part.shape[1] // step, part.shape[0] // step
        return cv2.resize(part, smaller, interpolation=cv2.INTER_LINEAR)

    first, last = image.take([0], axis), image.take([-1], axis)
    ends = (shrunk(np.repeat(border, step, axis)) for border in (first, last))
    counts = before // step, (missing - before) // step
    above, below = (np.repeat(end, count, axis) for end, count in zip(ends, counts, strict=True))
    return np.concatenate((above, shrunk(image), below), axis)


def _can_be_padded(image: np.ndarray) -> bool:
    """Whether the square around a picture is small, or not much larger than the picture."""
    height, width = image.shape[:2]
    side = max(height, width)
    return side <= PADDED_SIDE or side * side <= PADDED_SHARE * height * width


def _long_square(image: np.ndarray, size: int) -> np.ndarray:
    """A long, thin picture as a square of twice the model's size, whose full square never exists.

    As `resize_square` would make it, up to rounding: bilinear, but one direction after the other,
    the long one before the short one is padded.
    """
    height, width = image.shape[:2]
    if height > width:
        return _long_square(image.transpose(1, 0, 2), size).transpose(1, 0, 2)
    shrunk = cv2.resize(image, (2 * size, height), interpolation=cv2.INTER_LINEAR)
    above = (width - height) // 2
    below = width - height - above
    padded = cv2.copyMakeBorder(shrunk, above, below, 0, 0, cv2.BORDER_REPLICATE)
    return cv2.resize(padded, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)


def float_input(pixels: np.ndarray) -> np.ndarray:
    """Turn uint8 RGB [..., 3] into what the float model takes: float32 `RGB - 117` [..., 3]."""
    return pixels.astype(np.float32) - INPUT_OFFSET
