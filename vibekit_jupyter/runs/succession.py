"""Who goes on in a session in which a run was stopped waits until that has ended.

A cell does not wait for that for ever. What was done is on record only then, and until then two of
an agent's processes would write its one session.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

__all__ = ["in_succession"]

# Seconds: a service that does not answer is asked a few times, each time for so long.
PATIENCE: Final = 60.0


@dataclass(eq=False)
class _Going:
    """A turn at work: in which session, in which task, and what is told when it has ended."""

    place: tuple[str, str]
    task: asyncio.Task[object] | None = field(default_factory=asyncio.current_task)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def is_before(self, other: _Going) -> bool:
        """Whether it was stopped, and the other one is to go on after it."""
        is_there = self.place == other.place and self.loop is other.loop
        return is_there and self.task is not None and self.task.cancelling() > 0


# Of this process.
_going: set[_Going] = set()


@asynccontextmanager
async def in_succession(
    service_id: str, session_id: str, say: Callable[[str], None]
) -> AsyncGenerator[None]:
    """Do a turn in a session, after those in it that were stopped; ``say`` tells the person."""
    this = _Going((service_id, session_id))
    if before := [one for one in tuple(_going) if one.is_before(this)]:
        say("The run that was stopped is still ending: this one begins then.")
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                for one in before:
                    await one.ended.wait()
    _going.add(this)
    try:
        yield
    finally:
        _going.discard(this)
        this.ended.set()
