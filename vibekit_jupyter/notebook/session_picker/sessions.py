"""What the pickers show, and when it has changed.

Everything that is drawn is drawn by one task on the background loop: never by two threads at
once, and also while a cell runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vibekit_jupyter.notebook.kernel_client import KernelClient
    from vibekit_jupyter.notebook.loop import Work

__all__ = ["Sessions"]

LOOK = 1.0
"""Seconds between two looks for changes made by other kernels."""

WORDS = 60.0
"""Seconds after which words such as ``41 min left`` are said anew."""

SHARE = 20
"""A look may take one part in so many of the time: a huge registry is read less often."""


class Sessions:
    """The sessions of the kernel's client, the last used first; the current one is marked.

    Parameters
    ----------
    client
        The kernel's client.

    Attributes
    ----------
    known
        As they are remembered on this machine; no service is asked. Another list after each
        change.
    problem
        Why they cannot be read, in a sentence; empty while they can.
    """

    def __init__(self, client: KernelClient) -> None:
        self.client = client
        self.known: Sequence[Session] = ()
        self.problem = ""
        self._watchers: list[Callable[[], None]] = []
        self._woken = asyncio.Event()
        self._version = 0
        self._stale = True
        self._following: Work[Any] | None = None
        client.observe(self.refresh)

    @property
    def current(self) -> Session | None:
        """The current session, also when nobody knows more of it than its id."""
        return next((one for one in self.known if one.current), None)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have a function called after each change, until it is dropped; never twice at once."""
        if watcher not in self._watchers:
            self._watchers.append(watcher)
        self.redraw()

    def drop(self, watcher: Callable[[], None]) -> None:
        """Call a function no more: what it draws is not seen."""
        with contextlib.suppress(ValueError):
            self._watchers.remove(watcher)

    def refresh(self) -> None:
        """Read the sessions again, and call the watchers. From any thread; returns at once."""
        self._stale = True
        self.redraw()

    def redraw(self) -> None:
        """Call the watchers. From any thread; returns at once."""
        if self._watchers:
            self.client.loop.submit(self._wake())

    def read(self) -> None:
        """Read the sessions now."""
        self._stale = False
        try:
            self._version = self.client.vibekit.registry_version()
            known = [*self.client.known_sessions()]
        except VibeKitError as error:
            self.problem = str(error)
            return
        current = self.client.vibekit.current_session
        if current is not None and not any(one.current for one in known):
            known.insert(0, Session(current, current, "", current=True))
        self.problem = ""
        if known != self.known:
            self.known = known

    async def _wake(self) -> None:
        self._woken.set()
        if self._following is None or self._following.finished.done():
            self._following = self.client.loop.submit(self._follow())

    async def _follow(self) -> None:
        """Draw what changes while anybody watches.

        What this kernel does wakes it. What others do shows in SQLite's ``data_version``: one
        integer from shared memory, about ten microseconds, where a file's times would miss
        writes of the same tick and those that go to the WAL.
        """
        drawn = float("-inf")
        while self._watchers:
            began = time.monotonic()
            with contextlib.suppress(VibeKitError):  # reading will say it
                self._stale |= self.client.vibekit.registry_version() != self._version
            if self._stale or self._woken.is_set() or began - drawn >= WORDS:
                self._woken.clear()
                await asyncio.to_thread(self._draw)
                drawn = began
            took = time.monotonic() - began
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(LOOK, SHARE * took)):
                    await self._woken.wait()

    def _draw(self) -> None:
        if self._stale:
            self.read()
        for watcher in tuple(self._watchers):
            watcher()
