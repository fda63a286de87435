"""What the vendors refuse in a conversation, found before a model would see it."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.demo_model.wire.neutral import seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.demo_model.wire import Request

TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SEALED = ("thinking", "redacted_thinking")


def violation(request: Request) -> str | None:
    """Return what the vendor would refuse the request for, None where it would take it."""
    rules = _openai if request.vendor == "openai" else _anthropic
    return next(rules(request.json), None)


def _openai(body: dict[str, Any]) -> Iterator[str]:
    for name in ("model", "input"):
        if not body.get(name):
            yield f"Missing required parameter: '{name}'."
    given = body.get("input")
    items = given if isinstance(given, list) else []
    for index, item in enumerate(items):
        yield from _openai_item(body, index, item)
    yield from _openai_calls(items)
    yield from _openai_order(items)
    yield from _openai_tools(body)


def _openai_item(body: dict[str, Any], index: int, item: dict[str, Any]) -> Iterator[str]:
    kind = item.get("type", "message")
    if kind == "message":
        yield from _openai_message(index, item)
    elif kind == "reasoning":
        yield from _sealed_reasoning(body, item)
    elif kind == "function_call":
        if not isinstance(item.get("arguments"), str):
            yield f"Invalid type for 'input[{index}].arguments': expected a string."
        if not TOOL_NAME.fullmatch(str(item.get("name"))):
            yield f"Invalid 'input[{index}].name': string does not match '^[a-zA-Z0-9_-]+$'."
        if not 1 <= len(str(item.get("call_id") or "")) <= 64:
            yield f"Invalid 'input[{index}].call_id': expected a string of at most 64."
    elif kind != "function_call_output":
        yield f"Invalid value: 'input[{index}].type' is {kind!r}."
    elif not isinstance(output := item.get("output"), str):
        yield from _openai_output(index, output)


def _openai_output(index: int, output: Any) -> Iterator[str]:
    """What a call came to may be parts, too: texts, pictures and files."""
    if not isinstance(output, list) or not output:
        yield f"Invalid type for 'input[{index}].output': expected a string or an array."
        return
    for part in output:
        if part.get("type") not in ("input_text", "input_image", "input_file"):
            yield f"Invalid value: '{part.get('type')}' in 'input[{index}].output'."
        if part.get("type") == "input_image" and not part.get("image_url"):
            yield f"Missing required parameter: 'input[{index}].output.image_url'."


def _openai_order(items: list[dict[str, Any]]) -> Iterator[str]:
    """Reasoning comes with what it led to, and nothing comes twice."""
    known: set[str] = set()
    for item, following in itertools.pairwise([*items, {}]):
        item_id = item.get("id")
        if item_id is not None and item_id in known:
            yield f"Duplicate item found with id {item_id}. Remove duplicate items from your input."
        known.add(item_id or "")
        said = following.get("type", "message" if following else "")
        led = said in ("function_call", "reasoning") or following.get("role") == "assistant"
        if item.get("type") == "reasoning" and not led:
            yield (
                f"Item '{item_id}' of type 'reasoning' was provided without its required "
                "following item."
            )


def _openai_calls(items: list[dict[str, Any]]) -> Iterator[str]:
    """Each call is answered exactly once, before anybody speaks again."""
    unanswered: list[str] = []
    known: set[str] = set()
    for item in items:
        kind = item.get("type", "message")
        call_id = item.get("call_id")
        if kind == "function_call_output":
            if call_id not in unanswered:
                yield f"No tool call found for function call output with call_id {call_id}."
            else:
                unanswered.remove(call_id)
        elif kind == "function_call" and isinstance(call_id, str):
            if call_id in known:
                yield f"Duplicate call_id {call_id}."
            known.add(call_id)
            unanswered.append(call_id)
        elif kind == "message" and unanswered:
            break
    if unanswered:
        yield f"No tool output found for function call {unanswered[0]}."


# What a part of a message must have; the others have a text.
NEEDED = {"refusal": "refusal", "input_image": "image_url", "input_file": "filename"}


def _openai_message(index: int, item: dict[str, Any]) -> Iterator[str]:
    role = item.get("role")
    if role not in ("user", "assistant", "system", "developer"):
        yield f"Invalid value: 'input[{index}].role' is {role!r}."
    content = item.get("content")
    if isinstance(content, str) and content:
        return
    if not content:
        yield f"Invalid value: 'input[{index}].content' is empty."
    allowed = (
        ("output_text", "refusal")
        if role == "assistant"
        else ("input_text", "input_image", "input_file")
    )
    for part in content or ():
        if part.get("type") not in allowed:
            yield (
                f"Invalid value: '{part.get('type')}'. Supported values are: "
                f"{', '.join(allowed)} (input[{index}])."
            )
        needed = NEEDED.get(str(part.get("type")), "text")
        if not isinstance(part.get(needed), str):
            yield f"Missing required parameter: 'input[{index}].content[0].{needed}'."


def _sealed_reasoning(body: dict[str, Any], item: dict[str, Any]) -> Iterator[str]:
    encrypted = item.get("encrypted_content")
    if encrypted is None:
        if body.get("store") is False:
            yield (
                f"Item with id {item.get('id')!r} not found. Items are not persisted when "
                "`store` is set to false."
            )
    elif encrypted != seal("".join(part["text"] for part in item.get("summary", ()))):
        yield f"The encrypted content for item {item.get('id')} could not be verified."


def _openai_tools(body: dict[str, Any]) -> Iterator[str]:
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") == "function" and not tool.get("name"):
            yield f"Missing required parameter: 'tools[{index}].name'."


def _anthropic(body: dict[str, Any]) -> Iterator[str]:
    for name in ("model", "max_tokens", "messages"):
        if not body.get(name):
            yield f"{name}: Field required"
    messages = body.get("messages") or []
    yield from _anthropic_turns(messages)
    yield from _anthropic_calls(messages)
    if messages and messages[-1]["role"] != "user":
        yield (
            "This model does not support assistant message prefill. The conversation must end "
            "with a user message."
        )
    for index, tool in enumerate(body.get("tools") or ()):
        if "type" not in tool and "input_schema" not in tool:
            yield f"tools.{index}.custom.input_schema: Field required"


def _anthropic_turns(messages: list[dict[str, Any]]) -> Iterator[str]:
    if messages and messages[0]["role"] != "user":
        yield "messages: first message must use the user role"
    before = None
    for index, message in enumerate(messages):
        role, blocks = message["role"], _blocks(message)
        if role not in ("user", "assistant"):
            yield f"messages.{index}.role: unexpected value {role!r}"
        if role == before:
            yield f"messages.{index}: roles must alternate between user and assistant"
        if not blocks:
            yield f"messages.{index}: all messages must have non-empty content"
        yield from _anthropic_blocks(index, role, blocks)
        if role == "assistant" and blocks and blocks[-1]["type"] in SEALED:
            yield f"messages.{index}: The final block in an assistant message cannot be `thinking`."
        before = role


def _anthropic_calls(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Each call is answered exactly once, all of them at the start of the next message."""
    unanswered: list[str] = []
    known: set[str] = set()
    for index, message in enumerate(messages):
        blocks = _blocks(message)
        yield from _anthropic_results(index, blocks, unanswered)
        unanswered = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if known.intersection(unanswered) or len(set(unanswered)) < len(unanswered):
            yield f"messages.{index}: `tool_use` ids must be unique"
        known.update(unanswered)
    if unanswered:
        yield _without_result(len(messages) - 1, unanswered)


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or []


def _anthropic_blocks(index: int, role: str, blocks: list[dict[str, Any]]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        place = f"messages.{index}.content.{number}"
        kind = block["type"]
        if kind == "text" and not block["text"]:
            yield f"{place}: text content blocks must be non-empty"
        if kind == "text" and role == "assistant" and not block["text"].strip():
            yield f"{place}: text content blocks must contain non-whitespace text"
        if kind in ("tool_use", *SEALED) and role != "assistant":
            yield f"{place}: `{kind}` blocks can only be in `assistant` messages"
        if kind == "tool_result" and role != "user":
            yield f"{place}: `tool_result` blocks can only be in `user` messages"
        if kind == "tool_use" and not isinstance(block["input"], dict):
            yield f"{place}.tool_use.input: Input should be a valid dictionary"
        if kind == "tool_use" and not TOOL_ID.fullmatch(block["id"]):
            yield f"{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if kind == "tool_use" and not TOOL_NAME.fullmatch(str(block.get("name"))):
            yield f"{place}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        if kind not in (*SEALED, "text", "tool_use", "tool_result"):
            yield f"{place}: Input tag {kind!r} does not match any of the expected tags"
        if kind == "thinking" and block.get("signature") != seal(block["thinking"]):
            yield f"{place}: Invalid `signature` in `thinking` block"


def _anthropic_results(
    index: int, blocks: list[dict[str, Any]], unanswered: list[str]
) -> Iterator[str]:
    kinds = [block["type"] for block in blocks]
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    for call_id in results:
        if call_id not in unanswered:
            yield (
                f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{call_id}. Each `tool_result` block must have a corresponding `tool_use` "
                "block in the previous message."
            )
    if len(set(results)) < len(results):
        yield f"messages.{index}: each tool_use must have a single result"
    if missing := [call_id for call_id in unanswered if call_id not in results]:
        yield _without_result(index - 1, missing)
    if unanswered and "tool_result" in kinds[len(results) :]:
        yield f"messages.{index}: `tool_result` blocks must come before other content"


def _without_result(index: int, call_ids: list[str]) -> str:
    return (
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately "
        f"after: {json.dumps(call_ids)}."
    )
