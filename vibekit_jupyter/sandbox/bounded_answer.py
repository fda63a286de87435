"""How long a service's answer may be: counted as it comes, before any of it is held.

Neither vendor's SDK nor E2B's has a bound: a service gone wrong could fill the kernel's memory.
"""

from __future__ import annotations

import re
from typing import Final

from vibekit_jupyter.errors import causes

__all__ = [
    "MIB",
    "MOST_VALUES",
    "AnswerTooLongError",
    "EnvelopeMeter",
    "Meter",
    "count_values",
    "refuse_encoding",
    "too_long",
]

MIB: Final = 1024**2
# JSON of empty lists takes twenty times its length once it is read.
MOST_VALUES: Final = 1_000_000
GAP: Final = re.compile(rb"\n\n|\r\r|\r\n\r\n")
HEADER: Final = 5


class AnswerTooLongError(Exception):
    """A service sent more than is read; the message is the end of a sentence about it."""


class Meter:
    """Counts an answer that is JSON, or events of JSON with empty lines between them.

    Parameters
    ----------
    most
        How many bytes there may be.
    most_part
        How many there may be of one event.
    most_lines
        How many lines an event may have; None is no bound.
    """

    def __init__(self, most: int, most_part: int, most_lines: int | None = None) -> None:
        self._most = most
        self._most_lines = most_lines
        self._most_part = most_part
        self._length = 0
        self._part = self._lines = self._values = 0
        self._end = b""

    def take(self, data: bytes) -> None:
        """Count some bytes.

        Raises
        ------
        AnswerTooLongError
            They are too many.
        """
        self._length += len(data)
        if self._length > self._most:
            raise AnswerTooLongError(f"sent more than {self._most // MIB} MiB in one answer")
        known = len(self._end)
        joined = self._end + data  # an empty line may lie across two pieces
        gaps = [match.end() for match in GAP.finditer(joined)]
        self._add(joined[known : max(known, gaps[0])] if gaps else data)
        if gaps:
            self._part = self._lines = self._values = 0
            self._add(joined[max(known, gaps[-1]) :])
        self._end = joined[-3:]

    def _add(self, data: bytes) -> None:
        self._part += len(data)
        self._lines += data.count(b"\n") + data.count(b"\r")
        self._values += count_values(data)
        if self._part > self._most_part:
            raise AnswerTooLongError(f"sent more than {self._most_part // MIB} MiB at once")
        if self._most_lines is not None and self._lines > 2 * self._most_lines:  # of CR and LF
            raise AnswerTooLongError(f"sent more than {self._most_lines:,} lines at once")
        if self._values > MOST_VALUES:
            raise AnswerTooLongError(f"sent more than {MOST_VALUES:,} values at once")


class EnvelopeMeter:
    """Counts the messages of Connect's streams, each of which says how long it is.

    A stream may be of any length: a command may print for days.

    Parameters
    ----------
    most
        How many bytes one message may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = 0
        self._header = b""

    def take(self, data: bytes) -> None:
        """Count some bytes.

        Raises
        ------
        AnswerTooLongError
            A message is too long.
        """
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
            else:
                taken = HEADER - len(self._header)
                self._header += data[:taken]
            data = data[taken:]
            if len(self._header) == HEADER:
                self._left, self._header = int.from_bytes(self._header[1:], "big"), b""
            if self._left > self._most:
                raise AnswerTooLongError(f"sent more than {self._most // MIB} MiB in one message")


def too_long(error: BaseException | None) -> AnswerTooLongError | None:
    """Return what an error of an SDK means, if it is an answer that was too long."""
    return next((each for each in causes(error) if isinstance(each, AnswerTooLongError)), None)


def count_values(data: bytes) -> int:
    """Return how many values there are in JSON, or more: the words may hold commas, too."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def refuse_encoding(encoding: str | None) -> None:
    """Refuse what is compressed: every answer is asked for as it is, and 1 kB may be 1 MB.

    Raises
    ------
    AnswerTooLongError
        It is compressed.
    """
    if encoding and encoding.strip().lower() != "identity":
        raise AnswerTooLongError("sent a compressed answer, which was not asked for")
