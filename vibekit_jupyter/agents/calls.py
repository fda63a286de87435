"""The tool calls of one answer, run as events."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Literal

from vibekit_jupyter.agents.conversation import ToolCall, ToolResult
from vibekit_jupyter.agents.tool_specs import arguments_of
from vibekit_jupyter.events import CommandOutput, Event, ToolCallFinished, ToolCallStarted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from vibekit_jupyter.agents.approvals import Gate
    from vibekit_jupyter.agents.tools import Toolbox

__all__ = ["run_calls"]

MOST_AT_ONCE = 8
# Characters of output that wait to be taken; what comes on top is left out of the events.
MOST_WAITING = 1_000_000
GAP = "\n[… output came faster than it could be shown …]\n"


async def run_calls(
    toolbox: Toolbox,
    calls: Sequence[ToolCall],
    results: dict[str, ToolResult],
    gate: Gate | None = None,
) -> AsyncGenerator[Event, None]:
    """Run calls, and yield what happens; ``results`` holds the results of those that ended.

    Neighbours of the same kind run at the same time (writes to one file in their order); a
    call of another kind waits for them: what is written first is there when it is run next.
    Where there is a ``gate``, each waits there first until it is allowed.

    Raises
    ------
    SandboxError, SessionNotFoundError
        The sandbox service failed; the calls that still ran were ended.
    RunInterruptedError
        A person who was asked stopped the run.
    """
    events = _Events()
    work = asyncio.create_task(_run_all(toolbox, calls, results, events, gate))
    work.add_done_callback(lambda _: events.end())
    try:
        while (event := await events.take()) is not None:
            yield event
        await work
    finally:
        work.cancel()
        await asyncio.wait([work])


async def _run_all(
    toolbox: Toolbox,
    calls: Sequence[ToolCall],
    results: dict[str, ToolResult],
    events: _Events,
    gate: Gate | None,
) -> None:
    free = asyncio.Semaphore(MOST_AT_ONCE)

    async def run_in_order(lane: Iterable[ToolCall]) -> None:
        for call in lane:
            async with free:
                refusal = await gate.refusal(call, toolbox) if gate is not None else ""
                if refusal:
                    results[call.call_id] = ToolResult(call.call_id, refusal, ok=False)
                else:
                    await _run(toolbox, call, results, events)

    for _, neighbours in itertools.groupby(calls, toolbox.group):
        lanes: dict[str, list[ToolCall]] = {}
        for call in neighbours:
            lanes.setdefault(toolbox.lane(call), []).append(call)
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in lanes.values():
                    tasks.create_task(run_in_order(lane))
        except ExceptionGroup as failed:
            failure = failed.exceptions[0]
        if failure is not None:
            # Out here the group is not its context: IPython tells a frontend of no error with one.
            raise failure


async def _run(
    toolbox: Toolbox, call: ToolCall, results: dict[str, ToolResult], events: _Events
) -> None:
    events.put(ToolCallStarted(call.call_id, call.name, arguments_of(call), toolbox.title(call)))
    started = time.monotonic()
    outcome = await toolbox.run(call, partial(events.put_output, call.call_id))
    results[call.call_id] = ToolResult(call.call_id, outcome.output, outcome.ok, outcome.picture)
    events.put(
        ToolCallFinished(
            call.call_id,
            call.name,
            outcome.ok,
            outcome.output,
            outcome.command,
            outcome.change,
            time.monotonic() - started,
        )
    )


class _Events:
    """Events on their way to one taker, in bounded memory however fast a command prints."""

    def __init__(self) -> None:
        self._waiting: deque[Event | _Output] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        self._waiting.append(event)
        self._news.set()

    def put_output(self, call_id: str, stream: Literal["stdout", "stderr"], text: str) -> None:
        if self._size >= MOST_WAITING:
            return
        last = self._waiting[-1] if self._waiting else None
        if not (isinstance(last, _Output) and (last.call_id, last.stream) == (call_id, stream)):
            last = _Output(call_id, stream)
            self._waiting.append(last)
        last.texts.append(text[: MOST_WAITING - self._size])
        self._size += len(text)
        if self._size >= MOST_WAITING:
            last.texts.append(GAP)
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def take(self) -> Event | None:
        """Return the next event, None after the last one."""
        while not self._waiting:
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        event = self._waiting.popleft()
        if not isinstance(event, _Output):
            return event
        if not any(isinstance(other, _Output) for other in self._waiting):
            self._size = 0
        return CommandOutput(event.call_id, event.stream, "".join(event.texts))


class _Output:
    """Output of one call, put together until it is taken."""

    def __init__(self, call_id: str, stream: Literal["stdout", "stderr"]) -> None:
        self.call_id = call_id
        self.stream = stream
        self.texts: list[str] = []
