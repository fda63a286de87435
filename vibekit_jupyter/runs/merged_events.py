"""The events of a run, merged and bounded, for the record."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    PlanUpdated,
    TextDelta,
    ThinkingDelta,
)
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MergedEvents"]

# Characters that one merged stretch of words or output keeps.
STRETCH = 16_000


class MergedEvents:
    """Events in order; a stretch of deltas is one event, however long it was.

    Parameters
    ----------
    stretch
        How many characters of a stretch are kept.
    """

    def __init__(self, stretch: int = STRETCH) -> None:
        self._stretch = stretch
        self._entries: list[tuple[Event, BoundedText | None]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, event: Event) -> None:
        """Append an event, in constant time; of plans in a row the last one stays."""
        if isinstance(event, PlanUpdated) and self._entries and _is_plan(self._entries[-1]):
            self._entries.pop()
        if not isinstance(event, TextDelta | ThinkingDelta | CommandOutput):
            self._entries.append((event, None))
            return
        last, text = self._entries[-1] if self._entries else (None, None)
        if text is None or not _continues(event, last):
            text = BoundedText.of(self._stretch)
            self._entries.append((event, text))
        text.append(event.text)

    def events(self, first: int = 0) -> Sequence[Event]:
        """Return the events, merged, from this number on."""
        return [
            event if text is None else dataclasses.replace(event, text=str(text))  # type: ignore[call-arg]  # only events with a text have one here
            for event, text in self._entries[first:]
        ]

    def to_dicts(self, first: int = 0) -> Sequence[dict[str, Any]]:
        """Return the events as JSON-safe dictionaries, merged, from this number on."""
        return [event.to_dict() for event in self.events(first)]


def _is_plan(entry: tuple[Event, BoundedText | None]) -> bool:
    return isinstance(entry[0], PlanUpdated)


def _continues(event: Event, last: Event | None) -> bool:
    if isinstance(event, CommandOutput) and isinstance(last, CommandOutput):
        return (event.call_id, event.stream) == (last.call_id, last.stream)
    return type(event) is type(last)
