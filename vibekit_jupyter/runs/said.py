"""What was said in a session before a run: by all of its agents, and of it what one has heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.conversation import Conversation, UserMessage
from vibekit_jupyter.agents.instructions import OF_CELLS
from vibekit_jupyter.agents.memory import Kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.agents.conversation import Message
    from vibekit_jupyter.sessions.registry import Registry

__all__ = ["AgentMemory", "conversation_of", "knows_of_cells"]


def conversation_of(session_id: str, turns: Sequence[Mapping[str, Any]]) -> Conversation:
    """Put a session's conversation together from its turns."""
    tokens = turns[-1]["tokens"] if turns else 0
    return Conversation(_messages(turns), id=session_id, tokens=tokens)


def knows_of_cells(conversation: Conversation) -> bool:
    """Whether it was told before that a person runs cells in the same sandbox."""
    return any(
        OF_CELLS in message.data
        for message in conversation.messages
        if isinstance(message, UserMessage)
    )


class AgentMemory:
    """Which sessions of their own the agents of one of our sessions have, and what they missed.

    Parameters
    ----------
    registry, service_id, session_id
        Our session.
    turns
        Its turns before this one, of which the agents can know.
    number
        This turn.
    """

    def __init__(
        self,
        registry: Registry,
        service_id: str,
        session_id: str,
        *,
        turns: Sequence[Mapping[str, Any]],
        number: int,
    ) -> None:
        self._registry = registry
        self._place = (service_id, session_id)
        self._turns = turns
        self._number = number

    def recall(self, agent: str) -> Kept | None:
        """Return an agent's own session; None where it has none that goes on."""
        kept = self._registry.agent_session(*self._place, agent)
        if kept is None or not self._turns:
            return None
        own_id, prompts, turn = kept
        missed = [each for each in self._turns if each["id"] > turn]
        if len(missed) == len(self._turns):
            return None  # what was said when it heard last is left out since
        return Kept(own_id, prompts, tuple(_messages(missed)))

    def keep(self, agent: str, own_id: str, prompts: int) -> None:
        """Write down an agent's session, which has heard all up to this turn."""
        self._registry.keep_agent_session(*self._place, agent, (own_id, prompts, self._number))


def _messages(turns: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return what turns added. Each is closed by itself: one of another notebook may go on."""
    messages: list[Message] = []
    for turn in turns:
        part = Conversation.from_dict({"id": "", "tokens": 0, "messages": turn["messages"]})
        messages.extend(part.messages)
    return messages
