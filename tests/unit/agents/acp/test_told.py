"""A turn of an agent in the sandbox is a part of the conversation that every agent accepts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.agents.acp.told import Told
from vibekit_jupyter.agents.conversation import (
    NOTHING_SAID,
    AssistantMessage,
    Conversation,
    ToolResults,
    UserMessage,
)
from vibekit_jupyter.events import Event, TextDelta, ToolCallFinished, ToolCallStarted


def started(call_id: str) -> ToolCallStarted:
    return ToolCallStarted(call_id, "run_command", {"command": "ls"})


def finished(call_id: str, output: str = "a.py") -> ToolCallFinished:
    return ToolCallFinished(call_id, "run_command", ok=True, output=output)


def of(*events: Event) -> tuple[Conversation, Told]:
    conversation = Conversation()
    conversation.append(UserMessage("Do it"))
    told = Told(conversation, "goose", "m")
    for event in events:
        told.see(event)
    return conversation, told


def test_words_calls_and_results_are_in_their_order() -> None:
    conversation, told = of(
        TextDelta("I "), TextDelta("look."), started("1"), finished("1"), TextDelta("Done.")
    )
    told.end()
    _, calling, results, last = conversation.messages
    assert isinstance(calling, AssistantMessage)
    assert (calling.text, calling.agent) == ("I look.", "goose")
    assert isinstance(results, ToolResults)
    assert results.results[0].output == "a.py"
    assert isinstance(last, AssistantMessage)
    assert last.text == "Done."


def test_an_agent_without_a_word_leaves_what_can_be_sent_back() -> None:
    conversation, told = of()
    told.end()
    assert conversation.messages[-1] == AssistantMessage(NOTHING_SAID, (), "goose", "m")


def test_a_turn_of_which_nothing_came_is_taken_back() -> None:
    conversation, told = of()
    told.break_off("it was not installed")
    assert conversation.messages == ()


def test_a_turn_that_was_broken_off_says_so() -> None:
    conversation, told = of(TextDelta("I look."), started("1"))
    told.break_off("interrupted by the user")
    assert conversation.messages[2].results[0].output == "Not done: interrupted by the user."  # type: ignore[union-attr]
    assert "[interrupted by the user]" in conversation.messages[-1].text  # type: ignore[union-attr]


EVENTS = st.one_of(
    st.builds(TextDelta, st.sampled_from(["a", " ", "b\n"])),
    st.builds(started, st.sampled_from("123")),
    st.builds(finished, st.sampled_from("123")),
)


@given(events=st.lists(EVENTS, max_size=12), ends=st.booleans())
def test_whatever_happens_the_conversation_can_go_on(events: list[Any], *, ends: bool) -> None:
    conversation, told = of(*events)
    if ends:
        told.end()
    else:
        told.break_off("it ended")
    assert not conversation.open_calls
    assert not conversation.messages or isinstance(conversation.messages[-1], AssistantMessage)
    conversation.append(UserMessage("Go on"))
