"""How connections are accepted, and which one is dropped when there are too many."""

import asyncio
import socket
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from edge.panel.app import server_of
from edge.panel.connections import (
    ACCEPTED_AT_ONCE,
    BACKLOG,
    MAX_CONNECTIONS,
    PROGRESS_BYTES,
    BoundedConnection,
)
from edge.panel.listener import listen

PIECES = 6


async def count_body(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that answers with the number of bytes of the body."""
    count, more = 0, True
    while more:
        message = await receive()
        count, more = count + len(message.get("body", b"")), message.get("more_body", False)
    text = b"%d" % count
    headers = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def upload_beside(piece: bytes, opened_per_piece: int) -> bytes:
    """Upload piece by piece while others open connections, and return the answer."""
    config, state = Config(count_body, log_level="critical"), ServerState()
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedConnection(config, state, {}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    others = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {PIECES * len(piece)}\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    try:
        for _ in range(PIECES):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)  # the page takes what came
            for _ in range(opened_per_piece):
                others.append(await asyncio.open_connection("127.0.0.1", port))
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        for _, other in (*others, (reader, writer)):
            other.close()
        server.close()


def test_one_that_makes_progress_is_kept_while_others_are_opened_by_the_hundred():
    answer = asyncio.run(upload_beside(bytes(PROGRESS_BYTES), MAX_CONNECTIONS - 1))
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert answer.endswith(b"%d" % (PIECES * PROGRESS_BYTES))


def test_one_that_drips_is_dropped():
    with pytest.raises(ConnectionError):
        asyncio.run(upload_beside(b"x", MAX_CONNECTIONS - 1))


def test_many_may_wait_but_few_are_accepted_at_once():
    async def scenario() -> list[int]:
        server = server_of(count_body)
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        with listen("127.0.0.1", 0) as listener, ExitStack() as opened:
            await server.startup([listener])
            for _ in range(BACKLOG):  # the loop does not run meanwhile: the system holds them
                client = socket.create_connection(listener.getsockname(), timeout=0.5)
                opened.enter_context(client)
            counts = [0]
            while counts[-1] < BACKLOG:
                await asyncio.sleep(0)
                counts.append(len(server.server_state.connections))
            server.servers[0].close()
            for connection in list(server.server_state.connections):
                connection.drop()
        return counts

    counts = asyncio.run(asyncio.wait_for(scenario(), 20))
    most = max(after - before for before, after in pairwise(counts))
    assert most <= ACCEPTED_AT_ONCE + 1, "newer versions of asyncio accept one more"
