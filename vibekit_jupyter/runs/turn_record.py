"""A run's turn in the registry, kept up to date while the run goes on."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.conversation import message_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vibekit_jupyter.agents.conversation import Conversation, Message
    from vibekit_jupyter.runs.merged_events import MergedEvents
    from vibekit_jupyter.runs.redact import Redactor
    from vibekit_jupyter.sessions.registry import Registry

__all__ = ["TurnRecord"]

# Seconds: a kernel that is killed loses no more of a step that goes on.
DELAY = 0.5


class TurnRecord:
    """Writes down what happens in a run, and what it adds to its session's conversation.

    Parameters
    ----------
    registry, number
        Where: the run's turn was begun there.
    events
        What happens, without secrets.
    conversation
        It is as it was before the run.
    redactor
        Takes the secrets out of what is said.
    """

    def __init__(
        self,
        registry: Registry,
        number: int,
        events: MergedEvents,
        conversation: Conversation,
        redactor: Redactor,
    ) -> None:
        self._registry = registry
        self._number = number
        self._events = events
        self._conversation = conversation
        self._before = tuple(conversation.messages)
        self._redactor = redactor
        self._spelled: dict[int, tuple[Message, str]] = {}
        # What goes on is drawn while it is written.
        self._writer = ThreadPoolExecutor(1, "vibekit-record")
        self._timer: asyncio.TimerHandle | None = None
        self._writing: Future[None] | None = None
        self._underway: tuple[int, Mapping[str, Any]] = (0, {})
        self._events_written = 0
        self._columns_written: dict[str, Any] = {}

    def write(self, **columns: Any) -> None:
        """Write down what has happened, and what else is known; when this returns, it is written.

        Raises
        ------
        RegistryError
            It could not be written.
        """
        self._update(**columns)()
        self._wrote()

    def write_soon(self) -> None:
        """Write down what has happened a moment from now, with what comes until then."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._on_time)

    def finish(self, **columns: Any) -> None:
        """Write down all that happened, and how it ended."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            self.write(**columns)
        finally:
            self._writer.shutdown()

    def _on_time(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            self.write_soon()  # a slow disk holds nothing up
            return
        self._writing = self._writer.submit(self._update())

    def _update(self, **columns: Any) -> Callable[[], None]:
        """Return what writes down all that is not written yet."""
        self._take_over()
        first, news = self._news()
        self._underway = (len(self._events), news)
        events = self._events.to_dicts(first)
        return partial(
            self._registry.update_turn, self._number, events, first=first, **news, **columns
        )

    def _take_over(self) -> None:
        """Wait for what is being written; what could not be written stays to be written."""
        writing, self._writing = self._writing, None
        if writing is not None and not wait([writing]).done.pop().exception():
            self._wrote()

    def _wrote(self) -> None:
        self._events_written, columns = self._underway
        self._columns_written.update(columns)

    def _news(self) -> tuple[int, Mapping[str, Any]]:
        """Return the first event that is not written as it is now, and the columns that are not."""
        first = max(self._events_written - 1, 0)  # the last event may have grown since
        columns = self._columns()
        return first, {
            name: value
            for name, value in columns.items()
            if self._columns_written.get(name) != value
        }

    def _columns(self) -> dict[str, Any]:
        """Return what the turn adds to its session's conversation.

        A conversation that was compacted in the turn starts anew with it.
        """
        messages = tuple(self._conversation.messages)
        compacted = messages[: len(self._before)] != self._before
        said = messages if compacted else messages[len(self._before) :]
        columns = {
            "tokens": self._conversation.tokens,
            "messages": f"[{','.join(map(self._spell, said))}]",
        }
        return columns | {"fresh": 1} if compacted else columns

    def _spell(self, message: Message) -> str:
        """Return a message as JSON without secrets, made once: each write spells all of them."""
        known = self._spelled.get(id(message))
        if known is None:
            spelled = json.dumps(self._redactor.value(message_to_dict(message)))
            # The message is kept beside it, so that no other one can have its identity.
            known = self._spelled[id(message)] = (message, spelled)
        return known[1]
