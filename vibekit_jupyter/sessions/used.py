"""Which sandboxes a client uses, for others to know, and for the end of its kernel."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.sandbox import service as sandbox_service
from vibekit_jupyter.sandbox.ending import new_run
from vibekit_jupyter.services.process import own_mark
from vibekit_jupyter.sessions.processes import Renewal

if TYPE_CHECKING:
    from vibekit_jupyter.sessions.registry import Registry
    from vibekit_jupyter.settings.config import Service

__all__ = ["Used"]


class Used:
    """The sandboxes of one client, written down while it uses them.

    Parameters
    ----------
    registry
        Where other kernels look.
    user
        Whose client it is.

    Attributes
    ----------
    run
        The number that the client's own commands bear.
    """

    def __init__(self, registry: Registry, user: str) -> None:
        self.run = new_run()
        self._registry = registry
        self._user = user
        self._services: dict[tuple[str, str], Service] = {}
        self._recorded: set[tuple[str, str]] = set()
        self._renewal = Renewal(registry)

    def add(self, service: Service, session_id: str) -> None:
        """Write down that a session is used, before anything is done in it.

        Should this process be killed, the next one that connects the sandbox finds what it left
        running by its number.
        """
        place = (service.id, session_id)
        if place not in self._recorded:
            self._registry.add_commander(*place, owner=own_mark(), run=self.run)
            self._recorded.add(place)
        self._services[place] = service
        self._renewal.begin()

    def leave(self, *, busy: bool) -> None:
        """Write down that none is used any more; not while commands go on (``busy``).

        The next one to connect their sandbox ends those.
        """
        self._renewal.end()
        if self._recorded and not busy:
            self._registry.drop_commander(self.run)
            self._recorded.clear()

    async def pause(self) -> None:
        """Pause one's own sessions of these that no other kernel uses at this moment."""
        await asyncio.gather(
            *(
                self._pause(service, session_id)
                for (_, session_id), service in self._services.items()
            )
        )

    async def _pause(self, service: Service, session_id: str) -> None:
        # One that is paused, gone or silent is nobody's concern any more.
        with contextlib.suppress(VibeKitError):
            info = await sandbox_service.get_info(service, session_id)
            if info.metadata.get("vibekit_user") != self._user or info.state != "running":
                return
            # Asked last, so that whoever begins meanwhile is seen.
            if self._has_others(service.id, session_id):
                return
            await sandbox_service.pause(service, session_id)
            if session := self._registry.get(service.id, session_id):
                self._registry.update(session, state="paused", ends_at=None)

    def _has_others(self, service_id: str, session_id: str) -> bool:
        users = {owner for owner, _ in self._registry.commanders(service_id, session_id)}
        users.update(self._registry.owners_of_runs(service_id, session_id))
        return any(self._registry.is_there(user) for user in users - {own_mark()})
