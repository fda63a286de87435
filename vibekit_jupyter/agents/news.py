"""Events on their way from an agent to the run, in bounded memory however fast they come."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.events import CommandOutput, PlanUpdated, TextDelta, ThinkingDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from vibekit_jupyter.events import Event

__all__ = ["News"]

# Characters that wait to be taken, and events; what comes on top is left out.
MOST_WAITING: Final = 1_000_000
MOST_EVENTS: Final = 20_000
GAP: Final = "\n[… more came than could be shown …]\n"


class News:
    """A queue for one taker. Words and output that come together are one event."""

    def __init__(self) -> None:
        self._waiting: deque[_Stretch | Event] = deque()
        self._size = 0
        self._ended = False
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._taken.set()

    def put(self, event: Event) -> None:
        """Add an event."""
        last = self._waiting[-1] if self._waiting else None
        if isinstance(event, TextDelta | ThinkingDelta | CommandOutput):
            if not (isinstance(last, _Stretch) and last.goes_on_with(event)):
                last = _Stretch(event)
                self._waiting.append(last)
            if (room := MOST_WAITING - self._size) > 0:
                last.texts.append(event.text[:room])
                self._size += len(event.text)
                if len(event.text) >= room:
                    last.texts.append(GAP)
        elif isinstance(event, PlanUpdated) and isinstance(last, PlanUpdated):
            self._waiting[-1] = event
        elif len(self._waiting) < MOST_EVENTS:
            self._waiting.append(event)
        self._arrived.set()
        self._taken.clear()

    def end(self) -> None:
        """Say that nothing more comes."""
        self._ended = True
        self._arrived.set()

    async def all_taken(self) -> None:
        """Wait until nothing waits."""
        await self._taken.wait()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the events as they come, until the end."""
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                if isinstance(event, _Stretch):
                    event = event.event()
                    if not any(isinstance(other, _Stretch) for other in self._waiting):
                        self._size = 0
                yield event
            self._taken.set()
            if self._ended:
                return
            self._arrived.clear()
            await self._arrived.wait()


class _Stretch:
    """Words of one kind, put together until they are taken."""

    def __init__(self, first: TextDelta | ThinkingDelta | CommandOutput) -> None:
        self._first = first
        self.texts: list[str] = []

    def goes_on_with(self, event: Event) -> bool:
        return dataclasses.replace(self._first, text="") == dataclasses.replace(event, text="")  # type: ignore[call-arg]

    def event(self) -> Event:
        return dataclasses.replace(self._first, text="".join(self.texts))
