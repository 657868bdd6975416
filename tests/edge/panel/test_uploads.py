"""Which upload is dropped when there are too many."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from edge.panel.connections import PROGRESS_BYTES
from edge.panel.uploads import MAX_UPLOADS, Busy, Uploads


def test_one_that_makes_progress_is_kept_while_others_are_opened_by_the_hundred():
    async def scenario() -> int:
        uploads, opened = Uploads(), AsyncExitStack()

        async def honest_chunks() -> AsyncIterator[bytes]:
            for _ in range(8):
                for _ in range(MAX_UPLOADS - 1):  # as many as fit beside it
                    await opened.enter_async_context(uploads.upload())
                yield bytes(PROGRESS_BYTES)

        async with opened, uploads.upload() as honest:
            await uploads.take(honest, honest_chunks())
            return len(honest.content)

    assert asyncio.run(scenario()) == 8 * PROGRESS_BYTES


def test_one_that_drips_is_dropped():
    async def scenario() -> None:
        uploads, opened = Uploads(), AsyncExitStack()

        async def drips() -> AsyncIterator[bytes]:
            for _ in range(MAX_UPLOADS):
                yield b"x"
                await opened.enter_async_context(uploads.upload())
            yield b"x"

        async with opened, uploads.upload() as dripping:
            await uploads.take(dripping, drips())

    with pytest.raises(Busy):
        asyncio.run(scenario())
