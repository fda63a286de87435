"""Runs that go on while a test does something else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vibekit_jupyter import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter import VibeKit
    from vibekit_jupyter.results import Result

__all__ = ["running"]


async def running(
    client: VibeKit,
    prompt: str = "```bash\necho started; sleep 30\n```",
    *,
    tell: Callable[[events.Event], object] = lambda _: None,
) -> asyncio.Future[Result]:
    """Start a run and wait until a command of it has put something out."""
    started = asyncio.Event()

    def watch(event: events.Event) -> None:
        tell(event)
        if isinstance(event, events.CommandOutput):
            started.set()

    run = asyncio.ensure_future(client.generate_code(prompt, on_event=watch))
    await asyncio.wait_for(started.wait(), 30)
    return run
