"""OpenAI Chat Completions as pure functions: what goose, opencode and many other agents speak."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.demo_model.wire import (
    Answer,
    Event,
    Message,
    Request,
    ToolCall,
    ToolResult,
    responses,
)
from vibekit_jupyter.demo_model.wire.neutral import pieces, spelled_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATH = "/v1/chat/completions"
key, error, models = responses.key, responses.error, responses.models


@dataclass(frozen=True)
class Chunk(Event):
    """An event without a name."""

    def encode(self) -> bytes:
        return b"data: " + json.dumps(self.data).encode() + b"\n\n"


@dataclass(frozen=True)
class Done(Event):
    def encode(self) -> bytes:
        return b"data: [DONE]\n\n"


def parse(body: bytes, headers: Mapping[str, str]) -> Request:
    spelled = spelled_object(body)
    given = spelled["messages"]
    return Request(
        vendor="openai",
        model=str(spelled.get("model", "")),
        system="\n\n".join(_text(one) for one in given if one["role"] in ("system", "developer")),
        messages=tuple(
            _message(one) for one in given if one["role"] not in ("system", "developer")
        ),
        tools=tuple(str(tool["function"]["name"]) for tool in spelled.get("tools") or ()),
        stream=bool(spelled.get("stream")),
        body=body,
        headers=headers,
    )


def _message(one: dict[str, Any]) -> Message:
    if one["role"] == "tool":
        return Message("user", tool_results=(ToolResult(one["tool_call_id"], _text(one)),))
    return Message(
        "assistant" if one["role"] == "assistant" else "user",
        texts=(_text(one),),
        tool_calls=tuple(
            ToolCall(call["function"]["name"], call["function"]["arguments"], call["id"])
            for call in one.get("tool_calls") or ()
        ),
    )


def _text(one: dict[str, Any]) -> str:
    content = one.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def document(answer: Answer, model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text, "tool_calls": _calls(answer)}
    choice = {"index": 0, "message": message, "finish_reason": _reason(answer)}
    return {**_head(answer, model, "chat.completion"), "choices": [choice], "usage": _usage(answer)}


def events(answer: Answer, model: str) -> Iterator[Event]:
    head = _head(answer, model, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], reason: str | None = None) -> Event:
        return Chunk({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(answer.text):
        yield chunk({"content": piece})
    for index, call in enumerate(_calls(answer)):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, _reason(answer))
    yield Chunk({**head, "choices": [], "usage": _usage(answer)})
    yield Done({"type": "done"})


def _head(answer: Answer, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{answer.id}", "object": kind, "created": 0, "model": model}


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments_json},
        }
        for call in answer.tool_calls
    ]


def _reason(answer: Answer) -> str:
    return {"tool_use": "tool_calls", "max_tokens": "length"}.get(answer.reason, "stop")


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.usage.input,
        "completion_tokens": answer.usage.output,
        "total_tokens": answer.usage.input + answer.usage.output,
        "prompt_tokens_details": {"cached_tokens": answer.usage.cached},
    }
