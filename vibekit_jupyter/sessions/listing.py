"""Lists of sessions, as the registry and the service know them."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import SandboxUnreachableError
from vibekit_jupyter.sandbox.service import list_sandboxes
from vibekit_jupyter.sessions.book import seen_session
from vibekit_jupyter.sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sessions.book import SessionBook
    from vibekit_jupyter.settings.config import Service

__all__ = ["of_everybody", "of_ones_own"]

# How many of one's own are read from the service, and how many that it leaves out are asked for.
MOST_READ = 2000
MOST_ASKED = 10


async def of_ones_own(book: SessionBook, service: Service) -> Sequence[Session]:
    """Return the sessions of the book's user, the last used first; what is seen is recorded.

    Not to be listed is no evidence: one that should be there and is not is asked for, a few at a
    time. The others are ``unknown``.
    """
    began = time.time()
    try:
        seen = [
            seen_session(info, service)
            async for info in list_sandboxes(
                service, metadata={"vibekit_user": book.user}, most=MOST_READ
            )
            # Not every service leaves out what carries other labels.
            if info.metadata.get("vibekit_user") == book.user
        ]
    except SandboxUnreachableError:
        return [_placed(one, service, reachable=False) for one in book.remembered()]
    book.registry.learn(seen, service, began=began)
    missing = book.registry.unlisted(book.user, service, {one.id for one in seen}, began=began)
    asked = await asyncio.gather(
        *(book.show(one, service) for one in missing[:MOST_ASKED]), return_exceptions=True
    )
    known = {one.id for one in asked if isinstance(one, Session) and one.state != "unreachable"}
    unknown = {one.id for one in missing} - known
    return [
        dataclasses.replace(one, state="unknown", ends_at=None)
        if one.id in unknown
        else _placed(one, service)
        for one in book.remembered()
    ]


async def of_everybody(book: SessionBook, service: Service, most: int) -> Sequence[Session]:
    """Return a service's newest sandboxes, whoever has made them; nothing is recorded."""
    sessions = []
    async for info in list_sandboxes(service, most=most):
        seen = seen_session(info, service)
        known = book.known(service.id, info.id)
        if known is not None:
            seen = dataclasses.replace(known, state=seen.state, ends_at=seen.ends_at)
        sessions.append(book.marked(seen))
    return sessions


def _placed(session: Session, service: Service, *, reachable: bool = True) -> Session:
    """Return a session with its state as seen from a service."""
    if session.service_id != service.id:
        return dataclasses.replace(session, state="elsewhere")
    if not reachable and session.state != "gone":
        return dataclasses.replace(session, state="unreachable", ends_at=None)
    return session
