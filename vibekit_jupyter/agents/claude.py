"""The agent ``claude``: Anthropic Messages, spoken with ``anthropic.AsyncAnthropic``.

Importing this module imports the SDK: a second and more. The answer is put together
here and not by the SDK's helper, which parses a tool call's arguments anew with each delta
and gives the answer up when they are no JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic

from vibekit_jupyter.agents.bounded_http import http_client
from vibekit_jupyter.agents.call_ids import CallIds
from vibekit_jupyter.agents.conversation import (
    NOTHING_SAID,
    AssistantMessage,
    ToolCall,
    ToolResult,
    ToolResults,
    UserMessage,
)
from vibekit_jupyter.agents.sdk_client import posting, where
from vibekit_jupyter.agents.service import Service
from vibekit_jupyter.agents.told_usage import usage_of_messages
from vibekit_jupyter.agents.vendor import Answer, Request, StopReason
from vibekit_jupyter.agents.wire_text import (
    arguments_text,
    count,
    json_safe,
    object_or_empty,
    tool_name,
    well_formed,
)
from vibekit_jupyter.events import TextDelta, ThinkingDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from vibekit_jupyter.agents.service import Fields
    from vibekit_jupyter.settings.config import Model

__all__ = ["Claude"]

# The protocol wants a bound; this one is below what the models of today allow.
MAX_OUTPUT_TOKENS = 32_000
STOPS: Mapping[str, StopReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "pause_turn": "pause",
}
THINKING = ("thinking", "redacted_thinking")
GO_ON = "Go on."
# What a delta of this type adds to which field of its block.
DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


class Claude:
    """A connection to a service that speaks Messages (see :class:`~.vendor.Vendor`)."""

    def __init__(self, model: Model) -> None:
        self._client = anthropic.AsyncAnthropic(
            api_key=None if model.bearer else model.api_key,
            auth_token=model.api_key if model.bearer else None,
            **where(model.base_url),
            default_headers=dict(model.headers),
            http_client=http_client(model, anthropic.DefaultAsyncHttpxClient),
            open_telemetry=False,
        )
        post = posting(self._client, "/v1/messages", anthropic.AsyncStream[object])
        self._service = Service(model, post, anthropic.AnthropicError)

    async def answer(
        self, request: Request
    ) -> AsyncGenerator[TextDelta | ThinkingDelta | Answer, None]:
        """Stream one answer."""
        model = self._service.model
        blocks: list[_Block] = []
        places: dict[int, _Block] = {}
        counts: dict[str, int] = {}
        stop: str | None = None
        began = ended = False
        async with self._service.answer(request, _spelled) as events:
            async for event in events:
                began = True
                kind = event["type"]
                if kind == "content_block_delta":
                    delta = event["delta"]
                    text = places[event["index"]].add(delta)
                    if delta["type"] == "text_delta":
                        yield TextDelta(text)
                    elif delta["type"] == "thinking_delta":
                        yield ThinkingDelta(text)
                elif kind == "content_block_start":
                    block = _Block(event["content_block"])
                    # What is told twice is one block.
                    if not block.is_again(places.get(event["index"])):
                        places[event["index"]] = block
                        blocks.append(block)
                elif kind == "message_start":
                    counts |= _counts(event["message"])
                elif kind == "message_delta":
                    stop = event["delta"].get("stop_reason") or stop
                    counts |= _counts(event)
                elif kind == "message_stop":
                    ended = True
                    break
            if not ended:
                raise self._service.failures.broken_off(began=began)
            answer = _answer(blocks, stop, counts, request, model)
        yield answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


class _Block:
    """A content block that grows with its deltas."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = start
        self._added: dict[str, list[str]] = {}

    def is_again(self, other: _Block | None) -> bool:
        """Tell whether another block was begun in the same words."""
        return other is not None and other.start == self.start

    def add(self, delta: dict[str, Any]) -> str:
        """Take a delta; return its text. Citations and unknown kinds are left out."""
        name = DELTAS.get(delta["type"])
        if name is None:
            return ""
        text: str = delta[name]
        self._added.setdefault(name, []).append(text)
        return well_formed(text)

    def whole(self) -> tuple[dict[str, Any], str]:
        """Return the block, and the JSON text of its input where it is a tool call."""
        added = {name: "".join(texts) for name, texts in self._added.items()}
        partial_json = well_formed(added.pop("partial_json", ""))
        block = dict(self.start)
        for name, text in added.items():
            block[name] = (block.get(name) or "") + text
        if block["type"] == "tool_use":
            arguments = partial_json or arguments_text(block.get("input"))
            return json_safe({**block, "input": object_or_empty(arguments)}), arguments
        return json_safe(block), ""


def _spelled(request: Request, model: Model, verbatim: int) -> Fields:
    return _required(request, model, verbatim), _optional(request, model)


def _required(request: Request, model: Model, verbatim: int) -> dict[str, Any]:
    required: dict[str, Any] = {
        "model": model.name,
        "system": request.instructions,
        "messages": _messages(request, model, verbatim),
        "max_tokens": request.max_output_tokens or MAX_OUTPUT_TOKENS,
    }
    if request.tools:
        required["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ]
    return required


def _optional(request: Request, model: Model) -> dict[str, Any]:
    optional: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
    # A local server thinks when its model does.
    if not model.is_local or request.effort is not None:
        optional["thinking"] = {"type": "adaptive", "display": "summarized"}
    if request.effort is not None:
        optional["output_config"] = {"effort": request.effort}
    return optional


def _messages(request: Request, model: Model, verbatim: int) -> list[dict[str, Any]]:
    """Return the conversation with roles that alternate: neighbours of one role are merged."""
    merged: list[dict[str, Any]] = []
    for number, message in enumerate(request.messages):
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        blocks = list(_blocks(message, model if number >= verbatim else None))
        if merged and merged[-1]["role"] == role:
            merged[-1]["content"] += blocks
        else:
            merged.append({"role": role, "content": blocks})
    if (
        merged and merged[-1]["role"] == "assistant"
    ):  # a pause, and what is asked last is a person's
        merged.append({"role": "user", "content": [{"type": "text", "text": GO_ON}]})
    return merged


def _blocks(
    message: UserMessage | AssistantMessage | ToolResults, model: Model | None
) -> Iterator[dict[str, Any]]:
    if isinstance(message, UserMessage):
        if message.data:
            yield {"type": "text", "text": message.data}
        yield {"type": "text", "text": message.text}
    elif isinstance(message, ToolResults):
        for result in message.results:
            yield {
                "type": "tool_result",
                "tool_use_id": result.call_id,
                "content": _content(result),
                "is_error": not result.ok,
            }
    else:
        native = model is not None and message.is_native_to(model)
        said = _sendable(message.native) if native else _neutral(message)
        yield from said or [{"type": "text", "text": NOTHING_SAID}]


def _sendable(native: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks that are taken back: thinking is none of them where it comes last."""
    kept = list(native)
    while kept and kept[-1]["type"] in THINKING:
        kept.pop()
    return kept


def _neutral(message: AssistantMessage) -> list[dict[str, Any]]:
    words = {"type": "text", "text": message.text}
    calls = [
        {
            "type": "tool_use",
            "id": call.call_id,
            "name": call.name,
            "input": object_or_empty(call.arguments),
        }
        for call in message.tool_calls
    ]
    return [words, *calls] if message.text.strip() else calls


def _content(result: ToolResult) -> str | list[dict[str, Any]]:
    if result.picture is None:
        return result.output
    source = {
        "type": "base64",
        "media_type": result.picture.media_type,
        "data": result.picture.data,
    }
    return [{"type": "text", "text": result.output}, {"type": "image", "source": source}]


def _counts(event: dict[str, Any]) -> dict[str, int]:
    """Return the counts that an event carries; the later ones count the same tokens anew."""
    usage = event.get("usage")
    return {name: count(usage[name]) for name in usage} if isinstance(usage, dict) else {}


def _answer(
    blocks: Iterable[_Block],
    stop: str | None,
    counts: dict[str, int],
    request: Request,
    model: Model,
) -> Answer:
    ids = CallIds(request.messages)
    texts: list[str] = []
    calls: list[ToolCall] = []
    native: list[dict[str, Any]] = []
    for block, arguments in (block.whole() for block in blocks):
        if block["type"] == "text":
            block["text"] = block.get("text") or ""
            texts.append(block["text"])
            if not block["text"].strip():
                continue  # the service would refuse it back
        elif block["type"] == "tool_use":
            call = ToolCall(ids.take(block.get("id")), tool_name(block.get("name")), arguments)
            block |= {"id": call.call_id, "name": call.name}
            calls.append(call)
        elif not _is_sealed(block):
            continue
        native.append(block)
    return Answer(
        AssistantMessage("".join(texts), tuple(calls), model.agent, model.name, tuple(native)),
        STOPS.get(stop or "", "tools" if calls else "done"),
        usage_of_messages(counts),
    )


def _is_sealed(block: dict[str, Any]) -> bool:
    """Tell whether it is thinking that is whole: what is cut off or of no vendor's is not taken."""
    sealed = block.get(
        {"thinking": "signature", "redacted_thinking": "data"}.get(block["type"], "")
    )
    return isinstance(sealed, str) and sealed != ""
