"""Reports of the workstation: figures as JSON, and a page that holds all its images."""

import base64
import json
from pathlib import Path

import cv2
import jinja2
import numpy as np

from edge.files import write_whole


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


def svg_data_url(content: bytes) -> str:
    """A drawing as a data URL."""
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode()


def write_figures_and_page(figures_path: Path, figures: dict, page_path: Path, page: str) -> None:
    """Write the figures of a report as JSON, and its page as HTML.

    Raises:
        OSError: one of them cannot be written.
    """
    write_whole(figures_path, (json.dumps(figures, indent=2) + "\n").encode())
    write_whole(page_path, page.encode("utf-8", "backslashreplace"))
