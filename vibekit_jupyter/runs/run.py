"""One run: from a prompt to a result, with everything that happens on the way as events.

Whatever ends it, a run tells ``RunFinished``, leaves its turn in the registry in a form that
both agents accept next time, and raises what went wrong with the partial result in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from contextlib import aclosing, nullcontext, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.instructions import OF_CELLS
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.agents.progress import telling
from vibekit_jupyter.agents.surroundings import surroundings
from vibekit_jupyter.errors import (
    AuditError,
    ModelError,
    RunInterruptedError,
    RunLimitError,
    VibeKitError,
)
from vibekit_jupyter.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    Notice,
    RunFinished,
    RunStarted,
    SessionReady,
    StepFinished,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.results import CommandResult, Result
from vibekit_jupyter.runs.agent_memory import AgentMemory
from vibekit_jupyter.runs.approvals import Approvals, Asking, approvals_of
from vibekit_jupyter.runs.artifacts import artifacts, looking_before
from vibekit_jupyter.runs.merged_events import MergedEvents
from vibekit_jupyter.runs.succession import in_succession
from vibekit_jupyter.runs.turn_record import TurnRecord
from vibekit_jupyter.runs.turn_start import conversation_of, internet_of, knows_of_cells
from vibekit_jupyter.sandbox.connection import kept_alive
from vibekit_jupyter.sandbox.ending import new_run
from vibekit_jupyter.sandbox.queue import telling_of_waits
from vibekit_jupyter.services.process import own_mark
from vibekit_jupyter.sessions.cut_off import said_in_next
from vibekit_jupyter.sessions.session import pause_notice
from vibekit_jupyter.settings.vendors import AGENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from typing import Any

    from vibekit_jupyter.results import Status
    from vibekit_jupyter.runs.audit import Audit
    from vibekit_jupyter.runs.redact import Redactor
    from vibekit_jupyter.runs.spending import Spending
    from vibekit_jupyter.runs.turn_start import Luggage, Ready
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sessions.registry import Registry
    from vibekit_jupyter.settings.mcp import McpServer

__all__ = ["Run"]

# Between the words of one answer and of the next.
PARAGRAPH = "\n\n"


class Run:
    """A prompt on its way to a result.

    Parameters
    ----------
    started
        What the run begins with, told at once.
    registry, notebook
        Where the run's turn is recorded, and as whose.
    tell
        Called with every event, when secrets were taken out of it.
    redactor
        Knows the secrets. The model is asked with the prompt as it is; what is told, written
        down or raised is without them.
    spending
        What the run costs, and what it may cost.
    audit
        Writes it down for whoever runs the site.
    fresh
        Leave out what was said before.
    asking
        Who is asked before a tool changes something.
    servers
        Whose tools are offered, too.
    """

    def __init__(
        self,
        started: RunStarted,
        registry: Registry,
        tell: Callable[[Event], None],
        redactor: Redactor,
        *,
        spending: Spending,
        audit: Audit,
        notebook: str = "",
        fresh: bool = False,
        asking: Asking | None = None,
        servers: Sequence[McpServer] = (),
    ) -> None:
        self._prompt = started
        self._registry = registry
        self._notebook = notebook
        self._fresh = fresh
        self._asking = asking or Asking()
        self._servers = servers
        self._approvals: list[Event] = []
        self._number: int | None = None
        self._run = new_run()
        self._tell = tell
        self._redactor = redactor
        self._spending = spending
        self._spending.keep = self._keep_spending
        self._audit = audit
        self._clock = time.monotonic()
        self._events = MergedEvents()
        self._record: TurnRecord | None = None
        self._session_id = started.session_id
        self._words: list[str] = []
        self._commands: list[CommandResult] = []
        self._changes = Changes()
        self._steps = 0
        self._outputs: Mapping[str, Any] = {}
        self._is_ours = started.agent in AGENTS

    def claim(self, service_id: str, session_id: str) -> None:
        """Begin the turn in a session, so that others see that a run goes on in it."""
        self._number = self._registry.begin_turn(
            service_id,
            session_id,
            prompt=self._redactor.text(self._prompt.prompt),
            agent=self._prompt.agent,
            model=self._prompt.model,
            mode=self._prompt.mode,
            notebook=self._notebook,
            user=self._spending.user,
            owner=own_mark(),
            run=self._run,
            fresh=int(bool(self._fresh)),
        )

    async def go(
        self,
        prepare: Callable[[], Awaitable[Ready]],
        *,
        explain: Callable[[VibeKitError], Awaitable[VibeKitError]],
        limits: Limits | None = None,
        effort: str | None = None,
        luggage: Luggage | None = None,
    ) -> Result:
        """Prepare, run the agent, record the turn, and return what it leaves behind.

        Parameters
        ----------
        prepare
            Makes ready what is needed, and claims the session.
        explain
            Finds out what an error about the session means.
        luggage
            What goes with it, and comes back.
        """
        status: Status = "done"
        sentence = ""
        self._note(self._prompt)
        try:
            self._audit.begin(self._run, self._session_id, self._say)
            self._spending.before(0)
            with telling_of_waits(self._say):
                ready = await prepare()
            session = ready.session
            self._session_id = session.id
            self._note(SessionReady(session.id, session.name, ready.created))
            async with in_succession(session.service_id, session.id, self._say):
                with telling(self._note):
                    await self._turn(ready, limits or Limits(), effort=effort, luggage=luggage)
            self._audit.end(self._result(status), None, self._say)
        except BaseException as raised:
            status = _status(raised)
            error = raised
            self._redactor.cut_causes(raised)
            if isinstance(raised, VibeKitError):
                raised.session_id = raised.session_id or self._session_id
                error = await explain(raised)
                error.result = self._result(status)
                error.message = self._redactor.text(error.message)
                error.args = (error.message,)
            with suppress(AuditError):  # the run did not take place as it was
                self._audit.end(self._result(status), error, self._say)
            if status != "interrupted":
                sentence = str(error) or type(error).__name__
            if error is raised:
                raise
            raise error from raised
        finally:
            self._note(
                RunFinished(
                    status,
                    self._session_id,
                    self._steps,
                    self._spending.usage,
                    self._elapsed(),
                    sentence,
                    self._spending.cost,
                )
            )
            self._finish_record(status, sentence)
        return self._result(status)

    async def _turn(
        self, ready: Ready, limits: Limits, *, effort: str | None, luggage: Luggage | None
    ) -> None:
        session, registry = ready.session, self._registry
        if self._number is None:
            self.claim(session.service_id, session.id)
        assert self._number is not None  # noqa: S101 - it is claimed now
        number = self._number
        said = (
            () if self._fresh else registry.messages(session.service_id, session.id, before=number)
        )
        for sentence in said_in_next(
            registry.last_error(session.service_id, session.id, before=number)
        ):
            self._say(sentence)
        earlier = registry.changed_files(session.service_id, session.id)
        conversation = conversation_of(session.id, said)
        self._record = TurnRecord(registry, number, self._events, conversation, self._redactor)
        # What cannot change anything needs no look at what there was.
        writes = self._prompt.mode == "code"
        looking = looking_before(ready.sandbox, self._changes) if writes else nullcontext()
        data, internet = "", internet_of(session, ready.sandbox)
        if luggage is not None:
            # Before the look: what was sent is not what the run made.
            async with kept_alive(ready.sandbox):
                data = await luggage.bring(ready.sandbox, self._say, internet=internet)
        if not knows_of_cells(conversation) and registry.interpreter(
            session.service_id, session.id
        ):
            data = f"{data}\n\n{OF_CELLS}" if data else OF_CELLS
        async with kept_alive(ready.sandbox), looking as before_tools:
            around = await surroundings(ready.sandbox, internet=internet)
            if around.read and self._is_ours:
                self._note(Notice(f"The agent has read {' and '.join(around.read)}."))
            events = ready.agent(
                conversation,
                self._prompt.prompt,
                memory=AgentMemory(
                    registry, session.service_id, session.id, turns=said, number=number
                ),
                sandbox=ready.sandbox,
                mode=self._prompt.mode,
                limits=limits,
                effort=effort,
                changes=self._changes,
                before_tools=before_tools,
                meter=self._spending,
                run=self._run,
                place=around.text,
                data=data,
                pictures=luggage.pictures if luggage is not None else None,
                approver=Approvals(self._asking, session.id, self._note, self._redactor),
                approve=self._asking.approve,
                servers=self._servers,
                redact=self._redactor.text,
            )
            async with aclosing(self._made(events, ready.sandbox, earlier)) as made:
                async for event in made:
                    self._note(event)
                    if isinstance(event, StepFinished):
                        self._record.write()
                    else:
                        self._record.write_soon()
            if luggage is not None:
                self._outputs = await luggage.take(ready.sandbox, self._say)
        if notice := pause_notice(ready.sandbox.ends_at - datetime.now(UTC)):
            self._note(Notice(notice))
        self._record.write()

    def _finish_record(self, status: Status, sentence: str) -> None:
        """Write down how the run ended; one that came to nothing leaves no turn."""
        if self._record is None and self._number is not None:
            self._registry.drop_turn(self._number)
        elif self._record is not None:
            self._record.finish(
                status=status,
                error=self._redactor.text(sentence),
                usage=dataclasses.asdict(self._spending.usage),
                cost=self._spending.cost,
                files=sorted(
                    change.path for change in self._changes.files if change.kind != "deleted"
                ),
                duration=self._elapsed(),
            )

    async def _made(
        self, events: AsyncGenerator[Event, None], sandbox: Sandbox, earlier: Sequence[str]
    ) -> AsyncGenerator[Event, None]:
        """Yield a turn's events, then what its commands made, also where the model failed."""
        before_tools = time.monotonic()
        using_tools = False
        ended: VibeKitError | None = None
        async with aclosing(events):
            try:
                async for event in events:
                    using_tools = using_tools or isinstance(event, ToolCallStarted)
                    if not using_tools:
                        before_tools = time.monotonic()
                    yield event
            except (ModelError, RunLimitError) as error:
                ended = error
        # A program in the sandbox does not say of everything what it does to files.
        if self._commands or self._changes.files or (using_tools and not self._is_ours):
            async for event in artifacts(sandbox, self._changes, before_tools, earlier=earlier):
                yield event
        if ended is not None:
            raise ended

    def _say(self, sentence: str) -> None:
        self._note(Notice(sentence))

    def _note(self, event: Event) -> None:
        for told in self._redactor.event(event):
            if told.recorded:
                self._events.add(told)
            self._collect(told)
            self._tell(told)

    def _collect(self, event: Event) -> None:
        match event:
            case TextDelta():
                self._words.append(event.text)
            case ToolCallFinished() if event.command is not None:
                self._commands.append(event.command)
            case ApprovalAsked() | ApprovalAnswered():
                self._approvals.append(event)
            case ToolCallStarted():
                self._end_paragraph()
            case StepFinished():
                self._end_paragraph()
                self._steps = event.step

    def _end_paragraph(self) -> None:
        if self._words and self._words[-1] != PARAGRAPH:
            self._words.append(PARAGRAPH)

    def _elapsed(self) -> float:
        return time.monotonic() - self._clock

    def _keep_spending(self) -> None:
        """Write down at once what an answer cost: other runs count it, and a kernel may end."""
        if self._number is not None:
            spending = self._spending
            self._registry.update_turn(
                self._number, usage=dataclasses.asdict(spending.usage), cost=spending.cost
            )

    def _result(self, status: Status) -> Result:
        last_command = self._commands[-1].command if self._commands else ""
        return Result(
            session_id=self._session_id,
            agent=self._prompt.agent,
            model=self._prompt.model,
            prompt=self._prompt.prompt,
            text="".join(self._words).strip(),
            code=self._redactor.text(self._changes.code or last_command),
            status=status,
            commands=tuple(self._commands),
            files=self._redactor.value(tuple(self._changes.files)),
            usage=self._spending.usage,
            steps=self._steps,
            duration=self._elapsed(),
            cost=self._spending.cost,
            outputs=self._outputs,
            approvals=approvals_of(self._approvals),
        )


def _status(error: BaseException) -> Status:
    """Return how a run ended that this error ended."""
    if isinstance(error, asyncio.CancelledError | RunInterruptedError):
        return "interrupted"
    return "limit" if isinstance(error, RunLimitError) else "failed"
