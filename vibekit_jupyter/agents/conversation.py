"""A session's conversation, in no vendor's words, so that either agent can go on with it.

An answer keeps the vendor's own items beside the neutral ones (``native``): the same agent
and model get them back verbatim (reasoning stays valid), any other gets the neutral form.
"""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.wire_text import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vibekit_jupyter.agents.picture import Picture
    from vibekit_jupyter.settings.config import Model

__all__ = [
    "NOTHING_SAID",
    "AssistantMessage",
    "Conversation",
    "Message",
    "ToolCall",
    "ToolResult",
    "ToolResults",
    "UserMessage",
    "message_to_dict",
]

NOTHING_SAID = "[nothing was said]"
"""What is sent in the place of an answer without words or calls: both vendors refuse none."""


NOT_SHOWN = "(the picture could not be shown: the model service does not take it)"


@dataclass(frozen=True)
class UserMessage:
    """What the person asked, byte for byte; ``data`` is what else is told, such as variables."""

    text: str
    data: str = ""


@dataclass(frozen=True)
class ToolCall:
    """The model asks for a tool. ``arguments`` is the JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class AssistantMessage:
    """One whole answer of the model.

    ``native`` holds the vendor's own items, JSON-safe, to send back verbatim to the same
    agent and model; ``agent`` and ``model`` say whose they are.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    agent: str = ""
    model: str = ""
    native: tuple[dict[str, Any], ...] = ()

    @property
    def says_nothing(self) -> bool:
        """Whether there are neither words nor calls in it: it is empty, or thinking alone."""
        return not self.tool_calls and not self.text.strip()

    def is_native_to(self, model: Model) -> bool:
        """Whether ``native`` can be sent back to this model."""
        return bool(self.native) and (self.agent, self.model) == (model.agent, model.name)


@dataclass(frozen=True)
class ToolResult:
    """What a tool call came to, as the model is told.

    ``picture`` is shown to it while the run goes on, and is never written down.
    """

    call_id: str
    output: str
    ok: bool = True
    picture: Picture | None = None


@dataclass(frozen=True)
class ToolResults:
    """The results of all tool calls of the answer before, in one message."""

    results: tuple[ToolResult, ...]


Message = UserMessage | AssistantMessage | ToolResults


class Conversation:
    """The messages of a session. Both vendors accept it at the start of every turn.

    What makes it so: only whole answers are added, every tool call has one result, and a
    turn that is interrupted or fails is closed (:meth:`close`).

    Parameters
    ----------
    messages
        What was said before.
    id
        Groups its requests in a vendor's prompt cache.
    tokens
        Its size as last counted by a vendor, 0 where none said.
    """

    def __init__(
        self,
        messages: Iterable[Message] = (),
        *,
        id: str = "",  # noqa: A002  (the field's name)
        tokens: int = 0,
    ) -> None:
        self.id = id or uuid.uuid4().hex
        self.tokens = tokens
        self._messages: list[Message] = list(messages)

    @property
    def messages(self) -> Sequence[Message]:
        """The messages, the oldest first."""
        return tuple(self._messages)

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that have no result yet."""
        last = self._messages[-1] if self._messages else None
        return last.tool_calls if isinstance(last, AssistantMessage) else ()

    def append(self, message: Message) -> None:
        """Add a message.

        Raises
        ------
        ValueError
            Tool calls would be left without results, or results answer no call.
        """
        given = [r.call_id for r in message.results] if isinstance(message, ToolResults) else []
        if given != [call.call_id for call in self.open_calls]:
            raise ValueError("each tool call needs its result next, and nothing else has one")
        if isinstance(message, UserMessage):
            message = UserMessage(well_formed(message.text), well_formed(message.data))
        self._messages.append(message)

    def close(self, reason: str, *, text: str = "", results: Mapping[str, ToolResult]) -> None:
        """End a turn that did not come to its end.

        Open calls get the results that are there, and ``reason`` for the others. Words of the
        model that were shown but belong to no whole answer are kept as ``text``.
        """
        if self.open_calls:
            missing = f"Not done: {reason}."
            self.append(
                ToolResults(
                    tuple(
                        results.get(call.call_id) or ToolResult(call.call_id, missing, ok=False)
                        for call in self.open_calls
                    )
                )
            )
        if self._messages and not isinstance(self._messages[-1], AssistantMessage):
            note = f"[{reason}]"
            self.append(AssistantMessage(f"{text}\n\n{note}" if text.strip() else note))

    def withdraw(self) -> None:
        """Take the last message back, if it is a prompt that nobody answered."""
        if self._messages and isinstance(self._messages[-1], UserMessage):
            self._messages.pop()

    def without_pictures(self) -> bool:
        """Leave out the pictures; return whether there were any."""
        bare = [_without_pictures(message) for message in self._messages]
        there_were = bare != self._messages
        self._messages = bare
        return there_were

    def replace(self, messages: Iterable[Message]) -> None:
        """Put other messages in the place of all."""
        self._messages = list(messages)
        self.tokens = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-safe dictionary."""
        return {
            "id": self.id,
            "tokens": self.tokens,
            "messages": [message_to_dict(message) for message in self._messages],
        }

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, Any],
        *,
        text: str = "",
        results: Mapping[str, ToolResult] | None = None,
    ) -> Conversation:
        """Return the conversation that :meth:`to_dict` made this dictionary from.

        A turn that was cut off before it could be closed (the kernel died) is closed now, with what
        else is known of it: see :meth:`close`.
        """
        messages = [_message(message) for message in data["messages"]]
        conversation = cls(messages, id=data["id"], tokens=data["tokens"])
        conversation.close("the run ended unexpectedly", text=text, results=results or {})
        return conversation


def _without_pictures(message: Message) -> Message:
    if not isinstance(message, ToolResults):
        return message
    results = [
        dataclasses.replace(result, output=f"{result.output} {NOT_SHOWN}", picture=None)
        if result.picture
        else result
        for result in message.results
    ]
    return ToolResults(tuple(results))


_ROLES: dict[type[Message], str] = {
    UserMessage: "user",
    AssistantMessage: "assistant",
    ToolResults: "tools",
}


def message_to_dict(message: Message) -> dict[str, Any]:
    """Return a message as a JSON-safe dictionary; it shares a vendor's items with the message."""
    return {
        "role": _ROLES[type(message)],
        **{
            name: [_part(part) for part in value] if isinstance(value, tuple) else value
            for name, value in vars(message).items()
            if value or name != "data"  # most have none, and older versions know none
        },
    }


def _part(part: ToolCall | ToolResult | dict[str, Any]) -> dict[str, Any]:
    if isinstance(part, dict):
        return part
    return {name: value for name, value in vars(part).items() if name != "picture"}


def _message(data: Mapping[str, Any]) -> Message:
    match data["role"]:
        case "user":
            return UserMessage(data["text"], data.get("data", ""))
        case "tools":
            return ToolResults(tuple(ToolResult(**result) for result in data["results"]))
        case _:
            return AssistantMessage(
                data["text"],
                tuple(ToolCall(**call) for call in data["tool_calls"]),
                data["agent"],
                data["model"],
                tuple(data["native"]),
            )
