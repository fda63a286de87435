"""Who is connected to the server: so many at once, and who asks for nothing goes first."""

from __future__ import annotations

import contextlib
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from aiohttp import web

__all__ = ["HEAD_SECONDS", "Visitors", "allow_descriptors"]

MOST = 1024
# For the head of a request to arrive whole, and for a connection to be asked something again.
HEAD_SECONDS = 30.0
DESCRIPTORS = 16_384


class Visitors:
    """The connections of the server's clients."""

    def __init__(self) -> None:
        self._served: set[asyncio.BaseProtocol] = set()
        self._known: set[asyncio.BaseProtocol] = set()

    @contextlib.contextmanager
    def served(self, request: web.Request) -> Iterator[None]:
        """Keep a connection for as long as its request is answered."""
        visitor = request.protocol
        self._served.add(visitor)
        try:
            yield
        finally:
            self._served.discard(visitor)
            self._known.add(visitor)

    def admit(self, server: web.Server) -> web.RequestHandler:
        """Return the protocol of a new connection; where there are too many, close an old one."""
        connected = server.connections
        if len(connected) >= MOST and (leaves := self._first_to_leave(connected)) is not None:
            leaves.force_close()
        if len(self._known) > MOST:
            self._known.intersection_update(connected)
        return server()

    def _first_to_leave(self, connected: Sequence[web.RequestHandler]) -> web.RequestHandler | None:
        """Return the oldest that never asked for anything, else the oldest that asks for nothing.

        Who was answered before may be about to ask again, and a request that meets the end of its
        connection fails.
        """
        known = None
        for visitor in connected:
            if visitor in self._served or visitor.transport is None:
                continue
            if visitor not in self._known:
                return visitor
            known = known or visitor
        return known


def allow_descriptors() -> None:
    """Take as many descriptors as the system gives, within reason.

    The usual 1,024 are less than what sandboxes and their clients may rightly have open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS counts otherwise
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
