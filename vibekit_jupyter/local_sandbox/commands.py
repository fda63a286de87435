"""One running command: its output on the way to whoever listens, its input, its end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import os
import pty
import stat
import struct
import sys
import termios
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.failures import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Command", "Event", "Listener", "Pipes"]

Event = dict[str, Any]

CHUNK = 131_072
PIPE_BYTES = 262_144
BACKLOG = 32
# A child in the background may hold the pipes open for ever; the command itself has ended.
GRACE_SECONDS = 0.25
UNHEARD_BYTES_PER_SECOND = 64 * 1024 * 1024


@dataclass
class Pipes:
    """The descriptors of a command: the sandbox's ends and ours.

    Attributes
    ----------
    theirs
        stdin, stdout and stderr; or one terminal.
    outputs
        What is read here, by the name it has in events.
    stdin
        What is written here; ``None`` where the command gets no input.
    """

    theirs: list[int]
    outputs: dict[str, int]
    stdin: int | None

    def give_to(self, owner: int) -> None:
        """Let a user open the sandbox's ends anew, as ``/dev/stdout`` does."""
        for descriptor in self.theirs:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.fchown(descriptor, owner, -1)

    @classmethod
    def plain(cls, *, stdin: bool) -> Pipes:
        """Make three pipes; without ``stdin`` the command reads the null device."""
        input_read, input_write = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), None)
        output_read, output_write = os.pipe()
        error_read, error_write = os.pipe()
        for ours in (output_read, error_read):
            os.set_blocking(ours, False)
            _widen(ours)
        if input_write is not None:
            os.set_blocking(input_write, False)
        return cls(
            [input_read, output_write, error_write],
            {"stdout": output_read, "stderr": error_read},
            input_write,
        )

    @classmethod
    def terminal(cls, cols: int, rows: int) -> Pipes:
        """Make a pseudo-terminal of a size in characters."""
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        set_size(ours, cols, rows)
        return cls([theirs], {"pty": ours}, ours)

    def close_theirs(self) -> None:
        """Close the sandbox's ends, once it has them."""
        for descriptor in self.theirs:
            os.close(descriptor)
        self.theirs = []

    def close(self) -> None:
        """Close everything."""
        self.close_theirs()
        for descriptor in {*self.outputs.values(), self.stdin} - {None}:
            os.close(descriptor)  # type: ignore[arg-type]  # None is taken out above


def _widen(pipe: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # the user's allowance for large pipes is used up
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def set_size(terminal: int, cols: int, rows: int) -> None:
    """Set a terminal's size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


class Listener(asyncio.Queue[Event | None]):
    """Somebody who hears a command; ``None`` is the last thing heard."""

    def __init__(self, leave: Callable[[Listener], None]) -> None:
        super().__init__(BACKLOG)
        self._leave = leave

    def close(self) -> None:
        """Hear no more; whoever waited to tell goes on."""
        self._leave(self)
        while not self.empty():
            self.get_nowait()
        self.put_nowait(None)


@dataclass
class Command:
    """A command that runs, or has just ended.

    Attributes
    ----------
    pid
        As the sandbox counts.
    config
        What it was started with, as the protocol tells it.
    tag
        A name its starter gave it.
    ended
        Set once it has ended and its output is out.
    reason
        Why a limit ended it.
    overdue
        It was its time limit.
    service
        It belongs to the server, not to a client: it is not listed, and makes nobody busy.
    """

    pid: int
    config: dict[str, Any]
    pipes: Pipes
    tag: str | None = None
    reason: str = ""
    overdue: bool = False
    service: bool = False
    end: Event | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _exited: asyncio.Event = field(default_factory=asyncio.Event)
    _status: int = 0
    _listeners: set[Listener] = field(default_factory=set)
    _waiting: set[asyncio.Future[None]] = field(default_factory=set)
    _input: asyncio.Lock = field(default_factory=asyncio.Lock)
    _task: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether a client's command runs here."""
        return not self.service and not self.ended.is_set()

    def begin(self) -> None:
        """Begin to read its output."""
        self._task = asyncio.create_task(self._run(), name=f"command {self.pid}")

    def exited(self, status: int) -> None:
        """Note that it ended: an exit code, or minus a signal."""
        self._status = status
        self._exited.set()
        for waiting in self._waiting:
            _finish(waiting)

    def cut(self) -> None:
        """End every listener without an end: the sandbox went away, or to sleep."""
        for listener in list(self._listeners):
            listener.close()

    async def wait_for_exit(self, seconds: float) -> None:
        """Wait until it has exited, ``seconds`` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._exited.wait()

    async def abandon(self) -> None:
        """Let go of it: its sandbox is gone. Listeners hear no end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        outputs = self.pipes.outputs
        try:
            async with asyncio.TaskGroup() as group:
                pumps = {name: group.create_task(self._pump(name)) for name in outputs}
            await self._exited.wait()
            self.end = self._end_event()
            await self._publish({"end": self.end})
            self.ended.set()
            await self._publish(None)
            self._listeners.clear()
            async with asyncio.TaskGroup() as group:
                for name, pump in pumps.items():
                    if not pump.result():
                        group.create_task(self._swallow(name))
        finally:
            self.cut()
            self.ended.set()
            self.pipes.close()
            self.pipes = Pipes([], {}, None)
            self.config = {}  # a command line may be long, and its end is asked for later

    def _end_event(self) -> Event:
        if self._status < 0:
            name = _signal_name(-self._status)
            return {
                "exitCode": -1,
                "exited": False,
                "status": f"signal: {name}",
                "error": self.reason or f"signal: {name}",
            }
        event: Event = {
            "exitCode": self._status,
            "exited": True,
            "status": f"exit status {self._status}",
        }
        if self._status:
            event["error"] = self.reason or event["status"]
        return event

    async def _pump(self, name: str) -> bool:
        """Hand on what it prints; return False where others still hold its output open."""
        descriptor = self.pipes.outputs[name]
        while True:
            try:
                data = os.read(descriptor, CHUNK)
            except BlockingIOError:
                if not await self._readable(descriptor):
                    return False
                continue
            except OSError:
                return True  # a terminal whose other side is closed
            if not data:
                return True
            if self._listeners:
                await self._publish({"data": {name: base64.b64encode(data).decode("ascii")}})
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(len(data) / UNHEARD_BYTES_PER_SECOND)

    async def _readable(self, descriptor: int) -> bool:
        """Wait for output; after the command's own end, only for a moment."""
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(descriptor, _finish, ready)
        try:
            if self._exited.is_set():
                done, _pending = await asyncio.wait([ready], timeout=GRACE_SECONDS)
                return bool(done)
            self._waiting.add(ready)
            await ready
            return True
        finally:
            self._waiting.discard(ready)
            loop.remove_reader(descriptor)

    async def _swallow(self, name: str) -> None:
        """Read on for children in the background: a closed pipe would end them."""
        while not await self._pump(name):
            pass

    async def _publish(self, event: Event | None) -> None:
        for listener in list(self._listeners):
            await listener.put(event)

    def listen(self) -> Listener:
        """Hear its events from now on: ``data``, at last ``end``.

        Whoever listens slowly slows the command down; nothing piles up here. No ``end`` comes
        where the sandbox goes away first.
        """
        listener = Listener(self._listeners.discard)
        if self.end is not None:
            listener.put_nowait({"end": self.end})
            listener.put_nowait(None)
        else:
            self._listeners.add(listener)
        return listener

    async def write(self, data: bytes) -> None:
        """Give it input.

        Raises
        ------
        ProtocolError
            It takes none, or none any more.
        """
        async with self._input:
            loop = asyncio.get_running_loop()
            view = memoryview(data)
            while view:
                stdin = self.pipes.stdin
                if stdin is None:
                    raise ProtocolError(
                        "conflict", "stdin is not enabled or closed for this process"
                    )
                try:
                    view = view[os.write(stdin, view) :]
                except BlockingIOError:
                    ready = loop.create_future()
                    loop.add_writer(stdin, _finish, ready)
                    try:
                        await ready
                    finally:
                        loop.remove_writer(stdin)
                except OSError as error:
                    raise ProtocolError(
                        "conflict", f"the process reads no more input: {error.strerror}"
                    ) from error

    async def close_stdin(self) -> None:
        """Tell it that no more input comes.

        Raises
        ------
        ProtocolError
            It runs in a terminal, where Ctrl-D does that.
        """
        if "pty" in self.pipes.outputs:
            raise ProtocolError("invalid_argument", "a terminal's input ends with Ctrl-D (0x04)")
        async with self._input:
            if self.pipes.stdin is not None:
                os.close(self.pipes.stdin)
                self.pipes.stdin = None

    def resize(self, cols: int, rows: int) -> None:
        """Change its terminal's size.

        Raises
        ------
        ProtocolError
            It has none.
        """
        if "pty" not in self.pipes.outputs:
            raise ProtocolError("invalid_argument", "the process has no terminal")
        set_size(self.pipes.outputs["pty"], cols, rows)


def _finish(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _signal_name(number: int) -> str:
    import signal

    known = {9: "killed", 15: "terminated", 2: "interrupt", 11: "segmentation fault"}
    try:
        return known.get(number) or signal.strsignal(number) or str(number)
    except ValueError:
        return str(number)
