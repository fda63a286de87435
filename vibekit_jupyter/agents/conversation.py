"""A session's conversation, in no vendor's words, so that either agent can go on with it.

An answer keeps the vendor's own items beside the neutral ones (``native``): the same agent
gets them back verbatim (reasoning stays valid), the other one gets the neutral form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["AssistantMessage", "Message", "ToolCall", "ToolResult", "ToolResults", "UserMessage"]


@dataclass(frozen=True)
class UserMessage:
    """What the person asked, byte for byte."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """The model asks for a tool. ``arguments`` is the JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class AssistantMessage:
    """One whole answer of the model.

    ``native`` holds the vendor's own items, JSON-safe, to send back verbatim to the same
    agent and model; ``agent`` and ``model`` say whose they are.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    agent: str = ""
    model: str = ""
    native: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class ToolResult:
    """What a tool call came to, as the model is told."""

    call_id: str
    output: str
    ok: bool = True


@dataclass(frozen=True)
class ToolResults:
    """The results of all tool calls of the answer before, in one message."""

    results: tuple[ToolResult, ...]


Message = UserMessage | AssistantMessage | ToolResults
