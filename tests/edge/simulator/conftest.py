import numpy as np
import pytest
from PIL import Image, ImageDraw

from edge.photos.dataset import find_photos


@pytest.fixture(scope="session")
def card_photos(tmp_path_factory):
    """Twenty photos of two classes: things on white, dark and colored backgrounds."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(20):
        background = [(255, 255, 255), (12, 12, 14), (250, 250, 250), (150, 110, 80)][index % 4]
        size = [(150, 150), (200, 120), (90, 160)][index % 3]
        photo = Image.new("RGB", size, background)
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        ImageDraw.Draw(photo).ellipse((25, 30, size[0] - 30, size[1] - 25), fill=color)
        path = folder / ("Mouse", "Printer")[index % 2] / f"{index:02}.png"
        path.parent.mkdir(exist_ok=True)
        photo.save(path)
    return find_photos(folder)
