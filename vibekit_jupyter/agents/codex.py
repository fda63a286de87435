"""The agent ``codex``: the OpenAI Responses protocol, spoken with ``openai.AsyncOpenAI``.

Importing this module imports the SDK: half a second and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import openai

from vibekit_jupyter.agents.bounded_http import http_client
from vibekit_jupyter.agents.call_ids import CallIds
from vibekit_jupyter.agents.conversation import (
    NOTHING_SAID,
    AssistantMessage,
    ToolCall,
    ToolResult,
    ToolResults,
)
from vibekit_jupyter.agents.sdk_client import posting, where
from vibekit_jupyter.agents.service import Service
from vibekit_jupyter.agents.told_usage import usage_of_responses
from vibekit_jupyter.agents.vendor import Answer, Request, StopReason
from vibekit_jupyter.agents.wire_text import (
    arguments_text,
    json_safe,
    object_or_empty,
    tool_name,
    well_formed,
)
from vibekit_jupyter.events import TextDelta, ThinkingDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from vibekit_jupyter.agents.service import Fields
    from vibekit_jupyter.settings.config import Model

__all__ = ["Codex"]

TEXT_DELTAS = ("response.output_text.delta", "response.refusal.delta")
THINKING_DELTAS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
ENDS = ("response.completed", "response.incomplete", "response.failed")

T = TypeVar("T")


class _Stream(openai.AsyncStream[T]):
    """The events of an answer; those without data, which are legal, tell nothing."""

    async def _iter_events(self) -> AsyncIterator[Any]:
        async for event in super()._iter_events():
            if event.data.strip():
                yield event


@dataclass(frozen=True)
class _End:
    """How an answer ended: by its last event's kind, whatever else that event tells."""

    kind: str
    response: dict[str, Any]

    @property
    def failed(self) -> bool:
        return self.kind == "response.failed" or bool(self.response.get("error"))

    def reason(self, *, refused: bool, calls: bool) -> StopReason:
        cut = self.response.get("incomplete_details")
        if self.kind == "response.incomplete" or cut:
            filtered = isinstance(cut, dict) and cut.get("reason") == "content_filter"
            return "refusal" if filtered else "length"
        if calls:
            return "tools"
        return "refusal" if refused else "done"


class Codex:
    """A connection to a service that speaks Responses (see :class:`~.vendor.Vendor`)."""

    def __init__(self, model: Model) -> None:
        self._client = openai.AsyncOpenAI(
            api_key=model.api_key,
            **where(model.base_url),
            default_headers=dict(model.headers),
            http_client=http_client(model, openai.DefaultAsyncHttpxClient),
        )
        post = posting(self._client, "/responses", _Stream[object])
        self._service = Service(model, post, openai.OpenAIError)

    async def answer(
        self, request: Request
    ) -> AsyncGenerator[TextDelta | ThinkingDelta | Answer, None]:
        """Stream one answer."""
        model, failures = self._service.model, self._service.failures
        items: dict[object, dict[str, Any]] = {}
        words: list[str] = []
        end = None
        began = False
        async with self._service.answer(request, _spelled) as events:
            async for event in events:
                began = True
                kind = event["type"]
                if kind in TEXT_DELTAS:
                    words.append(well_formed(event["delta"]))
                    yield TextDelta(words[-1])
                elif kind in THINKING_DELTAS:
                    yield ThinkingDelta(well_formed(event["delta"]))
                elif kind == "response.output_item.done":
                    # What is told twice is one item, and not every server counts them.
                    item, place = event["item"], event.get("output_index")
                    items.setdefault(item.get("id", len(items)) if place is None else place, item)
                elif kind in ENDS:
                    end = _End(kind, event.get("response") or {})
                    break
                elif kind == "error":
                    raise failures.stream_error(event.get("error") or event)
            if end is None:
                raise failures.broken_off(began=began)
            if end.failed:
                raise failures.stream_error(end.response.get("error"))
            output = (
                [items[place] for place in _in_order(items)] or end.response.get("output") or []
            )
            answer = _answer([json_safe(item) for item in output], words, end, request, model)
        yield answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _in_order(items: Mapping[object, Any]) -> Iterable[object]:
    numbered = all(isinstance(place, int) for place in items)
    return sorted(items, key=lambda place: place) if numbered else items  # type: ignore[arg-type, return-value]  # they are numbers


def _spelled(request: Request, model: Model, verbatim: int) -> Fields:
    return _required(request, model, verbatim), _optional(request, model)


def _required(request: Request, model: Model, verbatim: int) -> dict[str, Any]:
    required: dict[str, Any] = {
        "model": model.name,
        "instructions": request.instructions,
        "input": list(_input(request, model, verbatim)),
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


def _input(request: Request, model: Model, verbatim: int) -> Iterator[dict[str, Any]]:
    known: set[str] = set()
    for number, message in enumerate(request.messages):
        if isinstance(message, ToolResults):
            for result in message.results:
                yield {
                    "type": "function_call_output",
                    "call_id": result.call_id,
                    "output": _output(result),
                }
        elif isinstance(message, AssistantMessage):
            native = number >= verbatim and message.is_native_to(model)
            said = _sendable(message.native) if native else _neutral(message)
            for item in said or [{"role": "assistant", "content": NOTHING_SAID}]:
                yield _once(item, known)
        else:
            if message.data:
                yield {"role": "user", "content": message.data}
            yield {"role": "user", "content": message.text}


def _output(result: ToolResult) -> str | list[dict[str, Any]]:
    if result.picture is None:
        return result.output
    address = f"data:{result.picture.media_type};base64,{result.picture.data}"
    return [
        {"type": "input_text", "text": result.output},
        {"type": "input_image", "image_url": address, "detail": "auto"},
    ]


def _sendable(native: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items that are taken back: reasoning goes with what it led to, or not at all."""
    kept: list[dict[str, Any]] = []
    for item in reversed(list(native)):
        if kept or item["type"] != "reasoning":
            kept.append(item)
    return kept[::-1]


def _once(item: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Return an item under an id that no other one has; some servers count anew each time."""
    if (name := item.get("id")) is None:
        return item
    if name in known:
        item = {**item, "id": f"{str(name)[:50]}_{len(known)}"}
    known.add(item["id"])
    return item


def _neutral(message: AssistantMessage) -> list[dict[str, Any]]:
    words = {"role": "assistant", "content": message.text}
    calls = [
        {
            "type": "function_call",
            "call_id": call.call_id,
            "name": call.name,
            "arguments": _object_text(call.arguments),
        }
        for call in message.tool_calls
    ]
    return [words, *calls] if message.text.strip() else calls


def _object_text(arguments: str) -> str:
    """Return a call's arguments as any server reads them: no object becomes an empty one."""
    return arguments if object_or_empty(arguments) else "{}"


def _answer(
    output: Iterable[dict[str, Any]],
    words: Sequence[str],
    end: _End,
    request: Request,
    model: Model,
) -> Answer:
    ids = CallIds(request.messages)
    texts: list[str] = []
    calls: list[ToolCall] = []
    native: list[dict[str, Any]] = []
    refused = False
    for item in output:
        if not isinstance(item.get("id"), str):
            item.pop("id", None)
        if item["type"] == "message":
            item["role"] = "assistant"
            item["content"] = parts = _parts(item.get("content"))
            refused = refused or any(part["type"] == "refusal" for part in parts)
            texts += [part.get("text") or part["refusal"] for part in parts]
            if not parts:
                continue
        elif item["type"] == "function_call":
            arguments = arguments_text(item.get("arguments"))
            call = ToolCall(ids.take(item.get("call_id")), tool_name(item.get("name")), arguments)
            calls.append(call)
            item |= {"call_id": call.call_id, "name": call.name}
            item["arguments"] = _object_text(arguments)
        elif item["type"] != "reasoning" or not item.get("encrypted_content"):
            # OpenAI would look for reasoning in its store, where it is not. Nothing else was
            # asked for.
            continue
        native.append(item)
    text = "".join(texts)
    if not text and words:  # the items do not repeat what was streamed
        text, native = "".join(words), []
    return Answer(
        AssistantMessage(text, tuple(calls), model.agent, model.name, tuple(native)),
        end.reason(refused=refused, calls=bool(calls)),
        usage_of_responses(end.response.get("usage")),
    )


def _parts(content: Any) -> list[dict[str, Any]]:
    """Return the parts of a message that say something, as they can be sent back."""
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content, "annotations": []}]
    parts = content if isinstance(content, list) else []
    texts = {"output_text": "text", "refusal": "refusal"}
    return [part for part in parts if str(part.get(texts.get(part["type"], "")) or "").strip()]
