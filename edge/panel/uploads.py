"""Pictures that visitors send: how many bytes are held, and whose turn it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge.errors import EwasteError
from edge.panel.picture import MAX_BYTES

MAX_HELD = 18 << 20
MAX_UPLOADS = 64
"""At once, arriving or waiting."""
TURN_SECONDS = 30.0


class Busy(EwasteError):
    """Too many visitors send pictures; this one may be sent again."""


class TooLarge(EwasteError):
    """More bytes than a picture may have."""


@dataclass(eq=False)
class Upload:
    """One picture that arrives, waits for its turn or is looked at.

    Attributes:
        content: what has arrived.
        pixels: how many it has; 0: not known yet.
        given_up: set when another had to have the room.
    """

    content: bytearray = field(default_factory=bytearray)
    pixels: int = 0
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Event = field(default_factory=asyncio.Event)


class Uploads:
    """The pictures of all visitors, in bounded memory; one at a time is looked at.

    The smallest has the next turn, and the largest gives way when there are too many: whoever sends
    large ones waits, not the person at the line.
    """

    def __init__(self) -> None:
        self._uploads: list[Upload] = []
        self._waiting: list[Upload] = []
        self._looked_at: Upload | None = None

    @asynccontextmanager
    async def upload(self) -> AsyncIterator[Upload]:
        """Hold an upload; its bytes are let go of at the end."""
        upload = Upload()
        self._uploads.append(upload)
        self._make_room()
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
        """Let the bytes arrive.

        Raises:
            TooLarge: they are too many.
            Busy: others had to have the room.
        """
        async for chunk in chunks:
            if len(upload.content) + len(chunk) > MAX_BYTES:
                upload.content.clear()
                raise TooLarge(
                    f"This file is larger than the maximum of {MAX_BYTES >> 20} MB; "
                    "choose a smaller one."
                )
            upload.content += chunk
            self._make_room()
            if upload.given_up.is_set():
                raise _busy()

    async def wait(self, upload: Upload) -> None:
        """Wait until it is this upload's turn, which lasts until its end.

        Raises:
            Busy: it took too long, or others had to have the room.
        """
        self._waiting.append(upload)
        if self._looked_at is None:
            self._next()
        try:
            await asyncio.wait_for(upload.turn.wait(), TURN_SECONDS)
        except asyncio.TimeoutError:
            raise _busy() from None
        if upload.given_up.is_set():
            raise _busy()

    def _next(self) -> None:
        if self._waiting:
            self._looked_at = min(self._waiting, key=lambda upload: upload.pixels)
            self._waiting.remove(self._looked_at)
            self._looked_at.turn.set()

    def _make_room(self) -> None:
        while (others := self._others()) and sum(
            len(upload.content) for upload in others
        ) > MAX_HELD:
            _give_up(max(others, key=lambda upload: len(upload.content)))
        while len(others := self._others()) > MAX_UPLOADS:
            arriving = [upload for upload in others if upload not in self._waiting]
            # Of those that still arrive the oldest: it is the slowest.
            _give_up(arriving[0] if arriving else max(others, key=lambda upload: upload.pixels))

    def _others(self) -> list[Upload]:
        """All but the one that is looked at, in the order they began."""
        return [
            upload
            for upload in self._uploads
            if upload is not self._looked_at and not upload.given_up.is_set()
        ]


def _give_up(upload: Upload) -> None:
    upload.content.clear()
    upload.given_up.set()
    upload.turn.set()


def _busy() -> Busy:
    return Busy("Too many pictures at once; try again in a moment.")
