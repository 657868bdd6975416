"""A kit: a folder, on a USB stick say, that holds all that an installation needs.

`kit.json` is written last and lists every file with its digest: a kit without it is not whole.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import BadInput, Refused, one_line
from edge.files import read_text, write_whole
from edge.setup.source import WHEEL, file_digest

LIST, WHEELS, DEBS, SCRIPT = "kit.json", "wheels", "debs", "install.sh"
FORMAT = 1
LARGEST_LIST = 1_000_000
MOST_FILES = 5000
_NAME = re.compile(
    r"(?!.*\.\.)(?:[A-Za-z0-9][A-Za-z0-9._+%~-]*/){0,3}[A-Za-z0-9][A-Za-z0-9._+%~-]*"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Kit:
    """The list of a kit.

    Attributes:
        folder: where it lies.
        platforms: machines that it has wheels for.
        pythons: Python versions that it has wheels for.
        digests: name of each file, relative to the folder -> SHA-256, in hexadecimal.
    """

    folder: Path
    platforms: tuple[str, ...]
    pythons: tuple[str, ...]
    digests: Mapping[str, str]

    @property
    def wheels(self) -> Path:
        """The folder of the wheels."""
        return self.folder / WHEELS

    def debs(self, release: str, architecture: str) -> list[Path]:
        """The packages for a Debian release and architecture."""
        start = f"{DEBS}/{release}-{architecture}/"
        return [self.folder / name for name in sorted(self.digests) if name.startswith(start)]


def read_kit(folder: Path) -> Kit:
    """Read the list of a kit.

    Raises:
        BadInput: there is none, or it cannot be meant.
    """
    path = folder / LIST
    if not path.is_file():
        raise BadInput(f"{folder}: holds no whole kit ({LIST}); fill it with --download {folder}")
    try:
        found = json.loads(read_text(path, LARGEST_LIST))
        kit = Kit(
            folder=folder,
            platforms=_texts(found["platforms"]),
            pythons=_texts(found["pythons"]),
            digests=_digests(found["files"]),
        )
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = one_line(f"{type(error).__name__}: {error}", 80)
        raise BadInput(f"{path}: no list of a kit ({reason}); fill it with --download") from None
    return kit


def require_whole(kit: Kit) -> None:
    """Compare every file of a kit with its digest.

    Raises:
        Refused: one is missing or damaged.
    """
    for name, digest in kit.digests.items():
        path = kit.folder / name
        try:
            same = path.is_file() and file_digest(path) == digest
        except OSError:
            same = False
        if not same:
            raise Refused(f"{path}: missing or damaged; fill the folder again with --download")


def require_kit_for(kit: Kit, platform: str, python: str) -> None:
    """Refuse a kit for other machines.

    Raises:
        BadInput: it has no wheels for this one.
    """
    if platform not in kit.platforms or python not in kit.pythons:
        held = f"{', '.join(kit.platforms)} with Python {', '.join(kit.pythons)}"
        raise BadInput(
            f"{kit.folder}: for {one_line(held)}; this is {platform} with Python {python}: fill it "
            f"with --download {kit.folder} --platform {platform} --python {python}"
        )


def write_kit(kit: Kit) -> None:
    """Write the list of a kit whose files are in place."""
    content = {
        "format": FORMAT,
        "platforms": list(kit.platforms),
        "pythons": list(kit.pythons),
        "files": dict(kit.digests),
    }
    write_whole(kit.folder / LIST, (json.dumps(content, indent=1) + "\n").encode())


def program_in(kit: Kit) -> Path:
    """The wheel of the program.

    Raises:
        BadInput: there is none, or more than one.
    """
    found = [kit.folder / name for name in kit.digests if Path(name).match(WHEEL)]
    if len(found) != 1:
        raise BadInput(f"{kit.folder}: {len(found)} wheels of the program; fill an empty folder")
    return found[0]


def _texts(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TypeError("no list of texts")
    return tuple(found)


def _digests(found: object) -> dict[str, str]:
    if not isinstance(found, dict) or len(found) > MOST_FILES:
        raise TypeError("no table of files")
    for name, digest in found.items():
        if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(str(digest)):
            raise ValueError(f"file {name}")
    return found
