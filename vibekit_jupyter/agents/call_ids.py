"""The ids of tool calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vibekit_jupyter.agents.conversation import AssistantMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.agents.conversation import Message

__all__ = ["CallIds"]


class CallIds:
    """The ids of tool calls, made such that both vendors take them.

    Both want one for each call of the conversation, Anthropic of ``[a-zA-Z0-9_-]`` and OpenAI
    of at most 64 characters. Theirs are; a compatible server's may not be.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._taken = {
            call.call_id
            for message in messages
            if isinstance(message, AssistantMessage)
            for call in message.tool_calls
        }

    def take(self, given: object) -> str:
        """Return an id for a call that the server named so, the same where it can be."""
        base = re.sub(r"[^a-zA-Z0-9_-]", "_", str(given or "call"))[:64]
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base[:56]}_{number}"
        self._taken.add(name)
        return name
