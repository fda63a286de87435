"""An agent's updates as our events. What is not known is ignored: agents and versions differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.fields import items_in, mapping_in, text_in
from vibekit_jupyter.agents.acp.tool_calls import ToolCallTold
from vibekit_jupyter.events import Notice, PlanUpdated, TextDelta, ThinkingDelta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.events import Event

__all__ = ["Translator"]

MOST_WORDS: Final = 1_000_000
MOST_CALLS: Final = 2_000
MOST_ENTRIES: Final = 50
MANY: Final = Notice(f"The agent made more than {MOST_CALLS} tool calls: the others are not shown.")
STATUSES: Final = ("pending", "in_progress", "completed")


class Translator:
    """Translates the updates of one turn.

    Parameters
    ----------
    changes
        What the agent says it does to files is taken down here.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._open: dict[str, ToolCallTold] = {}
        self._seen: set[str] = set()

    @property
    def is_working(self) -> bool:
        """Whether a tool call runs, or waits to be allowed: it may be silent."""
        return bool(self._open)

    def events(self, update: dict[str, Any]) -> Iterator[Event]:
        """Yield what an update says."""
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                if text := _words(update):
                    yield TextDelta(text)
            case "agent_thought_chunk":
                if text := _words(update):
                    yield ThinkingDelta(text)
            case "tool_call" | "tool_call_update":
                yield from self._tool_call(update)
            case "plan":
                yield PlanUpdated(_entries(update))
            case "notice":
                if text := text_in(update, "message") or text_in(update, "text") or _words(update):
                    yield Notice(text)

    def call(self, told: dict[str, Any]) -> tuple[ToolCallTold, list[Event]]:
        """Return the tool call that a question is about, and what is new of it."""
        events = list(self._tool_call(told))
        call_id = text_in(told, "toolCallId")
        call = self._open.get(call_id) or ToolCallTold(call_id, self._changes)
        if call_id not in self._open:
            events += call.see(told)
        if not call.started and call_id in self._open:
            events.append(call.start())
        return call, events

    def end(self) -> Iterator[Event]:
        """Yield the ends of the tool calls that have none."""
        for call in self._open.values():
            yield from call.finish({}, ok=False)
        self._open.clear()

    def _tool_call(self, update: dict[str, Any]) -> Iterator[Event]:
        call_id = text_in(update, "toolCallId")
        if not call_id:
            return
        call = self._open.get(call_id)
        if call is None:
            if call_id in self._seen:  # it has ended
                return
            if len(self._seen) >= MOST_CALLS:
                if len(self._seen) == MOST_CALLS:
                    self._seen.add(call_id)
                    yield MANY
                return
            self._seen.add(call_id)
            call = self._open[call_id] = ToolCallTold(call_id, self._changes)
        yield from call.see(update)
        if text_in(update, "status") in ("completed", "failed"):
            del self._open[call_id]


def _words(update: dict[str, Any]) -> str:
    content = mapping_in(update, "content")
    kind = text_in(content, "type")
    if kind in ("text", ""):
        return text_in(content, "text", most=MOST_WORDS)
    return f"[{kind}]"


def _entries(update: dict[str, Any]) -> list[dict[str, str]]:
    entries = [
        (text_in(entry, "content"), text_in(entry, "status"))
        for entry in items_in(update, "entries")
    ]
    return [
        {"content": content, "status": status if status in STATUSES else "pending"}
        for content, status in entries[:MOST_ENTRIES]
        if content
    ]
