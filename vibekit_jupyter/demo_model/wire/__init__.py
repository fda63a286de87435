"""Both vendors' protocols as pure functions: bytes to a request, an answer to events.

A protocol is a module, :mod:`.responses` or :mod:`.messages`, with the functions of
:class:`Wire`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vibekit_jupyter.demo_model.wire import messages, responses
from vibekit_jupyter.demo_model.wire.neutral import (
    Answer,
    Event,
    Message,
    Request,
    StopReason,
    ToolCall,
    ToolResult,
    Usage,
    Vendor,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "WIRES",
    "Answer",
    "Event",
    "Message",
    "Request",
    "StopReason",
    "ToolCall",
    "ToolResult",
    "Usage",
    "Vendor",
    "Wire",
    "wire_of",
]


class Wire(Protocol):
    """What one vendor's protocol can do."""

    PATH: str

    def key(self, headers: Mapping[str, str]) -> str:
        """Return the key that a request carries."""

    def parse(self, body: bytes, headers: Mapping[str, str]) -> Request:
        """Read a request; a body of another shape is a ValueError, KeyError or TypeError."""

    def document(self, answer: Answer, model: str) -> dict[str, Any]:
        """Return the whole answer."""

    def events(self, answer: Answer, model: str) -> Iterator[Event]:
        """Return the answer as a stream."""

    def error(self, status: int, message: str, code: str | None = None) -> dict[str, Any]:
        """Return the body of an error."""

    def models(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the list of models."""


WIRES: Mapping[Vendor, Wire] = {"openai": responses, "anthropic": messages}


def wire_of(path: str, headers: Mapping[str, str]) -> Wire:
    """Return the protocol that a request speaks; the list of models has one path in both."""
    if path == messages.PATH or "anthropic-version" in headers:
        return messages
    return responses
