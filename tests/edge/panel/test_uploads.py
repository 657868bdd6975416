"""Which upload is dropped when there are too many bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from edge.panel import uploads as module
from edge.panel.connections import MAX_CONNECTIONS
from edge.panel.uploads import (
    MAX_HELD,
    STALLED_SECONDS,
    Busy,
    TooLarge,
    Upload,
    UploadLimits,
    Uploads,
)

PIECE = 1 << 16
HELD_EACH = MAX_HELD // (MAX_CONNECTIONS - 1)


@pytest.fixture
def clock(monkeypatch):
    """The time that uploads go by, s."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield bytes(size)


async def among(others: int, size: int, opened: AsyncExitStack) -> tuple[Uploads, list[Upload]]:
    """Uploads of which that many have arrived in part, `size` bytes each."""
    uploads, kept = Uploads(), []
    for _ in range(others):
        kept.append(await opened.enter_async_context(uploads.upload()))
        await uploads.take(kept[-1], pieces(size))
    return uploads, kept


def test_one_that_arrives_is_kept_however_many_hold_still(clock):
    """As many as fit beside it, each smaller, fill the memory and send nothing more."""

    async def scenario() -> int:
        async with AsyncExitStack() as opened:
            uploads, _ = await among(MAX_CONNECTIONS - 1, HELD_EACH, opened)
            clock[0] += 2 * STALLED_SECONDS
            honest = await opened.enter_async_context(uploads.upload())
            await uploads.take(honest, pieces(*[PIECE] * 50))
            return len(honest.content)

    assert asyncio.run(scenario()) == 50 * PIECE


def test_opening_uploads_drops_none(clock):
    async def scenario() -> int:
        async with AsyncExitStack() as opened:
            uploads, _ = await among(0, 0, opened)
            honest = await opened.enter_async_context(uploads.upload())
            await uploads.take(honest, pieces(PIECE))
            clock[0] += 2 * STALLED_SECONDS
            for _ in range(MAX_CONNECTIONS):
                await opened.enter_async_context(uploads.upload())
            await uploads.take(honest, pieces(PIECE))
            return len(honest.content)

    assert asyncio.run(scenario()) == 2 * PIECE


def test_of_those_that_arrive_the_largest_is_dropped(clock):
    async def scenario() -> tuple[list[bool], int]:
        async with AsyncExitStack() as opened:
            uploads, (small, large) = await among(2, MAX_HELD // 4, opened)
            await uploads.take(large, pieces(MAX_HELD // 4))
            honest = await opened.enter_async_context(uploads.upload())
            await uploads.take(honest, pieces(MAX_HELD // 4, PIECE))
            return [each.given_up.is_set() for each in (small, large)], len(honest.content)

    assert asyncio.run(scenario()) == ([False, True], MAX_HELD // 4 + PIECE)


def test_one_that_holds_still_is_dropped_before_a_larger_one(clock):
    async def scenario() -> None:
        async with AsyncExitStack() as opened:
            uploads, (still, _) = await among(2, MAX_HELD // 3, opened)
            clock[0] += 2 * STALLED_SECONDS
            larger = await opened.enter_async_context(uploads.upload())
            await uploads.take(larger, pieces(MAX_HELD // 3, PIECE))
            assert still.given_up.is_set() and not larger.given_up.is_set()
            await uploads.take(still, pieces(1))

    with pytest.raises(Busy):
        asyncio.run(scenario())


def test_uploads_of_another_kind_have_limits_and_words_of_their_own(clock):
    limits = UploadLimits(most_bytes=2 << 20, held_bytes=3 << 20, name="bundles")

    async def scenario() -> list[str]:
        reasons = []
        async with AsyncExitStack() as opened:
            uploads = Uploads(limits)
            first, second, third = [
                await opened.enter_async_context(uploads.upload()) for _ in range(3)
            ]
            await uploads.take(first, pieces(2 << 20))
            await uploads.take(second, pieces(1 << 20))
            for upload, size in ((third, (2 << 20) + 1), (third, 1 << 20), (first, 1)):
                try:
                    await uploads.take(upload, pieces(size))
                    reasons.append("")
                except (TooLarge, Busy) as error:
                    reasons.append(str(error))
        return reasons

    large, fits, dropped = asyncio.run(scenario())
    assert "maximum of 2 MB" in large and fits == ""
    assert dropped == "Too many bundles at once; try again in a moment."
