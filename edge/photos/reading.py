"""Reading pictures: any raster format, upright, in RGB, within bounds of memory.

Pictures come from phones, scanners, microscopes, and from anybody. Only regular files of known
raster formats are read; nothing here runs another program or follows what a picture refers to.
Whatever a decoder raises becomes one line that names the picture, so that a caller can go on.
"""

import ctypes
import io
import logging
import math
import os
import stat
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

import cv2
import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from edge.errors import BadInput

FULL_MEGAPIXELS = 25.0
"""A larger picture is reduced by a whole factor on its way into memory."""
MOST_MEGAPIXELS = 50.0
"""Of a picture that has to be decoded whole before it can be reduced: all but common JPEGs."""
JPEG_FACTOR = 8
"""So many times as large may a JPEG be that the decoder itself reduces (`_draft`)."""
LONGEST_SIDE = 65_535
MOST_BYTES = 256 * 2**20
"""Of a file: 42 megapixels of 16-bit RGB, not compressed."""
MOST_BYTES_WHOLE = 64 * 2**20
"""Of a file whose decoder reads all of it before it reports how large the picture is."""
MOST_SCANS = 50
"""Of a progressive JPEG. Ten are usual; each takes time, and a small file has room for millions."""
MOST_RLE_BYTES = 4 * 2**20
"""Of a run-length coded BMP, which nobody writes any more: Pillow decodes it in Python."""
BAND_PX = 2**20
"""So many pixels are converted at a time."""
ORIENTATION = 0x0112  # EXIF tag

Read = TypeVar("Read")

# What decoders say is about pictures that are read, or named as unreadable, anyway.
log = logging.getLogger(__name__)
logging.getLogger("PIL").setLevel(logging.CRITICAL)
with suppress(OSError, AttributeError):
    # libtiff, which Pillow brings along, prints past Python's stderr.
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)
    ctypes.CDLL(Image.core.__file__).TIFFSetWarningHandler(None)


@dataclass(frozen=True)
class Format:
    """A kind of picture file.

    Attributes:
        suffixes: its files' names end so.
        accepts: whether a file that begins with these 16 bytes is one.
        opened: reads the header.
        most_bytes: of a file.
        heavy: how many times the memory of other formats its decoder takes for a pixel.
    """

    suffixes: tuple[str, ...]
    accepts: Callable[[bytes], bool | str]
    opened: Callable[[BinaryIO], ImageFile.ImageFile]
    most_bytes: int = MOST_BYTES
    heavy: float = 1.0


def _formats() -> dict[str, Format]:
    """What this machine can decode."""
    found = {
        # Of an MPO, two pictures or more in one file, this reads the first.
        "JPEG": Format(
            (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
            lambda start: start.startswith(b"\xff\xd8\xff"),
            JpegImagePlugin.JpegImageFile,
        ),
        "PNG": Format(
            (".png",),
            lambda start: start.startswith(b"\x89PNG\r\n\x1a\n"),
            PngImagePlugin.PngImageFile,
        ),
        "BMP": Format(
            (".bmp",), lambda start: start.startswith(b"BM"), BmpImagePlugin.BmpImageFile
        ),
        "GIF": Format(
            (".gif",),
            lambda start: start.startswith((b"GIF87a", b"GIF89a")),
            GifImagePlugin.GifImageFile,
        ),
        "TIFF": Format(
            (".tif", ".tiff"),
            lambda start: start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
            TiffImagePlugin.TiffImageFile,
        ),
    }
    if features.check("webp"):
        found["WEBP"] = Format(
            (".webp",),
            lambda start: start.startswith(b"RIFF") and start[8:12] == b"WEBP",
            WebPImagePlugin.WebPImageFile,
            most_bytes=MOST_BYTES_WHOLE,
            heavy=2.0,
        )
    # Not by the list of all modules: that loads each of them, Tk too.
    if "avif" in features.modules and features.check_module("avif"):
        from PIL import AvifImagePlugin

        found["AVIF"] = Format(
            (".avif",),
            lambda start: start[4:8] == b"ftyp" and start[8:12] in (b"avif", b"avis", b"mif1"),
            AvifImagePlugin.AvifImageFile,
            most_bytes=MOST_BYTES_WHOLE,
            heavy=2.0,
        )
    try:
        import pillow_heif
    except ImportError:
        return found
    found["HEIF"] = Format(
        (".heic", ".heif"),
        lambda start: start[4:8] == b"ftyp",
        pillow_heif.HeifImageFile,
        most_bytes=MOST_BYTES_WHOLE,
    )
    return found


FORMATS = _formats()
"""The kinds of pictures that can be read here, by Pillow's names for them."""
PHOTO_SUFFIXES = frozenset(suffix for each in FORMATS.values() for suffix in each.suffixes)


@dataclass(frozen=True)
class LabeledPhoto:
    """One photo of a dataset: where it lies and what is on it."""

    path: Path
    label: str


def read_photo(path: Path, background: str = "white") -> np.ndarray:
    """Read a picture file as uint8 RGB [height, width, 3].

    Upright by its EXIF orientation; transparency is put on a `background` of that color; of an
    animation the first picture; grays of 16 or 32 bits and floats are scaled to 8 bits
    (`_levels`). Beyond `FULL_MEGAPIXELS` it is reduced.

    Raises:
        BadInput: the file is missing, none of a known kind, damaged or too large.
    """
    return _of_file(
        path, lambda file: _decoded(file, FORMATS, MOST_MEGAPIXELS, FULL_MEGAPIXELS, background)
    )


def read_photos(photos: Iterable[LabeledPhoto]) -> Iterator[tuple[LabeledPhoto, np.ndarray]]:
    """Read photos one by one; unreadable ones are left out.

    Logs each of those, and their number at the end. Yields pairs of the photo and its uint8 RGB
    [height, width, 3] pixels; only one is in memory.

    Raises:
        BadInput: not one photo could be read (at the end).
    """
    read = unreadable = 0
    for photo in photos:
        try:
            pixels = read_photo(photo.path)
        except BadInput as error:
            log.warning("skipped %s", error)
            unreadable += 1
            continue
        read += 1
        yield photo, pixels
    if not read:
        raise BadInput("none of the photos could be read; check the dataset")
    if unreadable:
        log.warning(count_unreadable(unreadable, read + unreadable))


def count_unreadable(unreadable: int, of: int) -> str:
    """How many of the pictures could not be read, in words."""
    return f"{unreadable} of {of} pictures could not be read"


def _of_file(path: Path, read: Callable[[BinaryIO], Read]) -> Read:
    """What `read` makes of a picture file; whatever it raises is a BadInput that names the file."""
    try:
        with _regular(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(file)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such image file") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except Exception as error:
        raise BadInput(f"{path}: {_message(error)}") from None


def stored_mode(path: Path) -> str:
    """How a picture file holds its pixels, as Pillow names it: RGB, L, CMYK, I;16...

    Raises:
        BadInput: as for `read_photo`, as far as the header tells.
    """
    return _of_file(path, lambda file: _opened(file, FORMATS).mode)


def decode_photo(
    content: bytes,
    formats: Collection[str] = tuple(FORMATS),
    most_megapixels: float = MOST_MEGAPIXELS,
    full_megapixels: float = FULL_MEGAPIXELS,
) -> np.ndarray:
    """Decode a picture from memory, as `read_photo` does from a file.

    Args:
        content: of the file.
        formats: names from FORMATS that are accepted; those not available here are ignored.
        most_megapixels: a larger picture is refused, a JPEG from eight times as many on.
        full_megapixels: a larger picture is reduced.

    Raises:
        BadInput: none of these kinds, damaged or too large; does not say of which picture.
    """
    try:
        accepted = {name: FORMATS[name] for name in FORMATS if name in formats}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decoded(io.BytesIO(content), accepted, most_megapixels, full_megapixels)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(_message(error)) from None


def _message(error: Exception) -> str:
    """What a decoder raised, in one line."""
    if isinstance(error, MemoryError):
        return "not a readable image (it takes more memory than there is)"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    shown = " ".join(reason.split())[:200] or type(error).__name__
    return f"not a readable image ({shown})"


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; a pipe or a device never holds us up.

    Raises:
        BadInput: it is none, or greater than any picture.
        OSError: it cannot be opened.
    """
    found = path.stat()  # first, since opening a device may do something already
    if not stat.S_ISREG(found.st_mode):
        raise BadInput("not a readable image (no regular file)")
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise BadInput("not a readable image (no regular file)")
        yield file


def _opened(file: BinaryIO, formats: dict[str, Format]) -> ImageFile.ImageFile:
    """Read a picture's header, with the one decoder whose mark the file begins with.

    Not by `Image.open`, whose limit of size is one for all formats and for the whole process.

    Raises:
        BadInput: it is of no accepted format, or greater than any picture.
    """
    start = file.read(16)
    kind = next((each for each in formats.values() if each.accepts(start)), None)
    if kind is None:
        raise BadInput("not a readable image (empty, damaged or of another kind)")
    size, most = _bytes_of(file), kind.most_bytes
    if size > most:
        raise BadInput(
            f"not read, since it has {size / 2**20:.0f} MB; at most {most / 2**20:.0f} may"
        )
    file.seek(0)
    return kind.opened(file)


def _decoded(
    file: BinaryIO,
    formats: dict[str, Format],
    most_megapixels: float,
    full_megapixels: float,
    background: str = "white",
) -> np.ndarray:
    """Read a picture as uint8 RGB [height, width, 3]; raises what the decoder raises, too."""
    image = _opened(file, formats)
    heavy = formats[image.format].heavy if image.format in formats else 1.0
    _check_size(image, file, most_megapixels / heavy)
    _draft(image, full_megapixels)
    _forget_all_but_orientation(image)
    image.load()
    return _pixels(image, _orientation(image), full_megapixels, background)


def _check_size(image: ImageFile.ImageFile, file: BinaryIO, most_megapixels: float) -> None:
    """Refuse what would take too much memory or time, before anything is decoded.

    Raises:
        BadInput: it would.
    """
    width, height = image.size
    if not width or not height:
        raise BadInput("not a readable image (it has no pixels)")
    shown = f"{width}x{height}, {width * height / 1e6:.0f} megapixels"
    most = most_megapixels
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        if not _in_many_scans(file):
            most *= JPEG_FACTOR
        elif _count_scans(file) > MOST_SCANS:
            raise BadInput(f"not read, since it has more than {MOST_SCANS} scans; save it again")
    if max(width, height) > LONGEST_SIDE or width * height > 1e6 * most:
        raise BadInput(
            f"not read, since it is too large ({shown}); {most:g} megapixels of this kind are read"
        )
    if image.tile and image.tile[0][0] == "bmp_rle" and _bytes_of(file) > MOST_RLE_BYTES:
        raise BadInput("not read, since it is a long run-length coded BMP; save it again")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tile = [image.tag_v2.get(tag, 0) for tag in (322, 323)]  # TileWidth, TileLength
        if math.prod(tile) > 1e6 * most:
            raise BadInput(f"not read, since its tiles are too large ({tile[0]}x{tile[1]})")


def _bytes_of(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size


def _in_many_scans(file: BinaryIO) -> bool:
    """Whether a JPEG comes in several scans, for which its decoder keeps all of it in memory.

    That is so for progressive ones, and for those whose first scan lacks a component.
    """
    here = file.tell()
    try:
        file.seek(2)
        components = 0
        while True:
            marker = file.read(2)
            while marker == b"\xff\xff":  # fill bytes
                marker = marker[1:] + file.read(1)
            if len(marker) < 2 or marker[0] != 0xFF:
                return True  # not known; the decoder will say
            if marker[1] in (0x01, *range(0xD0, 0xD9)):  # without a length
                continue
            length = int.from_bytes(file.read(2), "big")
            content = file.read(length - 2) if length > 2 else b""
            if marker[1] in (0xC2, 0xC6, 0xCA, 0xCE):
                return True
            if marker[1] in (0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xC9, 0xCB, 0xCD, 0xCF):
                components = content[5] if len(content) > 5 else 0
            if marker[1] == 0xDA:
                return not content or content[0] < components
    finally:
        file.seek(here)


def _count_scans(file: BinaryIO) -> int:
    here = file.tell()
    file.seek(0)
    count, last = 0, b""
    while chunk := file.read(2**20):
        count += (last + chunk).count(b"\xff\xda")
        last = chunk[-1:]
    file.seek(here)
    return count


def _draft(image: ImageFile.ImageFile, full_megapixels: float) -> None:
    """Have a large JPEG reduced by its decoder, which then needs memory for the result alone."""
    width, height = image.size
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        for factor in (1, 2, 4, 8):
            if math.ceil(width / factor) * math.ceil(height / factor) <= 1e6 * full_megapixels:
                break
        if factor > 1:
            image.draft(None, (max(1, width // factor), max(1, height // factor)))


def _forget_all_but_orientation(image: ImageFile.ImageFile) -> None:
    """Drop the EXIF tags that nobody asks for: a malformed one fails Pillow's own use of them."""
    try:
        exif = image.getexif()
        for tag in set(exif) - {ORIENTATION}:
            del exif[tag]
    except Exception:  # broken EXIF is no reason not to read a picture
        return


def _orientation(image: ImageFile.ImageFile) -> int:
    """1 to 8, of EXIF or XMP, after loading; TIFF is upright by then, and states so."""
    exif = image.info.get("exif")
    found = _stated_orientation(exif) if isinstance(exif, bytes) else None
    if found is None:
        try:
            found = image.getexif().get(ORIENTATION, 1)
        except Exception:  # broken EXIF is no reason not to read a picture
            found = 1
    return int(found) if found in range(1, 9) else 1


def _stated_orientation(exif: bytes) -> int | None:
    """The orientation by EXIF, whatever its other tags are like; None: not stated.

    Pillow stops at a tag whose value lies beyond the end, and the orientation may come after it.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order: Literal["little", "big"]
    if exif[:2] == b"II":
        order = "little"
    elif exif[:2] == b"MM":
        order = "big"
    else:
        return None
    first = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[first : first + 2], order)
    for place in range(first + 2, min(first + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind = (int.from_bytes(exif[at : at + 2], order) for at in (place, place + 2))
        if tag == ORIENTATION and kind in (3, 4):  # 16 or 32 bits
            return int.from_bytes(exif[place + 8 : place + 8 + (2 if kind == 3 else 4)], order)
    return None


def _pixels(
    image: Image.Image, orientation: int, full_megapixels: float, background: str
) -> np.ndarray:
    """A loaded picture as uint8 RGB [height, width, 3], upright, not larger than asked for.

    In bands, so that no second copy of the whole lies in memory.
    """
    width, height = image.size
    factor = math.ceil(math.sqrt(width * height / (1e6 * full_megapixels)))
    factor = max(1, min(factor, width, height))
    levels = _levels(image)
    across, down = width // factor, height // factor
    turned = orientation >= 5
    upright = np.empty((across, down, 3) if turned else (down, across, 3), np.uint8)
    stored = _as_stored(upright, orientation)
    step = max(1, BAND_PX // width // factor)
    for top in range(0, down, step):
        rows = min(step, down - top)
        box = (0, top * factor, across * factor, (top + rows) * factor)
        band = _rgb(image.crop(box), levels, background)
        if factor > 1:
            band = cv2.resize(band, (across, rows), interpolation=cv2.INTER_AREA)
        stored[top : top + rows] = band
    return upright


def _as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an upright picture in the order in which the file has its rows and columns."""
    swapped = upright.transpose(1, 0, 2)
    return {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: swapped,
        6: swapped[::-1],
        7: swapped[::-1, ::-1],
        8: swapped[:, ::-1],
    }.get(orientation, upright)


def _is_deep(image: Image.Image) -> bool:
    """Whether a picture is gray with more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def _levels(image: Image.Image) -> tuple[float, float]:
    """What of a deep gray picture is black, and what is white; (0, 255) of any other.

    16 bits are 0 to 65535 (PNG and TIFF say so). 32 bits and floats have no such rule: they are
    taken for 0 to 1 (floats only), 0 to 255 or 0 to 65535, the first of these that they fit into,
    else their least is black and their greatest is white. What is no number does not count.
    """
    if not _is_deep(image):
        return 0.0, 255.0
    if image.mode.startswith("I;16") or image.format == "PNG":
        return 0.0, 65535.0
    low, high = math.inf, -math.inf
    step = max(1, BAND_PX // image.width)
    for top in range(0, image.height, step):
        band = np.asarray(
            image.crop((0, top, image.width, min(image.height, top + step))), np.float64
        )
        finite = band[np.isfinite(band)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        raise BadInput("not a readable image (none of its values is a number)")
    for white in (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0):
        if low >= 0 and high <= white:
            return 0.0, white
    return low, max(high, math.nextafter(low, math.inf))


def _rgb(band: Image.Image, levels: tuple[float, float], background: str) -> np.ndarray:
    """Some rows of a picture as uint8 RGB [h, w, 3]."""
    if _is_deep(band):
        low, high = levels
        values = np.nan_to_num(np.asarray(band, np.float64), nan=low, posinf=high, neginf=low)
        gray = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        clear = band.info.get("transparency")
        if isinstance(clear, int):
            gray[values == clear] = 0 if background == "black" else 255
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    if band.mode == "LAB":
        return cv2.cvtColor(np.ascontiguousarray(band), cv2.COLOR_LAB2RGB)
    if band.mode == "La":
        band = band.convert("LA")
    if band.mode in ("RGBA", "RGBa", "LA", "PA") or "transparency" in band.info:
        band = band.convert("RGBA")
        band = Image.alpha_composite(Image.new("RGBA", band.size, background), band)
    return np.asarray(band.convert("RGB"))
