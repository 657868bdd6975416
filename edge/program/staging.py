"""A kit of the program, filled from the repository: what this machine needs and has not got."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EwasteError, Refused
from edge.files import make_private_folder
from edge.setup.kit import LIST, Kit, write_kit
from edge.setup.places import USER
from edge.setup.source import file_digest
from edge.setup.system import ARCHITECTURES, Host
from edge.update.offer import METADATA_FOLDER
from edge.update.program_offer import (
    MOST_PROGRAM_BYTES,
    ProgramFile,
    ProgramOffer,
    machine_name,
)
from edge.update.upstream import Upstream, needing_tuf, writing

if TYPE_CHECKING:
    from edge.update.repository import Repository

OWN_FOLDER = 0o755
KIT, REPOSITORY = "kit", "repository"


@contextmanager
def asked(upstream: Upstream, *, as_root: bool) -> Iterator["Repository"]:
    """The repository; as root, a process of the user of the line fetches what it serves.

    Raises:
        BadInput: python-tuf is missing, or the root metadata cannot be used.
        EwasteError: the folder cannot be written, or the process cannot be started.
    """
    with needing_tuf():
        from edge.update.fetched_apart import fetched_apart
        from edge.update.repository import Repository, silence_of
    with writing(upstream.folder):
        upstream.folder.parent.mkdir(OWN_FOLDER, parents=True, exist_ok=True)
        make_private_folder(upstream.folder, (METADATA_FOLDER,))
    with fetched_apart(silence_of(upstream), USER if as_root else None) as fetcher:
        yield Repository(upstream, fetcher)


def stage(repository: "Repository", offer: ProgramOffer, host: Host, folder: Path) -> None:
    """Bring a kit up to what is offered; what it holds already is not fetched again.

    Args:
        repository: that made the offer.
        offer: of a program.
        host: this machine.
        folder: of the kit, for root alone.

    Raises:
        Refused: it is not for this machine, too large, or not what was signed.
        EwasteError: it does not come, or cannot be written.
    """
    platform = ARCHITECTURES[host.architecture]
    machine = machine_name(platform, host.python)
    if machine not in offer.machines:
        raise Refused(
            f"{offer.name}: for {', '.join(offer.machines)}, and this is {machine}; publish a kit "
            "for it too"
        )
    files = offer.files_for(machine)
    if sum(repository.length(each) for each in files) > MOST_PROGRAM_BYTES:
        raise Refused(f"{offer.name}: more than {MOST_PROGRAM_BYTES >> 20} MB")
    try:
        missing = _clear(folder, files)
        for each in missing:
            repository.download_file(each, folder / each.path)
        digests = {each.path: each.digest for each in files}
        write_kit(
            Kit(folder=folder, platforms=(platform,), pythons=(host.python,), digests=digests)
        )
    except OSError as error:
        raise EwasteError(f"{folder}: cannot be written ({error.strerror})") from None


def _clear(folder: Path, files: tuple[ProgramFile, ...]) -> list[ProgramFile]:
    """Remove what a kit shall not hold, or holds half of; returns what it lacks."""
    make_private_folder(folder, (LIST,))
    (folder / LIST).unlink(missing_ok=True)  # not whole until the end
    needed = {folder / each.path: each for each in files}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if path not in needed or path.is_symlink() or file_digest(path) != needed[path].digest:
            path.unlink()
    return [each for path, each in needed.items() if not path.exists()]
