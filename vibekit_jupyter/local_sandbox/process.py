"""envd's process service."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import signal
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from vibekit_jupyter.local_sandbox.connect import encode_end, encode_envelope
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.rpc import (
    STREAM_TYPE,
    EventStream,
    messages,
    sandbox_gone,
    unary,
    user_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from vibekit_jupyter.local_sandbox.commands import Command, Listener
    from vibekit_jupyter.local_sandbox.sandbox import Sandbox

__all__ = ["ProcessService"]

Result = TypeVar("Result")
KEEPALIVE: dict[str, Any] = {"event": {"keepalive": {}}}
KILL_SECONDS = 2.0
SIGNALS = {
    "SIGNAL_SIGTERM": signal.SIGTERM,
    "SIGNAL_SIGKILL": signal.SIGKILL,
    15: signal.SIGTERM,
    9: signal.SIGKILL,
}


class ProcessService:
    """Handlers of ``process.Process``; each gets the sandbox that the request is for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def methods(self) -> dict[str, Callable[[web.Request, Sandbox], Awaitable[web.StreamResponse]]]:
        """Return the handlers by method name."""
        return {
            "Start": self.start,
            "Connect": self.connect,
            "List": self.list,
            "Update": self.update,
            "SendInput": self.send_input,
            "StreamInput": self.stream_input,
            "SendSignal": self.send_signal,
            "CloseStdin": self.close_stdin,
        }

    async def start(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Start a command and stream what it does; its time limit is kept here."""
        user = user_of(request)
        async with EventStream(request, KEEPALIVE) as stream:
            deadline = request.headers.get("Connect-Timeout-Ms")
            # A client that leaves just now has started it nevertheless.
            command, listener = await asyncio.shield(
                self._keep(self._begin(sandbox, stream.message, user, deadline))
            )
            await self._tell(stream, command, listener)
        return stream.response

    async def _begin(
        self, sandbox: Sandbox, message: dict[str, Any], user: str, deadline: str | None
    ) -> tuple[Command, Listener]:
        size = (message.get("pty") or {}).get("size")
        command = await sandbox.spawn(
            _config(message),
            user=user,
            stdin=message.get("stdin", True) is not False,
            terminal=(int(size.get("cols") or 80), int(size.get("rows") or 24)) if size else None,
            tag=message.get("tag"),
        )
        listener = command.listen()
        command.begin()
        self._keep(sandbox.forget_later(command))
        if deadline:
            self._keep(self._limit_time(sandbox, command, float(deadline) / 1000))
        return command, listener

    async def connect(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Stream what a running command does from now on."""
        async with EventStream(request, KEEPALIVE) as stream:
            command = sandbox.command(stream.message.get("process") or {})
            await self._tell(stream, command, command.listen())
        return stream.response

    @staticmethod
    async def _tell(stream: EventStream, command: Command, listener: Listener) -> None:
        try:
            await stream.send({"event": {"start": {"pid": command.pid}}})
            ended = False
            while (event := await listener.get()) is not None:
                ended = "end" in event
                if ended and command.overdue:
                    raise ProtocolError("deadline_exceeded", command.reason)
                await stream.send({"event": event})
            if not ended:
                raise sandbox_gone()
        finally:
            listener.close()

    @staticmethod
    async def _limit_time(sandbox: Sandbox, command: Command, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await command.ended.wait()
                return
        command.overdue = True
        command.reason = f"killed: its time limit of {seconds:g} seconds is over"
        with contextlib.suppress(ProtocolError):
            await sandbox.request("signal", pid=command.pid, signal=signal.SIGKILL)

    def _keep(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self) -> None:
        """Drop what waits in the background."""
        for task in self._tasks:
            task.cancel()

    async def list(self, _request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """List the commands that run."""
        return web.json_response(
            {
                "processes": [
                    {
                        "config": command.config,
                        "pid": command.pid,
                        **({"tag": command.tag} if command.tag else {}),
                    }
                    for command in sandbox.commands.values()
                    if command.active
                ]
            }
        )

    async def update(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Change a terminal's size."""
        message = await unary(request)
        size = (message.get("pty") or {}).get("size") or {}
        command = sandbox.command(message.get("process") or {})
        command.resize(int(size.get("cols") or 80), int(size.get("rows") or 24))
        return web.json_response({})

    async def send_input(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Give input to a command."""
        message = await unary(request)
        await sandbox.command(message.get("process") or {}).write(_input(message))
        return web.json_response({})

    async def stream_input(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Give a stream of input to a command.

        The answer begins only after the whole request is read: clients of HTTP/1.1 stop sending
        when an answer begins.
        """
        failure: ProtocolError | None = None
        try:
            command: Command | None = None
            async for message in messages(request):
                if start := message.get("start"):
                    command = sandbox.command(start.get("process") or {})
                elif data := message.get("data"):
                    if command is None:
                        raise ProtocolError("invalid_argument", "input before its start")
                    await command.write(_input(data))
        except ProtocolError as error:
            failure = error
            await request.read()
        body = encode_end(failure) if failure else encode_envelope({}) + encode_end()
        return web.Response(body=body, headers={"Content-Type": STREAM_TYPE})

    async def send_signal(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Signal a command."""
        message = await unary(request)
        command = sandbox.command(message.get("process") or {})
        number = SIGNALS.get(message.get("signal", ""))
        if number is None:
            raise ProtocolError("invalid_argument", f"unknown signal {message.get('signal')}")
        await sandbox.request("signal", pid=command.pid, signal=int(number))
        if number == signal.SIGKILL:
            await command.wait_for_exit(KILL_SECONDS)  # who asks next finds no such process
        return web.json_response({})

    async def close_stdin(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """End a command's input."""
        message = await unary(request)
        await sandbox.command(message.get("process") or {}).close_stdin()
        return web.json_response({})


def _config(message: dict[str, Any]) -> dict[str, Any]:
    config = message.get("process")
    if not isinstance(config, dict) or not isinstance(config.get("cmd"), str):
        raise ProtocolError("invalid_argument", "the request names no process")
    words = [config["cmd"], *config.get("args", []), *config.get("envs", {}).values()]
    if any("\0" in str(word) for word in words):
        raise ProtocolError("invalid_argument", "a command cannot hold NUL bytes")
    return config


def _input(message: dict[str, Any]) -> bytes:
    given = message.get("input") or {}
    try:
        return base64.b64decode(given.get("stdin") or given.get("pty") or "", validate=True)
    except binascii.Error as error:
        raise ProtocolError("invalid_argument", "the input is not base64") from error
