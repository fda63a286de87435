"""A turn begins when those in its session that were stopped have ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from vibekit_jupyter.runs.succession import in_succession

pytestmark = pytest.mark.anyio


class Turns:
    """Turns in sessions: the first one takes its time to end when it is stopped."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.waits = asyncio.Event()
        self.may_end = asyncio.Event()
        self.began = asyncio.Event()

    async def first(self) -> None:
        async with in_succession("service", "one", self.say):
            self.began.set()
            try:
                await asyncio.Event().wait()
            finally:
                await self.may_end.wait()
                self.said.append("ended")

    def say(self, text: str) -> None:
        self.said.append(text)
        self.waits.set()

    async def next(self, session: str = "one") -> None:
        async with in_succession("service", session, self.say):
            self.said.append(f"goes on in {session}")


@pytest.fixture
async def turns() -> Turns:
    return Turns()


async def test_one_that_was_stopped_is_waited_for_and_that_is_told(turns: Turns) -> None:
    first = asyncio.create_task(turns.first())
    await turns.began.wait()
    first.cancel()
    following = asyncio.create_task(turns.next())
    await turns.waits.wait()
    await turns.next("another")
    turns.may_end.set()
    await following
    assert turns.said[0].startswith("The run that was stopped is still ending")
    assert turns.said[1:] == ["goes on in another", "ended", "goes on in one"]
    with suppress(asyncio.CancelledError):
        await first


async def test_one_that_goes_on_beside_is_not(turns: Turns) -> None:
    first = asyncio.create_task(turns.first())
    await turns.began.wait()
    await turns.next()
    assert turns.said == ["goes on in one"]
    turns.may_end.set()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first


async def test_who_waits_can_be_stopped_too(turns: Turns) -> None:
    first = asyncio.create_task(turns.first())
    await turns.began.wait()
    first.cancel()
    following = asyncio.create_task(turns.next())
    await turns.waits.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    turns.may_end.set()
    with suppress(asyncio.CancelledError):
        await first
    await turns.next()
    assert turns.said[1:] == ["ended", "goes on in one"]
