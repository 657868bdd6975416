"""How files of a repository come here: over HTTP by python-tuf's own fetcher, or from a folder."""

import logging
import os
import stat
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import url2pathname

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from edge import __version__

CHUNK_BYTES = 2**18
NOT_FOUND = 404


class AnyFetcher(FetcherInterface):
    """Fetches https://, http://, and file:// addresses; how much, python-tuf limits itself."""

    def __init__(self, silence_s: float) -> None:
        """`silence_s`: a server that sends nothing for so long is given up."""
        # What it tries again is no news; what fails in the end is reported.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self._http = Urllib3Fetcher(app_user_agent=f"ewaste-edge/{__version__}")
        self._http.socket_timeout = silence_s  # type: ignore[assignment]  # urllib3 takes floats

    def _fetch(self, url: str) -> Iterator[bytes]:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _file_chunks(url2pathname(parts.path))
        try:
            return _http_chunks(self._http.fetch(url), url)
        except SlowRetrievalError as error:
            reason = getattr(error.__cause__, "reason", None)
            if isinstance(reason, urllib3.exceptions.NewConnectionError):  # nobody is there
                raise DownloadError(f"{url}: {reason}") from reason
            raise


def _http_chunks(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """The same chunks; a connection that breaks off is a failed download."""
    try:
        yield from chunks
    except urllib3.exceptions.HTTPError as error:
        raise DownloadError(f"{url}: {error}") from error


def _file_chunks(path: str) -> Iterator[bytes]:
    """A regular file, piece by piece; one that is missing is as on a server."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise DownloadError(f"{path}: no regular file")
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except FileNotFoundError:
        raise DownloadHTTPError(f"{path}: not there", NOT_FOUND) from None
    except OSError as error:
        raise DownloadError(f"{path}: {error.strerror}") from error
