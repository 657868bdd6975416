import numpy as np
import pytest
from PIL import Image

from edge.cameras.camera import NoFrame
from edge.cameras.folder import PictureFolder
from edge.cameras.shape import stretched
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


def test_a_folder_without_pictures_is_reported(tmp_path):
    with pytest.raises(BadInput, match="holds no pictures"):
        PictureFolder(tmp_path, VirtualClock(), fps=4)


def save(folder, name, size=(80, 60)):
    Image.new("RGB", size, (90, 90, 90)).save(folder / name)


def read_all(camera):
    return list(iter(camera.read, None))


def test_what_cannot_be_read_is_named_and_counted_the_last_ones_too(tmp_path, logged):
    for number in (1, 3):
        save(tmp_path, f"{number}.png")
    for name in ("2.jpg", "4.tif", "5.webp"):
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / "._1.png").write_bytes(b"what macOS leaves beside a file")
    (tmp_path / "6.jpg").mkdir()
    camera = PictureFolder(tmp_path, VirtualClock(), fps=4)
    read = read_all(camera)
    assert [frame.sequence for frame in read[:-1]] == [0, 2] and read[-1] == NoFrame(passed=6)
    assert [line.split(":")[0] for line in logged[:-1]] == [
        f"skipped {tmp_path / name}" for name in ("2.jpg", "4.tif", "5.webp", "6.jpg")
    ]
    assert logged[-1] == "4 of 6 pictures could not be read"
    assert camera.read() is None and len(logged) == 5


def test_a_folder_none_of_which_can_be_read_is_an_error(tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"no picture")
    camera = PictureFolder(tmp_path, VirtualClock(), fps=4)
    with pytest.raises(BadInput, match="none of the pictures could be read"):
        camera.read()
    camera.close()
    assert camera.read() is None


def test_pictures_of_another_shape_are_reported_once_with_what_to_do(tmp_path, logged):
    for name, size in {"1.png": (160, 90), "2.png": (80, 60), "3.png": (96, 72)}.items():
        save(tmp_path, name, size)
    read_all(PictureFolder(tmp_path, VirtualClock(), 4, (1280, 720)))
    assert len(logged) == 1 and logged[0].startswith(f"{tmp_path / '2.png'}: ")
    assert (
        "80x60" in logged[0]
        and "1280x720" in logged[0]
        and "set width and height to 80 and 60" in logged[0]
    )
    assert "to 4096 and 3072" in stretched((8192, 6144), (1280, 720))


@pytest.mark.parametrize("size", [(1920, 1080), (640, 360), (1366, 768)])
def test_another_size_of_the_same_shape_is_no_news(size):
    assert stretched(size, (1280, 720)) == ""
