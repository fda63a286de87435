"""A turn whose agent takes long to start: the person is told so meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.events import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from vibekit_jupyter.events import Event

__all__ = ["told_while_starting"]

# Seconds without an event.
SLOW: Final = 10.0


async def told_while_starting(
    title: str, events: AsyncGenerator[Event, None], slow: float = SLOW
) -> AsyncGenerator[Event, None]:
    """Yield a turn's events; say that the agent is starting where the first one takes long.

    Parameters
    ----------
    title
        What a person calls the agent.
    slow
        Seconds until that is said.
    """
    async with aclosing(events):
        first = asyncio.ensure_future(anext(events, None))
        try:
            await asyncio.wait([first], timeout=slow)
            if not first.done():
                # It may have begun to wait for its model: that is not seen from here.
                yield Notice(
                    f"{title} is starting ... it has said nothing yet, as on a busy machine."
                )
            event = await first
        finally:
            first.cancel()
            await asyncio.wait([first])
        if event is not None:
            yield event
        async for event in events:
            yield event
