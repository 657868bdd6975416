"""Files of a repository that a process with fewer rights fetches, see `edge.update.fetching`."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

import edge
from edge.errors import EwasteError, one_line
from edge.update.fetching import (
    DATA,
    END,
    HEAD,
    HTTP_ERROR,
    LONGEST_ADDRESS,
    LONGEST_REASON,
    MOST_FRAME_BYTES,
    SLOW,
)

HANDED_ON = ("PATH", "LANG", "http_proxy", "https_proxy", "no_proxy")
"""Variables that the process gets."""
ENDS_S = 5.0


class ApartFetcher(FetcherInterface):
    """Hands each address to the process, and yields what comes; how much, python-tuf limits."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """`process` runs `edge.update.fetching`, with pipes."""
        self._process = process
        self._is_open = False  # an answer that was not read to its end

    def _fetch(self, url: str) -> Iterator[bytes]:
        line = url.encode()
        if len(line) >= LONGEST_ADDRESS or b"\n" in line or self._is_open:
            raise DownloadError("an address that is too long, or an answer that was not read")
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise DownloadError("the process that fetches has ended") from error
        self._is_open = True
        return self._frames()

    def _frames(self) -> Iterator[bytes]:
        while True:
            kind, length = HEAD.unpack(self._read(HEAD.size))
            if length > MOST_FRAME_BYTES:
                raise DownloadError("the process that fetches answers with nonsense")
            content = self._read(length)
            self._is_open = kind == DATA
            if kind == DATA:
                yield content
            elif kind == END:
                return
            elif kind == SLOW:
                raise SlowRetrievalError
            elif kind == HTTP_ERROR and content.isdigit():
                raise DownloadHTTPError("not served", int(content[:3]))
            else:
                raise DownloadError(one_line(content.decode("utf-8", "replace"), LONGEST_REASON))

    def _read(self, count: int) -> bytes:
        assert self._process.stdout is not None
        content = self._process.stdout.read(count)
        if len(content) < count:
            raise DownloadError("the process that fetches has ended")
        return content


@contextmanager
def fetched_apart(silence_s: float, user: str | None) -> Iterator[ApartFetcher]:
    """Within: a process of another user fetches; None: it is of the same user.

    Raises:
        EwasteError: it cannot be started.
    """
    kept = {name: value for name, value in os.environ.items() if name in HANDED_ON}
    kept["PYTHONPATH"] = str(Path(edge.__file__).parents[1])  # also of a checkout
    command = [sys.executable, "-s", "-m", "edge.update.fetching", str(silence_s)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env=kept,
            umask=0o077,
            **({} if user is None else _rights(user)),  # type: ignore[call-overload]
        )
    except (OSError, KeyError, ValueError) as error:
        raise EwasteError(
            f"no process can be started as {user or 'this user'} ({one_line(error)})"
        ) from None
    try:
        yield ApartFetcher(process)
    finally:
        process.kill()
        process.wait(ENDS_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _rights(user: str) -> dict[str, object]:
    """Those of a user, and of no group but its own.

    Raises:
        KeyError: there is no such user.
    """
    found = pwd.getpwnam(user)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
