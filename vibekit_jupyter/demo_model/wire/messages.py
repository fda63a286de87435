"""The Anthropic Messages protocol: a request read, an answer written.

Source: the types of the ``anthropic`` package, ``anthropic.types``.
"""

from __future__ import annotations

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

PATH = "/v1/messages"

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def key(headers: Mapping[str, str]) -> str:
    """Return the key that a request carries, empty where it carries none."""
    return headers.get("x-api-key") or bearer(headers)


def error(status: int, message: str, code: str | None = None) -> dict[str, Any]:
    """Return the body of an error response, and of an error event; ``code`` is its type."""
    kind = code or _ERROR_TYPES.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def models(names: Iterable[str]) -> dict[str, Any]:
    """Return the body of ``GET /v1/models``."""
    data = [
        {
            "id": name,
            "type": "model",
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
            "lifecycle": "active",
        }
        for name in names
    ]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"data": data, "has_more": False, "first_id": None, "last_id": None, **ends}


def parse(body: bytes, headers: Mapping[str, str]) -> Request:
    """Read a request.

    Raises
    ------
    ValueError
        The body is not a JSON object of the protocol's shape.
    """
    spelled = spelled_object(body)
    return Request(
        vendor="anthropic",
        model=str(spelled.get("model", "")),
        system="\n\n".join(_texts(spelled.get("system"))),
        messages=tuple(_message(message) for message in spelled.get("messages", ())),
        tools=tuple(str(tool["name"]) for tool in spelled.get("tools") or ()),
        stream=bool(spelled.get("stream")),
        body=body,
        headers=headers,
    )


def _message(message: dict[str, Any]) -> Message:
    content = message.get("content") or []
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content

    def of_kind(kind: str) -> list[dict[str, Any]]:
        return [block for block in blocks if block.get("type") == kind]

    return Message(
        role="assistant" if message.get("role") == "assistant" else "user",
        texts=tuple(_texts(blocks)),
        thinking="".join(block["thinking"] for block in of_kind("thinking")),
        tool_calls=tuple(map(_call, of_kind("tool_use"))),
        tool_results=tuple(
            ToolResult(
                block["tool_use_id"],
                "".join(_texts(block.get("content"))),
                bool(block.get("is_error")),
            )
            for block in of_kind("tool_result")
        ),
    )


def _call(block: dict[str, Any]) -> ToolCall:
    return ToolCall(block["name"], block["input"], block["id"])


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(block["text"]) for block in content or () if block.get("type") == "text"]


def document(answer: Answer, model: str) -> dict[str, Any]:
    """Return the whole message, as it is without streaming."""
    return {
        **_begun(answer, model),
        "content": _blocks(answer),
        "stop_reason": answer.reason,
        "usage": {**_input_usage(answer), "output_tokens": answer.usage.output},
    }


def events(answer: Answer, model: str) -> Iterator[Event]:
    """Return the whole message, as the events of its stream."""
    yield Event({"type": "message_start", "message": _begun(answer, model)})
    yield Event({"type": "ping"})
    for index, block in enumerate(_blocks(answer)):
        empty, deltas = _PARTS[block["type"]](block)
        yield Event({"type": "content_block_start", "index": index, "content_block": empty})
        for delta in deltas:
            yield Event({"type": "content_block_delta", "index": index, "delta": delta})
        yield Event({"type": "content_block_stop", "index": index})
    yield Event(
        {
            "type": "message_delta",
            "delta": {"stop_reason": answer.reason, "stop_sequence": None},
            "usage": {"output_tokens": answer.usage.output},
        }
    )
    yield Event({"type": "message_stop"})


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.thinking:
        blocks.append(
            {
                "type": "thinking",
                "thinking": answer.thinking,
                "signature": seal(answer.thinking),
            }
        )
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in answer.tool_calls
    ]
    return blocks


_Part = tuple[dict[str, Any], list[dict[str, Any]]]


def _thinking(block: dict[str, Any]) -> _Part:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
    signature = {"type": "signature_delta", "signature": block["signature"]}
    return {**block, "thinking": "", "signature": ""}, [*deltas, signature]


def _text(block: dict[str, Any]) -> _Part:
    return {**block, "text": ""}, [
        {"type": "text_delta", "text": piece} for piece in pieces(block["text"])
    ]


def _tool_use(block: dict[str, Any]) -> _Part:
    spelled = _call(block).arguments_json
    return {**block, "input": {}}, [
        {"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(spelled))
    ]


_PARTS = {"thinking": _thinking, "text": _text, "tool_use": _tool_use}


def _begun(answer: Answer, model: str) -> dict[str, Any]:
    """Return the message as its stream announces it."""
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**_input_usage(answer), "output_tokens": 0},
    }


def _input_usage(answer: Answer) -> dict[str, int]:
    return {
        "input_tokens": answer.usage.input - answer.usage.cached,
        "cache_read_input_tokens": answer.usage.cached,
        "cache_creation_input_tokens": 0,
    }
