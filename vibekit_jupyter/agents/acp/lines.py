"""JSON-RPC messages, one a line, out of a program's output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.wire_text import is_deep, well_formed
from vibekit_jupyter.sandbox.bounded_answer import MIB, MOST_VALUES, count_values
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST_HEARD", "MOST_LINE", "Lines", "TooMuchError", "more_than", "spelled"]

# Characters: of a line, of all lines of a turn. A difference carries two whole files.
MOST_LINE: Final = 16 * MIB
MOST_HEARD: Final = 128 * MIB
MOST_NOISE: Final = 2_000


class TooMuchError(Exception):
    """A program said more than is read; the message is the end of a sentence about it."""


def more_than(most: int) -> TooMuchError:
    """Return what is said of a program that wrote more than so many bytes."""
    return TooMuchError(f"said more than {most // MIB} MiB in one turn")


class Lines:
    """Takes pieces of output, and gives the messages in them; memory is bounded.

    Attributes
    ----------
    count
        How many lines there were, whatever stood in them: to be told only what comes after.
    noise
        The end of what was no message.
    """

    def __init__(self, most_line: int = MOST_LINE, most: int = MOST_HEARD) -> None:
        self.count = 0
        self.noise = BoundedText(0, MOST_NOISE)
        self._most_line = most_line
        self._most = most
        self._heard = 0
        self._parts: list[str] = []
        self._length = 0

    def feed(self, text: str) -> Iterator[dict[str, Any]]:
        """Take a piece of output, and yield the messages that it completes.

        Raises
        ------
        TooMuchError
            A line is too long, or all of them are.
        """
        self._heard += len(text)
        if self._heard > self._most:
            raise more_than(self._most)
        *ends, rest = text.split("\n")
        for end in ends:
            self._keep(end)
            line = "".join(self._parts)
            self.forget()
            self.count += 1
            if (message := self._message(line)) is not None:
                yield message
        self._keep(rest)

    def forget(self) -> None:
        """Leave out the beginning of a line: it will be told again."""
        self._parts, self._length = [], 0

    def _keep(self, part: str) -> None:
        self._length += len(part)
        if self._length > self._most_line:
            raise TooMuchError(f"wrote a line of more than {self._most_line // MIB} MiB")
        if part:
            self._parts.append(part)

    def _message(self, line: str) -> dict[str, Any] | None:
        if line.lstrip().startswith("{"):
            try:
                if count_values(line.encode(errors="replace")) <= MOST_VALUES:
                    message = json.loads(line)
                    if isinstance(message, dict) and not is_deep(message):
                        return message
            except (ValueError, RecursionError):
                pass
        self.noise.append(well_formed(f"{line[:MOST_NOISE]}\n"))
        return None


def spelled(message: dict[str, Any]) -> str:
    """Return a message as its line."""
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")) + "\n"
