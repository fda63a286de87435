"""One run of a person's own code: from a source to a result, told as it comes, stopped in steps."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

from vibekit_jupyter.errors import (
    CodeError,
    DataError,
    RunInterruptedError,
    SandboxError,
    SessionNotFoundError,
)
from vibekit_jupyter.events import CommandOutput, ToolCallFinished
from vibekit_jupyter.results import CodeResult
from vibekit_jupyter.sandbox.bounded_text import BoundedText
from vibekit_jupyter.sandbox.connection import kept_alive
from vibekit_jupyter.workbench.code.interpreter import NO_PYTHON, InterpreterEndedError, Request
from vibekit_jupyter.workbench.code.languages import MISSING, PROGRAMS, check_code, command_of
from vibekit_jupyter.workbench.code.told import Notice, Printed, Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sandbox.process import ProcessEnd
    from vibekit_jupyter.sessions.workspace import Workspace
    from vibekit_jupyter.workbench.code.cell_data import CellData
    from vibekit_jupyter.workbench.code.interpreter import Interpreter
    from vibekit_jupyter.workbench.code.interpreters import Interpreters
    from vibekit_jupyter.workbench.code.languages import Language
    from vibekit_jupyter.workbench.code.told import Fault, Output

__all__ = ["CodeRun", "Opened"]

T = TypeVar("T")

MOST_PRINTED: Final = 1_000_000  # characters of each stream
MOST_SHOWN: Final = 20_000_000  # characters of all results
MOST_RESULTS: Final = 200
OLDER: Final = "'learn'"
"""What an interpreter says that an older version has started, which had nothing to learn."""
# Seconds for what is interrupted to end, where nobody is there to press again.
PATIENCE: Final = 10.0


@dataclass(frozen=True)
class Opened:
    """The session in which the code runs."""

    session_id: str
    session_name: str
    created: bool


class Redacts(Protocol):
    """What takes secrets out of what is told."""

    def text(self, text: str) -> str:
        """Return a text without secrets."""

    def value(self, value: T) -> T:
        """Return the same structure without secrets."""

    def event(self, event: Event) -> Iterator[Event]:
        """Yield what may be told when this event has come."""


class CodeRun:
    """A cell on its way to its end. It is run once, by :meth:`go`.

    Parameters
    ----------
    workspace, interpreters
        The client's.
    code, language
        What runs.
    session_id
        Where; None is the current session, created if there is none.
    tell
        Called with ``Opened``, then with all that comes.
    redactor
        Takes the secrets out of it.
    timeout
        Seconds; None is no limit.
    data
        The variables that go with it and come back.
    """

    def __init__(
        self,
        workspace: Workspace,
        interpreters: Interpreters,
        code: str,
        *,
        language: Language,
        session_id: str | None,
        tell: Callable[[Opened | Output], None],
        redactor: Redacts,
        timeout: float | None = None,
        data: CellData | None = None,
    ) -> None:
        check_code(code, language)
        self._workspace = workspace
        self._interpreters = interpreters
        self._code = code
        self._language = language
        self._session_id = session_id
        self._tell_listener = tell
        self._redactor = redactor
        self._timeout = timeout
        self._data = data
        self._came: Mapping[str, Any] = {}
        self._printed: dict[Literal["stdout", "stderr"], BoundedText] = {
            "stdout": BoundedText.of(MOST_PRINTED),
            "stderr": BoundedText.of(MOST_PRINTED),
        }
        self._outputs: list[Shown] = []
        self._room = MOST_SHOWN
        self._left_out = False
        self._value = ""
        self._presses = 0
        self._task: asyncio.Task[None] | None = None
        self._asked: tuple[Interpreter, Request] | None = None

    async def go(self) -> CodeResult:
        """Run it to its end.

        Cancelled, it interrupts the code, and ends the interpreter where that does not help.

        Raises
        ------
        CodeError
            The code failed, or ended its interpreter.
        RunInterruptedError
            It was stopped.
        """
        began = time.monotonic()
        self._task = asyncio.ensure_future(self._work())
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.shield(self._task)
        except TimeoutError as error:
            if self._task.done():
                raise  # the code's own kind
            await asyncio.shield(self._give_up())
            raise CodeError(
                f"The code ran out of time after {self._timeout:g} s.",
                hint="Give it more, or run less at once.",
                session_id=self._session_id,
            ) from error
        except asyncio.CancelledError:
            if self._presses and self._task.cancelled():
                raise _interrupted("The session can go on.") from None
            await asyncio.shield(self._give_up())
            raise
        finally:
            self._flush()
        return CodeResult(
            self._code,
            self._language,
            self._session_id or "",
            str(self._printed["stdout"]),
            str(self._printed["stderr"]),
            [shown.data for shown in self._outputs],
            self._value,
            time.monotonic() - began,
            self._came,
        )

    async def stop(self) -> None:
        """Interrupt the code; asked again, end its interpreter."""
        self._presses += 1
        if self._asked is None:
            if self._task is not None:
                self._task.cancel()
            return
        interpreter, request = self._asked
        with contextlib.suppress(SandboxError, SessionNotFoundError):
            if self._presses == 1:
                await interpreter.interrupt(request)
            elif request.begun or interpreter.is_starting:
                await interpreter.kill()
            elif self._task is not None:
                self._task.cancel()  # another one's cell is at work there

    async def _give_up(self) -> None:
        """End the code, and its interpreter where it does not end by itself."""
        assert self._task is not None  # noqa: S101 - it is set where this is called
        await self.stop()
        await asyncio.wait([self._task], timeout=PATIENCE)
        if not self._task.done():
            await self.stop()
            await asyncio.wait([self._task], timeout=PATIENCE)
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    async def _work(self) -> None:
        workspace = self._workspace
        created = False
        if self._session_id is None:
            self._session_id, created = await workspace.current_or_new()
        sandbox = await workspace.connect(self._session_id)
        session = workspace.book.session_of(sandbox)
        self._tell_listener(Opened(session.id, session.name, created))
        if self._language == "python":
            async with workspace.explained(), kept_alive(sandbox):
                await self._python(sandbox)
        else:
            await self._command(sandbox)

    async def _python(self, sandbox: Sandbox) -> None:
        if self._data is not None:
            if not await self._data.has_python(sandbox):
                raise self._missing()
            await self._data.send_variables(sandbox)
        interpreter, notice = await self._interpreters.of(sandbox)
        try:
            await self._cell(sandbox, interpreter, notice)
        except InterpreterEndedError as ended:
            if self._asked is None or self._asked[1].begun or self._presses:
                raise self._ended(ended) from ended
            # It had ended before it was asked.
            interpreter, notice = await self._interpreters.of(sandbox)
            try:
                await self._cell(sandbox, interpreter, notice)
            except InterpreterEndedError as again:
                raise self._ended(again) from again

    async def _cell(
        self, sandbox: Sandbox, interpreter: Interpreter, notice: Notice | None
    ) -> None:
        if notice is not None:
            self._tell(notice)
        if self._data is None:
            await self._ask(interpreter, "run", {"code": self._code})
            return
        files = await self._data.run(sandbox, interpreter, self._code, self._ask)
        self._asked = None  # an interrupt is for what is on its way here
        self._came = await self._data.fetch_variables(sandbox, files)

    async def _ask(self, interpreter: Interpreter, action: str, fields: dict[str, Any]) -> Any:
        request = Request(action, fields, self._tell)
        self._asked = (interpreter, request)
        await interpreter.ask(request)
        if (fault := request.fault) is None:
            return self._redactor.value(request.answer)
        if self._presses and fault.name == "KeyboardInterrupt":
            raise _interrupted("The sandbox's Python goes on, and its variables are kept.")
        if action == "learn":
            raise self._untaught(fault)
        raise self._failed(fault)

    async def _command(self, sandbox: Sandbox) -> None:
        if self._data is not None:
            async with self._workspace.explained(), kept_alive(sandbox):
                await self._data.send(sandbox)
        chosen = command_of(self._language, self._code)
        result = await self._workspace.run(
            sandbox,
            chosen.command,
            envs=chosen.envs,
            keep=0,
            on_output=lambda stream, text: self._tell(Printed(stream, text)),
        )
        if result.exit_code == MISSING and not any(self._printed.values()):
            raise self._missing()
        if result.exit_code != 0:
            raise CodeError(
                f"The {self._language} cell {result.outcome}.",
                session_id=self._session_id,
                name=f"exit {result.exit_code}",
                exit_code=result.exit_code,
            )
        if self._data is not None:
            async with self._workspace.explained(), kept_alive(sandbox):
                self._came = await self._data.fetch(sandbox)

    def _untaught(self, fault: Fault) -> DataError:
        """Return the error of a Python that does not learn how variables go in and out."""
        older = fault.name == "KeyError" and fault.value == OLDER
        why = "an older version has started it" if older else self._redactor.text(fault.name)
        return DataError(
            f"The sandbox's Python takes no variables ({why}).",
            hint="End it with `import os; os._exit(0)` in a cell: the next one starts it anew.",
            session_id=self._session_id,
        )

    def _failed(self, fault: Fault) -> CodeError:
        told: Fault = self._redactor.value(fault)
        words = " ".join(told.value.split())
        hint = ""
        if told.name == "SystemExit":
            hint = "The cell ended there; the sandbox's Python goes on, and its variables are kept."
        return CodeError(
            f"{told.name}: {words}" if words else told.name,
            hint=hint,
            session_id=self._session_id,
            name=told.name,
            value=told.value,
            traceback=told.traceback,
        )

    def _ended(self, ended: InterpreterEndedError) -> CodeError | RunInterruptedError:
        if self._presses > 1:
            return _interrupted("The sandbox's Python was ended, and its variables are gone.")
        begun = self._asked is not None and self._asked[1].begun
        if ended.end.exit_code == NO_PYTHON and not begun:
            return self._missing()
        how = self._redactor.text(_how(ended.end))
        said = self._redactor.text(" ".join(ended.said.split()))
        return CodeError(
            f"The sandbox's Python ended while the cell ran ({how})."
            if begun
            else f"The sandbox's Python could not be started ({how}){said and ': '}{said}",
            hint="Its variables are gone; the next cell starts it anew." if begun else "",
            session_id=self._session_id,
            exit_code=ended.end.exit_code,
        )

    def _missing(self) -> CodeError:
        return CodeError(
            f"There is no {PROGRAMS[self._language]} in this sandbox.",
            hint="Use another language, or a template that has it: "
            "%vibekit_session new --template NAME.",
            session_id=self._session_id,
            exit_code=MISSING,
        )

    def _tell(self, told: Output) -> None:
        if isinstance(told, Printed):
            for event in self._redactor.event(CommandOutput("", told.stream, told.text)):
                self._print(event)
            return
        self._flush()
        if isinstance(told, Shown):
            size = sum(map(len, told.data.values()))
            if self._room < size or len(self._outputs) >= MOST_RESULTS:
                if not self._left_out:
                    self._left_out = True
                    self._tell_listener(Notice("There were more results than a cell can hold."))
                return
            self._room -= size
            told = self._redactor.value(told)
            self._outputs.append(told)
            if told.is_value:
                self._value = told.data.get("text/plain", "")
        self._tell_listener(told)

    def _flush(self) -> None:
        """Tell what had to wait of a stream, for it might have become a secret."""
        for event in self._redactor.event(ToolCallFinished("", "", ok=True, output="")):
            self._print(event)

    def _print(self, event: Any) -> None:
        if isinstance(event, CommandOutput):
            self._printed[event.stream].append(event.text)
            self._tell_listener(Printed(event.stream, event.text))


def _interrupted(hint: str) -> RunInterruptedError:
    return RunInterruptedError("Interrupted.", hint=hint)


def _how(end: ProcessEnd) -> str:
    reason = "" if end.reason.startswith("exit status") else end.reason
    if end.exit_code >= 0:
        return f"exit code {end.exit_code}{reason and ', '}{reason}"
    return reason or "by a signal"
