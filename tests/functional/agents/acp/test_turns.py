"""A prompt to an agent in the sandbox, from its start to its end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.agents.acp.conftest import DEADLINE
from tests.support.acp_peer import Remembering
from vibekit_jupyter.agents.conversation import AssistantMessage, ToolResults, UserMessage
from vibekit_jupyter.agents.memory import Kept
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.errors import AgentError, RunInterruptedError
from vibekit_jupyter.events import (
    ApprovalAnswered,
    ApprovalAsked,
    CommandOutput,
    Notice,
    StepFinished,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
)

if TYPE_CHECKING:
    from tests.functional.agents.acp.conftest import Peers

pytestmark = pytest.mark.anyio


def run(command: str, words: str = "") -> Answer:
    return Answer(words, tool_calls=(ToolCall("run_command", {"command": command}),))


async def test_a_command_and_its_output_are_told_as_they_come(peers: Peers) -> None:
    peers.replies(run("echo one; echo two >&2; exit 3", "I look."), Answer("It failed."))
    events = await peers.turn()
    kinds = [type(event) for event in events if not isinstance(event, TextDelta)]
    assert kinds[0] is ToolCallStarted
    # The relay may see the next answer's end before the command's is heard.
    assert kinds.count(StepFinished) == 2
    assert kinds[-1] is StepFinished
    assert events[0] == TextDelta("I look.")
    (started,) = (event for event in events if isinstance(event, ToolCallStarted))
    assert (started.tool, started.arguments["command"][:8]) == ("run_command", "echo one")
    assert any(isinstance(event, CommandOutput) for event in events)
    (finished,) = (event for event in events if isinstance(event, ToolCallFinished))
    assert finished.command is not None
    assert finished.command.exit_code == 3
    assert finished.command.stdout == "one\ntwo\n"
    words = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert words == "I look.It failed."


async def test_the_conversation_holds_what_was_done(peers: Peers) -> None:
    peers.replies(run("echo one", "I look."), Answer("Done."))
    await peers.turn(prompt="Look", data="You have a file.")
    prompt, calling, results, last = peers.conversation.messages
    assert prompt == UserMessage("Look", "You have a file.")
    assert isinstance(calling, AssistantMessage)
    assert calling.tool_calls[0].name == "run_command"
    assert isinstance(results, ToolResults)
    assert "one" in results.results[0].output
    assert isinstance(last, AssistantMessage)
    assert last.text == "Done."
    (asked,) = peers.server.requests[0].messages
    assert asked.texts == ("You have a file.", "Look")


async def test_nothing_of_a_turn_is_left_but_what_was_to_stay(peers: Peers) -> None:
    peers.replies(run("nohup sleep 4712 > /dev/null 2>&1 &"), Answer("It runs."))
    await peers.turn()
    await peers.nothing_left()
    found = await peers.sandbox.run("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    assert "sleep 4712" in found.stdout
    await peers.sandbox.end_run(peers.run)


@pytest.mark.parametrize("detached", ["", "setsid "])
async def test_an_interrupt_ends_the_turn_with_all_that_it_started(
    peers: Peers, detached: str
) -> None:
    peers.replies(run(f"{detached}sleep 4711 & (sleep 4711 &) ; sleep 4711"))
    turn = asyncio.ensure_future(peers.turn())
    await peers.until(ToolCallStarted)
    async with asyncio.timeout(DEADLINE):
        while "sleep 4711" not in " ".join(await peers.left()):
            pass
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await peers.nothing_left()
    last = peers.conversation.messages[-1]
    assert isinstance(last, AssistantMessage)
    assert last.text.endswith("[interrupted by the user]")


async def test_leaving_the_loop_ends_the_turn(peers: Peers) -> None:
    peers.replies(run("sleep 4711"))
    async with aclosing(peers.events()) as events:
        async for event in events:
            if isinstance(event, ToolCallStarted):
                break
    await peers.nothing_left()


class Answering:
    """Somebody who always gives the same answer, or none."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[ApprovalAsked] = []
        self.is_asked = asyncio.Event()

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        self.asked.append(asked)
        self.is_asked.set()
        if self.answer is None:
            await asyncio.Event().wait()
        return ApprovalAnswered(asked.request_id, self.answer, "you")


@pytest.mark.parametrize(("answer", "ok"), [("once", True), ("session", True), ("refused", False)])
async def test_what_the_person_answers_is_what_happens(
    peers: Peers, answer: str, *, ok: bool
) -> None:
    peers.replies(run("echo yes"), Answer("So it is."))
    person = Answering(answer)
    events = await peers.turn(approver=person, approve="always", mode="ask")
    (asked,) = person.asked
    assert (asked.tool, asked.command) == ("run_command", "echo yes")
    (finished,) = (event for event in events if isinstance(event, ToolCallFinished))
    assert finished.ok == ok
    (result,) = peers.server.requests[1].messages[-1].tool_results
    assert ("yes" in result.text) == ok


async def test_stop_ends_the_run_as_an_interrupt_does(peers: Peers) -> None:
    peers.replies(run("echo yes"))
    with pytest.raises(RunInterruptedError):
        await peers.turn(approver=Answering("stopped"), approve="always", mode="ask")
    await peers.nothing_left()


async def test_an_interrupt_answers_an_open_question(peers: Peers) -> None:
    peers.replies(run("echo yes"))
    person = Answering(None)
    turn = asyncio.ensure_future(peers.turn(approver=person, approve="always", mode="ask"))
    await asyncio.wait_for(person.is_asked.wait(), DEADLINE)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await peers.nothing_left()


async def test_a_session_is_loaded_and_goes_on(peers: Peers) -> None:
    memory = Remembering()
    peers.replies(Answer("I know it."))
    await peers.turn(memory=memory, prompt="Keep 42 in mind")
    ((own_id, prompts),) = memory.written
    assert prompts == 1
    peers.replies(Answer("42."))
    events = await peers.turn(memory=Remembering(Kept(own_id, 1)), prompt="Which number?")
    assert not any(isinstance(event, Notice) for event in events)
    # What was said is not told again.
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["42."]
    said = peers.server.requests[-1].messages
    assert [message.texts for message in said] == [
        ("Keep 42 in mind",),
        ("I know it.",),
        ("Which number?",),
    ]


async def test_what_was_said_with_others_is_told_as_text(peers: Peers) -> None:
    memory = Remembering()
    peers.replies(Answer("Yes."))
    await peers.turn(memory=memory, prompt="Begin")
    missed = (UserMessage("Count to three"), AssistantMessage("One, two, three."))
    kept = Kept(memory.written[0][0], 1, missed)
    peers.replies(Answer("Four."))
    await peers.turn(memory=Remembering(kept), prompt="Go on")
    record, prompt = peers.server.requests[-1].messages[-1].texts
    assert prompt == "Go on"
    assert "Count to three" in record
    assert "Begin" not in record


@pytest.mark.parametrize(
    "kept", [Kept("0" * 32, 1), Kept("../../etc/passwd", 1)], ids=["unknown", "no id"]
)
async def test_a_session_that_cannot_be_loaded_is_begun_anew_and_says_so(
    peers: Peers, kept: Kept
) -> None:
    peers.replies(Answer("Yes."), Answer("42."))
    await peers.turn(prompt="Keep 42 in mind")
    memory = Remembering(kept)
    events = await peers.turn(memory=memory, prompt="Which number?")
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert notice.text.startswith("The peer could not go on in its own session (there is no")
    assert "Keep 42 in mind" in peers.server.requests[-1].messages[-1].texts[0]
    assert memory.written[-1][1] == 1


async def test_a_session_that_lost_prompts_is_not_gone_on_with(peers: Peers) -> None:
    memory = Remembering()
    peers.replies(Answer("Yes."), Answer("Yes."))
    await peers.turn(memory=memory, prompt="Begin")
    kept = Kept(memory.written[0][0], 5)
    events = await peers.turn(memory=Remembering(kept), prompt="Go on")
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert "of 5 prompts it knew 1" in notice.text


async def test_a_turn_that_was_broken_off_does_not_count_as_heard(peers: Peers) -> None:
    """What an agent keeps of it is not known: the next prompt tells it what was said."""
    memory = Remembering()
    with pytest.raises(AgentError):
        await peers.turn("session/prompt", "killed", memory=memory)
    peers.replies(run("sleep 4711", "I begin."))
    turn = asyncio.ensure_future(peers.turn(memory=memory))
    await peers.until(ToolCallStarted)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert memory.written == []


async def test_an_interrupt_ends_an_agent_that_is_slow_to_end(peers: Peers) -> None:
    memory = Remembering()
    turn = asyncio.ensure_future(peers.turn("session/cancel", "lingers", memory=memory))
    async with asyncio.timeout(DEADLINE):
        while not memory.written:  # noqa: ASYNC110  (its answer is there, and it is told to end)
            await asyncio.sleep(0)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert await peers.left() == []


@pytest.mark.parametrize("after", [0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3])
async def test_an_interrupt_while_it_starts_leaves_nothing(peers: Peers, after: float) -> None:
    turn = asyncio.ensure_future(peers.turn("initialize", "silent"))
    await asyncio.wait([turn], timeout=after)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await peers.nothing_left()
    assert peers.conversation.messages == ()


async def test_an_agent_without_mcp_is_not_told_of_servers_and_that_is_said(peers: Peers) -> None:
    server = {"type": "http", "name": "tickets", "url": "http://127.0.0.1:9/mcp", "headers": []}
    events = await peers.turn(servers=[server])
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert notice.text == (
        "The peer is not told of the MCP server tickets: it takes none over HTTP."
    )


async def test_the_key_is_nowhere_in_the_sandbox(peers: Peers) -> None:
    from tests.functional.agents.support import KEY

    peers.replies(
        run("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'"), Answer(".")
    )
    events = await peers.turn()
    (finished,) = (event for event in events if isinstance(event, ToolCallFinished))
    assert "OPENAI_BASE_URL" in finished.output
    assert KEY not in str(events)
    found = await peers.sandbox.run(
        f"grep -rlF {KEY[:12]} /home/user /tmp/vibekit", timeout=DEADLINE
    )
    assert (found.stdout, found.timed_out) == ("", False)
    assert {request.headers["authorization"] for request in peers.server.requests} == {
        f"Bearer {KEY}"
    }


async def test_a_lost_connection_loses_no_word(peers: Peers) -> None:
    """The listener is ended in the middle of an answer: another one goes on where it was."""
    peers.replies(run("for n in $(seq 200); do echo $n; sleep 0.01; done"), Answer("Done."))
    turn = asyncio.ensure_future(peers.turn())
    await peers.until(CommandOutput)
    await peers.sandbox.run("pkill -9 -f 'tail -n' || true")
    events = await turn
    output = "".join(event.text for event in events if isinstance(event, CommandOutput))
    assert output.split() == [str(number) for number in range(1, 201)]
