"""What a run's turn begins with: what was said in its session, and what its sandbox reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vibekit_jupyter.agents.conversation import Conversation, UserMessage
from vibekit_jupyter.agents.instructions import OF_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from vibekit_jupyter.agents.conversation import Message
    from vibekit_jupyter.agents.picture import Picture
    from vibekit_jupyter.runs.agents import Agent
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sessions.session import Session

__all__ = ["Luggage", "Ready", "conversation_of", "internet_of", "knows_of_cells"]


@dataclass(frozen=True)
class Ready:
    """What a run needs before its first step."""

    session: Session
    sandbox: Sandbox
    agent: Agent
    created: bool


class Luggage(Protocol):
    """Variables that a run takes to its sandbox and brings back; ``note`` tells the person."""

    async def bring(
        self, sandbox: Sandbox, note: Callable[[str], None], *, internet: bool | None
    ) -> str:
        """Send what goes, and return what the model is told of it."""

    async def pictures(self) -> Mapping[str, Picture]:
        """Return the pictures that went, as a model is shown them, by their paths there."""

    async def take(self, sandbox: Sandbox, note: Callable[[str], None]) -> Mapping[str, Any]:
        """Return what came back: all of it, or none."""


def knows_of_cells(conversation: Conversation) -> bool:
    """Return whether the model was told that a person runs code beside it."""
    return any(
        OF_CELLS in message.data
        for message in conversation.messages
        if isinstance(message, UserMessage)
    )


def internet_of(session: Session, sandbox: Sandbox) -> bool | None:
    """Return whether commands reach the internet, None where nobody here decides it."""
    decided = sandbox.service.is_local and session.confinement != "none"
    return session.internet if decided else None


def conversation_of(session_id: str, turns: Sequence[Mapping[str, Any]]) -> Conversation:
    """Put a session's conversation together from its turns.

    Each turn is closed by itself: one of another notebook may still be going on.
    """
    messages: list[Message] = []
    for turn in turns:
        part = Conversation.from_dict({"id": "", "tokens": 0, "messages": turn["messages"]})
        messages.extend(part.messages)
    return Conversation(messages, id=session_id, tokens=turns[-1]["tokens"] if turns else 0)
