"""Google's generateContent as pure functions: what the Gemini CLI speaks."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.demo_model.wire import Answer, Event, Message, Request, ToolCall, ToolResult
from vibekit_jupyter.demo_model.wire.neutral import pieces, spelled_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PATH = "/v1beta/models/{call}"
STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}


@dataclass(frozen=True)
class Chunk(Event):
    """An event without a name, as Google's servers end their lines."""

    def encode(self) -> bytes:
        return b"data: " + json.dumps(self.data).encode() + b"\r\n\r\n"


def key(headers: Mapping[str, str]) -> str:
    return headers.get("x-goog-api-key", "")


def error(status: int, message: str, code: str | None = None) -> dict[str, Any]:
    said = code or STATUS.get(status, "INTERNAL")
    return {"error": {"code": status, "message": message, "status": said}}


def models(names: Iterable[str]) -> dict[str, Any]:
    return {"models": [{"name": f"models/{name}"} for name in names]}


def parse(body: bytes, headers: Mapping[str, str]) -> Request:
    spelled = spelled_object(body)
    tools = [one for tool in spelled.get("tools") or () for one in tool["functionDeclarations"]]
    return Request(
        vendor="openai",
        model="",
        system="".join(_texts(spelled.get("systemInstruction") or {})),
        messages=tuple(_message(one) for one in spelled["contents"]),
        tools=tuple(str(tool["name"]) for tool in tools),
        stream=False,
        body=body,
        headers=headers,
    )


def of_path(request: Request, path: str) -> Request:
    """Add what the path says."""
    model, _, action = path.rpartition("/")[2].partition(":")
    return dataclasses.replace(request, model=model, stream=action == "streamGenerateContent")


def _message(content: dict[str, Any]) -> Message:
    parts = content.get("parts") or ()
    called = [part["functionCall"] for part in parts if "functionCall" in part]
    returned = [part["functionResponse"] for part in parts if "functionResponse" in part]
    return Message(
        "assistant" if content.get("role") == "model" else "user",
        texts=tuple(_texts(content)),
        tool_calls=tuple(ToolCall(one["name"], one.get("args") or {}) for one in called),
        tool_results=tuple(
            ToolResult(one.get("id") or one["name"], json.dumps(one["response"]))
            for one in returned
        ),
    )


def _texts(content: dict[str, Any]) -> list[str]:
    return [part["text"] for part in content.get("parts") or () if "text" in part]


def document(answer: Answer, model: str) -> dict[str, Any]:
    calls = [{"functionCall": _call(call)} for call in answer.tool_calls]
    texts = [{"text": answer.text}] if answer.text else []
    return _told([*texts, *calls], answer, model, ended=True)


def events(answer: Answer, model: str) -> Iterator[Event]:
    for piece in pieces(answer.text):
        yield Chunk(_told([{"text": piece}], answer, model))
    for call in answer.tool_calls:
        yield Chunk(_told([{"functionCall": _call(call)}], answer, model))
    yield Chunk(_told([{"text": ""}], answer, model, ended=True))


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "name": call.name, "args": call.arguments_object}


def _told(
    parts: list[dict[str, Any]], answer: Answer, model: str, *, ended: bool = False
) -> dict[str, Any]:
    reason = {"max_tokens": "MAX_TOKENS"}.get(answer.reason, "STOP")
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
    usage = answer.usage
    return {
        "candidates": [{**candidate, "finishReason": reason} if ended else candidate],
        "usageMetadata": {
            "promptTokenCount": usage.input,
            "cachedContentTokenCount": usage.cached,
            "candidatesTokenCount": usage.output - usage.reasoning if ended else 0,
            "thoughtsTokenCount": usage.reasoning if ended else 0,
            "totalTokenCount": usage.input + usage.output,
        },
        "modelVersion": model,
        "responseId": answer.id,
    }
