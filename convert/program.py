"""A kit of the program (`install.sh --download`), checked before it is signed for a fleet."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from pydantic import ValidationError

from edge.errors import BadInput, EwasteError, Refused, first_problem
from edge.files import read_bounded
from edge.setup.download import wheel_platforms
from edge.setup.kit import SCRIPT, WHEELS, Kit, program_in, read_kit, require_whole
from edge.setup.lock import read_lock
from edge.setup.options import PLATFORMS, RELEASES
from edge.setup.system import architecture_of
from edge.update.program_offer import (
    MOST_FILE_BYTES,
    MOST_PROGRAM_BYTES,
    ProgramFile,
    ProgramOffer,
    machine_name,
    version_key,
)

LOCK = "edge/deploy/locks/python{}.txt"
INSTALLER, OWN_VERSION = "edge/deploy/install.sh", "edge/__init__.py"
RAISE = "set __version__ in edge/__init__.py, and fill the folder again"
LARGEST_MEMBER = 2**20


@dataclass(frozen=True)
class ProgramKit:
    """A kit that was checked.

    Attributes:
        folder: where it lies.
        offer: what a ring says that shall run it.
    """

    folder: Path
    offer: ProgramOffer

    def content(self, file: ProgramFile) -> bytes:
        """The content of a file, which is what was checked.

        Raises:
            Refused: it has changed since.
        """
        content = read_bounded(self.folder / file.path, MOST_FILE_BYTES)
        if sha256(content).hexdigest() != file.digest:
            raise Refused(f"{self.folder / file.path}: changed meanwhile; fill the folder again")
        return content


def read_program(folder: Path) -> ProgramKit:
    """Check a kit: its digests, what its lock files ask for, and what machines it is for.

    Raises:
        BadInput: it is no kit.
        Refused: it is damaged, not whole, too large, or not of one piece.
    """
    kit = read_kit(folder)
    require_whole(kit)
    wheel = program_in(kit)
    version = _version(wheel)
    with _opened(wheel) as archive:
        if sha256(_member(archive, INSTALLER)).hexdigest() != kit.digests.get(SCRIPT):
            raise Refused(f"{folder}: its {SCRIPT} is not that of {wheel.name}; fill it again")
        if f'__version__ = "{version}"'.encode() not in _member(archive, OWN_VERSION):
            raise Refused(f"{folder}: {OWN_VERSION} of {wheel.name} has another version; {RAISE}")
        machines = dict(_machines(kit, archive))
    for name, paths in machines.items():
        size = sum((folder / path).stat().st_size for path in paths)
        if size > MOST_PROGRAM_BYTES:
            raise Refused(f"{folder}: for {name} more than {MOST_PROGRAM_BYTES >> 20} MB")
    return ProgramKit(folder=folder, offer=_offer(kit, version, wheel.name, machines))


def _offer(kit: Kit, version: str, wheel: str, machines: dict[str, set[str]]) -> ProgramOffer:
    def needing(path: str) -> tuple[str, ...]:
        found = tuple(name for name, paths in machines.items() if path in paths)
        return found if len(found) < len(machines) else ()

    try:
        files = tuple(
            ProgramFile(path=path, digest=kit.digests[path], machines=needing(path))
            for path in sorted(set().union(*machines.values()))
        )
        return ProgramOffer(
            version=version, digest=kit.digests[wheel], machines=tuple(machines), files=files
        )
    except ValidationError as error:
        raise Refused(f"{kit.folder}: {first_problem(error)}; fill an empty folder") from None


def _machines(kit: Kit, archive: zipfile.ZipFile) -> Iterator[tuple[str, set[str]]]:
    """Each machine that a kit is for, and the files that it needs.

    Raises:
        Refused: a wheel that the lock file asks for is missing, or the machine is not known.
    """
    if not kit.platforms or not kit.pythons:
        raise Refused(f"{kit.folder}: is for no machine; fill it again")
    for python in kit.pythons:
        for platform in kit.platforms:
            if platform not in PLATFORMS or python not in RELEASES:
                raise Refused(f"{kit.folder}: for {platform} with Python {python}, as no device")
            paths = _wheels(kit, archive, platform, python) | {SCRIPT, program_in(kit).name}
            debs = kit.debs(RELEASES[python], architecture_of(platform))
            paths |= {str(path.relative_to(kit.folder)) for path in debs}
            yield machine_name(platform, python), paths


def _wheels(kit: Kit, archive: zipfile.ZipFile, platform: str, python: str) -> set[str]:
    """The wheels of a machine: for each pin of its lock file those that fit it."""
    known = set(_tags(platform, python))
    by_digest: dict[str, list[str]] = {}
    for path, digest in kit.digests.items():
        if path.startswith(f"{WHEELS}/") and _tags_of(path) & known:
            by_digest.setdefault(digest, []).append(path)
    found = set()
    try:
        pins = read_lock(_member(archive, LOCK.format(python)).decode("utf-8", "replace"))
    except EwasteError as error:
        raise Refused(f"{kit.folder}: {error}") from None
    for pin in pins:
        paths = [path for each in pin.hashes for path in by_digest.get(each, ())]
        if not paths:
            raise Refused(
                f"{kit.folder}: no wheel of {pin.name} {pin.version} for {platform} with Python "
                f"{python}, as the lock file of the program asks; fill it again with --download"
            )
        found |= set(paths)
    return found


def _tags(platform: str, python: str) -> Iterator[Tag]:
    """What wheels a machine takes, as `install.sh --download` asks for them."""
    major, minor = (int(part) for part in python.split("."))
    names = wheel_platforms(platform)
    yield from cpython_tags((major, minor), platforms=names)
    yield from compatible_tags((major, minor), f"cp{major}{minor}", names)


def _tags_of(path: str) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(PurePosixPath(path).name)[3]
    except InvalidWheelFilename:
        return frozenset()


def _version(wheel: Path) -> str:
    """The version of the program, a release's.

    Raises:
        Refused: it is none, so that boards could not tell which is newer.
    """
    version = wheel.name.split("-")[1]
    try:
        version_key(version)
    except ValueError as error:
        raise Refused(f"{wheel}: {error}; {RAISE}") from None
    return version


def _opened(wheel: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(wheel)
    except (OSError, ValueError, zipfile.BadZipFile):
        raise BadInput(f"{wheel}: no wheel; fill the folder again with --download") from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The content of a file of a wheel.

    Raises:
        Refused: it is missing, damaged, or too large.
    """
    try:
        with archive.open(name) as file:
            content = file.read(LARGEST_MEMBER + 1)
    except (KeyError, OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        raise Refused(f"{archive.filename}: {name} is missing or damaged; fill it again") from None
    if len(content) > LARGEST_MEMBER:
        raise Refused(f"{archive.filename}: {name} is greater than {LARGEST_MEMBER:,} bytes")
    return content
