"""The TUF repository of a board: what its ring offers, and the files of that.

python-tuf does the client's part of the specification: signatures and thresholds, root rotation,
expiry, versions that never go back, lengths, and hashes. So a plain web server may serve it, over
plain HTTP: whoever changes, holds back, or repeats what it sends is found out. It asks the clock of
the system what has expired; its client takes no time as an argument.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuf.api import exceptions
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from edge.bundle.packed import MOST_PACKED_BYTES
from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.files import read_bounded
from edge.update.fetcher import AnyFetcher
from edge.update.offer import (
    METADATA_FOLDER,
    MOST_OFFER_BYTES,
    TARGETS_FOLDER,
    Offer,
    parse_offer,
)
from edge.update.program_offer import (
    MOST_FILE_BYTES,
    MOST_PROGRAM_OFFER_BYTES,
    ProgramFile,
    ProgramOffer,
    parse_program_offer,
    program_target,
)
from edge.update.time_limit import TimeIsUp, time_limit
from edge.update.upstream import Upstream

MOST_ROOT_BYTES, MOST_LIST_BYTES = 2**18, 2**20
MOST_ROOTS = 1024
"""Versions of root from that of the board on; each is signed by the one before, so none is free."""
LONGEST_SILENCE_S = 20.0


class Repository:
    """One visit to a repository. For the main thread, and one process at a time with a folder.

    Raises:
        BadInput: the root metadata of the board cannot be used.
        EwasteError: the folder cannot be written.
    """

    def __init__(self, upstream: Upstream, fetcher: FetcherInterface | None = None) -> None:
        """`fetcher` brings the files; None: this process does."""
        self._upstream = upstream
        self._ends_at = time.monotonic() + upstream.timeout_s
        trusted = upstream.folder / METADATA_FOLDER
        root = _read_root(upstream.root)
        try:
            trusted.mkdir(exist_ok=True)
            self._updater = Updater(
                metadata_dir=str(trusted),
                metadata_base_url=f"{upstream.url}/{METADATA_FOLDER}/",
                target_base_url=f"{upstream.url}/{TARGETS_FOLDER}/",
                target_dir=None,
                fetcher=fetcher or AnyFetcher(silence_of(upstream)),
                config=UpdaterConfig(
                    max_root_rotations=MOST_ROOTS,
                    root_max_length=MOST_ROOT_BYTES,
                    snapshot_max_length=MOST_LIST_BYTES,
                    targets_max_length=MOST_LIST_BYTES,
                ),
                bootstrap=root,
            )
        except exceptions.RepositoryError as error:
            raise BadInput(
                f"{upstream.root}: no root metadata of a repository ({one_line(error)}); copy "
                "metadata/1.root.json of yours here"
            ) from None
        except OSError as error:
            raise EwasteError(
                f"{upstream.folder}: cannot be written ({error.strerror}); check space and rights"
            ) from None

    def offer(self, scratch: Path) -> Offer | None:
        """Ask what the ring of this board shall run; None: nothing yet.

        The trusted metadata move on. `scratch` is a folder for the file of the ring.

        Raises:
            Refused: what the repository serves cannot be proved.
            EwasteError: it does not answer, or not in time.
        """
        target = self._upstream.ring.target
        content = self._ring_file(target, scratch, MOST_OFFER_BYTES)
        if content is None:
            return None
        return parse_offer(content, f"{self._upstream.url}: {target}")

    def program(self, scratch: Path) -> ProgramOffer | None:
        """Ask which program the ring of this board shall run; None: none yet.

        As `offer`.
        """
        target = program_target(self._upstream.ring)
        content = self._ring_file(target, scratch, MOST_PROGRAM_OFFER_BYTES)
        if content is None:
            return None
        return parse_program_offer(content, f"{self._upstream.url}: {target}")

    def download(self, offer: Offer, path: Path) -> None:
        """Fetch the packed bundle of an offer to `path`.

        Raises:
            Refused: it is not what was signed, or too large.
            EwasteError: it does not come, or not in time.
        """
        self._download(offer.bundle, path, MOST_PACKED_BYTES)

    def length(self, file: ProgramFile) -> int:
        """How long a file of a program is, bytes.

        Raises:
            Refused: it is not there, too large, or not the one that the ring names.
        """
        with self._watched():
            found = self._target(file.target, MOST_FILE_BYTES)
            if found.hashes.get("sha256") != file.digest:
                raise Refused(f"{self._upstream.url}: {file.path} is another; publish it again")
            return found.length

    def download_file(self, file: ProgramFile, path: Path) -> None:
        """Fetch a file of a program to `path`, whose folder is made.

        Raises:
            Refused: it is not what was signed, or too large.
            EwasteError: it does not come, or not in time.
        """
        self.length(file)
        self._download(file.target, path, MOST_FILE_BYTES)

    def _ring_file(self, target: str, scratch: Path, most: int) -> bytes | None:
        with self._watched():
            self._updater.refresh()
            if self._updater.get_targetinfo(target) is None:
                return None
        self._download(target, scratch / target, most)
        return read_bounded(scratch / target, most)

    def _target(self, target: str, most: int) -> TargetFile:
        found = self._updater.get_targetinfo(target)
        if found is None:
            raise Refused(f"{self._upstream.url}: has no {target}; publish it again")
        if found.length > most:
            raise Refused(
                f"{self._upstream.url}: {target} has {found.length:,} bytes, more than {most:,}"
            )
        return found

    def _download(self, target: str, path: Path, most: int) -> None:
        with self._watched():
            self._updater.download_target(self._target(target, most), str(path))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Within: bounded in time, and each failure is one of ours, in one line."""
        url, timeout_s = self._upstream.url, self._upstream.timeout_s
        try:
            with time_limit(self._ends_at - time.monotonic()):
                yield
        except (TimeIsUp, exceptions.SlowRetrievalError):
            raise EwasteError(
                f"{url}: too slow, given up after {timeout_s:g} s at most; check the network and "
                "that server, or set [update] timeout_s"
            ) from None
        except exceptions.DownloadError as error:
            raise _not_fetched(url, error) from None
        except exceptions.RepositoryError as error:
            raise Refused(f"{url}: {_doubt(error)} ({one_line(error, 200)})") from None
        except OSError as error:
            folder = self._upstream.folder
            raise EwasteError(f"{folder}: cannot be written ({error.strerror})") from None


def silence_of(upstream: Upstream) -> float:
    """How long a server may send nothing, s."""
    return min(LONGEST_SILENCE_S, upstream.timeout_s)


def _read_root(path: Path) -> bytes:
    try:
        return read_bounded(path, MOST_ROOT_BYTES)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); copy metadata/1.root.json of the "
            "repository here"
        ) from None


def _not_fetched(url: str, error: exceptions.DownloadError) -> EwasteError:
    """Why a download failed, in one line."""
    if isinstance(error, exceptions.DownloadLengthMismatchError):
        return Refused(f"{url}: sends more bytes than were signed or are allowed; nothing is kept")
    if isinstance(error, exceptions.DownloadHTTPError):
        reason = f"HTTP status {error.status_code}"
    else:
        reason = one_line(error.__cause__ or error, 200)
    return EwasteError(
        f"{url}: does not serve it ({reason}); check [update] repository and network"
    )


def _doubt(error: exceptions.RepositoryError) -> str:
    """What is wrong with what a repository serves, and what to do."""
    if isinstance(error, exceptions.ExpiredMetadataError):
        return (
            "what it serves has expired: it is held back, nobody published in time "
            "(convert/publish.py), or the clock here is wrong"
        )
    if isinstance(error, exceptions.BadVersionNumberError):
        return "what it serves is older than what this board has seen; publish again"
    if isinstance(error, exceptions.UnsignedMetadataError):
        return "not signed by the keys that this board trusts"
    if isinstance(error, exceptions.LengthOrHashMismatchError):
        return "a file is not the one that was signed; upload the repository again"
    return "its metadata are malformed; upload the repository again"
