"""What a model service is to the agent loop: asked once, it streams one answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from vibekit_jupyter.agents.conversation import AssistantMessage, Message
from vibekit_jupyter.events import TextDelta, ThinkingDelta, Usage

__all__ = ["Answer", "Request", "StopReason", "ToolSpec", "Vendor"]

StopReason = Literal["done", "tools", "length", "refusal", "pause"]


@dataclass(frozen=True)
class ToolSpec:
    """A function tool as both vendors describe it; ``parameters`` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Request:
    """Everything one answer depends on: the services keep no state of ours."""

    instructions: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    effort: str | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True)
class Answer:
    """One whole answer of the model."""

    message: AssistantMessage
    stop: StopReason
    usage: Usage = field(default_factory=Usage)


class Vendor(Protocol):
    """A connection to one model service."""

    def answer(self, request: Request) -> AsyncIterator[TextDelta | ThinkingDelta | Answer]:
        """Stream one answer: its deltas as they come, then the whole ``Answer`` last.

        Raises
        ------
        ModelError
            Its subclass says why; nothing of an answer that broke off is kept.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
