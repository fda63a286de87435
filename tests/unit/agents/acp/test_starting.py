"""An agent that takes long to start is told of, and neither lost nor left at work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.agents.acp.starting import told_while_starting
from vibekit_jupyter.events import Notice, TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio


class Turn:
    """Events that come when they are let, as those of a turn."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended = False

    async def events(self) -> AsyncGenerator[Event, None]:
        try:
            await self.started.wait()
            yield TextDelta("one")
            yield TextDelta("two")
        finally:
            self.ended = True


async def test_a_slow_start_is_told_and_every_event_comes() -> None:
    turn = Turn()
    told: list[Event] = []
    async for event in told_while_starting("The agent", turn.events(), slow=0.01):
        told.append(event)
        turn.started.set()
    assert [type(event) for event in told] == [Notice, TextDelta, TextDelta]
    assert "The agent is starting" in str(told[0])
    assert turn.ended


async def test_a_quick_start_is_not_told() -> None:
    turn = Turn()
    turn.started.set()
    told = [event async for event in told_while_starting("The agent", turn.events())]
    assert told == [TextDelta("one"), TextDelta("two")]


async def test_whoever_stops_while_it_starts_ends_the_turn() -> None:
    turn = Turn()
    events = told_while_starting("The agent", turn.events(), slow=0.01)
    await anext(events)
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.wait([waiting], timeout=0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    await events.aclose()
    assert turn.ended


async def test_whoever_leaves_after_the_notice_ends_the_turn() -> None:
    turn = Turn()
    events = told_while_starting("The agent", turn.events(), slow=0.01)
    await anext(events)
    await events.aclose()
    assert turn.ended
