"""The Python of a session: one process in its sandbox, that does one request after the other."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.resources
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from vibekit_jupyter.errors import SandboxError
from vibekit_jupyter.sandbox.bounded_text import BoundedText
from vibekit_jupyter.sandbox.process import Process
from vibekit_jupyter.sessions.interpreters import InterpreterRecord
from vibekit_jupyter.workbench.code.framing import FrameReader
from vibekit_jupyter.workbench.code.told import Begun, Ended, Notice, Printed, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sandbox.process import ProcessEnd
    from vibekit_jupyter.workbench.code.told import Fault, Output

Stream = Literal["stdout", "stderr"]

__all__ = ["NO_PYTHON", "Interpreter", "InterpreterEndedError", "Request", "driver_source"]

NO_PYTHON: Final = 97
# The source stands in a variable: it is larger than what a command line shows well.
START: Final = (
    f"command -v python3 >/dev/null 2>&1 || exit {NO_PYTHON}\n"
    "exec python3 -c "
    """'import os; exec(compile(os.environ.pop("VIBEKIT_DRIVER"), "<vibekit>", "exec"))'"""
)
# What each of the driver's modules has for itself where it stands alone.
IMPORTS: Final = re.compile(
    r"^from (?:__future__|vibekit_jupyter[.\w]*) import (?:\([^)]*\)|.*)\n", re.MULTILINE
)
WAITS: Final = Notice("Another cell runs in this session's Python: this one waits for it.")
# Seconds: until a cell that has not begun is said to wait, and for what is on its way on stderr.
SAID_TO_WAIT: Final = 0.5
ON_ITS_WAY: Final = 0.5
# Seconds for a process that takes no request any more to end.
ENDING: Final = 1.0


class InterpreterEndedError(Exception):
    """The process ended before it was done with a request.

    Attributes
    ----------
    end
        How.
    said
        What it said last, outside of any request.
    """

    def __init__(self, end: ProcessEnd, said: str) -> None:
        super().__init__(end.reason)
        self.end = end
        self.said = said


@dataclass(eq=False)
class Request:
    """What an interpreter was asked for: an action of the driver's, with its fields."""

    action: str
    fields: dict[str, Any]
    tell: Callable[[Output], None]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    begun: bool = False
    ended: set[Stream] = field(default_factory=set)
    fault: Fault | None = None
    answer: Any = None
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def finish(self, error: BaseException | None = None) -> None:
        """Let whoever waits for it go on."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Interpreter:
    """A connection to the process. Make it with :meth:`start` or :meth:`attach`.

    Attributes
    ----------
    record
        How others find the process.
    is_starting
        Nothing was heard of it yet.
    taught
        What it has learned from us, by the names of the packages.
    """

    def __init__(self, mark: str) -> None:
        self.record = InterpreterRecord(0, mark)
        self._mark = mark
        self._process: Process
        self._requests: dict[str, Request] = {}
        self._readers = {"stdout": FrameReader(mark), "stderr": FrameReader(mark)}
        self._current: dict[str, Request | None] = {"stdout": None, "stderr": None}
        self._said = BoundedText(0, 300)
        self.is_starting = False
        self.taught = set[str]()

    @classmethod
    async def start(cls, sandbox: Sandbox) -> Interpreter:
        """Start a new process."""
        self = cls(f"\x1e{secrets.token_hex(16)}")
        self.is_starting = True
        self._process = await Process.start(
            sandbox,
            START,
            name=_name(self._mark),
            envs={"VIBEKIT_DRIVER": driver_source()},
            on_stdout=functools.partial(self._hear, "stdout"),
            on_stderr=functools.partial(self._hear, "stderr"),
        )
        self.record = InterpreterRecord(self._process.pid, self._mark)
        await self._send({"mark": self._mark})
        return self

    @classmethod
    async def attach(cls, sandbox: Sandbox, record: InterpreterRecord) -> Interpreter | None:
        """Speak to a process that was started before; None where it is not there any more."""
        self = cls(record.mark)
        process = await Process.attach(
            sandbox,
            record.pid,
            name=_name(record.mark),
            on_stdout=functools.partial(self._hear, "stdout"),
            on_stderr=functools.partial(self._hear, "stderr"),
        )
        if process is None:
            return None
        self._process, self.record = process, record
        return self

    @property
    def is_heard(self) -> bool:
        """Whether the connection is open."""
        return self._process.is_heard

    async def ask(self, request: Request) -> None:
        """Have a request done, when those before it are; what it tells is told meanwhile.

        Raises
        ------
        InterpreterEndedError
            The process ended.
        SandboxError, SessionNotFoundError
            The connection was lost; the request may go on.
        """
        self._requests[request.id] = request
        ended = asyncio.ensure_future(self._process.ended())
        waiting = asyncio.get_running_loop().call_later(SAID_TO_WAIT, self._say_it_waits, request)
        try:
            try:
                await self._send({"do": request.action, "id": request.id, **request.fields})
            except SandboxError:
                # A process that has just ended takes no request.
                await asyncio.wait([ended], timeout=ENDING)
                if not ended.done():
                    raise
            both: list[asyncio.Future[Any]] = [request.done, ended]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if request.done.done():
                request.done.result()
            else:
                raise InterpreterEndedError(ended.result(), str(self._said))
        finally:
            waiting.cancel()
            ended.cancel()
            self._requests.pop(request.id, None)

    async def interrupt(self, request: Request) -> None:
        """Break into a request, or let it not begin; what is kept stays."""
        await self._send({"do": "interrupt", "id": request.id})

    async def kill(self) -> None:
        """End the process; what it holds is gone."""
        await self._process.kill()

    async def leave(self) -> None:
        """Close the connection; the process goes on."""
        await self._process.leave()

    async def _send(self, request: dict[str, Any]) -> None:
        await self._process.send(json.dumps(request) + "\n")

    def _say_it_waits(self, request: Request) -> None:
        if not request.begun and not self.is_starting:
            self._tell(request, WAITS)

    def _hear(self, stream: Stream, text: str) -> None:
        for part in self._readers[stream].feed(text):
            if isinstance(part, str):
                if (current := self._current[stream]) is not None:
                    self._tell(current, Printed(stream, part))
                else:
                    self._said.append(part)
                continue
            told = read(part)
            match told:
                case Begun(number):
                    self._begin(stream, number)
                case Ended():
                    self._end(stream, told)
                case _ if (current := self._current[stream]) is not None:
                    self._tell(current, told)

    def _begin(self, stream: Stream, number: str) -> None:
        self.is_starting = False
        self._current[stream] = request = self._requests.get(number)
        if request is not None:
            request.begun = True

    def _end(self, stream: Stream, told: Ended) -> None:
        current = self._current[stream]
        if current is not None and current.id == told.request:
            self._current[stream] = None
        request = self._requests.get(told.request)
        if request is None or stream in request.ended:
            return
        request.ended.add(stream)
        if stream == "stdout":
            request.fault, request.answer = told.fault, told.answer
            # A cell may have closed the other way.
            asyncio.get_running_loop().call_later(ON_ITS_WAY, request.finish)
        if len(request.ended) == len(self._current):
            request.finish()

    def _tell(self, request: Request, told: Output) -> None:
        """Tell something; what a listener raises is raised to whoever asked."""
        try:
            request.tell(told)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is the listener's)
            request.finish(error)


@functools.cache
def driver_source() -> str:
    """Return the driver's modules as one text: what they import of each other is in it."""
    folder = importlib.resources.files("vibekit_jupyter.workbench.code")
    texts = [
        folder.joinpath(f"driver_{name}.py").read_text(encoding="ascii")
        for name in ("forms", "learning", "shell", "script")
    ]
    return "from __future__ import annotations\n" + IMPORTS.sub("", "".join(texts))


def _name(mark: str) -> str:
    """Return what a process may be known by to everybody; its mark is for us."""
    return hashlib.sha256(mark.encode()).hexdigest()[:24]
