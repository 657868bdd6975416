"""Connections to the page: how many there are, and how long each may take for what."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 128
HEAD_SECONDS = 8.0
"""For the head of a request, and to wait for the next one."""
REQUEST_SECONDS = 45.0
"""For a request from its head to the end of its answer."""
BACKLOG = 64
"""Connections that are accepted at once, at most: files that are open must not run out."""
HEAD_BYTES = 16 * 1024
_WATCH_SECONDS = 1.0


class BoundedConnection(H11Protocol):
    """uvicorn's connection with an end to everything that a client can draw out.

    uvicorn waits without end for the head of a request, for its body and for a client that does not
    read. Here each has its time, and where there are too many connections, the one that has kept
    the page waiting longest goes.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._since, self._lost = self.loop.time(), False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch; make room if there are too many."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self.loop.call_later(_WATCH_SECONDS, self._watch)
        if len(self.connections) > MAX_CONNECTIONS:
            ours = [each for each in self.connections if isinstance(each, BoundedConnection)]
            min(ours, key=BoundedConnection._worth).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """No more to watch."""
        self._lost = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note when a request begins."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._since = self.loop.time()

    def on_response_complete(self) -> None:
        """Note when the wait for the next request begins."""
        self._since = self.loop.time()
        super().on_response_complete()

    def drop(self) -> None:
        """End the connection at once, whatever it was about."""
        self.connections.discard(self)
        self.transport.abort()

    @property
    def _idle(self) -> bool:
        """No request is being answered: its head is not complete, or its answer is out."""
        return self.cycle is None or self.cycle.response_complete

    def _worth(self) -> tuple[bool, float]:
        """The least goes first: the one whose client has kept us waiting longest."""
        waits = self._idle or self.cycle.more_body or self.flow.write_paused
        return not waits, self._since

    def _watch(self) -> None:
        if self._lost:
            return
        if self.loop.time() - self._since > (HEAD_SECONDS if self._idle else REQUEST_SECONDS):
            self.drop()
        else:
            self.loop.call_later(_WATCH_SECONDS, self._watch)
