"""What an agent says and does in a turn, as our conversation keeps it for those that go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.conversation import (
    NOTHING_SAID,
    AssistantMessage,
    ToolCall,
    ToolResult,
    ToolResults,
)
from vibekit_jupyter.events import TextDelta, ToolCallFinished, ToolCallStarted
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from vibekit_jupyter.agents.conversation import Conversation
    from vibekit_jupyter.events import Event

__all__ = ["Told"]

# Characters of an output, of all words of a turn.
MOST_OUTPUT: Final = 16_000
MOST_WORDS: Final = 2_000_000


class Told:
    """Puts a turn's messages together, each with its calls and their results.

    Parameters
    ----------
    conversation
        Where they are added; the prompt is in it.
    agent, model
        Whose they are.
    """

    def __init__(self, conversation: Conversation, agent: str, model: str) -> None:
        self._conversation = conversation
        self._agent = agent
        self._model = model
        self._words: list[str] = []
        self._later: list[str] = []
        self._length = 0
        self._calls: dict[str, ToolCall] = {}
        self._results: dict[str, ToolResult] = {}
        self.answered = False

    def see(self, event: Event) -> None:
        """Take an event in."""
        match event:
            case TextDelta(text):
                if self._calls and len(self._results) == len(self._calls):
                    self._add()
                self._length += len(text)
                if self._length <= MOST_WORDS:
                    (self._later if self._calls else self._words).append(text)
            case ToolCallStarted():
                if self._later:
                    return  # it belongs to what is said while others run
                arguments = json.dumps(event.arguments)
                self._calls[event.call_id] = ToolCall(event.call_id, event.tool, arguments)
            case ToolCallFinished() if event.call_id in self._calls:
                output = BoundedText.of(MOST_OUTPUT)
                output.append(event.output or "(no output)")
                result = ToolResult(event.call_id, str(output), event.ok)
                self._results[event.call_id] = result

    def end(self) -> None:
        """Close the turn of an agent that came to its end."""
        if self._calls:
            self._add()
        text = "".join(self._words)
        self._conversation.append(self._message(text if text.strip() else NOTHING_SAID))

    def break_off(self, reason: str) -> None:
        """Close a turn that did not come to its end, or take it back where nothing came of it."""
        if not (self.answered or self._calls or self._words):
            self._conversation.withdraw()
            return
        if self._calls:
            self._add(missing=f"Not done: {reason}.")
        self._conversation.close(reason, text="".join(self._words), results={})

    def _add(self, missing: str = "It is not known what came of it.") -> None:
        calls, results = tuple(self._calls.values()), self._results
        self._conversation.append(self._message("".join(self._words), calls))
        self._conversation.append(
            ToolResults(
                tuple(
                    results.get(call.call_id) or ToolResult(call.call_id, missing, ok=False)
                    for call in calls
                )
            )
        )
        self.answered = True
        self._words, self._later = self._later, []
        self._calls, self._results = {}, {}

    def _message(self, text: str, calls: tuple[ToolCall, ...] = ()) -> AssistantMessage:
        return AssistantMessage(text, calls, self._agent, self._model)
