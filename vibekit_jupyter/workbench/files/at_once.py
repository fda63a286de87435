"""Some requests at a time, and none left behind where one of them fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

__all__ = ["at_once"]

T = TypeVar("T")

AT_ONCE: Final = 8


async def at_once(work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do the work for each item, a few at a time; the first error ends it all, and is raised."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for each in workers:
            each.cancel()
        await asyncio.wait(workers)
        raise
