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
from weakref import WeakKeyDictionary

from aiohttp import web

from vibekit_jupyter.local_sandbox.connect import encode_json
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.rpc import answer, cut_off, unary
from vibekit_jupyter.local_sandbox.sandbox import USERS
from vibekit_jupyter.local_sandbox.shapes import text, texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from vibekit_jupyter.local_sandbox.commands import Command, Listener
    from vibekit_jupyter.local_sandbox.sandbox import Sandbox

__all__ = ["INTERPRETER_PORT", "Interpreter", "Lines"]

INTERPRETER_PORT = "49999"
START_SECONDS = 60.0
INTERRUPT_SECONDS = 5.0
LONGEST_LINE = 40 * 1024 * 1024
BRIDGE = Path(__file__).with_name("kernel_bridge.py")
HOME = "/home/user"


class Lines:
    """Turns bytes of the bridge, however they were cut, into what it says of one run."""

    def __init__(self, run: int) -> None:
        self._run = run
        self._bytes = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield each line that is complete now; those of earlier runs are passed over.

        Raises
        ------
        ProtocolError
            ``resource_exhausted``: a line without an end.
        """
        self._bytes += data
        while (end := self._bytes.find(b"\n", self._searched)) >= 0:
            line = bytes(self._bytes[:end])
            del self._bytes[: end + 1]
            self._searched = 0
            # The first one may be a part: whoever left did not hear it to its end.
            with contextlib.suppress(ValueError, RecursionError):
                said = json.loads(line)
                if isinstance(said, dict) and said.pop("run", None) == self._run:
                    yield said
        self._searched = len(self._bytes)
        if self._searched > LONGEST_LINE:
            raise ProtocolError(
                "resource_exhausted", f"The kernel said a line of more than {LONGEST_LINE:,} bytes."
            )


@dataclass
class Context:
    """One kernel and the way to it."""

    id: str
    sandbox: Sandbox
    command: Command
    cwd: str
    language: str = "python"
    runs: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def alive(self) -> bool:
        """Whether its bridge is there."""
        known = self.sandbox.commands.get(self.command.pid)
        return known is self.command and not self.command.ended.is_set()

    async def lines(self, listener: Listener, run: int) -> AsyncIterator[dict[str, Any]]:
        """Yield what is said of a run.

        Raises
        ------
        ProtocolError
            The bridge ended, the sandbox was paused, or a line has no end.
        """
        lines = Lines(run)
        while (event := await listener.get()) is not None:
            if "end" in event:
                raise _ended()
            for line in lines.feed(base64.b64decode(event["data"].get("stdout", ""))):
                yield line
        raise cut_off(self.sandbox)

    async def say(self, **request: Any) -> None:
        """Send the bridge a line.

        Raises
        ------
        ProtocolError
            It has ended.
        """
        try:
            await self.command.write(json.dumps(request).encode() + b"\n")
        except ProtocolError as error:
            raise _ended() from error

    async def kill(self) -> None:
        """End it."""
        with contextlib.suppress(ProtocolError):
            await self.sandbox.request("signal", pid=self.command.pid, signal=9)

    def describe(self) -> dict[str, str]:
        """Return what the SDK reads of a context."""
        return {"id": self.id, "language": self.language, "cwd": self.cwd}


class Interpreter:
    """Handlers of the code interpreter; each gets the sandbox that the request is for."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, str], Context] = {}
        self._starting: WeakKeyDictionary[Sandbox, asyncio.Lock] = WeakKeyDictionary()
        self._watching: set[asyncio.Task[None]] = set()

    async def execute(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Run code and stream its output and results, one JSON object per line."""
        message = await unary(request)
        code = message.get("code", "")
        envs = texts(message.get("env_vars"), "env_vars")
        if not isinstance(code, str):
            raise ProtocolError("invalid_argument", "code must be a text")
        context = await self._context(sandbox, message)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        async with context.turn:
            context.runs += 1
            listener = context.command.listen()
            try:
                await context.say(run=context.runs, code=code, envs=envs)
                await response.prepare(request)
                await self._tell(response, context, listener)
            finally:
                listener.close()
        await response.write_eof()
        return response

    async def _tell(
        self, response: web.StreamResponse, context: Context, listener: Listener
    ) -> None:
        try:
            async for line in context.lines(listener, context.runs):
                if line["type"] == "done":
                    return
                await response.write(encode_json(line) + b"\n")
        except ProtocolError as error:
            if error.code == "resource_exhausted":
                await context.kill()
            await self._stop(context, None)
            # It is too late for another answer.
            raise ConnectionResetError(error.message) from error
        except BaseException:  # the client has left: the context is to be of use again
            await self._stop(context, listener)
            raise

    @staticmethod
    async def _stop(context: Context, listener: Listener | None) -> None:
        """Interrupt a run that nobody hears any more, and wait a moment for its end."""
        with contextlib.suppress(ProtocolError, TimeoutError):
            async with asyncio.timeout(INTERRUPT_SECONDS):
                await context.say(interrupt=context.runs)
                if listener is None:
                    return
                async for line in context.lines(listener, context.runs):
                    if line["type"] == "done":
                        return

    async def contexts(self, _request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """List the contexts of a sandbox."""
        return answer(
            [c.describe() for (owner, _id), c in self._contexts.items() if owner == sandbox.id]
        )

    async def create(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Start a context."""
        message = await unary(request)
        context = await self._start(sandbox, secrets.token_hex(8), message)
        return answer(context.describe())

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
            raise ProtocolError("not_found", f"Context {name[:100]} not found")
        return context

    async def _context(self, sandbox: Sandbox, message: dict[str, Any]) -> Context:
        if name := text(message.get("context_id"), "context_id"):
            return self._known(sandbox, name)
        _must_be_python(message)
        async with self._starting.setdefault(sandbox, asyncio.Lock()):
            found = self._contexts.get((sandbox.id, "default"))
            if found is not None and found.alive:
                return found
            return await self._start(sandbox, "default", message)

    async def _start(self, sandbox: Sandbox, name: str, message: dict[str, Any]) -> Context:
        _must_be_python(message)
        if sandbox.confinement.level == "landlock":
            raise ProtocolError(
                "unimplemented", "Under Landlock there are no sockets for a kernel to speak on."
            )
        cwd = text(message.get("cwd"), "cwd") or HOME
        command = await sandbox.spawn(
            {"cmd": "python", "args": ["-c", BRIDGE.read_text(encoding="utf-8")], "cwd": cwd},
            user=USERS[0],
            stdin=True,
        )
        command.service = True
        context = Context(name, sandbox, command, cwd)
        listener = command.listen()
        command.begin()
        self._keep(sandbox.forget_later(command))
        try:
            async with asyncio.timeout(START_SECONDS):
                await anext(context.lines(listener, 0))
        except BaseException as error:
            await context.kill()
            if isinstance(error, TimeoutError):
                raise ProtocolError("internal", "The kernel did not start in time.") from error
            raise
        finally:
            listener.close()
        self._contexts[sandbox.id, name] = context
        self._keep(self._forget(context))
        return context

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _forget(self, context: Context) -> None:
        """Let go of a context, and so of its sandbox, once its bridge has ended."""
        await context.command.ended.wait()
        self._drop(context)

    def _drop(self, context: Context) -> None:
        key = (context.sandbox.id, context.id)
        if self._contexts.get(key) is context:
            del self._contexts[key]

    async def _end(self, context: Context) -> None:
        self._drop(context)
        await context.kill()


def _ended() -> ProtocolError:
    return ProtocolError("unavailable", "The kernel of this context has ended: run the code again.")


def _must_be_python(message: dict[str, Any]) -> None:
    language = text(message.get("language"), "language") or "python"
    if language.lower() not in {"python", "python3"}:
        raise ProtocolError(
            "invalid_argument",
            f"There is no kernel for {language[:40]} here, only one for Python: run a command.",
        )
