"""What compatible services send that the vendors do not: taken in, or refused at the door.

Nothing of it stays in the conversation that either vendor would refuse later.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.model_server import Raw
from vibekit_jupyter.agents.conversation import AssistantMessage, Conversation, ToolResults
from vibekit_jupyter.demo_model.wire import WIRES, Answer, ToolCall
from vibekit_jupyter.errors import (
    ModelStreamError,
    ModelUnavailableError,
    RunLimitError,
    VibeKitError,
)
from vibekit_jupyter.settings.config import AGENTS, AgentName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.functional.agents.place import Place

    Data = dict[str, Any]
    Change = Callable[[Data], object]

pytestmark = pytest.mark.anyio

CALL = ToolCall("list_files", {"path": "."})
WHOLE = Answer("I look at it.", thinking="What is there?", tool_calls=(CALL,))


def odd(agent: AgentName, *changes: Change, between: bytes = b"", twice: str = "-") -> Raw:
    """An answer whose events are changed, each with the bytes ``between`` before it."""
    wire = WIRES["openai" if agent == "codex" else "anthropic"]
    spelled = []
    for event in wire.events(WHOLE, "model"):
        data = copy.deepcopy(dict(event.data))
        for change in changes:
            change(data)
        line = f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()
        spelled += [between, line] + ([line] if str(data["type"]).endswith(twice) else [])
    return Raw(b"".join(spelled), content_type="text/event-stream")


def parts(data: Any, **wanted: object) -> Iterator[Data]:
    """Every object in an event's data that has these fields."""
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    for part in inner:
        yield from parts(part, **wanted)
    if isinstance(data, dict) and all(data.get(name) == value for name, value in wanted.items()):
        yield data


def setting(wanted: Data, **fields: object) -> Change:
    """Change the objects that have ``wanted``; a field of ``...`` is left out."""

    def change(data: Data) -> None:
        for part in parts(data, **wanted):
            for name, value in fields.items():
                if value is ...:
                    part.pop(name, None)
                else:
                    part[name] = value

    return change


def everywhere(name: str, value: object) -> Change:
    """Change a field wherever it is; one of ``...`` is left out."""

    def change(data: Data) -> None:
        for part in parts(data):
            if name in part:
                setting({name: part[name]}, **{name: value})(part)

    return change


CALLED = {"type": "function_call"}
SAID = {"type": "message", "role": "assistant"}
TEXT = {"type": "output_text"}
THOUGHT = {"type": "reasoning"}
USED = {"type": "tool_use"}
NULL_OUTPUT = everywhere("output", None)

# What is taken in: the call in it is made, and its words are there.
TAKEN: dict[AgentName, dict[str, Raw]] = {
    "codex": {
        "arguments as an object": odd("codex", setting(CALLED, arguments={"path": "."})),
        "usage as text": odd("codex", everywhere("usage", "many")),
        "usage of texts": odd("codex", everywhere("usage", {"input_tokens": "12", "x": None})),
        "usage of nothing": odd("codex", everywhere("usage", [])),
        "usage without end": odd("codex", everywhere("usage", {"input_tokens": 10**40})),
        "output null": odd("codex", NULL_OUTPUT),
        "content null": odd("codex", setting(SAID, content=None)),
        "content as text": odd("codex", setting(SAID, content="I look at it.")),
        "no text": odd("codex", setting(TEXT, text=...)),
        "no output_index": odd("codex", everywhere("output_index", ...)),
        "no output_index and output": odd("codex", everywhere("output_index", ...), NULL_OUTPUT),
        "no ids": odd("codex", everywhere("id", ...), everywhere("item_id", ...)),
        "ids that are numbers": odd("codex", everywhere("id", 7)),
        "ids that are null": odd("codex", everywhere("id", None)),
        "call_id null": odd("codex", setting(CALLED, call_id=None)),
        "one id for all": odd("codex", everywhere("id", "item_0")),
        "repeated items": odd("codex", twice="output_item.done"),
        "no role": odd("codex", setting(SAID, role="model")),
        "thinking unsealed": odd("codex", setting(THOUGHT, encrypted_content=None)),
        "another item": odd("codex", setting(THOUGHT, type="web_search_call")),
        "events without data": odd("codex", between=b"event: ping\n\nretry: 5\n\n: hm\n\n"),
    },
    "claude": {
        "input as text": odd("claude", setting(USED, input='{"path": "."}')),
        "usage as text": odd("claude", everywhere("usage", "many")),
        "usage of texts": odd("claude", everywhere("usage", {"output_tokens": "12", "x": None})),
        "usage without end": odd("claude", everywhere("usage", {"output_tokens": 1e300})),
        "content null": odd("claude", everywhere("content", None)),
        "no text": odd("claude", setting({"type": "text"}, text=...)),
        "text null": odd("claude", setting({"type": "text"}, text=None)),
        "no id": odd("claude", everywhere("id", ...)),
        "id null": odd("claude", everywhere("id", None)),
        "repeated blocks": odd("claude", twice="content_block_start"),
        "repeated stops": odd("claude", twice="content_block_stop"),
        "thinking unsealed": odd("claude", everywhere("signature", "")),
        "another block": odd("claude", setting({"type": "thinking"}, type="server_tool_use")),
        "events without data": odd("claude", between=b"event: ping\n\nretry: 5\n\n: hm\n\n"),
    },
}
NAMES: list[object] = [
    "list the files",
    "",
    None,
    "x" * 500,
    "é🎉",
    7,
    {"a": 1},
    "a\nb",
    "functions.ls",
]
ARGUMENTS: list[object] = ["{", "[1]", "null", '{"path": NaN}', [1], 7, '{"path": "\\ud800"}']


@pytest.mark.parametrize(
    ("agent", "kind"), [(agent, kind) for agent, answers in TAKEN.items() for kind in answers]
)
async def test_an_odd_answer_is_taken_in(place: Place, agent: AgentName, kind: str) -> None:
    conversation = Conversation()
    await place.turn(agent, conversation, TAKEN[agent][kind])
    assert place.server.violations == []
    _, answer, results, last = conversation.messages
    assert isinstance(answer, AssistantMessage)
    assert answer.text == "I look at it."
    assert isinstance(results, ToolResults)
    assert [result.ok for result in results.results] == [True]
    assert isinstance(last, AssistantMessage)
    assert last.text == "Done."
    json.dumps(conversation.to_dict(), allow_nan=False)
    await place.goes_on(conversation)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("name", ["name", "arguments"])
async def test_an_odd_call_is_told_to_the_model_and_sent_back_in_form(
    place: Place, agent: AgentName, name: str
) -> None:
    kind, arguments = (CALLED, "arguments") if agent == "codex" else (USED, "input")
    field = name if name == "name" else arguments
    for value in NAMES if name == "name" else ARGUMENTS:
        conversation = Conversation()
        reply = odd(agent, setting(kind, **{field: value}))
        if agent == "claude" and field == "input":
            reply = odd(agent, setting({"type": "input_json_delta"}, partial_json=""), *_in(value))
        await place.turn(agent, conversation, reply)
        assert place.server.violations == []
        results = conversation.messages[2]
        assert isinstance(results, ToolResults)
        assert results.results[0].output.startswith("Error: ")
        await place.goes_on(conversation)


def _in(value: object) -> list[Change]:
    return [setting(USED, input=value)]


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    "change",
    [
        everywhere("delta", None),
        everywhere("item", None),
        everywhere("content_block", None),
        everywhere("item", ["x"]),
        everywhere("index", ...),
        everywhere("type", {}),
        everywhere("delta", {"type": "text_delta"}),
        setting(TEXT, text={}),
        everywhere("response", "x"),
    ],
)
async def test_what_cannot_be_read_is_refused_and_leaves_nothing(
    place: Place, agent: AgentName, change: Change
) -> None:
    conversation = Conversation()
    await place.turn(agent, conversation, odd(agent, change))
    await place.goes_on(conversation)


def ended(kind: str, **response: object) -> Change:
    """End the answer in an event of this kind, or of none."""

    def change(data: Data) -> None:
        if data["type"] in ("response.completed", "message_stop"):
            data["type"] = kind
            data["response"] = {**data.get("response", {}), **response}

    return change


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (ended("response.failed", error=None), ModelStreamError, "did not say why"),
        (ended("response.failed", error="Broken."), ModelStreamError, "Broken."),
        (ended("response.failed", error={"code": 503, "message": "Busy."}), ModelUnavailableError,
         "Busy."),
        (ended("response.failed"), ModelStreamError, "did not say why"),
        (setting({"type": "response.completed"}, type="response.failed", response=None),
         ModelStreamError, "did not say why"),
        (ended("response.incomplete", incomplete_details=None), RunLimitError, "cut off"),
        (ended("response.incomplete", incomplete_details={}), RunLimitError, "cut off"),
        (ended("response.cancelled"), ModelStreamError, "broke off"),
        (ended("response.queued"), ModelStreamError, "broke off"),
        (ended("response.completed", error={"message": "But no."}), ModelStreamError, "But no."),
    ],
)  # fmt: skip
async def test_the_kind_of_its_end_decides_whether_an_answer_is_done(
    place: Place, change: Change, error: type[VibeKitError], words: str
) -> None:
    conversation = Conversation()
    await place.turn("codex", conversation, odd("codex", change))
    assert isinstance(place.raised, error)
    assert words in str(place.raised)
    await place.goes_on(conversation)


async def test_a_message_without_its_stop_is_not_done(place: Place) -> None:
    await place.turn("claude", Conversation(), odd("claude", ended("message_pause")))
    assert isinstance(place.raised, ModelStreamError)
