import io
import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, TiffImagePlugin, TiffTags

from edge.errors import BadInput
from edge.photos.dataset import find_photos
from edge.photos.reading import (
    FORMATS,
    PHOTO_SUFFIXES,
    decode_photo,
    read_photo,
    read_photos,
    stored_mode,
)


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


def test_one_bad_photo_among_good_ones_is_skipped(tmp_path, logged):
    (tmp_path / "PCB").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "PCB" / "good.png")
    (tmp_path / "PCB" / "bad.png").write_bytes(b"")
    readable = list(read_photos(find_photos(tmp_path)))
    assert [photo.path.name for photo, _ in readable] == ["good.png"]
    assert "bad.png" in logged[0] and logged[1:] == ["1 of 2 pictures could not be read"]


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
        list(read_photos(find_photos(tmp_path)))


def noise(height=40, width=60, seed=0):
    """Something that survives a JPEG: coarse blocks of color."""
    blocks = np.random.default_rng(seed).integers(30, 220, (height // 10, width // 10, 3), np.uint8)
    return np.repeat(np.repeat(blocks, 10, axis=0), 10, axis=1)


def test_every_suffix_that_is_read_is_written_and_read_back(tmp_path):
    assert {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp"),
        *(".tif", ".tiff", ".gif"),
    } <= PHOTO_SUFFIXES
    picture = Image.fromarray(noise())
    for suffix in PHOTO_SUFFIXES - {".heic", ".heif"}:
        path = tmp_path / f"photo{suffix}"
        if suffix == ".mpo":
            picture.save(path, save_all=True, append_images=[Image.new("RGB", (60, 40))])
        else:
            picture.save(path)
        assert np.abs(read_photo(path).astype(int) - noise()).mean() < 8, suffix
        assert stored_mode(path) in ("RGB", "P")


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 10))
def test_every_orientation_is_set_upright_as_pillow_does_it(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{kind}"
    Image.fromarray(noise()).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(read_photo(path), expected)


def exif_jpeg(*entries, count=None):
    """A JPEG, 60 x 40, with EXIF tags as (tag, type, count, value or offset)."""
    tags = struct.pack("<H", len(entries) if count is None else count)
    tags += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + tags
    jpeg = encoded("JPEG")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def encoded(kind, **options):
    with io.BytesIO() as file:
        Image.fromarray(noise()).save(file, kind, **options)
        return file.getvalue()


SIDEWAYS = (0x0112, 3, 1, 6)


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (exif_jpeg(SIDEWAYS, (0x010E, 5, 1, 26)), (60, 40, 3)),  # a text that is a fraction
        (exif_jpeg((0x8769, 4, 1, 2**31), SIDEWAYS), (60, 40, 3)),  # a directory beyond the end
        (exif_jpeg((0x8825, 2, 40, 1), SIDEWAYS), (60, 40, 3)),  # a place that is a text
        (exif_jpeg((0x010F, 99, 1, 1), SIDEWAYS), (60, 40, 3)),  # a type that there is not
        (exif_jpeg(SIDEWAYS, count=65535), (60, 40, 3)),  # more tags than there are
        (exif_jpeg((0x0112, 3, 1, 9)), (40, 60, 3)),
        (exif_jpeg((0x0112, 2, 4, 0x36363636)), (40, 60, 3)),  # the orientation is a text
        (exif_jpeg((0x0112, 5, 1, 8)), (40, 60, 3)),
        (exif_jpeg((0x0112, 3, 2, 0x00060006)), (60, 40, 3)),  # there are two
        (exif_jpeg((0xA005, 4, 1, 8), (0x8769, 4, 1, 8)), (40, 60, 3)),  # it contains itself
    ],
)
def test_odd_exif_neither_hides_the_orientation_nor_the_picture(content, shape):
    assert decode_photo(content).shape == shape


def test_odd_tags_of_a_tiff_do_not_hide_its_picture(tmp_path):
    path = tmp_path / "photo.tif"
    beyond = TiffImagePlugin.ImageFileDirectory_v2()
    beyond[0x0112], beyond[0x8769] = 6, 2**31 - 1
    beyond.tagtype[0x8769] = TiffTags.LONG
    Image.fromarray(noise()).save(path, tiffinfo=beyond)
    assert read_photo(path).shape == (60, 40, 3)


GRAY = np.linspace(0, 255, 256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("png", GRAY.astype(np.uint16) * 257),
        ("tif", GRAY.astype(np.uint16) * 257),
        ("tif", GRAY.astype(">u2") * 257),
        ("tif", GRAY.astype(np.int32)),
        ("tif", GRAY.astype(np.int32) * 257),
        ("tif", GRAY.astype(np.int32) * 2**22 - 2**29),
        ("tif", GRAY.astype(np.float32)),
        ("tif", GRAY.astype(np.float32) / 255),
        ("tif", GRAY.astype(np.float32) * 257),
        ("tif", GRAY.astype(np.float32) * 1e30 - 1e29),
        ("tif", GRAY.astype(np.float32) - 40),
    ],
)
def test_deep_grays_are_scaled_and_not_clipped(tmp_path, kind, values):
    path = tmp_path / f"deep.{kind}"
    Image.fromarray(values).save(path)
    np.testing.assert_array_equal(read_photo(path), np.repeat(GRAY[..., np.newaxis], 3, axis=2))


def test_what_is_no_number_is_black_or_white(tmp_path):
    values = GRAY.astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    path = tmp_path / "deep.tif"
    Image.fromarray(values).save(path)
    read = read_photo(path)
    assert read[0, :3, 0].tolist() == [0, 255, 0] and (read[1:, :, 0] == GRAY[1:]).all()
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(path)
    with pytest.raises(BadInput, match="none of its values is a number"):
        read_photo(path)
    Image.fromarray(np.full((4, 4), -5.0, np.float32)).save(path)
    assert read_photo(path).shape == (4, 4, 3)


def test_color_spaces_of_print_are_converted(tmp_path):
    Image.fromarray(noise()).convert("CMYK").save(tmp_path / "ink.jpg")
    assert np.abs(read_photo(tmp_path / "ink.jpg").astype(int) - noise()).mean() < 8
    lab = cv2.cvtColor(noise(), cv2.COLOR_RGB2LAB)
    Image.frombytes("LAB", (60, 40), lab.tobytes()).save(tmp_path / "lab.tif")
    assert np.abs(read_photo(tmp_path / "lab.tif").astype(int) - noise()).mean() < 4


def test_of_an_animation_the_first_picture_is_read(tmp_path):
    frames = [Image.fromarray(noise(seed=seed)) for seed in range(3)]
    for kind in ("gif", "webp", "png", "tiff"):
        path = tmp_path / f"moving.{kind}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert np.abs(read_photo(path).astype(int) - noise()).mean() < 8, kind


@pytest.mark.parametrize("name", ["pipe.jpg", "folder.jpg", "null.jpg", "gone.jpg", "a\0b.jpg"])
def test_what_is_no_regular_file_is_reported_at_once(tmp_path, name):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "null.jpg").symlink_to("/dev/zero")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    with pytest.raises(BadInput):
        read_photo(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n",
        b"%PDF-1.4\n",
        b"\xd7\xcd\xc6\x9a" + bytes(100),
        b"P6 4 4 255\n" + bytes(48),
        b"\0\0\1\0" + bytes(100),
    ],
)
def test_formats_that_are_no_photos_are_not_tried(tmp_path, content):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(BadInput, match="of another kind"):
        read_photo(tmp_path / "photo.jpg")


def test_only_the_formats_asked_for_are_read():
    assert decode_photo(encoded("PNG"), ("PNG",)).shape == (40, 60, 3)
    with pytest.raises(BadInput, match="of another kind"):
        decode_photo(encoded("TIFF"), ("PNG", "JPEG"))


def test_a_large_jpeg_is_reduced_and_another_refused_with_the_numbers():
    small = decode_photo(encoded("JPEG"), most_megapixels=0.001, full_megapixels=0.0007)
    assert small.shape == (20, 30, 3)
    assert np.abs(small.astype(int) - noise()[::2, ::2]).mean() < 12
    assert decode_photo(encoded("PNG"), full_megapixels=0.0007).shape == (20, 30, 3)
    for content in (encoded("PNG"), encoded("JPEG", progressive=True)):
        with pytest.raises(BadInput, match=r"too large \(60x40"):
            decode_photo(content, most_megapixels=0.001)


def png_header(width, height):
    """A PNG that says so of its size, and ends."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + chunks + struct.pack(">I", 0) + b"IDAT"


def progressive(scans):
    """A progressive JPEG whose last scan comes again and again."""
    content = encoded("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + b"\xff\xd9"


BOMBS = {
    "wide": png_header(2**31 - 1, 1),
    "square": png_header(60_000, 60_000),
    "gif": b"GIF89a"
    + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    + b","
    + bytes(4)
    + struct.pack("<HHB", 65535, 65535, 0)
    + b"\2\1\x44\0;",
    "bmp": b"BM"
    + struct.pack("<IHHI", 100, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 50_000_000, 1, 1, 8, 1, 0, 0, 0, 0, 0)
    + b"\0\2\0\xff" * 9,
    "slow bmp": b"BM"
    + struct.pack("<IHHI", 5_000_000, 0, 0, 1078)
    + struct.pack("<IiiHHIIiiII", 40, 7000, 7000, 1, 8, 1, 0, 0, 0, 256, 0)
    + bytes(1024)
    + b"\x01\x05" * 2_500_000,
    "scans": progressive(100_000),
    "no pixels": png_header(0, 5),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name):
    with pytest.raises(BadInput) as caught:
        decode_photo(BOMBS[name])
    assert "\n" not in str(caught.value)


def test_a_tiff_with_tiles_larger_than_itself_is_refused():
    with io.BytesIO() as file:
        tags = [
            (256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
            (277, 3, 1, 1), (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 200),
            (325, 4, 1, 20),
        ]  # fmt: skip
        file.write(b"II*\0" + struct.pack("<IH", 8, len(tags)))
        file.write(b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(200))
        with pytest.raises(BadInput, match="tiles are too large"):
            decode_photo(file.getvalue())


PEAK = """
import re
from pathlib import Path
def peak_megabytes():  # not ru_maxrss, which begins with that of the parent
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
"""
FUZZ = (
    PEAK
    + """
import random, resource, sys, time
from edge.errors import BadInput
from edge.photos.reading import decode_photo
kinds = [bytes.fromhex(line) for line in sys.stdin]
rng, read, slowest, end = random.Random(7), 0, 0.0, time.monotonic() + 6
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))
tried = 0
while time.monotonic() < end:
    content = bytearray(kinds[tried % len(kinds)])
    tried += 1
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        # Most of what says what a picture is stands at its beginning.
        place = rng.randrange(min(len(content), rng.choice((40, 200, 10**6))))
        content[place] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    if rng.random() < 0.1:
        del content[rng.randrange(len(content)):]
    began = time.monotonic()
    try:
        pixels = decode_photo(bytes(content))
        assert pixels.dtype == "uint8" and pixels.ndim == 3 and pixels.size
        read += 1
    except BadInput as error:
        assert "\\n" not in str(error)
    slowest = max(slowest, time.monotonic() - began)
print(tried, read, slowest, peak_megabytes())
"""
)


def test_bytes_changed_at_random_give_a_picture_or_one_line_and_nothing_else():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "what is on it"
    sideways = {"exif": exif}
    kinds = [
        encoded("JPEG", **sideways),
        encoded("JPEG", progressive=True),
        encoded("PNG", **sideways),
        encoded("TIFF", **sideways),
        encoded("TIFF", compression="tiff_lzw"),
        encoded("TIFF", compression="tiff_adobe_deflate", **sideways),
        encoded("TIFF", compression="jpeg"),
        encoded("WEBP", **sideways),
        encoded("WEBP", lossless=True),
        encoded("GIF"),
        encoded("BMP"),
    ]
    if "AVIF" in FORMATS:
        kinds.append(encoded("AVIF", **sideways))
    done = subprocess.run(
        [sys.executable, "-c", FUZZ],
        input="\n".join(kind.hex() for kind in kinds),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    tried, read, slowest, megabytes = map(float, done.stdout.split())
    assert tried > 500 and 0.05 * tried < read < 0.95 * tried
    assert slowest < 10 and megabytes < 500


def peak_megabytes(path):
    """Of a process that reads a picture."""
    code = f"{PEAK}\nimport sys\nfrom edge.photos.reading import read_photo\n"
    code += "print(read_photo(Path(sys.argv[1])).shape)\nprint(peak_megabytes())"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    shape, peak = done.stdout.splitlines()
    return shape, int(peak)


def test_a_phone_photo_of_200_megapixels_is_read_in_the_memory_of_a_small_one(tmp_path):
    Image.new("L", (16320, 12240), 200).save(tmp_path / "phone.jpg", quality=30)
    shape, peak = peak_megabytes(tmp_path / "phone.jpg")
    assert shape == "(3060, 4080, 3)" and peak < 300
