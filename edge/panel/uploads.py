"""Uploaded files: how many bytes are held, and which one is looked at next."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge.errors import EwasteError
from edge.panel.connections import PROGRESS_BYTES
from edge.panel.picture import MAX_BYTES

MAX_HELD = 18 << 20
"""The bytes of all pictures that are held at once."""
STALLED_SECONDS = 1.0
"""An upload that makes no progress for this time is the first to be dropped."""
TURN_SECONDS = 30.0


class Busy(EwasteError):
    """Too many files at once; this one may be sent again."""


class TooLarge(EwasteError):
    """The file has too many bytes."""


@dataclass(frozen=True)
class UploadLimits:
    """What the uploads of one kind may take.

    Attributes:
        most_bytes: of one file.
        held_bytes: of all files that are held at once.
        name: what they are called, in the plural.
    """

    most_bytes: int = MAX_BYTES
    held_bytes: int = MAX_HELD
    name: str = "pictures"

    @property
    def too_large(self) -> TooLarge:
        """The refusal of a file that has more bytes."""
        return TooLarge(
            f"This file is larger than the maximum of {self.most_bytes >> 20} MB; "
            "choose a smaller one."
        )

    @property
    def busy(self) -> Busy:
        """The refusal of one too many."""
        return Busy(f"Too many {self.name} at once; try again in a moment.")


@dataclass(eq=False)
class Upload:
    """A file that arrives, waits for its turn, or is looked at.

    Attributes:
        content: the bytes so far.
        pixels: the number of pixels of a picture; 0 while it is not known.
        progress_at: when it last grew by PROGRESS_BYTES, or began, by the monotonic clock, s.
        progress_bytes: its number of bytes at that time.
        given_up: set when the upload was dropped to make room.
        turn: set when it is the upload's turn, or it was dropped.
    """

    content: bytearray = field(default_factory=bytearray)
    pixels: int = 0
    progress_at: float = field(default_factory=time.monotonic)
    progress_bytes: int = 0
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Event = field(default_factory=asyncio.Event)


class Uploads:
    """The uploads of one kind of all visitors, in bounded memory; one at a time is looked at.

    The smallest picture has the next turn. When there are too many bytes, those that have stopped
    arriving are dropped first, then the largest. So those who send large pictures, or nothing,
    wait, and the person at the line does not. Their number is that of the connections.
    """

    def __init__(self, limits: UploadLimits = UploadLimits()) -> None:
        self._limits = limits
        self._uploads: list[Upload] = []
        self._waiting: list[Upload] = []
        self._looked_at: Upload | None = None

    @asynccontextmanager
    async def upload(self) -> AsyncIterator[Upload]:
        """Hold an upload until the end of the block; then its bytes are freed."""
        upload = Upload()
        self._uploads.append(upload)
        try:
            yield upload
        finally:
            self._uploads.remove(upload)
            if upload in self._waiting:
                self._waiting.remove(upload)
            if upload is self._looked_at:
                self._looked_at = None
                self._next()

    async def take(self, upload: Upload, chunks: AsyncIterator[bytes]) -> None:
        """Receive the bytes of an upload.

        Raises:
            TooLarge: there are too many bytes.
            Busy: the upload was dropped to make room.
        """
        async for chunk in chunks:
            if len(upload.content) + len(chunk) > self._limits.most_bytes:
                upload.content.clear()
                raise self._limits.too_large
            upload.content += chunk
            if len(upload.content) - upload.progress_bytes >= PROGRESS_BYTES:
                upload.progress_at = time.monotonic()
                upload.progress_bytes = len(upload.content)
            self._make_room()
            if upload.given_up.is_set():
                raise self._limits.busy

    async def wait(self, upload: Upload) -> None:
        """Wait until it is this upload's turn, which lasts until its end.

        Raises:
            Busy: it took too long, or the upload was dropped to make room.
        """
        self._waiting.append(upload)
        if self._looked_at is None:
            self._next()
        try:
            await asyncio.wait_for(upload.turn.wait(), TURN_SECONDS)
        except asyncio.TimeoutError:
            raise self._limits.busy from None
        if upload.given_up.is_set():
            raise self._limits.busy

    def _next(self) -> None:
        if self._waiting:
            self._looked_at = min(self._waiting, key=lambda upload: upload.pixels)
            self._waiting.remove(self._looked_at)
            self._looked_at.turn.set()

    def _make_room(self) -> None:
        while (others := self._others()) and sum(
            len(upload.content) for upload in others
        ) > self._limits.held_bytes:
            stalled_before = time.monotonic() - STALLED_SECONDS
            stalled = [
                upload
                for upload in others
                if upload not in self._waiting and upload.progress_at < stalled_before
            ]
            _give_up(max(stalled or others, key=lambda upload: len(upload.content)))

    def _others(self) -> list[Upload]:
        """All uploads but the one that is looked at, oldest first."""
        return [
            upload
            for upload in self._uploads
            if upload is not self._looked_at and not upload.given_up.is_set()
        ]


def _give_up(upload: Upload) -> None:
    upload.content.clear()
    upload.given_up.set()
    upload.turn.set()
