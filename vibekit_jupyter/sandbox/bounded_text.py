"""Text of any length, of which the head and the tail are kept."""

from __future__ import annotations

import sys
from typing import NamedTuple

__all__ = ["BoundedText", "Cut"]


class Cut(NamedTuple):
    """What is left of a long text: ``omitted`` characters are missing between the two."""

    head: str
    omitted: int
    tail: str

    def __str__(self) -> str:
        if not self.omitted:
            return self.head + self.tail
        return f"{self.head}\n… {self.omitted:,} characters left out …\n{self.tail}"


class BoundedText:
    """Text that grows by appending, in constant memory and constant time a piece.

    Parameters
    ----------
    head, tail
        How many characters of the beginning and of the end are kept.
    """

    __slots__ = ("_head", "_head_limit", "_parts", "_pending", "_tail_limit", "length")

    def __init__(self, head: int, tail: int) -> None:
        self.length = 0
        self._head_limit = head
        self._tail_limit = tail
        self._head = ""
        self._parts: list[str] = []
        self._pending = 0

    @classmethod
    def of(cls, limit: int | None) -> BoundedText:
        """Return an empty text that keeps ``limit`` characters, half of them of each end.

        None keeps all.
        """
        return cls(sys.maxsize, 1) if limit is None else cls(limit - limit // 2, limit // 2)

    def append(self, text: str) -> None:
        """Add some text at the end."""
        self.length += len(text)
        self._pending += len(text)
        self._parts.append(text)
        if self._pending > self._head_limit + 2 * self._tail_limit:
            self._settle()

    @property
    def head(self) -> str:
        """The beginning, which never changes once it is there."""
        self._settle()
        return self._head

    def cut(self, limit: int | None = None) -> Cut:
        """Return head and tail, of at most ``limit`` characters together."""
        tail = self._settle()
        head = self._head
        if limit is not None and len(head) + len(tail) > limit:
            whole = head + tail if len(head) + len(tail) == self.length else None
            head = head[: limit // 3]
            keep = limit - len(head)
            tail = (whole or tail)[-keep:] if keep else ""
        return Cut(head, self.length - len(head) - len(tail), tail)

    def __str__(self) -> str:
        return str(self.cut())

    def __bool__(self) -> bool:
        return self.length > 0

    def _settle(self) -> str:
        """Move what has come into the head and the tail; return the tail."""
        text = "".join(self._parts)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        tail = text[-self._tail_limit :] if self._tail_limit else ""
        self._parts = [tail]
        self._pending = len(tail)
        return tail
