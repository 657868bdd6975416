"""A process that fetches for another one, which has more rights: `python -m edge.update.fetching`.

Root asks, this process answers as a user who may do nothing: names, TLS, and HTTP are its
business, and what it hands over is proved by who asked. It reads one address a line from stdin. On
stdout each answer is a row of frames: a letter, a length of 4 bytes, and so many bytes.
"""

import struct
import sys
from contextlib import suppress
from typing import BinaryIO

from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError

from edge.errors import one_line
from edge.update.fetcher import AnyFetcher

DATA, END, HTTP_ERROR, SLOW, FAILED = b"D", b"E", b"H", b"S", b"F"
HEAD = struct.Struct(">cI")
MOST_FRAME_BYTES = 2**20
LONGEST_ADDRESS, LONGEST_REASON = 4096, 300


def serve(silence_s: float, asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more.

    Args:
        silence_s: a server that sends nothing for so long is given up.
        asked: addresses, one a line.
        answers: gets the frames.
    """
    fetcher = AnyFetcher(silence_s)
    while line := asked.readline(LONGEST_ADDRESS):
        kind, content = _fetched(fetcher, line.decode("utf-8", "replace").strip(), answers)
        write_frame(answers, kind, content)


def write_frame(answers: BinaryIO, kind: bytes, content: bytes) -> None:
    """Send one frame."""
    answers.write(HEAD.pack(kind, len(content)) + content)
    answers.flush()


def _fetched(fetcher: AnyFetcher, url: str, answers: BinaryIO) -> tuple[bytes, bytes]:
    """Send the data of an address; returns the frame that ends them."""
    try:
        for chunk in fetcher.fetch(url):
            for start in range(0, len(chunk), MOST_FRAME_BYTES):
                write_frame(answers, DATA, chunk[start : start + MOST_FRAME_BYTES])
    except DownloadHTTPError as error:
        return HTTP_ERROR, str(error.status_code).encode()
    except SlowRetrievalError:
        return SLOW, b""
    except DownloadError as error:
        reason = one_line(error.__cause__ or error, LONGEST_REASON)
        return FAILED, reason.encode("utf-8", "replace")
    return END, b""


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):  # who asked has ended
        serve(float(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
