"""What a tool call came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibekit_jupyter.agents.picture import Picture
    from vibekit_jupyter.results import CommandResult, FileChange

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What a tool call came to: the model is told ``output``, and shown ``picture``."""

    output: str
    ok: bool = True
    command: CommandResult | None = None
    change: FileChange | None = None
    picture: Picture | None = None
