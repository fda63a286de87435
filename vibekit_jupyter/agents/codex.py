"""The agent ``codex``: the OpenAI Responses protocol, spoken with ``openai.AsyncOpenAI``.

Importing this module imports the SDK: half a second and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai

from vibekit_jupyter.agents.bounded_http import http_client
from vibekit_jupyter.agents.call_ids import CallIds
from vibekit_jupyter.agents.conversation import (
    AssistantMessage,
    ToolCall,
    ToolResult,
    ToolResults,
)
from vibekit_jupyter.agents.sdk_client import posting
from vibekit_jupyter.agents.service import Service
from vibekit_jupyter.agents.vendor import Answer, Request, StopReason
from vibekit_jupyter.agents.wire_text import json_safe, well_formed
from vibekit_jupyter.events import TextDelta, ThinkingDelta
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from vibekit_jupyter.settings.config import Model

__all__ = ["Codex"]

TEXT_DELTAS = ("response.output_text.delta", "response.refusal.delta")
THINKING_DELTAS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
ENDS = ("response.completed", "response.incomplete", "response.failed")


class Codex:
    """A connection to a service that speaks Responses (see :class:`~.vendor.Vendor`)."""

    def __init__(self, model: Model) -> None:
        self._client = openai.AsyncOpenAI(
            api_key=model.api_key,
            base_url=model.base_url,
            http_client=http_client(model, openai.DefaultAsyncHttpxClient),
        )
        post = posting(self._client, "/responses", openai.AsyncStream[object])
        self._service = Service(model, post, openai.OpenAIError)

    async def answer(
        self, request: Request
    ) -> AsyncGenerator[TextDelta | ThinkingDelta | Answer, None]:
        """Stream one answer."""
        model, failures = self._service.model, self._service.failures
        items: list[dict[str, Any]] = []
        end: dict[str, Any] | None = None
        began = False
        async with self._service.answer(
            _required(request, model), _optional(request, model), silence=request.silence
        ) as events:
            async for event in events:
                began = True
                kind = event["type"]
                if kind in TEXT_DELTAS:
                    yield TextDelta(well_formed(event["delta"]))
                elif kind in THINKING_DELTAS:
                    yield ThinkingDelta(well_formed(event["delta"]))
                elif kind == "response.output_item.done":
                    items.append(event)
                elif kind in ENDS:
                    end = event["response"]
                    break
                elif kind == "error":
                    raise self._service.failures.stream_error(
                        event.get("code"), event.get("message")
                    )
            if end is None:
                raise failures.broken_off(began=began)
            if error := end.get("error"):
                raise failures.stream_error(error.get("code"), error.get("message"))
            items.sort(key=lambda event: event["output_index"])
            output = [event["item"] for event in items] or end["output"]
            answer = _answer([json_safe(item) for item in output], end, request, model)
        yield answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _required(request: Request, model: Model) -> dict[str, Any]:
    required: dict[str, Any] = {
        "model": model.name,
        "instructions": request.instructions,
        "input": list(_input(request, model)),
    }
    if request.tools:
        required["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            }
            for tool in request.tools
        ]
    return required


def _optional(request: Request, model: Model) -> dict[str, Any]:
    # Without these two OpenAI keeps the conversation, and reasoning could not be sent back.
    optional: dict[str, Any] = {"store": False, "include": ["reasoning.encrypted_content"]}
    if request.cache_key:
        optional["prompt_cache_key"] = request.cache_key
    if request.max_output_tokens is not None:
        optional["max_output_tokens"] = request.max_output_tokens
    # A local server reasons when its model does; asked for it, some refuse other models.
    reasoning = {} if model.is_local else {"summary": "auto"}
    if request.effort is not None:
        reasoning["effort"] = request.effort
    if reasoning:
        optional["reasoning"] = reasoning
    return optional


def _input(request: Request, model: Model) -> Iterator[dict[str, Any]]:
    for message in request.messages:
        if isinstance(message, ToolResults):
            for result in message.results:
                yield {
                    "type": "function_call_output",
                    "call_id": result.call_id,
                    "output": _output(result),
                }
        elif isinstance(message, AssistantMessage):
            yield from _said(message, model)
        else:
            yield {"role": "user", "content": message.text}


def _output(result: ToolResult) -> str | list[dict[str, Any]]:
    if result.picture is None:
        return result.output
    address = f"data:{result.picture.media_type};base64,{result.picture.data}"
    return [
        {"type": "input_text", "text": result.output},
        {"type": "input_image", "image_url": address, "detail": "auto"},
    ]


def _said(message: AssistantMessage, model: Model) -> Iterator[dict[str, Any]]:
    if message.is_native_to(model):
        yield from message.native
        return
    if message.text.strip():
        yield {"role": "assistant", "content": message.text}
    for call in message.tool_calls:
        yield {
            "type": "function_call",
            "call_id": call.call_id,
            "name": call.name,
            "arguments": call.arguments,
        }


def _answer(
    output: list[dict[str, Any]], end: dict[str, Any], request: Request, model: Model
) -> Answer:
    ids = CallIds(request.messages)
    texts: list[str] = []
    calls: list[ToolCall] = []
    native: list[dict[str, Any]] = []
    refused = False
    for item in output:
        if item["type"] == "message":
            parts = item["content"]
            refused = refused or any(part["type"] == "refusal" for part in parts)
            texts += [part.get("text") or part.get("refusal") or "" for part in parts]
            if not parts:
                continue
        elif item["type"] == "function_call":
            item["call_id"] = ids.take(item.get("call_id"))
            calls.append(ToolCall(item["call_id"], item["name"], item["arguments"]))
        elif item["type"] == "reasoning" and not item.get("encrypted_content"):
            continue  # OpenAI would look for it in its store, where it is not
        native.append(item)
    return Answer(
        AssistantMessage("".join(texts), tuple(calls), model.agent, model.name, tuple(native)),
        _stop(end, refused=refused, calls=bool(calls)),
        _usage(end.get("usage") or {}),
    )


def _stop(end: dict[str, Any], *, refused: bool, calls: bool) -> StopReason:
    if cut := end.get("incomplete_details"):
        return "refusal" if cut.get("reason") == "content_filter" else "length"
    if calls:
        return "tools"
    return "refusal" if refused else "done"


def _usage(usage: dict[str, Any]) -> Usage:
    details = usage.get("input_tokens_details") or {}
    return Usage(
        usage.get("input_tokens") or 0,
        details.get("cached_tokens") or 0,
        usage.get("output_tokens") or 0,
    )
