"""Waiting, where it is seen, while a service starts no more sandboxes: it has a limit of them.

A whole class begins at nine, and E2B makes a few sandboxes a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vibekit_jupyter.errors import SandboxLimitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from vibekit_jupyter.settings.config import Service

__all__ = ["Queue", "see_limit", "telling_of_waits", "to_its_end"]

T = TypeVar("T")

LIMITED: Final = 429
# Seconds between two tries, where the service does not say: they grow.
FIRST: Final = 1.0
LONGEST: Final = 10.0

_queue: ContextVar[Queue | None] = ContextVar("vibekit_queue", default=None)
_left: ContextVar[asyncio.Event | None] = ContextVar("vibekit_left", default=None)
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("vibekit_waits", default=None)


@contextlib.contextmanager
def telling_of_waits(listener: Callable[[str], None]) -> Iterator[None]:
    """Have a function called with a sentence when something in here has to wait."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def see_limit(status: int, headers: Any) -> None:
    """Look at an answer of the service: the SDK may try again by itself, and says nothing of it."""
    queue = _queue.get()
    if queue is not None and status == LIMITED:
        queue.begin(str(headers.get("retry-after", "")))


class Queue:
    """One place in the queue before a service.

    Parameters
    ----------
    service
        Which starts no more than so many sandboxes.
    patience
        Seconds to wait, from the first refusal on.
    """

    def __init__(self, service: Service, patience: float) -> None:
        self._title = service.title
        self._patience = patience
        self._began: float | None = None
        self._asked = 0.0
        self._left = _left.get() or asyncio.Event()

    def begin(self, retry_after: str = "") -> None:
        """Note that the service has refused, and tell who waits; once."""
        self._asked = float(retry_after) if re.fullmatch(r"\d{1,5}", retry_after) else 0.0
        if self._began is not None:
            return
        self._began = time.monotonic()
        if (tell := _listener.get()) is not None:
            tell(
                f"The sandbox service ({self._title}) starts only so many sandboxes at a time: "
                f"you are waiting, for {self._patience:g} s at most."
            )

    async def through(self, start: Callable[[], Awaitable[T]]) -> T:
        """Start a sandbox as soon as the service lets one.

        Raises
        ------
        SandboxLimitError
            It did not in time.
        """
        token = _queue.set(self)
        try:
            tries = 0
            while True:
                try:
                    return await start()
                except SandboxLimitError as error:
                    if not _passes(error):
                        raise
                    if not await self._wait(tries):
                        error.hint = (
                            f"You waited for {self._waited:.0f} s. Try again a little later, or "
                            "end sessions that are not needed: %vibekit_session list."
                        )
                        raise
                tries += 1
        finally:
            _queue.reset(token)

    async def _wait(self, tries: int) -> bool:
        """Wait until the next try; False where there is none."""
        if self._began is None:  # an SDK of which nothing is seen
            self.begin()
        left = self._patience - self._waited
        if left <= 0 or self._asked > left:
            return False
        # At random, or those who were refused together come again together.
        growing = min(FIRST * 2**tries, LONGEST) * random.uniform(0.5, 1)  # noqa: S311
        pause = self._asked + random.uniform(0, FIRST) if self._asked else growing  # noqa: S311
        self._asked = 0.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(pause, left)):
                await self._left.wait()
        return not self._left.is_set()

    @property
    def _waited(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began


async def to_its_end(work: Coroutine[object, object, T]) -> T:
    """Await work that goes on when the caller is cancelled, but waits in no queue any more."""
    left = asyncio.Event()
    token = _left.set(left)
    try:
        task = asyncio.ensure_future(work)
    finally:
        _left.reset(token)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        left.set()
        raise


def _passes(error: SandboxLimitError) -> bool:
    """Whether it is a limit that passes: of sandboxes, and not of a disk."""
    from e2b import RateLimitException

    return isinstance(error.__cause__, RateLimitException)
