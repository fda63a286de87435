"""Text of any length, kept in bounded memory."""

from __future__ import annotations

from collections import deque

__all__ = ["BoundedText"]


class BoundedText:
    """A growing text: all of it, or a head and a tail.

    Parameters
    ----------
    limit
        How many characters to keep, half of them from the head and half from the tail; None
        keeps all.
    """

    def __init__(self, limit: int | None) -> None:
        self._half = None if limit is None else limit // 2
        self._head: list[str] = []
        self._head_size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        """Append some text."""
        if self._half is None:
            self._head.append(text)
            return
        room = self._half - self._head_size
        if room > 0:
            self._head.append(text[:room])
            self._head_size += len(text[:room])
            text = text[room:]
        if text:
            self._tail.append(text)
            self._tail_size += len(text)
            while self._tail_size - len(self._tail[0]) >= self._half:
                self._tail_size -= len(self._tail[0])
                self._dropped += len(self._tail.popleft())

    def text(self) -> str:
        """Return what is kept, with a note of how much was left out."""
        head, tail = "".join(self._head), "".join(self._tail)
        if self._half is not None and len(tail) > self._half:
            self._dropped += len(tail) - self._half
            tail = tail[-self._half :] if self._half else ""
        return f"{head}\n[… {self._dropped} characters …]\n{tail}" if self._dropped else head + tail
