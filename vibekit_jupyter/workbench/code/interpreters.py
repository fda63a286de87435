"""The interpreters of one client's sessions: found, started, and told when one was lost."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.workbench.code.interpreter import Interpreter
from vibekit_jupyter.workbench.code.told import Notice

if TYPE_CHECKING:
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sessions.registry import Registry

__all__ = ["ANEW", "Interpreters"]

ANEW: Final = Notice("The sandbox's Python was started anew; variables of earlier cells are gone.")


class Interpreters:
    """Connections to interpreters, made when they are needed, and kept.

    Parameters
    ----------
    registry
        What says which process is whose; other kernels use the same.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[tuple[str, str], Interpreter] = {}
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, sandbox: Sandbox) -> tuple[Interpreter, Notice | None]:
        """Return a sandbox's interpreter, and what is to be said of it."""
        place = (sandbox.service.id, sandbox.id)
        async with self._locks[place]:
            kept = self._kept.get(place)
            if kept is not None and kept.is_heard:
                return kept, None
            record = self._registry.interpreter(*place)
            found = record and await Interpreter.attach(sandbox, record)
            if found:
                self._kept[place] = found
                return found, None
            new = await Interpreter.start(sandbox)
            valid = self._registry.replace_interpreter(*place, new.record, instead_of=record)
            if valid != new.record:
                # Another kernel was faster.
                await new.kill()
                new = await Interpreter.attach(sandbox, valid) or new
            self._kept[place] = new
            return new, ANEW if record or self._was_before(*place) else None

    def _was_before(self, service_id: str, session_id: str) -> bool:
        """Whether the session carries on another one that had an interpreter."""
        session = self._registry.get(service_id, session_id)
        if session is None or not session.continued_from:
            return False
        return self._registry.interpreter(service_id, session.continued_from) is not None

    async def aclose(self) -> None:
        """Close the connections; the processes go on."""
        kept, self._kept = self._kept, {}
        for interpreter in kept.values():
            await interpreter.leave()
