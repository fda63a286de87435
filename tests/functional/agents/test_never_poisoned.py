"""Whatever a model's answer is, and wherever it ends: the next prompt is always accepted.

The scripted server holds every request against both vendors' rules; the one that comes next is
sent to both of them.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Literal

import pytest

from tests.support.model_server import (
    Cut,
    Disturbed,
    ErrorEvent,
    Garbage,
    HttpError,
    Pace,
)
from vibekit_jupyter.agents.conversation import AssistantMessage, Conversation
from vibekit_jupyter.demo_model.wire import WIRES, Answer, Request, ToolCall
from vibekit_jupyter.settings.config import AGENTS, AgentName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.functional.agents.place import Place
    from tests.support.model_server import Fault, Reply
    from vibekit_jupyter.demo_model.wire.neutral import StopReason


When = Literal["first", "later"]
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("agent", AGENTS)]

WHEN: Sequence[When] = ("first", "later")
NO_RETRY = (("x-should-retry", "false"),)
CALLS = (ToolCall("read_file", {"path": "none"}), ToolCall("list_files", {"path": "."}))
WHOLE = Answer("I look at it.", thinking="What is there to look at?", tool_calls=CALLS)
STOPS: Sequence[StopReason] = (
    "end_turn",
    "max_tokens",
    "model_context_window_exceeded",
    "pause_turn",
    "refusal",
)
ANSWERS = {
    "thinking": Answer(thinking="What is there to look at?"),
    "thinking and words": Answer("I look", thinking="What is there?"),
    "thinking and a call": Answer(thinking="What is there?", tool_calls=CALLS[:1]),
    "a call": Answer(tool_calls=CALLS[:1]),
    "blanks": Answer(" \n ", thinking="What is there?"),
    "words": Answer("I look"),
    "nothing": Answer(),
}


def before(when: When) -> list[Reply]:
    """What was answered in the same run before the fault."""
    return [] if when == "first" else [WHOLE]


def positions(agent: AgentName, answer: Answer) -> range:
    wire = WIRES["openai" if agent == "codex" else "anthropic"]
    return range(len(list(wire.events(answer, "model"))) + 1)


@pytest.mark.parametrize(
    "fault",
    [
        Cut,
        ErrorEvent,
        lambda after: ErrorEvent(after, failed=True),
        lambda after: ErrorEvent(after, "Slow down.", "rate_limit_error"),
        Garbage,
    ],
    ids=["cut", "error", "failed", "limited", "garbage"],
)
async def test_after_a_fault_at_any_event_the_next_prompt_is_accepted(
    agent: AgentName, place: Place, fault: Callable[[int], Fault]
) -> None:
    for when, after in itertools.product(WHEN, positions(agent, WHOLE)):
        conversation = Conversation()
        await place.turn(agent, conversation, *before(when), Disturbed(WHOLE, fault(after)))
        await place.goes_on(conversation)


async def test_after_a_refused_request_the_next_prompt_is_accepted(
    agent: AgentName, place: Place
) -> None:
    for when, status in itertools.product(WHEN, (400, 401, 404, 413, 422, 429, 500, 529)):
        conversation = Conversation()
        refusal = HttpError(status, "No.", None, NO_RETRY)
        await place.turn(agent, conversation, *before(when), refusal, refusal)
        await place.goes_on(conversation)


@pytest.mark.parametrize("said", ANSWERS)
async def test_whatever_an_answer_holds_and_however_it_ends_the_next_prompt_is_accepted(
    agent: AgentName, place: Place, said: str
) -> None:
    answer = ANSWERS[said]
    for when, stop in itertools.product(WHEN, STOPS):
        ended = Answer(answer.text, answer.thinking, answer.tool_calls, stop_reason=stop)
        conversation = Conversation()
        await place.turn(agent, conversation, *before(when), ended)
        assert place.server.violations == []
        await place.goes_on(conversation)


@pytest.mark.parametrize("when", WHEN)
async def test_after_an_interrupt_at_any_event_the_next_prompt_is_accepted(
    agent: AgentName, place: Place, when: When
) -> None:
    for most in range(1, 40):
        conversation = Conversation()
        taken = await place.turn(agent, conversation, *before(when), WHOLE, most=most)
        await place.goes_on(conversation)
        if len(taken) < most:
            break
    assert len(taken) < most


async def test_after_a_cancelled_run_the_next_prompt_is_accepted(
    agent: AgentName, place: Place
) -> None:
    for number in range(10):
        conversation = Conversation()
        slow = Disturbed(WHOLE, Pace(0.003))
        run = asyncio.ensure_future(place.turn(agent, conversation, slow, slow))
        await asyncio.wait([run], timeout=0.02 * number)
        run.cancel()
        await asyncio.wait([run])
        place.replies = []
        await place.goes_on(conversation)


async def test_what_an_earlier_version_has_recorded_of_thinking_alone_is_accepted(
    agent: AgentName, place: Place
) -> None:
    conversation = Conversation()
    await place.turn(agent, conversation)
    spelled = conversation.to_dict()
    answer = spelled["messages"][-1]
    answer |= {"text": "", "native": answer["native"][:1]}
    assert answer["native"][0]["type"] in ("thinking", "reasoning")
    await place.goes_on(Conversation.from_dict(spelled))


async def test_a_run_that_comes_to_nothing_says_so(agent: AgentName, place: Place) -> None:
    for answer in (ANSWERS["thinking"], ANSWERS["nothing"], ANSWERS["blanks"]):
        events = await place.turn(agent, Conversation(), answer)
        assert "without a word" in str(events)


@pytest.mark.parametrize(
    "words",
    [
        "The encrypted content for item rs_1 could not be verified.",
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ],
)
async def test_thinking_that_the_service_cannot_open_is_left_out_from_then_on(
    agent: AgentName, place: Place, words: str
) -> None:
    # It is sealed for one account: with another key, or elsewhere, it is refused.
    def refuse(request: Request) -> Reply:
        thought = [message.thinking for message in request.messages]
        if WHOLE.thinking in thought:
            return HttpError(400, words)
        return Answer("Done.", thinking="Something new.")

    conversation = Conversation()
    await place.turn(agent, conversation, WHOLE)
    place.script = refuse  # it is another service now
    asked = len(place.server.requests)
    for _ in range(3):
        await place.turn(agent, conversation)
        last = conversation.messages[-1]
        assert isinstance(last, AssistantMessage)
        assert last.text == "Done."
    assert len(place.server.requests) - asked == 4
    assert "Something new." in place.server.requests[-1].messages[-2].thinking
