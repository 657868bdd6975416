"""The crops that classes were taught from: read from files or reviews, kept in a generation."""

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import read_arrays
from edge.bundle.bundle import sha256
from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.learned.manifest import CROPS, MOST_CROPS, REMEDY, CropSource
from edge.learned.store import Generation
from edge.photos.reading import PHOTO_SUFFIXES, decode_photo, read_photo
from edge.records.reviews import reviewed_crops
from edge.records.store import Store

KEPT_SIDE, KEPT_QUALITY = 480, 92
"""Longer side, px, and JPEG quality of what is kept of a crop."""
MOST_LISTED = 10_000
LARGEST_CROP_MEGAPIXELS = 25.0
LONGEST_NAME = 255
MOST_ASKED = 200
"""Reviewed items that are asked again, of all old classes together: 2 s on a small board."""


@dataclass(frozen=True)
class Crop:
    """One crop to teach from.

    Attributes:
        name: of its file, or the id of its item.
        is_item: whether it is of a reviewed item.
        jpeg: what is kept of it.
        pixels: uint8 RGB [height, width, 3], of `jpeg`: what is taught is what is kept.
    """

    name: str
    is_item: bool
    jpeg: bytes
    pixels: np.ndarray

    @property
    def source(self) -> CropSource:
        """What the manifest says of it."""
        return CropSource(name=self.name, is_item=self.is_item, sha256=sha256(self.jpeg))


@dataclass(frozen=True)
class Reviewed:
    """An item of an old class, to ask again.

    Attributes:
        name: of the item.
        label: that a person gave it.
        jpeg: its crop.
    """

    name: str
    label: str
    jpeg: bytes


def crops_in(folder: Path) -> tuple[list[Crop], list[str]]:
    """The pictures in a folder, in the order of their names, and what cannot be read of them.

    Raises:
        BadInput: it cannot be read, or holds more than can be taught from.
    """
    try:
        names = sorted(each.name for each in islice(folder.iterdir(), MOST_LISTED))
    except OSError as error:
        raise BadInput(f"{folder}: cannot be read ({error.strerror})") from None
    paths = [folder / name for name in names if Path(name).suffix.lower() in PHOTO_SUFFIXES]
    if len(paths) > MOST_CROPS:
        raise BadInput(f"{folder}: {len(paths)} pictures; at most {MOST_CROPS} are taught from")
    crops, problems = [], []
    for path in paths:
        try:
            crops.append(crop_of_photo(path))
        except BadInput as error:
            problems.append(str(error))
    return crops, problems


def crop_of_photo(path: Path) -> Crop:
    """One picture file as a crop.

    Raises:
        BadInput: it cannot be read.
    """
    return _crop(path.name, False, read_photo(path))


def crops_of_reviews(records: Path, label: str) -> tuple[list[Crop], list[str]]:
    """The crops of the newest items that persons gave a label, and what cannot be read of them.

    Raises:
        EwasteError: the records cannot be read.
    """
    with Store(records, read_only=True) as store:
        found = reviewed_crops(store, [label], MOST_CROPS)
    crops, problems = [], []
    for item_id, _, jpeg in found:
        try:
            pixels = decode_photo(jpeg, ("JPEG",), LARGEST_CROP_MEGAPIXELS)
            crops.append(_crop(item_id, True, pixels))
        except BadInput as error:
            problems.append(f"{one_line(item_id)}: {error}")
    return crops, problems


def to_ask_again(records: Path, labels: Sequence[str]) -> list[Reviewed]:
    """The newest items that persons reviewed, of each of some labels; none where none are recorded.

    Raises:
        EwasteError: the records cannot be read.
    """
    if not records.exists():
        return []
    with Store(records, read_only=True) as store:
        most = max(1, MOST_ASKED // len(labels))
        return [Reviewed(*row) for row in reviewed_crops(store, labels, most)]


def _crop(name: str, is_item: bool, pixels: np.ndarray) -> Crop:
    height, width = pixels.shape[:2]
    scale = min(1.0, KEPT_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    jpeg = _encoded(small)
    safe = name.encode("utf-8", "replace").decode()[:LONGEST_NAME] or "?"
    return Crop(safe, is_item, jpeg, decode_photo(jpeg, ("JPEG",)))


def _encoded(pixels: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    made, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, KEPT_QUALITY])
    if not made:
        raise EwasteError("a crop cannot be written as JPEG")
    return content.tobytes()


def pack_crops(jpegs: Iterable[bytes]) -> bytes:
    """The content of `crops.npz`: the files one behind the other, and where each ends."""
    files = list(jpegs)
    packed = io.BytesIO()
    data = np.frombuffer(b"".join(files), np.uint8)
    np.savez(packed, data=data, ends=np.cumsum([len(each) for each in files], dtype=np.int64))
    return packed.getvalue()


def unpack_crops(generation: Generation) -> list[list[bytes]]:
    """The crops of each class of a generation that was loaded with them, as JPEG.

    Raises:
        Refused: they are malformed, or others than the manifest says.
    """
    classes = generation.manifest.classes
    if not classes:
        return []
    path = generation.path / CROPS
    try:
        stored = read_arrays(generation.contents[CROPS], ("data", "ends"))
        data, ends = stored["data"].tobytes(), stored["ends"].tolist()
        sources = [source for each in classes for source in each.crops]
        if len(ends) != len(sources) or ends != sorted(ends) or [0, *ends][-1] != len(data):
            raise ValueError("not the crops of the manifest")
        files = [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        if [hashlib.sha256(each).hexdigest() for each in files] != [s.sha256 for s in sources]:
            raise ValueError("not the crops of the manifest")
    except (ValueError, KeyError, TypeError, MemoryError) as error:
        raise Refused(f"{path}: {one_line(error)}; {REMEDY}") from None
    return _by_class(files, [len(each.crops) for each in classes])


def _by_class(files: Sequence[bytes], counts: Sequence[int]) -> list[list[bytes]]:
    found, start = [], 0
    for count in counts:
        found.append(list(files[start : start + count]))
        start += count
    return found
