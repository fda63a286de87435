"""An answer as it passes by: what it took, whether it came to its end, and no key in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.told_usage import (
    usage_of_chat,
    usage_of_gemini,
    usage_of_messages,
    usage_of_responses,
)
from vibekit_jupyter.agents.wire_text import count
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vibekit_jupyter.agents.relay.protocols import Protocol

__all__ = ["PassingAnswer", "Without"]

ENDS: Final = ("response.completed", "response.incomplete", "response.failed")
# A line without any of these tells nothing that is looked for.
TELLING: Final = (
    *(b'"usage"', b'"error"', b"message_stop", b"finish_reason", b"[DONE]"),
    *(b"usageMetadata", b"finishReason", b"blockReason"),
    *(end.encode() for end in ENDS),
)


READ: Final[Mapping[str, Callable[[Any], Usage]]] = {
    "responses": usage_of_responses,
    "chat": usage_of_chat,
    "gemini": usage_of_gemini,
}


class PassingAnswer:
    """Reads an answer beside the way it takes.

    Attributes
    ----------
    ended
        Its end was seen.
    error
        What it says went wrong, in its own shape; None where nothing did.
    """

    def __init__(self, protocol: Protocol, *, streams: bool) -> None:
        self.ended = False
        self.error: Any = None
        self._protocol = protocol
        self._streams = streams
        self._usage = Usage()
        self._counts: dict[str, int] = {}
        self._events = 0
        self._data: list[bytes] = []

    @property
    def usage(self) -> Usage:
        """What it took, as far as it says so."""
        return usage_of_messages(self._counts) if self._counts else self._usage

    @property
    def has_begun(self) -> bool:
        """Whether there is anything of it."""
        return self._events > 0

    def estimated(self, asked: int) -> Usage:
        """Return what it took at least, where nobody waited for its end.

        Parameters
        ----------
        asked
            The request's size in bytes.
        """
        told = self.usage
        return Usage(max(told.input, asked // 4), told.cached, max(told.output, self._events))

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._streams:
            self._events = 1
            self._data.append(data)
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._data.append(line)
            whole = b"".join(self._data)
            self._data = []
            if whole.startswith(b"data:"):
                self._events += 1
                if any(word in whole for word in TELLING):
                    self._see(whole.removeprefix(b"data:").strip())
        if rest:
            self._data.append(rest)

    def finish(self) -> None:
        """Take note that nothing more comes."""
        if self._streams:
            self.feed(b"\n")
        else:
            document = _object(b"".join(self._data))
            self.ended = bool(document)
            self._tell(document)

    def _see(self, text: bytes) -> None:
        if text == b"[DONE]":
            self.ended = True
            return
        event = _object(text)
        kind = event.get("type")
        if self._protocol == "responses":
            if kind in ENDS:
                self.ended = True
                response = event.get("response")
                self._tell(response if isinstance(response, dict) else {})
                if kind == "response.failed" and self.error is None:
                    self.error = {}
            elif kind == "error":
                self.error = event.get("error") or event
        elif self._protocol == "messages":
            message = event.get("message")
            self._tell(message if kind == "message_start" and isinstance(message, dict) else event)
            self.ended = self.ended or kind == "message_stop"
        elif self._protocol == "gemini":
            self._tell(event)
            blocked = event.get("promptFeedback")
            self.ended = self.ended or _has(event.get("candidates"), "finishReason")
            self.ended = self.ended or _has([blocked], "blockReason")
        else:
            self._tell(event)
            self.ended = self.ended or _has(event.get("choices"), "finish_reason")

    def _tell(self, document: dict[str, Any]) -> None:
        if document.get("error"):
            self.error = document["error"]
        usage = document.get("usageMetadata" if self._protocol == "gemini" else "usage")
        if not isinstance(usage, dict):
            return
        if self._protocol == "messages":
            # The later ones count the same tokens anew.
            self._counts |= {
                str(name): count(number) for name, number in usage.items() if number is not None
            }
        else:
            self._usage = READ[self._protocol](usage)


class Without:
    """Takes secrets out of bytes that come in pieces.

    The end of a piece that may be the beginning of a secret waits for the next one.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets if len(secret) >= 8]
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be shown by now."""
        data = self._kept + data
        for secret in self._secrets:
            data = data.replace(secret, b"[key]")
        keep = max((_overlap(data, secret) for secret in self._secrets), default=0)
        self._kept = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        """Return what waited."""
        return self._kept


def _overlap(data: bytes, secret: bytes) -> int:
    """Return how many bytes at the end may be the beginning of a secret."""
    tail = data[-len(secret) + 1 :]
    for length in range(len(tail), 0, -1):
        if secret.startswith(tail[-length:]):
            return length
    return 0


def _has(items: Any, name: str) -> bool:
    """Whether one of a list's objects says something."""
    return isinstance(items, list) and any(
        isinstance(item, dict) and item.get(name) for item in items
    )


def _object(text: bytes) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (RecursionError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
