"""A turn whose kernel is gone, put together of what is on record and what its agent left behind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from vibekit_jupyter.agents.conversation import (
    Conversation,
    ToolResult,
    UserMessage,
    message_to_dict,
)
from vibekit_jupyter.events import (
    CommandOutput,
    Notice,
    PlanUpdated,
    RunFinished,
    StepFinished,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.results import Usage
from vibekit_jupyter.runs.merged_events import MergedEvents
from vibekit_jupyter.sessions.cut_off import CUT_OFF, Rest
from vibekit_jupyter.settings.vendors import AGENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from typing import Any

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.runs.redact import Redactor
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sessions.cut_off import CutOffTurn

__all__ = ["rest_of"]


@asynccontextmanager
async def rest_of(redactor: Redactor, sandbox: Sandbox, turn: CutOffTurn) -> AsyncIterator[Rest]:
    """Give what is to be added to a turn's record, without secrets; then it is kept no more."""
    if turn.agent in AGENTS:
        yield Rest(messages=_closed(turn.messages, turn.events))
        return
    from vibekit_jupyter.agents.acp.left_behind import left_behind

    async with left_behind(sandbox, turn.run) as left:
        events = _without_secrets(redactor, left.events)
        yield Rest(
            messages=_told(turn, events or turn.events, came_to_end=left.came_to_end),
            events=list(_news(turn.events, events)),
            files=[change.path for change in left.files if change.kind != "deleted"],
            came_to_end=left.came_to_end,
        )


def _closed(
    messages: Sequence[Mapping[str, Any]], recorded: Sequence[Event]
) -> Sequence[Mapping[str, Any]]:
    """Return a turn's messages, with the words and the results of the step under way."""
    steps = [at for at, event in enumerate(recorded) if isinstance(event, StepFinished)]
    step = recorded[steps[-1] + 1 :] if steps else recorded
    words = "".join(event.text for event in step if isinstance(event, TextDelta))
    whole = [message["text"] for message in messages if message["role"] == "assistant"]
    words = words.removeprefix(whole[-1] if whole else "")  # of an answer whose calls were running
    results = {
        event.call_id: ToolResult(event.call_id, event.output, event.ok)
        for event in step
        if isinstance(event, ToolCallFinished)
    }
    data = {"id": "", "tokens": 0, "messages": messages}
    conversation = Conversation.from_dict(data, text=words, results=results)
    return [message_to_dict(message) for message in conversation.messages]


def _told(
    turn: CutOffTurn, events: Sequence[Event], *, came_to_end: bool
) -> Sequence[Mapping[str, Any]]:
    """Return the messages of a turn of which an agent has told so much."""
    from vibekit_jupyter.agents.acp.told import Told

    prompt = next(iter(turn.messages), {})
    conversation = Conversation([UserMessage(prompt.get("text", ""), prompt.get("data", ""))])
    told = Told(conversation, turn.agent, turn.model)
    for event in events:
        told.see(event)
    if came_to_end:
        told.end()
    else:
        told.break_off(CUT_OFF.rstrip("."))
    return [message_to_dict(message) for message in conversation.messages] or turn.messages


def _without_secrets(redactor: Redactor, events: Sequence[Event]) -> Sequence[Event]:
    merged = MergedEvents()
    # What may be the beginning of a secret is held back until a run's end.
    end = RunFinished("done", None, 0, Usage(), 0.0)
    for event in (*events, end):
        for told in redactor.event(event):
            if told.recorded and not isinstance(told, RunFinished):
                merged.add(told)
    return merged.events()


def _news(recorded: Sequence[Event], events: Sequence[Event]) -> Iterator[Event]:
    """Yield what is not on record yet."""
    said = "".join(event.text for event in recorded if isinstance(event, TextDelta))
    begun = {event.call_id for event in recorded if isinstance(event, ToolCallStarted)}
    ended = {event.call_id for event in recorded if isinstance(event, ToolCallFinished)}
    whole = "".join(event.text for event in events if isinstance(event, TextDelta))
    # Where the record has left something out, no more is known of its place.
    left = len(said) if whole.startswith(said) else len(whole)
    for event in events:
        match event:
            case TextDelta(text):
                if text[left:]:
                    yield TextDelta(text[left:])
                left = max(0, left - len(text))
            case ToolCallStarted(call_id=call_id) | CommandOutput(call_id=call_id):
                if call_id not in begun:
                    yield event
            case ToolCallFinished(call_id=call_id):
                if call_id not in ended:
                    yield event
            case PlanUpdated() | Notice():
                if event not in recorded:
                    yield event
