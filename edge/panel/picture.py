"""Check the header of an uploaded picture before any decoder reads it."""

from dataclasses import dataclass

from edge.errors import BadInput

MAX_BYTES = 16 << 20
MAX_PIXELS, MAX_PIXELS_WHOLE = 25_000_000, 20_000_000
"""The maximum of a JPEG, which its decoder can reduce, and of a PNG or BMP, which it cannot."""
MAX_PIXELS_HEAVY, MAX_PIXELS_WEBP = 10_000_000, 6_000_000
"""The maximum of a progressive JPEG or a PNG with alpha or 16 bits, and of a WebP: their decoders
take two to four times the memory or time per pixel."""
MAX_SCANS = 25
"""The maximum of scans; a progressive JPEG has about ten, each over the whole picture."""

Bytes = bytes | bytearray

UNREADABLE = "This file is not a readable picture; choose a JPEG, PNG, WebP or BMP."


@dataclass(frozen=True)
class Head:
    """The header of a picture.

    Attributes:
        kind: the format, as Pillow names it.
        width, height: px.
        most: the maximum number of pixels of this kind.
    """

    kind: str
    width: int
    height: int
    most: int = MAX_PIXELS


def check_picture(content: Bytes) -> Head:
    """Read the header of an uploaded picture and refuse what would cost too much.

    Args:
        content: the file.

    Raises:
        BadInput: it is not one of the four formats, damaged, or too large.
    """
    if len(content) > MAX_BYTES:
        raise BadInput(
            f"This file is larger than the maximum of {MAX_BYTES >> 20} MB; choose a smaller one."
        )
    try:
        head = _head(content)
    except IndexError:
        head = None
    if head is None or not head.width or not head.height:
        raise BadInput(UNREADABLE)
    if head.width * head.height > head.most:
        raise BadInput(
            f"This picture has {head.width} x {head.height} pixels; at most "
            f"{head.most // 1_000_000} megapixels of this kind are tried; make it smaller."
        )
    return head


def _head(content: Bytes) -> Head | None:
    if content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR" and len(content) > 32:
        heavy = content[24] == 16 or content[25] in (4, 6)
        most = MAX_PIXELS_HEAVY if heavy else MAX_PIXELS_WHOLE
        return Head("PNG", _big(content, 16, 4), _big(content, 20, 4), most)
    if content[:2] == b"BM" and len(content) > 34:
        return _bmp(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP" and len(content) > 30:
        return _webp(content)
    if content[:3] == b"\xff\xd8\xff":
        return _jpeg(content)
    return None


def _bmp(content: Bytes) -> Head | None:
    if _little(content, 14, 4) == 12:
        return Head("BMP", _little(content, 18, 2), _little(content, 20, 2), MAX_PIXELS_WHOLE)
    if _little(content, 30, 4) not in (0, 3):  # run-length encoded: rare, and slow to decode
        return None
    height = int.from_bytes(content[22:26], "little", signed=True)
    return Head("BMP", _little(content, 18, 4), abs(height), MAX_PIXELS_WHOLE)


def _webp(content: Bytes) -> Head | None:
    kind = content[12:16]
    if kind == b"VP8X":
        return Head(
            "WEBP", _little(content, 24, 3) + 1, _little(content, 27, 3) + 1, MAX_PIXELS_WEBP
        )
    if kind == b"VP8L":
        packed = _little(content, 21, 4)
        return Head("WEBP", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, MAX_PIXELS_WEBP)
    if kind == b"VP8 ":
        width, height = _little(content, 26, 2), _little(content, 28, 2)
        return Head("WEBP", width & 0x3FFF, height & 0x3FFF, MAX_PIXELS_WEBP)
    return None


def _jpeg(content: Bytes) -> Head | None:
    """Read the size from the marker before the pixels; what follows would be another picture.

    A scan without all components is the first of several, and the decoder holds all of them.
    """
    # Within pixels FF is followed by 00, so this pair begins a scan.
    if content.count(b"\xff\xda") > MAX_SCANS:
        return None
    place, frame = 2, -1
    while place < len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xDA:
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = place
        place += 2 + max(2, _big(content, place + 2, 2))
    if frame < 0 or place >= len(content):
        return None
    heavy = content[frame + 1] not in (0xC0, 0xC1) or content[place + 4] < content[frame + 9]
    width, height = _big(content, frame + 7, 2), _big(content, frame + 5, 2)
    return Head("JPEG", width, height, MAX_PIXELS_HEAVY if heavy else MAX_PIXELS)


def _big(content: Bytes, start: int, size: int) -> int:
    return int.from_bytes(content[start : start + size], "big")


def _little(content: Bytes, start: int, size: int) -> int:
    return int.from_bytes(content[start : start + size], "little")
