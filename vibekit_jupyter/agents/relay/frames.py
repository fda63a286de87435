"""The frames between the relay's two ends: a JSON list on each line.

A piece of a request that is one line of text comes as it is, after ``=NUMBER``: what is spelled
twice takes long to read.

What comes out of a sandbox is a stranger's word: it is read in bounded memory, and what is no frame
is passed over.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PIECE", "FrameLines", "frame", "piece_of"]

# Bytes of a body in one frame.
PIECE: Final = 48 * 1024
# Characters of a line.
MOST_LINE: Final = 128 * 1024
MOST_DIGITS: Final = 20


def frame(*fields: Any) -> str:
    """Return a frame as a line."""
    return json.dumps(fields, separators=(",", ":")) + "\n"


def piece_of(field: object) -> bytes:
    """Return the bytes that a frame carries; none where they are spelled wrongly."""
    if isinstance(field, bytes):
        return field
    if not isinstance(field, str) or len(field) > MOST_LINE:
        return b""
    try:
        return base64.b64decode(field, validate=True)
    except (binascii.Error, ValueError):
        return b""


class FrameLines:
    """Turns pieces of output into frames."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0

    def feed(self, text: str) -> Iterator[list[Any]]:
        """Take a piece of output; yield each frame that is complete."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._keep(line)
            whole, fits = "".join(self._parts), self._length <= MOST_LINE
            self._parts, self._length = [], 0
            if fits and (read := _read(whole)):
                yield read
        self._keep(rest)

    def _keep(self, part: str) -> None:
        self._length += len(part)
        if self._length <= MOST_LINE:
            self._parts.append(part)
        else:
            self._parts = []


def _read(line: str) -> list[Any]:
    if line.startswith("="):
        number, _, text = line[1:].partition(" ")
        known = number.isascii() and number.isdecimal() and len(number) <= MOST_DIGITS
        return ["body", int(number), text.encode(errors="replace")] if known else []
    try:
        read = json.loads(line)
    except (RecursionError, ValueError):
        return []
    return read if isinstance(read, list) and read and isinstance(read[0], str) else []
