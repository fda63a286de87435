"""The tool calls of one answer, run as events."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

from vibekit_jupyter.agents.conversation import ToolCall, ToolResult
from vibekit_jupyter.agents.news import News
from vibekit_jupyter.agents.tool_specs import arguments_of
from vibekit_jupyter.events import CommandOutput, ToolCallFinished, ToolCallStarted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from vibekit_jupyter.agents.approvals import Gate
    from vibekit_jupyter.agents.tools import Toolbox
    from vibekit_jupyter.events import Event

__all__ = ["run_calls"]

MOST_AT_ONCE = 8


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
    news = News()
    work = asyncio.create_task(_run_all(toolbox, calls, results, news, gate))
    work.add_done_callback(lambda _: news.end())
    try:
        async with aclosing(news.events()) as events:
            async for event in events:
                yield event
        await work
    finally:
        work.cancel()
        await asyncio.wait([work])


async def _run_all(
    toolbox: Toolbox,
    calls: Sequence[ToolCall],
    results: dict[str, ToolResult],
    news: News,
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
                    await _run(toolbox, call, results, news)

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
    toolbox: Toolbox, call: ToolCall, results: dict[str, ToolResult], news: News
) -> None:
    def printed(stream: Literal["stdout", "stderr"], text: str) -> None:
        news.put(CommandOutput(call.call_id, stream, text))

    news.put(ToolCallStarted(call.call_id, call.name, arguments_of(call), toolbox.title(call)))
    started = time.monotonic()
    outcome = await toolbox.run(call, printed)
    results[call.call_id] = ToolResult(call.call_id, outcome.output, outcome.ok, outcome.picture)
    news.put(
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
