"""The answers of a turn's model as steps: the relay sees an answer's end, the agent tells of it.

Which of the two is heard first is open.
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
        self._counted: StepFinished | None = None
        self._has_called = False

    def count(self, usage: Usage) -> None:
        """Count an answer that has come to its end."""
        self.end()
        self._number += 1
        self._counted = StepFinished(self._number, usage)

    def tell(self, event: Event) -> None:
        """Tell what happens; words after a tool call belong to the next answer."""
        if isinstance(event, TextDelta | ThinkingDelta) and self._has_called:
            self.end()
        self._has_called = self._has_called or isinstance(event, ToolCallStarted)
        self._news.put(event)

    def end(self) -> None:
        """Tell that the answer that was counted last is complete, where that is not told yet.

        A call may be told before its answer is counted, and then belongs to the one that comes.
        """
        if self._counted is not None:
            self._news.put(self._counted)
            self._counted, self._has_called = None, False
