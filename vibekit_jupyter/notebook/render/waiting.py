"""What a run waits for just now, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.events import RetryScheduled, ToolCallDelta
from vibekit_jupyter.notebook.render.summary import short_path
from vibekit_jupyter.notebook.render.transcript import (
    Approval,
    Text,
    Thinking,
    ToolCall,
    Transcript,
)
from vibekit_jupyter.notebook.render.words import count

if TYPE_CHECKING:
    from vibekit_jupyter.events import Event

__all__ = ["Waiting"]

# Seconds without an event: after a tool, and while the model speaks, who may take a breath.
PATIENCE: Final = 0.3
BREATH: Final = 1.5
LATEST: Final = 20  # blocks among which one may be at work


class Waiting:
    """Knows what a run waits for, and since when.

    Parameters
    ----------
    now
        The time at which the run began.
    """

    def __init__(self, now: float) -> None:
        self._since = now
        self._last: Event | None = None

    def add(self, event: Event, now: float) -> None:
        """Take an event in."""
        if not isinstance(event, ToolCallDelta) or not isinstance(self._last, ToolCallDelta):
            self._since = now
        self._last = event

    def words(self, transcript: Transcript, now: float) -> str:
        """Return what is waited for: ``waiting for gpt-6-astra · 4 s``; empty where nothing is."""
        waited = now - self._since
        started = transcript.started
        if started is None or transcript.finished is not None:
            return ""
        if transcript.ready is None:
            verb = "connecting to" if started.session_id else "starting"
            return _timed(f"{verb} the sandbox", waited)
        latest = transcript.blocks[-LATEST:]
        if any(isinstance(block, ToolCall | Approval) and not block.closed for block in latest):
            return ""  # its row says so, or the card that asks
        match self._last:
            case RetryScheduled(seconds=seconds, reason=reason) if seconds > waited or not seconds:
                when = f" in {seconds - waited:.0f} s" if seconds else ""
                return f"retrying{when} ({reason})"
            case ToolCallDelta(tool=tool, path=path, size=size):
                return _writing(tool, path, size)
        speaks = any(isinstance(block, Text | Thinking) and not block.closed for block in latest)
        patience = BREATH if speaks else PATIENCE
        name = "the demo model" if started.demo else started.model
        return _timed(f"waiting for {name}", waited) if waited >= patience else ""


def _timed(words: str, waited: float) -> str:
    return f"{words} · {_whole(waited)}" if waited >= 1 else words


def _whole(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _writing(tool: str, path: str, size: int) -> str:
    what = short_path(path) if path else "a command" if tool == "run_command" else "a tool call"
    return f"writing {what} ({count(size)}B)"
