"""The frames of the driver, told apart from whatever else is printed around them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.sandbox.bounded_answer import MOST_VALUES, count_values

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ODD", "FrameReader"]

# Characters: of a line of a frame, and of all its lines together.
MOST_LINE: Final = 8_192
MOST_FRAME: Final = 16_000_000

ODD: Final[dict[str, Any]] = {"odd": True}
"""What a frame is taken for that is none."""


class FrameReader:
    """Turns pieces of output into plain text and frames, in bounded memory.

    A frame begins with a mark that nobody guesses, anywhere in a line. But whoever runs code in
    the sandbox may know it: a frame is a stranger's word.

    Parameters
    ----------
    mark
        What each line of a frame begins with.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._rest = ""
        self._pieces: list[str] = []
        self._length = 0

    def feed(self, text: str) -> Iterator[str | dict[str, Any]]:
        """Take a piece of output; yield what is plain text, and each frame that is complete."""
        mark, rest, at = self._mark, self._rest + text, 0
        while (found := rest.find(mark, at)) >= 0:
            if found > at:
                yield rest[at:found]
            at = found
            end = rest.find("\n", found, found + MOST_LINE)
            if end >= 0:
                frame = self._piece(rest[found + len(mark) : end])
                if frame is not None:
                    yield frame
                at = end + 1
            elif len(rest) - found >= MOST_LINE:
                yield mark
                at = found + len(mark)
            else:
                self._rest = rest[at:]
                return
        kept = self._beginning(rest, at)
        if kept > at:
            yield rest[at:kept]
        self._rest = rest[kept:]

    def end(self) -> str:
        """Return what came last and is no frame."""
        rest, self._rest = self._rest, ""
        return rest

    def _beginning(self, text: str, start: int) -> int:
        """Return where the end of a text begins that may be the beginning of a mark."""
        mark = self._mark
        for at in range(max(start, len(text) - len(mark) + 1), len(text)):
            if mark.startswith(text[at:]):
                return at
        return len(text)

    def _piece(self, line: str) -> dict[str, Any] | None:
        kind, piece = line[:1], line[1:]
        if kind in ("=", "<"):
            self._pieces, self._length = [], 0
        self._length += len(piece)
        if self._length <= MOST_FRAME:
            self._pieces.append(piece)
        if kind in ("<", "-"):
            return None
        pieces, self._pieces = self._pieces, []
        if kind not in ("=", ">") or self._length > MOST_FRAME:
            return ODD
        text = "".join(pieces)
        if count_values(text.encode(errors="replace")) > MOST_VALUES:
            return ODD
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return ODD
        return frame if isinstance(frame, dict) else ODD
