"""What the agents with sessions of their own have heard of a session of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.memory import Kept
from vibekit_jupyter.runs.turn_start import conversation_of
from vibekit_jupyter.services.process import ended_mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.sessions.registry import Registry

__all__ = ["AgentMemory"]


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
        return Kept(own_id, prompts, conversation_of(own_id, missed).messages)

    def forget(self, agent: str) -> None:
        """Go on with an agent's session no more."""
        self._registry.forget_agent_session(*self._place, agent)

    def keep(self, agent: str, own_id: str, prompts: int) -> None:
        """Write down an agent's session, which has heard all up to this turn."""
        self._registry.keep_agent_session(*self._place, agent, (own_id, prompts, self._number))

    def left(self, run: int) -> None:
        """Have what this turn started ended by whoever connects the sandbox next."""
        self._registry.add_commander(*self._place, owner=ended_mark(), run=run)
