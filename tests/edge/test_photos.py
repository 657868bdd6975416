import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.dataset import find_photos
from edge.errors import BadInput
from edge.photos import read_photo, read_photos


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "1", "LA", "I;16"])
def test_every_kind_of_image_reads_as_rgb(tmp_path, mode):
    kind = "tiff" if mode == "CMYK" else "png"
    path = tmp_path / f"photo.{kind}"
    Image.new("RGB", (6, 4), (200, 200, 200)).convert(mode.replace("I;16", "I")).save(path)
    pixels = read_photo(path)
    assert pixels.shape == (4, 6, 3) and pixels.dtype == np.uint8


def test_what_is_transparent_is_white(tmp_path):
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_photo(tmp_path / "clear.png") == 255).all()


def test_a_camera_held_sideways_is_set_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_photo(tmp_path / "turned.jpg").shape == (8, 4, 3)


@given(st.binary(max_size=300))
def test_garbage_is_named_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("garbage") / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_photo(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_torn_jpeg_is_named(tmp_path):
    path = tmp_path / "torn.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(BadInput, match="torn.jpg"):
        read_photo(path)


def test_one_bad_photo_among_good_ones_is_skipped(tmp_path):
    (tmp_path / "PCB").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "PCB" / "good.png")
    (tmp_path / "PCB" / "bad.png").write_bytes(b"")
    said = []
    readable = list(read_photos(find_photos(tmp_path), said.append))
    assert [photo.path.name for photo, _ in readable] == ["good.png"]
    assert "bad.png" in said[0] and said[1:] == ["1 of 2 pictures could not be read"]


def test_folders_without_photos_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        find_photos(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="no class folder"):
        find_photos(tmp_path)
    (tmp_path / "PCB").mkdir()
    with pytest.raises(BadInput, match="the class has no image"):
        find_photos(tmp_path)
    (tmp_path / "PCB" / "empty.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match="none of the photos"):
        list(read_photos(find_photos(tmp_path), lambda line: None))
