"""What an agent that keeps conversations of its own remembers of a session of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.agents.conversation import Message

__all__ = ["Kept", "Memory"]


@dataclass(frozen=True)
class Kept:
    """An agent's own session.

    Attributes
    ----------
    id
        By which the agent knows it.
    prompts
        How many of ours it has answered to their end there.
    missed
        What was said since, with others.
    """

    id: str
    prompts: int
    missed: Sequence[Message] = ()


class Memory(Protocol):
    """Where the agents' own sessions are written down, for one turn of a session of ours."""

    def recall(self, agent: str) -> Kept | None:
        """Return an agent's own session; None where it has none that goes on."""

    def forget(self, agent: str) -> None:
        """Go on with an agent's session no more."""

    def keep(self, agent: str, own_id: str, prompts: int) -> None:
        """Write down an agent's session, which has heard all up to this turn."""

    def left(self, run: int) -> None:
        """Write down that what this turn started may still run: its sandbox was not reached."""
