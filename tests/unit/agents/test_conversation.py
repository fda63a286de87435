from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.conversation import (
    AssistantMessage,
    Conversation,
    Message,
    ToolCall,
    ToolResult,
    ToolResults,
    UserMessage,
)
from vibekit_jupyter.agents.wire_text import json_object, well_formed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
natives = st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=2).map(tuple)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """A turn that may stop anywhere after its prompt."""
    messages: list[Message] = [UserMessage(draw(st.text()))]
    for number in range(draw(st.integers(0, 3))):
        names = draw(st.lists(st.text(), max_size=3))
        calls = tuple(
            ToolCall(f"call_{number}_{index}", name, draw(st.text()))
            for index, name in enumerate(names)
        )
        text, agent = draw(st.text()), draw(st.sampled_from(["codex", "claude"]))
        messages.append(AssistantMessage(text, calls, agent, "m", draw(natives)))
        if not calls or draw(st.booleans()):
            break
        results = tuple(
            ToolResult(call.call_id, draw(st.text()), ok=draw(st.booleans())) for call in calls
        )
        messages.append(ToolResults(results))
    return messages


def _is_valid(messages: list[Message]) -> bool:
    """Whether each tool call has one result in the next message, and an answer is the last."""
    for message, following in zip(messages, [*messages[1:], None], strict=True):
        if isinstance(message, AssistantMessage) and message.tool_calls:
            if not isinstance(following, ToolResults):
                return False
            ids = [call.call_id for call in message.tool_calls]
            if [result.call_id for result in following.results] != ids:
                return False
    return isinstance(messages[-1], AssistantMessage)


@given(st.lists(turns(), max_size=3))
def test_a_conversation_survives_json(said: list[list[Message]]) -> None:
    conversation = Conversation(tokens=7)
    for turn in said:
        for message in turn:
            conversation.append(message)
        conversation.close("interrupted", results={})
    data = json.loads(json.dumps(conversation.to_dict()))
    again = Conversation.from_dict(data)
    assert again.messages == conversation.messages
    assert (again.id, again.tokens) == (conversation.id, 7)
    assert again.to_dict() == conversation.to_dict()


@given(turns())
def test_a_turn_that_stops_anywhere_is_closed_as_a_valid_one(turn: list[Message]) -> None:
    conversation = Conversation()
    for message in turn:
        conversation.append(message)
    conversation.close("interrupted by the user", results={})
    assert _is_valid(list(conversation.messages))
    assert list(conversation.messages[: len(turn)]) == turn


@given(turns())
def test_a_record_cut_off_by_a_crash_is_closed_when_it_is_read(turn: list[Message]) -> None:
    data = Conversation(turn).to_dict()
    assert _is_valid(list(Conversation.from_dict(data).messages))


def test_closing_keeps_the_results_that_are_there() -> None:
    calls = (ToolCall("a", "run_command", "{}"), ToolCall("b", "run_command", "{}"))
    conversation = Conversation([UserMessage("Go"), AssistantMessage("On it.", calls)])
    done = ToolResult("b", "fine")
    conversation.close("interrupted by the user", results={"b": done})
    results, note = conversation.messages[2:]
    assert results == ToolResults(
        (ToolResult("a", "Not done: interrupted by the user.", ok=False), done)
    )
    assert note == AssistantMessage("[interrupted by the user]")


def test_closing_keeps_the_words_that_were_shown() -> None:
    conversation = Conversation([UserMessage("Go")])
    conversation.close("interrupted by the user", text="Let me", results={})
    assert conversation.messages[1] == AssistantMessage("Let me\n\n[interrupted by the user]")


def test_closing_a_whole_turn_changes_nothing() -> None:
    conversation = Conversation([UserMessage("Go"), AssistantMessage("Done.")])
    conversation.close("interrupted by the user", results={})
    assert len(conversation.messages) == 2


@pytest.mark.parametrize(
    "message",
    [UserMessage("x"), AssistantMessage("x"), ToolResults((ToolResult("other", ""),))],
    ids=lambda message: type(message).__name__,
)
def test_a_message_that_leaves_a_call_open_is_refused(message: Message) -> None:
    conversation = Conversation([AssistantMessage("", (ToolCall("a", "run_command", "{}"),))])
    with pytest.raises(ValueError, match="needs its result"):
        conversation.append(message)


def test_results_without_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="needs its result"):
        Conversation([UserMessage("Go")]).append(ToolResults((ToolResult("a", ""),)))


def test_only_an_unanswered_prompt_is_withdrawn() -> None:
    conversation = Conversation([UserMessage("Go"), AssistantMessage("Done.")])
    conversation.withdraw()
    assert len(conversation.messages) == 2
    conversation.append(UserMessage("Again"))
    conversation.withdraw()
    assert len(conversation.messages) == 2


@given(st.text(st.characters(codec=None)))
def test_text_becomes_what_utf8_can_carry(text: str) -> None:
    carried = well_formed(text)
    carried.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        assert carried != text
    else:
        assert carried == text


def test_a_surrogate_pair_that_was_cut_in_two_is_put_together() -> None:
    assert well_formed("\ud83e" + "\uddea") == "🧪"


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_a_json_object_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert json_object(json.dumps(value)) == value
    assert json_object(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    "text", ["[1]", "3", '{"a": ', "{'a': 1}", '{"a": NaN}', "[" * 100_000, "{" * 9, "null", "\0"]
)
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the arguments "):
        json_object(text)


def test_no_arguments_are_an_empty_object() -> None:
    assert json_object("") == {}
