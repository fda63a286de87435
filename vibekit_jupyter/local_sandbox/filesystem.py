"""envd's filesystem service. Every path is resolved inside the sandbox, by its supervisor."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.rpc import (
    EventStream,
    answer,
    cut_off,
    unary,
    user_of,
)
from vibekit_jupyter.local_sandbox.shapes import text, whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from vibekit_jupyter.local_sandbox.sandbox import Report, Sandbox

    Polled = tuple[Sandbox, int, list[dict[str, Any]]]

__all__ = ["FilesystemService"]

MOST_EVENTS = 10_000


class FilesystemService:
    """Handlers of ``filesystem.Filesystem``; each gets the sandbox that the request is for."""

    def __init__(self) -> None:
        self._polled: dict[tuple[str, str], Polled] = {}

    def methods(self) -> dict[str, Callable[[web.Request, Sandbox], Awaitable[web.StreamResponse]]]:
        """Return the handlers by method name."""
        return {
            "Stat": self._asks("stat", "path"),
            "MakeDir": self._asks("make_dir", "path"),
            "Move": self._asks("move", "source", "destination"),
            "Remove": self._asks("remove", "path"),
            "ListDir": self.list_folder,
            "WatchDir": self.watch,
            "CreateWatcher": self.create_watcher,
            "GetWatcherEvents": self.watcher_events,
            "RemoveWatcher": self.remove_watcher,
        }

    @staticmethod
    def _asks(
        operation: str, *names: str
    ) -> Callable[[web.Request, Sandbox], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
            message = await unary(request)
            fields: dict[str, Any] = {name: _path(message, name) for name in names}
            found, _none = await sandbox.request(operation, user=user_of(request), **fields)
            return answer(found)

        return handler

    async def list_folder(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """List a folder."""
        message = await unary(request)
        found, _none = await sandbox.request(
            "list",
            path=_path(message, "path"),
            user=user_of(request),
            depth=whole(message.get("depth"), "depth", 1) or 1,
        )
        return answer(found)

    async def watch(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Stream what happens in a folder, until the client leaves."""
        user = user_of(request)
        events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        def report(found: list[dict[str, Any]] | None) -> None:
            for event in [None] if found is None else found:
                if event is None or events.qsize() <= MOST_EVENTS:
                    events.put_nowait(event)

        async with EventStream(request, {"keepalive": {}}) as stream:
            number = await self._begin(sandbox, stream.message, user, report)
            try:
                await stream.send({"start": {}})
                while (event := await events.get()) is not None:
                    if events.qsize() >= MOST_EVENTS:
                        raise ProtocolError(
                            "resource_exhausted", f"more than {MOST_EVENTS} events wait to be read"
                        )
                    await stream.send({"filesystem": event})
                raise cut_off(sandbox)
            finally:
                await sandbox.unwatch(number)
        return stream.response

    @staticmethod
    async def _begin(
        sandbox: Sandbox,
        message: dict[str, Any],
        user: str,
        report: Report,
    ) -> int:
        return await sandbox.watch(
            _path(message, "path"),
            user=user,
            recursive=bool(message.get("recursive")),
            include_entry=bool(message.get("includeEntry")),
            report=report,
        )

    async def create_watcher(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Begin to collect what happens in a folder."""
        events: list[dict[str, Any]] = []

        name = secrets.token_hex(8)

        def report(found: list[dict[str, Any]] | None) -> None:
            if found is None:  # nobody asks for them any more
                self._polled.pop((sandbox.id, name), None)
            else:
                events.extend(found[: MOST_EVENTS - len(events)])

        number = await self._begin(sandbox, await unary(request), user_of(request), report)
        self._polled[sandbox.id, name] = (sandbox, number, events)
        return answer({"watcherId": name})

    async def watcher_events(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Return what was collected since the last call."""
        _sandbox, number, events = self._watcher(sandbox, await unary(request))
        await sandbox.request("flush", watch=number)
        found = list(events)
        events.clear()
        return answer({"events": found})

    async def remove_watcher(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Stop collecting."""
        message = await unary(request)
        _sandbox, number, _events = self._watcher(sandbox, message)
        self._polled.pop((sandbox.id, str(message["watcherId"])), None)
        await sandbox.unwatch(number)
        return answer({})

    def _watcher(self, sandbox: Sandbox, message: dict[str, Any]) -> Polled:
        found = self._polled.get((sandbox.id, str(message.get("watcherId"))))
        if found is None:
            name = str(message.get("watcherId"))[:100]
            raise ProtocolError("not_found", f"watcher {name} not found")
        return found


def _path(message: dict[str, Any], name: str) -> str:
    return text(message.get(name), name)
