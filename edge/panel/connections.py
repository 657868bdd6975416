"""Connections to the page: their number and their time limits."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 128
HEAD_SECONDS = 8.0
"""The time limit for the header of a request and for the wait until the next request."""
REQUEST_SECONDS = 45.0
"""The time limit for a request, from its header to the end of its answer."""
BACKLOG = 64
"""The maximum of pending connections; the process must not run out of open files."""
HEAD_BYTES = 16 * 1024
_WATCH_SECONDS = 1.0


class BoundedConnection(H11Protocol):
    """Uvicorn's connection with time limits.

    Uvicorn waits forever for the header of a request, for its body, and for a client that does not
    read. Here each has a time limit, and if there are too many connections, the one whose client
    has kept the page waiting longest is dropped.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._since, self._lost = self.loop.time(), False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to watch the connection; drop another if there are too many."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self.loop.call_later(_WATCH_SECONDS, self._watch)
        if len(self.connections) > MAX_CONNECTIONS:
            ours = [each for each in self.connections if isinstance(each, BoundedConnection)]
            min(ours, key=BoundedConnection._worth).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self._lost = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note the time when a request begins."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._since = self.loop.time()

    def on_response_complete(self) -> None:
        """Note the time when the wait for the next request begins."""
        self._since = self.loop.time()
        super().on_response_complete()

    def drop(self) -> None:
        """Close the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered: none is complete, or its answer is sent."""
        return self.cycle is None or self.cycle.response_complete

    def _worth(self) -> tuple[bool, float]:
        """The order in which connections are dropped: least first, the longest waiting."""
        waits = self._idle or self.cycle.more_body or self.flow.write_paused
        return not waits, self._since

    def _watch(self) -> None:
        if self._lost:
            return
        if self.loop.time() - self._since > (HEAD_SECONDS if self._idle else REQUEST_SECONDS):
            self.drop()
        else:
            self.loop.call_later(_WATCH_SECONDS, self._watch)
