import numpy as np
import pytest
from PIL import Image

from edge.cameras.folder import PictureFolder
from edge.clock import VirtualClock
from edge.errors import BadInput


def test_pictures_come_in_the_order_of_their_numbers_and_a_broken_one_is_a_gap(tmp_path):
    for number in (1, 2, 10):
        pixels = np.full((60, 80, 3), 10 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"belt-{number}.png")
    (tmp_path / "belt-3.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not a picture")
    clock = VirtualClock(start=5.0)
    camera = PictureFolder(tmp_path, clock, fps=4, size=(40, 30))
    frames = [camera.read() for _ in range(3)]
    assert [frame.pixels.mean() for frame in frames] == [10, 20, 100]
    assert [frame.sequence for frame in frames] == [0, 1, 3]
    assert [frame.captured_at for frame in frames] == pytest.approx([5.0, 5.25, 5.75])
    assert frames[0].pixels.shape == (30, 40, 3)
    assert camera.read() is None
    camera.close()
    camera.close()


def test_a_folder_without_pictures_is_told(tmp_path):
    with pytest.raises(BadInput, match="holds no pictures"):
        PictureFolder(tmp_path, VirtualClock(), fps=4)
