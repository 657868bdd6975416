"""Connections to the page: their number and their time limits."""

import asyncio
import socket
from typing import Any

import h11
from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.panel.guard import HEADERS

MAX_CONNECTIONS = 128
HEAD_SECONDS = 8.0
"""The time limit for the header of a request and for the wait until the next request."""
REQUEST_SECONDS = 45.0
"""The time limit for a request, from its header to the end of its answer."""
BACKLOG = 64
"""The maximum of pending connections; the process must not run out of open files."""
ACCEPTED_AT_ONCE = 1
"""The maximum of pending connections that are accepted before the open ones are read again.
Otherwise a burst of short ones fills the page before the first of them is over, and whoever came
just before it is dropped."""
HEAD_BYTES = 16 * 1024
PROGRESS_BYTES = 16 << 10
"""The number of bytes by which a request has to grow to count as making progress."""
SLACK_BYTES, SLACK_SECONDS = 32 << 20, 2.0
"""The bytes and seconds of a refused request's body that are read and discarded, unparsed, so that
a client that is still sending can read the answer."""
_WATCH_SECONDS = 1.0
_NO_LENGTH = b"Send a Content-Length; a body in chunks is not taken.\n"


class BoundedServer(Server):
    """Uvicorn's server, which accepts few connections at once but lets more of them wait.

    Its configuration must have `backlog=ACCEPTED_AT_ONCE`: asyncio takes both from this number.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen on the sockets."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)


class _Requests(h11.Connection):
    """Requests whose body, if any, has a known length.

    A body in chunks may come in chunks of one byte, each of which costs as much as a large one.
    """

    lacks_length = False

    def next_event(self) -> Any:
        """Return the next event.

        Raises:
            RemoteProtocolError: what came is no HTTP, or a request with a body in chunks.
        """
        event = super().next_event()
        if isinstance(event, h11.Request) and any(
            name == b"transfer-encoding" for name, _ in event.headers
        ):
            self.lacks_length = True
            raise h11.RemoteProtocolError("a body without a length")
        return event


class _Transport:
    """The transport of a connection, which decides when it closes."""

    def __init__(self, transport: asyncio.Transport, connection: "BoundedConnection") -> None:
        self._transport, self._connection = transport, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing may be sent any more."""
        return self._connection.is_leaving or self._transport.is_closing()

    def close(self) -> None:
        """Close at once, or after discarding the rest of the request."""
        if not self._connection.is_leaving and self._connection.leave(self._transport):
            return
        self._transport.close()


class BoundedConnection(H11Protocol):
    """Uvicorn's connection with time limits.

    Uvicorn waits forever for the header of a request, for its body, and for a client that does not
    read. Here each has a time limit, and if there are too many connections, the one whose client
    has made no progress for longest is dropped.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        limit = self.config.h11_max_incomplete_event_size or HEAD_BYTES
        self.conn: _Requests = _Requests(h11.SERVER, limit)
        self._since = self._progress_at = self.loop.time()
        self._received, self._lost = 0, False
        self.is_leaving, self._thrown_away = False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to watch the connection; drop another if there are too many."""
        super().connection_made(_Transport(transport, self))  # type: ignore[arg-type]
        self._since = self._progress_at = self.loop.time()
        self.loop.call_later(_WATCH_SECONDS, self._watch)
        if len(self.connections) > MAX_CONNECTIONS:
            ours = [each for each in self.connections if isinstance(each, BoundedConnection)]
            # Not the oldest: an honest one soon is, while somebody opens them by the hundred.
            min(ours, key=BoundedConnection._worth).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self._lost = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note when a request begins and makes progress; discard what follows the last answer."""
        if self.is_leaving:
            self._thrown_away += len(data)
            if self._thrown_away > SLACK_BYTES:
                self.transport.close()
            return
        before = self.cycle
        super().data_received(data)
        self._received += len(data)
        if self.cycle is not before:
            self._since = self.loop.time()
        if self.cycle is not before or self._received >= PROGRESS_BYTES:
            self._progress_at, self._received = self.loop.time(), 0

    def on_response_complete(self) -> None:
        """Note the time when the wait for the next request begins."""
        self._since = self._progress_at = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse invalid HTTP, and a body of unknown length."""
        if not self.conn.lacks_length:
            super().send_400_response(msg)
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(_NO_LENGTH)),
            (b"connection", b"close"),
            *HEADERS,
        ]
        answer = h11.Response(status_code=411, headers=headers, reason=b"Length Required")
        for event in (answer, h11.Data(data=_NO_LENGTH), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def leave(self, transport: asyncio.Transport) -> bool:
        """Send the end of the stream and discard what still comes; False if nothing is to come."""
        sends = self.conn.their_state in (h11.SEND_BODY, h11.ERROR) or self.conn.lacks_length
        if not sends or transport.is_closing() or not transport.can_write_eof():
            return False
        self.is_leaving = True
        transport.write_eof()
        transport.resume_reading()
        self.loop.call_later(SLACK_SECONDS, transport.close)
        return True

    def drop(self) -> None:
        """Close the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered: none is complete, or its answer is sent."""
        return self.cycle is None or self.cycle.response_complete

    def _worth(self) -> tuple[bool, float]:
        """The order in which connections are dropped: least first, the longest without progress."""
        waits = self._idle or self.cycle.more_body or self.flow.write_paused
        return not waits, self._progress_at

    def _watch(self) -> None:
        if self._lost:
            return
        if self.loop.time() - self._since > (HEAD_SECONDS if self._idle else REQUEST_SECONDS):
            self.drop()
        else:
            self.loop.call_later(_WATCH_SECONDS, self._watch)
