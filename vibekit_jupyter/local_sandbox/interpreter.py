"""E2B's code interpreter (port 49999): Jupyter kernels inside the sandbox, one per context."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.rpc import unary
from vibekit_jupyter.local_sandbox.sandbox import USERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vibekit_jupyter.local_sandbox.commands import Command, Listener
    from vibekit_jupyter.local_sandbox.sandbox import Sandbox

__all__ = ["INTERPRETER_PORT", "Interpreter"]

INTERPRETER_PORT = "49999"
START_SECONDS = 60.0
BRIDGE = Path(__file__).with_name("kernel_bridge.py")
HOME = "/home/user"


@dataclass
class Context:
    """One kernel and the way to it."""

    id: str
    sandbox: Sandbox
    command: Command
    listener: Listener
    cwd: str
    language: str = "python"
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _rest: bytes = b""

    @property
    def alive(self) -> bool:
        """Whether its kernel is there."""
        known = self.sandbox.commands.get(self.command.pid)
        return known is self.command and not self.command.ended.is_set()

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the kernel says; at last ``done``.

        Raises
        ------
        ProtocolError
            The kernel ended.
        """
        while True:
            while b"\n" in self._rest:
                line, _newline, self._rest = self._rest.partition(b"\n")
                yield json.loads(line)
            event = await self.listener.get()
            if event is None or "end" in event:
                raise ProtocolError("unavailable", "The kernel of this context has ended.")
            self._rest += base64.b64decode(event["data"].get("stdout", ""))

    async def say(self, **request: Any) -> None:
        """Send the bridge a line."""
        await self.command.write(json.dumps(request).encode() + b"\n")

    def describe(self) -> dict[str, str]:
        """Return what the SDK reads of a context."""
        return {"id": self.id, "language": self.language, "cwd": self.cwd}


class Interpreter:
    """Handlers of the code interpreter; each gets the sandbox that the request is for."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, str], Context] = {}
        self._starting = asyncio.Lock()

    async def execute(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Run code and stream its output and results, one JSON object per line."""
        message = await unary(request)
        context = await self._context(sandbox, message)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        async with context.turn:
            await context.say(code=str(message.get("code", "")), envs=message.get("env_vars") or {})
            await response.prepare(request)
            done = False
            try:
                async for line in context.lines():
                    done = line["type"] == "done"
                    if done:
                        break
                    await response.write(json.dumps(line).encode() + b"\n")
            finally:
                if not done:
                    await self._interrupt(context)
        await response.write_eof()
        return response

    @staticmethod
    async def _interrupt(context: Context) -> None:
        """Stop a run whose client has left, so that the context can be used again."""
        with contextlib.suppress(ProtocolError, TimeoutError):
            await context.say(interrupt=True)
            async with asyncio.timeout(5):
                async for line in context.lines():
                    if line["type"] == "done":
                        return

    async def contexts(self, _request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """List the contexts of a sandbox."""
        return web.json_response(
            [c.describe() for (owner, _id), c in self._contexts.items() if owner == sandbox.id]
        )

    async def create(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Start a context."""
        message = await unary(request)
        context = await self._start(sandbox, secrets.token_hex(8), message)
        return web.json_response(context.describe())

    async def remove(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """End a context."""
        await self._end(self._known(sandbox, request.match_info["context"]))
        return web.Response(status=204)

    async def restart(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Start a context anew."""
        context = self._known(sandbox, request.match_info["context"])
        await self._end(context)
        await self._start(sandbox, context.id, {"cwd": context.cwd})
        return web.Response(status=204)

    def _known(self, sandbox: Sandbox, name: str) -> Context:
        context = self._contexts.get((sandbox.id, name))
        if context is None or not context.alive:
            raise ProtocolError("not_found", f"Context {name} not found")
        return context

    async def _context(self, sandbox: Sandbox, message: dict[str, Any]) -> Context:
        if name := message.get("context_id"):
            return self._known(sandbox, str(name))
        async with self._starting:
            found = self._contexts.get((sandbox.id, "default"))
            if found is not None and found.alive:
                return found
            return await self._start(sandbox, "default", message)

    async def _start(self, sandbox: Sandbox, name: str, message: dict[str, Any]) -> Context:
        language = str(message.get("language") or "python").lower()
        if language != "python":
            raise ProtocolError("invalid_argument", f"there is no kernel for {language} here")
        if sandbox.confinement.level == "landlock":
            raise ProtocolError(
                "unimplemented", "Under Landlock there are no sockets for a kernel to speak on."
            )
        cwd = str(message.get("cwd") or HOME)
        command = await sandbox.spawn(
            {"cmd": "python", "args": ["-c", BRIDGE.read_text(encoding="utf-8")], "cwd": cwd},
            user=USERS[0],
            stdin=True,
        )
        command.service = True
        context = Context(name, sandbox, command, command.listen(), cwd)
        command.begin()
        try:
            async with asyncio.timeout(START_SECONDS):
                async for line in context.lines():
                    if line["type"] == "ready":
                        break
        except TimeoutError as error:
            raise ProtocolError("internal", "The kernel did not start in time.") from error
        self._contexts = {key: known for key, known in self._contexts.items() if known.alive}
        self._contexts[sandbox.id, name] = context
        return context

    async def _end(self, context: Context) -> None:
        del self._contexts[context.sandbox.id, context.id]
        context.listener.close()
        with contextlib.suppress(ProtocolError):
            await context.sandbox.request("signal", pid=context.command.pid, signal=9)
