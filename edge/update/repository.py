"""The TUF repository of a board: what its ring offers, and the file of that bundle.

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
from tuf.ngclient import Updater, UpdaterConfig

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
from edge.update.time_limit import TimeIsUp, time_limit
from edge.update.upstream import Upstream

MOST_ROOT_BYTES, MOST_LIST_BYTES = 2**18, 2**20
MOST_ROOTS = 1024
"""Versions of root from that of the board on; each is signed by the one before, so none is free."""
LONGEST_SILENCE_S = 20.0


class BundleRepository:
    """One visit to a repository. For the main thread, and one process at a time with a folder.

    Raises:
        BadInput: the root metadata of the board cannot be used.
        EwasteError: the folder cannot be written.
    """

    def __init__(self, upstream: Upstream) -> None:
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
                fetcher=AnyFetcher(min(LONGEST_SILENCE_S, upstream.timeout_s)),
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
        with self._watched():
            self._updater.refresh()
            if self._updater.get_targetinfo(target) is None:
                return None
        self._download(target, scratch / target, MOST_OFFER_BYTES)
        content = read_bounded(scratch / target, MOST_OFFER_BYTES)
        return parse_offer(content, f"{self._upstream.url}: {target}")

    def download(self, offer: Offer, path: Path) -> None:
        """Fetch the packed bundle of an offer to `path`.

        Raises:
            Refused: it is not what was signed, or too large.
            EwasteError: it does not come, or not in time.
        """
        self._download(offer.bundle, path, MOST_PACKED_BYTES)

    def _download(self, target: str, path: Path, most: int) -> None:
        with self._watched():
            found = self._updater.get_targetinfo(target)
            if found is None:
                raise Refused(f"{self._upstream.url}: has no {target}; publish it again")
            if found.length > most:
                raise Refused(
                    f"{self._upstream.url}: {target} has {found.length:,} bytes, more than {most:,}"
                )
            self._updater.download_target(found, str(path))

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
