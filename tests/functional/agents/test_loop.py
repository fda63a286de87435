"""A turn from its prompt to its end, with a real sandbox, a real SDK and a scripted model."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from tests.functional.agents.support import model_at
from tests.support.model_server import (
    Cut,
    Disturbed,
    HttpError,
    ModelServer,
    Pace,
    Reply,
    Script,
)
from vibekit_jupyter import agents, errors
from vibekit_jupyter.agents.conversation import AssistantMessage, Conversation, ToolResults
from vibekit_jupyter.agents.loop import Limits, run_agent
from vibekit_jupyter.demo_model.wire import Answer, ToolCall, Usage
from vibekit_jupyter.demo_model.wire import Request as Sent
from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    Notice,
    StepFinished,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.settings.config import AGENTS, AgentName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vibekit_jupyter.agents.vendor import Vendor
    from vibekit_jupyter.sandbox.connection import Sandbox

T = TypeVar("T")

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("agent", AGENTS)]


def command(source: str, **arguments: Any) -> ToolCall:
    return ToolCall("run_command", {"command": source, **arguments})


@asynccontextmanager
async def scripted(agent: AgentName, script: Script) -> AsyncIterator[tuple[ModelServer, Vendor]]:
    """A vendor at a server; a conversation that breaks a vendor's rules fails the test."""
    with ModelServer(script) as server:
        vendor = agents.load(model_at(server, agent))
        try:
            yield server, vendor
        finally:
            await vendor.aclose()
    assert not server.violations


async def turn(
    vendor: Vendor, conversation: Conversation, prompt: str, sandbox: Sandbox, **options: Any
) -> list[Event]:
    async with aclosing(
        run_agent(vendor, conversation, prompt, sandbox=sandbox, **options)
    ) as events:
        return [event async for event in events]


def of_kind(events: list[Event], kind: type[T]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


async def test_a_prompt_becomes_files_and_events(agent: AgentName, sandbox: Sandbox) -> None:
    write = ToolCall("write_file", {"path": "a.py", "content": "print('hi')\n"})
    script = [
        Answer("First ", tool_calls=(write, command("python3 a.py")), usage=Usage(10, 4, 2)),
        Answer("Done.", usage=Usage(20, 10, 3)),
    ]
    conversation = Conversation()
    async with scripted(agent, script) as (_, vendor):
        events = await turn(vendor, conversation, "Go", sandbox)
    kinds = [type(event) for event in events if not isinstance(event, TextDelta)]
    assert kinds == [
        ToolCallStarted, ToolCallFinished, ToolCallStarted, CommandOutput, ToolCallFinished,
        StepFinished, StepFinished,
    ]  # fmt: skip
    wrote, ran = of_kind(events, ToolCallFinished)
    assert wrote.change is not None
    assert wrote.change.diff == "@@ -0,0 +1 @@\n+print('hi')\n"
    assert ran.command is not None
    assert (ran.command.stdout, ran.output, ran.ok) == ("hi\n", "hi", True)
    assert [(step.step, step.usage.total) for step in of_kind(events, StepFinished)] == [
        (1, 12),
        (2, 23),
    ]
    assert conversation.tokens == 23
    assert await sandbox.read_file("/home/user/a.py") == b"print('hi')\n"


async def test_what_went_wrong_is_told_and_the_run_goes_on(
    agent: AgentName, sandbox: Sandbox
) -> None:
    calls = (
        ToolCall("read_file", {"path": "none"}),
        ToolCall("fly", {}),
        ToolCall("run_command", '{"command": "ls'),
        ToolCall("run_command", "[1]"),
        command("exit 7"),
    )
    conversation = Conversation()
    async with scripted(agent, [Answer(tool_calls=calls), Answer("So.")]) as (server, vendor):
        events = await turn(vendor, conversation, "Go", sandbox)
        told = [result.text for result in server.requests[1].messages[-1].tool_results]
    assert not any(event.ok for event in of_kind(events, ToolCallFinished))
    words = ["no such file", "no tool 'fly'", "not JSON", "not a JSON object", "[exit code 7]"]
    assert all(word in text for word, text in zip(words, told, strict=True))


async def test_neighbouring_calls_of_a_kind_run_at_the_same_time(
    agent: AgentName, sandbox: Sandbox
) -> None:
    # Each waits for the other: in turn they would never end.
    first = command("touch one; until [ -e two ]; do sleep 0.01; done", timeout=20)
    second = command("touch two; until [ -e one ]; do sleep 0.01; done", timeout=20)
    async with scripted(agent, [Answer(tool_calls=(first, second)), Answer("Done.")]) as (
        _,
        vendor,
    ):
        events = await turn(vendor, Conversation(), "Go", sandbox)
    assert all(event.ok for event in of_kind(events, ToolCallFinished))


async def test_calls_that_may_depend_on_each_other_keep_their_order(
    agent: AgentName, sandbox: Sandbox
) -> None:
    calls = (
        ToolCall("write_file", {"path": "a", "content": "1"}),
        ToolCall("edit_file", {"path": "/home/user/./a", "old": "1", "new": "2"}),
        ToolCall("edit_file", {"path": "~/a", "old": "2", "new": "3"}),
        command("cat a; echo -n 4 > a"),
        ToolCall("read_file", {"path": "a"}),
    )
    async with scripted(agent, [Answer(tool_calls=calls), Answer("Done.")]) as (server, vendor):
        await turn(vendor, Conversation(), "Go", sandbox)
        told = [result.text for result in server.requests[1].messages[-1].tool_results]
    assert told[3:] == ["3", "4"]


async def test_a_hundred_calls_in_one_answer_are_all_answered(
    agent: AgentName, sandbox: Sandbox
) -> None:
    calls = tuple(command(f"echo {number}") for number in range(100))
    async with scripted(agent, [Answer(tool_calls=calls), Answer("Done.")]) as (server, vendor):
        await turn(vendor, Conversation(), "Go", sandbox)
        told = [result.text for result in server.requests[1].messages[-1].tool_results]
    assert told == [str(number) for number in range(100)]


async def test_each_agent_goes_on_where_the_other_stopped(
    agent: AgentName, sandbox: Sandbox
) -> None:
    other: AgentName = "claude" if agent == "codex" else "codex"
    conversation = Conversation()

    def script(text: str) -> list[Reply]:
        return [Answer(text, thinking="Hm.", tool_calls=(command("date"),)), Answer("Done.")]

    for name in (agent, other, agent, other):
        async with scripted(name, script(f"I am {name}.")) as (server, vendor):
            await turn(vendor, conversation, f"Go on, {name}", sandbox)
            before = conversation
            conversation = Conversation.from_dict(before.to_dict())
        assert server.prompts[-1] == f"Go on, {name}"
    texts = [m.text for m in conversation.messages if isinstance(m, AssistantMessage)]
    assert texts.count(f"I am {agent}.") == 2


async def test_ask_mode_cannot_write_even_if_the_model_tries(
    agent: AgentName, sandbox: Sandbox
) -> None:
    calls = (command("touch made"), ToolCall("write_file", {"path": "made", "content": "x"}))
    async with scripted(agent, [Answer(tool_calls=calls), Answer("Oh.")]) as (server, vendor):
        await turn(vendor, Conversation(), "Go", sandbox, mode="ask")
        assert server.requests[0].tools == ("read_file", "list_files", "search", "view_image")
    assert not await sandbox.list_files("/home/user")


async def test_the_bound_on_steps_ends_in_a_state_that_goes_on(
    agent: AgentName, sandbox: Sandbox
) -> None:
    conversation = Conversation()
    step = Answer(tool_calls=(command("true"),))
    async with scripted(agent, [step] * 3) as (_, vendor):
        with pytest.raises(errors.RunLimitError, match="3 steps"):
            await turn(vendor, conversation, "Go", sandbox, limits=Limits(max_steps=3))
    async with scripted(agent, [Answer("Done.")]) as (_, vendor):
        await turn(vendor, conversation, "Go on", sandbox)


async def test_the_bound_on_tokens_ends_in_a_state_that_goes_on(
    agent: AgentName, sandbox: Sandbox
) -> None:
    conversation = Conversation()

    def step() -> Answer:
        return Answer(tool_calls=(command("true"),), usage=Usage(50, 0, 10))

    async with scripted(agent, [step(), step()]) as (_, vendor):
        with pytest.raises(errors.RunLimitError, match="100 tokens"):
            await turn(vendor, conversation, "Go", sandbox, limits=Limits(max_tokens=100))
    async with scripted(agent, [Answer("Done.")]) as (_, vendor):
        await turn(vendor, conversation, "Go on", sandbox)


async def test_an_answer_cut_at_its_length_runs_nothing_and_says_so(
    agent: AgentName, sandbox: Sandbox
) -> None:
    conversation = Conversation()
    cut = Answer("Now", tool_calls=(command("touch made"),), stop_reason="max_tokens")
    async with scripted(agent, [cut]) as (_, vendor):
        with pytest.raises(errors.RunLimitError, match="cut off"):
            await turn(vendor, conversation, "Go", sandbox)
    async with scripted(agent, [Answer("Done.")]) as (_, vendor):
        await turn(vendor, conversation, "Go on", sandbox)
    assert not await sandbox.list_files("/home/user")


async def test_a_refusal_is_said(agent: AgentName, sandbox: Sandbox) -> None:
    conversation = Conversation()
    refusal = Answer("I will not.", stop_reason="refusal")
    async with scripted(agent, [refusal, Answer("Yes.")]) as (_, vendor):
        events = await turn(vendor, conversation, "Go", sandbox)
        assert of_kind(events, Notice) == [Notice("The model declined to answer.")]
        await turn(vendor, conversation, "Please", sandbox)


@pytest.mark.parametrize("reply", [HttpError.unauthorized(), HttpError.context_too_long()])
async def test_a_turn_that_failed_before_it_began_can_be_tried_again(
    agent: AgentName, sandbox: Sandbox, reply: Reply
) -> None:
    conversation = Conversation()
    async with scripted(agent, [reply]) as (_, vendor):
        with pytest.raises(errors.ModelError):
            await turn(vendor, conversation, "Go", sandbox)
    assert not conversation.messages


async def test_an_answer_that_broke_off_is_noted_and_the_next_turn_works(
    agent: AgentName, sandbox: Sandbox
) -> None:
    conversation = Conversation()
    script: list[Reply] = [
        Answer("One.", tool_calls=(command("echo 1"),)),
        Disturbed(Answer("Two and three and four"), Cut(6)),
        Answer("Done."),
    ]
    async with scripted(agent, script) as (server, vendor):
        with pytest.raises(errors.ModelStreamError):
            await turn(vendor, conversation, "Go", sandbox)
        noted = conversation.messages[-1]
        assert isinstance(noted, AssistantMessage)
        assert noted.text.endswith("[The model's answer broke off: the connection was cut]")
        await turn(vendor, conversation, "Go on", sandbox)
        assert server.prompts[-1] == "Go on"


async def test_a_sandbox_that_is_lost_ends_the_run(agent: AgentName, sandbox: Sandbox) -> None:
    from vibekit_jupyter.sandbox.service import kill

    conversation = Conversation()
    calls = tuple(command("echo hi; sleep 5") for _ in range(3))

    def reply(request: Sent) -> Reply:
        return Answer("Now.", tool_calls=calls) if len(request.messages) == 1 else Answer("Done.")

    async with scripted(agent, reply) as (_, vendor):
        await kill(sandbox.service, sandbox.id)
        with pytest.raises((errors.SessionNotFoundError, errors.SandboxError)):
            await turn(vendor, conversation, "Go", sandbox)
    results = conversation.messages[2]
    assert isinstance(results, ToolResults)
    assert len(results.results) == 3


WORK = Answer(
    "Let me work on this for a while.",
    thinking="What is there to do?",
    tool_calls=(
        command("echo one; sleep 30"),
        command("echo two"),
        ToolCall("write_file", {"path": "a", "content": "x"}),
    ),
)


async def _interrupted_after(
    vendor: Vendor, conversation: Conversation, sandbox: Sandbox, count: int
) -> int:
    """Cancel a turn when so many events have come; return how many came."""
    seen = 0
    reached = asyncio.Event()

    async def consume() -> None:
        nonlocal seen
        async with aclosing(run_agent(vendor, conversation, "Go", sandbox=sandbox)) as events:
            if count == 0:
                reached.set()
            async for _ in events:
                seen += 1
                if seen >= count:
                    reached.set()

    consumer = asyncio.create_task(consume())
    waiter = asyncio.create_task(reached.wait())
    await asyncio.wait([consumer, waiter], return_when=asyncio.FIRST_COMPLETED, timeout=1.5)
    began = time.monotonic()
    consumer.cancel()
    waiter.cancel()
    await asyncio.wait([consumer])
    assert time.monotonic() - began < 1
    assert consumer.cancelled()
    return seen


@pytest.mark.parametrize("count", range(12))
async def test_an_interrupt_at_any_event_leaves_a_conversation_that_is_accepted(
    agent: AgentName, sandbox: Sandbox, count: int
) -> None:
    conversation = Conversation()
    async with scripted(agent, [Disturbed(WORK, Pace(0.002)), Answer("Done.")]) as (_, vendor):
        await _interrupted_after(vendor, conversation, sandbox, count)
        left = await sandbox.run("pgrep -fx 'sleep 30'")
        assert left.exit_code == 1
    for name in AGENTS:
        async with scripted(name, [Answer("Going on.")]) as (server, vendor):
            again = Conversation.from_dict(conversation.to_dict())
            await turn(vendor, again, "Go on", sandbox)
            assert server.prompts == ["Go on"]


async def test_an_interrupted_turn_says_so_to_the_model(agent: AgentName, sandbox: Sandbox) -> None:
    conversation = Conversation()
    calls = (command("echo quick"), command("sleep 30"))
    async with scripted(agent, [Answer("Now.", tool_calls=calls), Answer("Oh.")]) as (
        server,
        vendor,
    ):
        async with aclosing(run_agent(vendor, conversation, "Go", sandbox=sandbox)) as events:
            async for event in events:
                if isinstance(event, ToolCallFinished):
                    break
        await turn(vendor, conversation, "Go on", sandbox)
        told = [result.text for result in server.requests[1].messages[2].tool_results]
    assert told == ["quick", "Not done: interrupted by the user."]


async def test_two_interrupts_are_as_good_as_one(agent: AgentName, sandbox: Sandbox) -> None:
    conversation = Conversation()
    async with scripted(agent, [Answer(tool_calls=(command("sleep 30"),))]) as (_, vendor):
        consumer = asyncio.create_task(turn(vendor, conversation, "Go", sandbox))
        while not (await sandbox.run("pgrep -fx 'sleep 30'")).stdout:
            pass
        consumer.cancel()
        await asyncio.sleep(0.01)
        consumer.cancel()
        await asyncio.wait([consumer])
        assert consumer.cancelled()
        while (await sandbox.run("pgrep -fx 'sleep 30'")).stdout:
            pass
    async with scripted(agent, [Answer("Done.")]) as (_, vendor):
        await turn(vendor, conversation, "Go on", sandbox)


async def test_a_long_conversation_is_compacted_and_keeps_its_thread(
    agent: AgentName, sandbox: Sandbox
) -> None:
    conversation = Conversation()
    script = [
        Answer("It is 42.", tool_calls=(command("echo 42"),), usage=Usage(500, 0, 1)),
        Answer("Done.", usage=Usage(2000, 0, 10)),
        Answer("The number is 42.", usage=Usage(2000, 0, 20)),
        Answer("It was 42.", usage=Usage(100, 0, 5)),
    ]
    prompt = "What was it? $(x) {y}\n🧪"
    async with scripted(agent, script) as (server, vendor):
        limits = Limits(compact_at=1000)
        await turn(vendor, conversation, "Find it", sandbox, limits=limits)
        events = await turn(vendor, conversation, prompt, sandbox, limits=limits)
        summary, after = server.requests[2:]
    assert "Find it" in summary.prompt
    assert "echo 42" in summary.prompt
    assert prompt not in summary.prompt
    assert "The number is 42." in after.messages[0].text
    assert after.prompt == prompt
    assert len(of_kind(events, Notice)) == 1
    assert of_kind(events, StepFinished)[0].usage.total == 2020 + 105
    assert conversation.tokens == 105


async def test_a_conversation_that_the_model_refuses_as_too_long_is_compacted_once(
    agent: AgentName, sandbox: Sandbox
) -> None:
    conversation = Conversation()
    script: list[Reply] = [
        Answer("One."),
        Answer("Two.", tool_calls=(command("seq 100000"),)),
        HttpError.context_too_long(),
        Answer("Notes."),
        Answer("Three."),
    ]
    async with scripted(agent, script) as (server, vendor):
        await turn(vendor, conversation, "First", sandbox)
        await turn(vendor, conversation, "Second", sandbox)
        assert server.requests[-1].prompt == "Second"
        assert len(conversation.messages) == 6


async def test_compaction_within_a_run_keeps_the_results_of_the_calls_just_made(
    agent: AgentName, sandbox: Sandbox
) -> None:
    long = command("echo begun; head -c 100000 /dev/zero | tr '\\0' x; echo; echo ended")
    script: list[Reply] = [
        Answer("One.", thinking="Hm.", tool_calls=(command("echo first"),)),
        Answer("Two.", thinking="Hm.", tool_calls=(command("echo 4711"), long)),
        HttpError.context_too_long(),
        Answer("Notes."),
        Answer("Three.", tool_calls=(command("echo third"),), usage=Usage(5000, 0, 1)),
        Answer("More notes."),
        Answer("Done."),
    ]
    conversation = Conversation()
    async with scripted(agent, script) as (server, vendor):
        limits = Limits(compact_at=1000)
        events = await turn(vendor, conversation, "Count", sandbox, limits=limits)
        after, again = server.requests[4], server.requests[6]
    assert after.prompt == again.prompt == "Count"
    results = [result.text for message in after.messages for result in message.tool_results]
    assert len(results) == 2
    assert results[0] == "4711"
    assert results[1].startswith("begun")
    results = [result.text for message in again.messages for result in message.tool_results]
    assert results == ["third"]
    assert len(of_kind(events, Notice)) == 2


async def test_a_model_that_gives_no_summary_is_asked_with_the_whole_conversation(
    agent: AgentName, sandbox: Sandbox
) -> None:
    script: list[Reply] = [
        Answer("One.", usage=Usage(5000, 0, 1)),
        Answer(thinking="Only thoughts."),
        Answer("Two."),
    ]
    conversation = Conversation()
    async with scripted(agent, script) as (server, vendor):
        limits = Limits(compact_at=1000)
        await turn(vendor, conversation, "First", sandbox, limits=limits)
        await turn(vendor, conversation, "Second", sandbox, limits=limits)
        assert server.prompts[-1] == "Second"
        assert len(server.requests[-1].messages) == 3


async def test_output_faster_than_its_taker_stays_in_bounded_memory(
    agent: AgentName, sandbox: Sandbox
) -> None:
    flood = command("head -c 100000000 /dev/zero | tr '\\0' x")
    shown = 0
    async with (
        scripted(agent, [Answer(tool_calls=(flood,)), Answer("Done.")]) as (_, vendor),
        aclosing(run_agent(vendor, Conversation(), "Go", sandbox=sandbox)) as events,
    ):
        async for event in events:
            if isinstance(event, CommandOutput):
                assert len(event.text) < 1_100_000
                shown += len(event.text)
                await asyncio.sleep(0.05)
    assert shown > 0
