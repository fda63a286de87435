"""envd's process service."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from vibekit_jupyter.local_sandbox.connect import encode_end, encode_envelope
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.rpc import (
    STREAM_TYPE,
    EventStream,
    answer,
    cut_off,
    messages,
    unary,
    user_of,
)
from vibekit_jupyter.local_sandbox.shapes import mapping, number, text, texts, whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from vibekit_jupyter.local_sandbox.commands import Command, Listener
    from vibekit_jupyter.local_sandbox.sandbox import Sandbox

__all__ = ["ProcessService"]

Result = TypeVar("Result")
KEEPALIVE: dict[str, Any] = {"event": {"keepalive": {}}}
KILL_SECONDS = 2.0
SIZE = (80, 24)  # of a terminal whose size nobody told
SIGNALS: dict[int | str, signal.Signals] = {
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
            milliseconds = number(request.headers.get("Connect-Timeout-Ms"), "the time limit", 0)
            # A client that leaves just now has started it nevertheless.
            command, listener = await asyncio.shield(
                self._keep(self._begin(sandbox, stream.message, user, milliseconds / 1000))
            )
            await self._tell(stream, sandbox, command, listener)
        return stream.response

    async def _begin(
        self, sandbox: Sandbox, message: dict[str, Any], user: str, seconds: float
    ) -> tuple[Command, Listener]:
        command = await sandbox.spawn(
            _config(message),
            user=user,
            stdin=message.get("stdin", True) is not False,
            terminal=_size(message),
            tag=text(message.get("tag"), "tag") or None,
        )
        listener = command.listen()
        command.begin()
        self._keep(sandbox.forget_later(command))
        if seconds:
            self._keep(self._limit_time(sandbox, command, seconds))
        return command, listener

    async def connect(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Stream what a running command does from now on."""
        async with EventStream(request, KEEPALIVE) as stream:
            command = sandbox.command(mapping(stream.message.get("process"), "process"))
            await self._tell(stream, sandbox, command, command.listen())
        return stream.response

    @staticmethod
    async def _tell(
        stream: EventStream, sandbox: Sandbox, command: Command, listener: Listener
    ) -> None:
        try:
            await stream.send({"event": {"start": {"pid": command.pid}}})
            ended = False
            while (event := await listener.get()) is not None:
                ended = "end" in event
                if ended and command.overdue:
                    raise ProtocolError("deadline_exceeded", command.reason)
                await stream.send({"event": event})
            if not ended:
                raise cut_off(sandbox)
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
        return answer(
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
        command = sandbox.command(mapping(message.get("process"), "process"))
        command.resize(*(_size(message) or SIZE))
        return answer({})

    async def send_input(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Give input to a command."""
        message = await unary(request)
        await sandbox.command(mapping(message.get("process"), "process")).write(_input(message))
        return answer({})

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
                    process = mapping(mapping(start, "start").get("process"), "process")
                    command = sandbox.command(process)
                elif data := message.get("data"):
                    if command is None:
                        raise ProtocolError("invalid_argument", "input before its start")
                    await command.write(_input(mapping(data, "data")))
        except ProtocolError as error:
            failure = error
            await request.read()
        body = encode_end(failure) if failure else encode_envelope({}) + encode_end()
        return web.Response(body=body, headers={"Content-Type": STREAM_TYPE})

    async def send_signal(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """Signal a command."""
        message = await unary(request)
        command = sandbox.command(mapping(message.get("process"), "process"))
        wanted = message.get("signal")
        sent = SIGNALS.get(wanted) if isinstance(wanted, int | str) else None
        if sent is None:
            raise ProtocolError("invalid_argument", f"unknown signal {str(wanted)[:40]}")
        await sandbox.request("signal", pid=command.pid, signal=int(sent))
        if sent == signal.SIGKILL:
            await command.wait_for_exit(KILL_SECONDS)  # who asks next finds no such process
        return answer({})

    async def close_stdin(self, request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
        """End a command's input."""
        message = await unary(request)
        await sandbox.command(mapping(message.get("process"), "process")).close_stdin()
        return answer({})


def _config(message: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be started, without whatever else the message holds."""
    given = mapping(message.get("process"), "process")
    command, arguments = text(given.get("cmd"), "cmd"), given.get("args") or []
    if not command or not isinstance(arguments, list):
        raise ProtocolError("invalid_argument", "the request names no process")
    return {
        "cmd": command,
        "args": [text(word, "an argument") for word in arguments],
        "envs": texts(given.get("envs"), "envs"),
        **({"cwd": text(given["cwd"], "cwd")} if given.get("cwd") else {}),
    }


def _size(message: dict[str, Any]) -> tuple[int, int] | None:
    size = mapping(mapping(message.get("pty"), "pty").get("size"), "size")
    if not size:
        return None
    cols, rows = (
        min(whole(size.get(name), name, default) or default, 0xFFFF)
        for name, default in zip(("cols", "rows"), SIZE, strict=True)
    )
    return cols, rows


def _input(message: dict[str, Any]) -> bytes:
    given = mapping(message.get("input"), "input")
    encoded = text(given.get("stdin") or given.get("pty"), "input")
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:  # of binascii, or for what is not ASCII
        raise ProtocolError("invalid_argument", "the input is not base64") from error
