"""The answers of a turn's model as steps: the relay sees an answer's end, the agent tells of it.

Which of the two is heard first is open; no step ends in the midst of words that belong together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.events import StepFinished, TextDelta, ThinkingDelta, ToolCallStarted

if TYPE_CHECKING:
    from vibekit_jupyter.agents.news import News
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.results import Usage

__all__ = ["Steps"]


class Steps:
    """Tells what happens in a turn, and after it that an answer is complete.

    Parameters
    ----------
    news
        Where it is told.
    """

    def __init__(self, news: News) -> None:
        self._news = news
        self._number = 0
        self._counted: list[StepFinished] = []
        self._has_called = False
        self._is_speaking = False

    def count(self, usage: Usage) -> None:
        """Count an answer that has come to its end."""
        if not self._is_speaking:
            self.end()
        self._number += 1
        self._counted.append(StepFinished(self._number, usage))

    def tell(self, event: Event) -> None:
        """Tell what happens; words after a tool call belong to the next answer."""
        if isinstance(event, ToolCallStarted):
            self._has_called, self._is_speaking = True, False
        elif isinstance(event, TextDelta | ThinkingDelta):
            if self._has_called:
                self.end()
            self._has_called, self._is_speaking = False, True
        self._news.put(event)

    def end(self) -> None:
        """Tell that the answers that were counted are complete, where that is not told yet.

        A call may be told before its answer is counted, and then belongs to the one that comes.
        """
        for step in self._counted:
            self._news.put(step)
        if self._counted:
            self._counted, self._has_called = [], False
