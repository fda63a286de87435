"""What happens while an answer is waited for: another try, a tool call that is being written.

It is told beside the answer's own events: some of it happens inside the vendor's SDK.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.events import RetryScheduled, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vibekit_jupyter.events import Event

__all__ = ["ToolCallProgress", "tell", "tell_of_retry", "telling"]

# Statuses that the SDKs try again, beside those of the server's own failures.
TRIED_AGAIN: Final = (408, 409, 429)
SERVER_FAILED: Final = 500
INTERVAL: Final = 0.1
BEGINNING: Final = 1_000  # characters, in which a path is looked for
_PATH: Final = re.compile(r'"path"\s*:\s*("(?:[^"\\]|\\.)*")')

_listener: ContextVar[Callable[[Event], None] | None] = ContextVar("vibekit_progress", default=None)


@contextlib.contextmanager
def telling(listener: Callable[[Event], None]) -> Iterator[None]:
    """Have a function called with what happens while answers are waited for in here."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(event: Event) -> None:
    """Tell what happens beside the answer, where somebody listens."""
    if (listener := _listener.get()) is not None:
        listener(event)


def tell_of_retry(status: int, headers: Any) -> None:
    """Tell that a request is sent again, where an answer of this status has that effect."""
    if not (status in TRIED_AGAIN or status >= SERVER_FAILED):
        return
    given = str(headers.get("retry-after", ""))
    seconds = float(given) if re.fullmatch(r"\d{1,4}", given) else 0.0
    tell(RetryScheduled(seconds, str(status)))


class ToolCallProgress:
    """Follows the tool calls of one answer as either vendor streams them.

    Parameters
    ----------
    interval
        Seconds between two words on the same call.
    """

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._listener = _listener.get()
        self._tool = ""
        self._beginning = ""
        self._size = 0
        self._told = 0.0

    def see(self, event: Any) -> None:
        """Look at an event of the wire; whatever is in it."""
        if self._listener is None:
            return
        kind = event["type"]
        if kind in ("response.output_item.added", "content_block_start"):
            begun = event.get("item") or event.get("content_block")
            name = begun.get("name") if isinstance(begun, dict) else None
            self._tool = well_formed(name)[:BEGINNING] if isinstance(name, str) else ""
            self._beginning, self._size = "", 0
        elif kind == "response.function_call_arguments.delta":
            self._grow(event.get("delta"))
        elif kind == "content_block_delta" and isinstance(delta := event.get("delta"), dict):
            self._grow(delta.get("partial_json"))

    def _grow(self, text: object) -> None:
        if not isinstance(text, str) or not self._tool or self._listener is None:
            return
        self._size += len(text)
        if len(self._beginning) < BEGINNING:
            self._beginning += text[:BEGINNING]
        now = time.monotonic()
        if now - self._told >= self._interval:
            self._told = now
            self._listener(ToolCallDelta(self._tool, _path(self._beginning), self._size))


def _path(arguments: str) -> str:
    """Return the path in the beginning of a tool call's arguments."""
    match = _PATH.search(arguments)
    try:
        return well_formed(json.loads(match[1])) if match else ""
    except ValueError:
        return ""
