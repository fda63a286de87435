"""The agent ``claude``: Anthropic Messages, spoken with ``anthropic.AsyncAnthropic``.

Importing this module imports the SDK: a second and more. The stream is put together here
and not by the SDK's helper, which parses a tool call's arguments anew with each delta and
gives up the answer when they are no JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic

from vibekit_jupyter.agents.conversation import (
    AssistantMessage,
    ToolCall,
    ToolResults,
    UserMessage,
    json_object,
    json_safe,
    well_formed,
)
from vibekit_jupyter.agents.service import CallIds, Service
from vibekit_jupyter.agents.vendor import Answer, Request, StopReason
from vibekit_jupyter.events import TextDelta, ThinkingDelta, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from vibekit_jupyter.config import Model

__all__ = ["Claude"]

# The protocol wants a bound; this one is below what the models of today allow.
MAX_OUTPUT_TOKENS = 32_000
STOPS: Mapping[str, StopReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "pause_turn": "pause",
}
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
        self._service = Service(model, anthropic.AnthropicError)
        self._client = anthropic.AsyncAnthropic(
            api_key=None if model.bearer else model.api_key,
            auth_token=model.api_key if model.bearer else None,
            base_url=model.base_url,
            http_client=self._service.http_client(),
            open_telemetry=False,
        )
        # The SDK imports this part of itself on first use; here it is in a thread.
        self._create = self._client.messages.create

    async def answer(
        self, request: Request
    ) -> AsyncGenerator[TextDelta | ThinkingDelta | Answer, None]:
        """Stream one answer."""
        model = self._service.model
        stream = await self._service.open(
            self._create,
            _required(request, model),
            _optional(request, model),
            silence=request.silence,
        )
        blocks: dict[int, _Block] = {}
        counts: dict[str, int] = {}
        stop: str | None = None
        began = ended = False
        with self._service.failures(silence=request.silence, streaming=True):
            async with stream:
                events = aiter(stream)
                # An event that the SDK does not know has the right type, but the wrong class.
                async for event in events:
                    began = True
                    if event.type == "content_block_delta":
                        text = blocks[event.index].add(event.delta)
                        if event.delta.type == "text_delta":
                            yield TextDelta(text)
                        elif event.delta.type == "thinking_delta":
                            yield ThinkingDelta(text)
                    elif event.type == "content_block_start":
                        blocks[event.index] = _Block(event.content_block)
                    elif event.type == "message_start":
                        counts |= _counts(event.message.usage)
                    elif event.type == "message_delta":
                        stop = event.delta.stop_reason or stop
                        counts |= _counts(event.usage)
                    elif event.type == "message_stop":
                        ended = True
                        break
                await self._service.drain(events)
            if not ended:
                raise self._service.broken_off(began=began)
            yield _answer(list(blocks.values()), stop, counts, request, model)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


class _Block:
    """A content block that grows with its deltas."""

    def __init__(self, start: Any) -> None:
        self._start: dict[str, Any] = start.to_dict(mode="json", warnings=False)
        self._added: dict[str, list[str]] = {}

    def add(self, delta: Any) -> str:
        """Take a delta; return its text. Citations and unknown kinds are left out."""
        name = DELTAS.get(delta.type)
        if name is None:
            return ""
        text: str = getattr(delta, name)
        self._added.setdefault(name, []).append(text)
        return well_formed(text)

    def whole(self) -> tuple[dict[str, Any], str]:
        """Return the block, and the JSON text of its input where it is a tool call."""
        added = {name: "".join(texts) for name, texts in self._added.items()}
        partial_json = well_formed(added.pop("partial_json", ""))
        block = dict(self._start)
        for name, text in added.items():
            block[name] = (block.get(name) or "") + text
        if block["type"] == "tool_use":
            partial_json = partial_json or json.dumps(block.get("input") or {})
            block["input"] = _object(partial_json)
        return json_safe(block), partial_json


def _object(arguments: str) -> dict[str, Any]:
    """Return a call's input as the protocol wants it, empty where it is no JSON object."""
    try:
        return json_object(arguments)
    except ValueError:
        return {}


def _required(request: Request, model: Model) -> dict[str, Any]:
    required: dict[str, Any] = {
        "model": model.name,
        "system": request.instructions,
        "messages": _messages(request, model),
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


def _messages(request: Request, model: Model) -> list[dict[str, Any]]:
    """Return the conversation with roles that alternate: neighbours of one role are merged."""
    merged: list[dict[str, Any]] = []
    for message in request.messages:
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        blocks = list(_blocks(message, model))
        if merged and merged[-1]["role"] == role:
            merged[-1]["content"] += blocks
        elif blocks:
            merged.append({"role": role, "content": blocks})
    return merged


def _blocks(
    message: UserMessage | AssistantMessage | ToolResults, model: Model
) -> Iterator[dict[str, Any]]:
    if isinstance(message, UserMessage):
        yield {"type": "text", "text": message.text}
    elif isinstance(message, ToolResults):
        for result in message.results:
            yield {
                "type": "tool_result",
                "tool_use_id": result.call_id,
                "content": result.output,
                "is_error": not result.ok,
            }
    elif message.native and (message.agent, message.model) == (model.agent, model.name):
        yield from message.native
    else:
        if message.text.strip():
            yield {"type": "text", "text": message.text}
        for call in message.tool_calls:
            yield {
                "type": "tool_use",
                "id": call.call_id,
                "name": call.name,
                "input": _object(call.arguments),
            }


def _counts(usage: Any) -> dict[str, int]:
    """Return the counts that an event carries; the later ones count the same tokens anew."""
    names = (
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "output_tokens",
    )
    counts = {name: getattr(usage, name, None) for name in names}
    return {name: count for name, count in counts.items() if count is not None}


def _answer(
    blocks: list[_Block],
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
            texts.append(block["text"])
            if not block["text"].strip():
                continue  # the service would refuse it back
        elif block["type"] == "tool_use":
            block["id"] = ids.take(block.get("id"))
            calls.append(ToolCall(block["id"], block["name"], arguments))
        native.append(block)
    cached = counts.get("cache_read_input_tokens", 0)
    fresh = counts.get("input_tokens", 0) + counts.get("cache_creation_input_tokens", 0)
    return Answer(
        AssistantMessage("".join(texts), tuple(calls), model.agent, model.name, tuple(native)),
        STOPS.get(stop or "", "tools" if calls else "done"),
        Usage(fresh + cached, cached, counts.get("output_tokens", 0)),
    )
