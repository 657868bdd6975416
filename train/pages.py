"""HTML reports of the workstation: one template environment, and images as data URLs."""

import base64
from pathlib import Path

import cv2
import jinja2
import numpy as np


def template_environment(folder: Path) -> jinja2.Environment:
    """The environment of all reports: values are escaped, and a missing one is an error.

    Args:
        folder: the folder of the templates.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def jpeg_data_url(pixels: np.ndarray, quality: int = 95) -> str:
    """An image as a data URL, for a page that consists of one file.

    Args:
        pixels: uint8 RGB [H, W, 3].
        quality: of the JPEG, 0 to 100.
    """
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
