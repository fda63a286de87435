"""The OpenAI Responses protocol: a request read, an answer written.

Source: the types of the ``openai`` package, ``openai.types.responses``.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.demo_model.wire.neutral import (
    Answer,
    Event,
    Message,
    Request,
    ToolCall,
    ToolResult,
    bearer,
    pieces,
    seal,
    spelled_object,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PATH = "/v1/responses"

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "invalid_request_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
_INCOMPLETE = ("max_tokens", "model_context_window_exceeded")


def key(headers: Mapping[str, str]) -> str:
    """Return the key that a request carries, empty where it carries none."""
    return bearer(headers)


def error(status: int, message: str, code: str | None = None) -> dict[str, Any]:
    """Return the body of an error response."""
    kind = _ERROR_TYPES.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def models(names: Iterable[str]) -> dict[str, Any]:
    """Return the body of ``GET /v1/models``."""
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": 0, "owned_by": "vibekit"} for name in names
        ],
    }


def parse(body: bytes, headers: Mapping[str, str]) -> Request:
    """Read a request.

    Raises
    ------
    ValueError
        The body is not a JSON object of the protocol's shape.
    """
    spelled = spelled_object(body)
    given = spelled.get("input", "")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    system = [str(spelled.get("instructions") or "")]
    system += [_text(item) for item in items if item.get("role") in ("system", "developer")]
    return Request(
        vendor="openai",
        model=str(spelled.get("model", "")),
        system="\n\n".join(filter(None, system)),
        messages=tuple(
            _message(side, list(group))
            for side, group in itertools.groupby((item for item in items if _side(item)), key=_side)
        ),
        tools=tuple(str(tool.get("name", tool.get("type"))) for tool in spelled.get("tools") or ()),
        stream=bool(spelled.get("stream")),
        body=body,
        headers=headers,
    )


def _side(item: dict[str, Any]) -> str:
    """Whose turn an input item belongs to; empty for what no turn needs."""
    kind = item.get("type", "message")
    if kind == "message":
        return str(item["role"]) if item.get("role") in ("user", "assistant") else ""
    return {
        "function_call": "assistant",
        "reasoning": "assistant",
        "function_call_output": "user",
    }.get(kind, "")


def _message(side: str, items: list[dict[str, Any]]) -> Message:
    def of_kind(kind: str) -> list[dict[str, Any]]:
        return [item for item in items if item.get("type", "message") == kind]

    return Message(
        role="user" if side == "user" else "assistant",
        texts=tuple(text for item in of_kind("message") for text in _texts(item.get("content"))),
        thinking="".join(
            part["text"] for item in of_kind("reasoning") for part in item.get("summary", ())
        ),
        tool_calls=tuple(
            ToolCall(item["name"], _arguments(item["arguments"]), item["call_id"])
            for item in of_kind("function_call")
        ),
        tool_results=tuple(
            ToolResult(item["call_id"], "".join(_texts(item.get("output"))))
            for item in of_kind("function_call_output")
        ),
    )


def _text(item: dict[str, Any]) -> str:
    return "".join(_texts(item.get("content")))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = (part.get("text", part.get("refusal")) for part in content or ())
    return [part for part in parts if isinstance(part, str)]


def _arguments(spelled: str) -> dict[str, Any] | str:
    try:
        arguments = json.loads(spelled)
    except ValueError:
        return spelled
    return arguments if isinstance(arguments, dict) else spelled


def document(answer: Answer, model: str) -> dict[str, Any]:
    """Return the whole response, as it is without streaming."""
    incomplete = answer.reason in _INCOMPLETE
    return _response(
        answer,
        model,
        status="incomplete" if incomplete else "completed",
        incomplete_details={"reason": "max_output_tokens"} if incomplete else None,
        output=_items(answer),
        usage={
            "input_tokens": answer.usage.input,
            "input_tokens_details": {
                "cached_tokens": answer.usage.cached,
                "cache_write_tokens": 0,
            },
            "output_tokens": answer.usage.output,
            "output_tokens_details": {"reasoning_tokens": answer.usage.reasoning},
            "total_tokens": answer.usage.input + answer.usage.output,
        },
    )


def events(answer: Answer, model: str) -> Iterator[Event]:
    """Return the whole response, as the events of its stream."""
    for number, data in enumerate(_events(answer, model)):
        yield Event({**data, "sequence_number": number})


def _events(answer: Answer, model: str) -> Iterator[dict[str, Any]]:
    begun = _response(answer, model, status="in_progress", output=[], usage=None)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(_items(answer)):
        yield {"type": "response.output_item.added", "output_index": index, "item": _empty(item)}
        place = {"item_id": item["id"], "output_index": index}
        for data in _PARTS[item["type"]](item):
            yield {**data, **place}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    whole = document(answer, model)
    yield {"type": f"response.{whole['status']}", "response": whole}


def _items(answer: Answer) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.thinking:
        items.append(
            {
                "type": "reasoning",
                "id": f"rs_{answer.id}",
                "summary": [{"type": "summary_text", "text": answer.thinking}],
                "encrypted_content": seal(answer.thinking),
            }
        )
    if answer.text:
        part = (
            {"type": "refusal", "refusal": answer.text}
            if answer.reason == "refusal"
            else {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        )
        items.append(
            {
                "type": "message",
                "id": f"msg_{answer.id}",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    items += [
        {
            "type": "function_call",
            "id": f"fc_{answer.id}_{number}",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments_json,
        }
        for number, call in enumerate(answer.tool_calls)
    ]
    return items


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item as it is announced, before its deltas."""
    blanks = {"summary": [], "content": [], "arguments": "", "status": "in_progress"}
    return {name: blanks.get(name, value) for name, value in item.items()}


def _reasoning(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for index, part in enumerate(item["summary"]):
        kind, place = "response.reasoning_summary", {"summary_index": index}
        yield {"type": f"{kind}_part.added", "part": {**part, "text": ""}, **place}
        for piece in pieces(part["text"]):
            yield {"type": f"{kind}_text.delta", "delta": piece, **place}
        yield {"type": f"{kind}_text.done", "text": part["text"], **place}
        yield {"type": f"{kind}_part.done", "part": part, **place}


def _message_parts(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for index, part in enumerate(item["content"]):
        name = "text" if part["type"] == "output_text" else "refusal"
        extra: dict[str, Any] = {"logprobs": []} if name == "text" else {}
        kind, place = f"response.{part['type']}", {"content_index": index}
        yield {"type": "response.content_part.added", "part": {**part, name: ""}, **place}
        for piece in pieces(part[name]):
            yield {"type": f"{kind}.delta", "delta": piece, **extra, **place}
        yield {"type": f"{kind}.done", name: part[name], **extra, **place}
        yield {"type": "response.content_part.done", "part": part, **place}


def _function_call(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = "response.function_call_arguments"
    for piece in pieces(item["arguments"]):
        yield {"type": f"{kind}.delta", "delta": piece}
    yield {"type": f"{kind}.done", "name": item["name"], "arguments": item["arguments"]}


_PARTS = {"reasoning": _reasoning, "message": _message_parts, "function_call": _function_call}


def _response(answer: Answer, model: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": 0,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        **fields,
    }
