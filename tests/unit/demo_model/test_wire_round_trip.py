"""What the SDKs make of the wire is the answer that went in; what they send comes out whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from vibekit_jupyter.demo_model.wire import Answer, Event, ToolCall, Usage, messages, responses

TEXTS = st.text(max_size=200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CALLS = st.builds(
    ToolCall,
    name=st.sampled_from(("run_command", "write_file")),
    arguments=st.dictionaries(TEXTS, JSON, max_size=4),
)
ANSWERS = st.builds(
    Answer,
    text=TEXTS,
    thinking=TEXTS,
    tool_calls=st.lists(CALLS, max_size=3).map(tuple),
    usage=st.builds(
        lambda cached, fresh, output: Usage(cached + fresh, cached, output),
        st.integers(0, 9999),
        st.integers(0, 9999),
        st.integers(0, 9999),
    ),
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def decoded(event: Event) -> dict[str, Any]:
    """Read an event back from its bytes."""
    name, data, end = event.encode().decode().split("\n", 2)
    assert end == "\n"
    spelled: dict[str, Any] = json.loads(data.removeprefix("data: "))
    assert name == f"event: {spelled['type']}"
    return spelled


@quick
@given(ANSWERS)
def test_anthropics_own_accumulator_rebuilds_the_answer(answer: Answer) -> None:
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in messages.events(answer, "m"):
        data = decoded(event)
        if data["type"] != "ping":
            snapshot = accumulate_event(
                event=data,  # type: ignore[arg-type]  # the SDK builds the event itself
                current_snapshot=snapshot,
                json_bufs=buffers,
            )
    blocks = snapshot.to_dict()["content"]
    assert blocks == messages.document(answer, "m")["content"]
    assert [b["input"] for b in blocks if b["type"] == "tool_use"] == [
        call.arguments for call in answer.tool_calls
    ]
    assert snapshot.stop_reason == answer.reason
    usage = snapshot.usage
    assert usage.input_tokens + usage.cache_read_input_tokens == answer.usage.input
    assert usage.output_tokens == answer.usage.output


@quick
@given(ANSWERS)
def test_openais_deltas_add_up_to_the_final_response(answer: Answer) -> None:
    events = [decoded(event) for event in responses.events(answer, "m")]
    deltas: dict[str, str] = {}
    for event in events:
        if event["type"].endswith(".delta"):
            key = f"{event['type']} {event['item_id']}"
            deltas[key] = deltas.get(key, "") + event["delta"]
    said = [delta for delta in (answer.thinking, answer.text) if delta]
    assert list(deltas.values()) == said + [call.arguments_json for call in answer.tool_calls]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    final = Response.model_validate(events[-1]["response"])
    assert (
        final.output == Response.model_validate({**events[-1]["response"], "output": done}).output
    )
    assert final.output_text == answer.text
    assert final.usage is not None
    assert final.usage.input_tokens == answer.usage.input
    assert final.usage.total_tokens == answer.usage.input + answer.usage.output


@quick
@given(ANSWERS)
def test_an_answer_sent_back_is_read_as_it_was(answer: Answer) -> None:
    body = {"model": "m", "input": responses.document(answer, "m")["output"]}
    _same(responses.parse(json.dumps(body).encode(), {}).messages, answer)
    content = messages.document(answer, "m")["content"]
    body = {"model": "m", "messages": [{"role": "assistant", "content": content}]}
    _same(messages.parse(json.dumps(body).encode(), {}).messages, answer)


def _same(sent: Any, answer: Answer) -> None:
    assert "".join(message.text for message in sent) == answer.text
    assert "".join(message.thinking for message in sent) == answer.thinking
    assert sum((message.tool_calls for message in sent), ()) == answer.tool_calls


@given(st.text(min_size=1))
def test_a_prompt_is_read_byte_for_byte(prompt: str) -> None:
    for content in (prompt, [{"type": "input_text", "text": prompt}]):
        body = {"model": "m", "input": [{"role": "user", "content": content}]}
        assert responses.parse(json.dumps(body).encode(), {}).prompt == prompt
    for content in (prompt, [{"type": "text", "text": prompt}]):
        body = {"model": "m", "messages": [{"role": "user", "content": content}]}
        assert messages.parse(json.dumps(body).encode(), {}).prompt == prompt


@pytest.mark.parametrize("wire", [messages, responses])
def test_a_megabyte_goes_in_few_events(wire: Any) -> None:
    assert len(list(wire.events(Answer("x" * 2**20), "m"))) < 300


def test_both_vendors_turns_are_read_alike() -> None:
    call = ToolCall("run_command", {"command": "ls"}, "call_1")
    openai_body = {
        "model": "m",
        "instructions": "be brief",
        "tools": [{"type": "function", "name": "run_command", "parameters": {}}],
        "input": [
            {"role": "user", "content": "list"},
            {"type": "function_call", "name": call.name, "call_id": call.id,
             "arguments": call.arguments_json},
            {"type": "function_call_output", "call_id": call.id, "output": "a.py"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "one file"}]},
        ],
    }  # fmt: skip
    anthropic_body = {
        "model": "m",
        "system": "be brief",
        "tools": [{"name": "run_command", "input_schema": {}}],
        "messages": [
            {"role": "user", "content": "list"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": "a.py"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "one file"}]},
        ],
    }  # fmt: skip
    one = responses.parse(json.dumps(openai_body).encode(), {})
    two = messages.parse(json.dumps(anthropic_body).encode(), {})
    assert one.messages == two.messages
    assert (one.system, one.tools, one.model) == (two.system, two.tools, two.model)
