"""What a model is asked and what it answers, in no vendor's words."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "Answer",
    "Event",
    "Message",
    "Request",
    "StopReason",
    "ToolCall",
    "ToolResult",
    "Usage",
    "Vendor",
    "bearer",
    "pieces",
    "seal",
    "spelled_object",
]

Vendor = Literal["openai", "anthropic"]
Role = Literal["user", "assistant"]
StopReason = Literal[
    "end_turn",
    "max_tokens",
    "model_context_window_exceeded",
    "pause_turn",
    "refusal",
    "tool_use",
]

_PIECE = 16
_MOST_PIECES = 200


def _new_id() -> str:
    return uuid.uuid4().hex[:24]


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool; ``arguments`` is a string where it is not a JSON object."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = field(default_factory=lambda: f"call_{_new_id()}")

    @property
    def arguments_json(self) -> str:
        """The arguments as they stand on the wire."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)

    @property
    def arguments_object(self) -> dict[str, Any]:
        """The arguments as an object, empty where they are none."""
        return {} if isinstance(self.arguments, str) else dict(self.arguments)


@dataclass(frozen=True)
class ToolResult:
    """What a tool gave back. The Responses protocol has no word for ``is_error``."""

    call_id: str
    text: str
    is_error: bool = False


@dataclass(frozen=True)
class Usage:
    """Tokens; ``cached`` is a part of ``input``, ``reasoning`` a part of ``output``."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Answer:
    """One answer of a model: thinking, then text, then tool calls, each where it is not empty.

    Attributes
    ----------
    stop_reason
        Why it ended, in Anthropic's words, which say more; by itself ``tool_use`` where there
        are tool calls, else ``end_turn``.
    id
        Where every id on the wire is derived from.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    stop_reason: StopReason | None = None
    usage: Usage = Usage()
    id: str = field(default_factory=_new_id)

    @property
    def reason(self) -> StopReason:
        """The stop reason, given or derived."""
        return self.stop_reason or ("tool_use" if self.tool_calls else "end_turn")


@dataclass(frozen=True)
class Message:
    """All that one side said before the other side's turn."""

    role: Role
    texts: tuple[str, ...] = ()
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_results: tuple[ToolResult, ...] = ()

    @property
    def text(self) -> str:
        """The texts as one."""
        return "".join(self.texts)


@dataclass(frozen=True)
class Request:
    """What a vendor's SDK sent.

    Attributes
    ----------
    tools
        The names of the tools offered.
    body
        The request's bytes as they came.
    headers
        Names in lower case.
    """

    vendor: Vendor
    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...]
    stream: bool
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> dict[str, Any]:
        """The body as the object it spells."""
        return spelled_object(self.body)

    @property
    def prompt(self) -> str:
        """The last text of the user, byte for byte; empty where there is none."""
        texts = [
            text for message in self.messages if message.role == "user" for text in message.texts
        ]
        return texts[-1] if texts else ""


@dataclass(frozen=True)
class Event:
    """A server-sent event, named by its data's ``type``."""

    data: Mapping[str, Any]

    def encode(self) -> bytes:
        """Return the event's bytes on the wire."""
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {self.data['type']}\ndata: {data}\n\n".encode("utf-8", "replace")


def pieces(text: str) -> Iterator[str]:
    """Cut a text into what its deltas carry: small, and never very many."""
    size = max(_PIECE, -(-len(text) // _MOST_PIECES))
    for start in range(0, len(text), size):
        yield text[start : start + size]


def seal(thinking: str) -> str:
    """Return what a vendor adds to thinking so that it comes back unchanged."""
    return base64.b64encode(hashlib.sha256(thinking.encode()).digest()).decode()


def spelled_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a request's body spells.

    Raises
    ------
    ValueError
        It spells none.
    """
    spelled = json.loads(body)
    if not isinstance(spelled, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - a value, no argument
    return spelled


def bearer(headers: Mapping[str, str]) -> str:
    """Return the bearer token that the headers carry, empty where they carry none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
