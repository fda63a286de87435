"""What a model service is to the agent loop: asked once, it streams one answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from vibekit_jupyter.agents.conversation import AssistantMessage, Message
    from vibekit_jupyter.events import TextDelta, ThinkingDelta

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
    """Everything one answer depends on: the services keep no state of ours.

    Attributes
    ----------
    cache_key
        Requests with the same one share a beginning, which a vendor may cache.
    silence
        Seconds without a byte after which the service counts as failed.
    """

    instructions: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    effort: str | None = None
    max_output_tokens: int | None = None
    cache_key: str = ""
    silence: float = 600.0


@dataclass(frozen=True)
class Answer:
    """One whole answer of the model."""

    message: AssistantMessage
    stop: StopReason
    usage: Usage = field(default_factory=Usage)


class Vendor(Protocol):
    """A connection to one model service."""

    def answer(self, request: Request) -> AsyncGenerator[TextDelta | ThinkingDelta | Answer, None]:
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
