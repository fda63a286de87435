"""A call waits until it is allowed; what was decided, and by whom, is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.errors import RunInterruptedError
from vibekit_jupyter.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    RunFinished,
    ToolCallStarted,
)
from vibekit_jupyter.runs.records import result_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.functional.conftest import NewClient
    from tests.support.model_server import Reply

pytestmark = pytest.mark.anyio

AGENTS = ["codex", "claude"]


def command(*sources: str, text: str = "") -> Answer:
    return Answer(
        text, tool_calls=tuple(ToolCall("run_command", {"command": source}) for source in sources)
    )


def tool(name: str, **arguments: object) -> Answer:
    return Answer(tool_calls=(ToolCall(name, arguments),))


@dataclass
class Person:
    """Answers what is asked, one after the other."""

    answers: Sequence[str]
    asked: list[ApprovalAsked] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.asked.append(asked)
        await asyncio.sleep(0)
        self.at_once -= 1
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return ApprovalAnswered(asked.request_id, answer, "you")  # type: ignore[arg-type]  # a test's word


@dataclass
class Absent:
    """Was asked, and says nothing."""

    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, _: ApprovalAsked) -> ApprovalAnswered:
        self.was_asked.set()
        await asyncio.Event().wait()
        raise AssertionError


def told_to_model(server: ModelServer) -> str:
    return str(server.requests[-1].body)


def started(events: list[Event]) -> int:
    return sum(isinstance(event, ToolCallStarted) for event in events)


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_call_runs_when_it_is_allowed_and_the_record_says_by_whom(
    new_client: NewClient, agent: str
) -> None:
    person = Person(["once"])
    script = [command("echo hi > a.txt", text="The file is missing."), Answer("Done.")]
    with ModelServer(script) as server:
        client = new_client(agent=server.agent(agent, "any"))
        result = await client.generate_code("do", approve="always", approver=person)
    assert [asked.command for asked in person.asked] == ["echo hi > a.txt"]
    assert person.asked[0].reason == "The file is missing."
    assert [file.path for file in result.files] == ["/home/user/a.txt"]
    (approval,) = result.approvals
    assert (approval.what, approval.answer, approval.by) == ("echo hi > a.txt", "once", "you")
    assert approval.at > 0
    turn = client.last_turn()
    assert turn is not None
    assert result_of(turn).approvals == result.approvals


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_refused_call_does_not_run_and_the_model_is_told_who_refused(
    new_client: NewClient, agent: str
) -> None:
    events: list[Event] = []
    with ModelServer([command("touch a.txt"), Answer("I left it.")]) as server:
        client = new_client(agent=server.agent(agent, "any"))
        result = await client.generate_code(
            "do", approve="always", approver=Person(["refused"]), on_event=events.append
        )
        assert "the person refused this call" in told_to_model(server)
    assert not server.violations
    assert result.status == "done"
    assert result.text == "I left it."
    assert not result.files
    assert not started(events)


async def test_nobody_to_ask_is_a_refusal_with_a_sentence_and_no_wait(
    new_client: NewClient,
) -> None:
    with ModelServer([command("touch a.txt"), Answer("I left it.")]) as server:
        client = new_client(agent=server.agent("codex", "any"))
        result = await client.generate_code("do", approve="always")
        assert "Nobody is here to answer" in told_to_model(server)
    (approval,) = result.approvals
    assert (approval.answer, approval.by) == ("refused", "nobody")
    assert not result.files


async def test_allowed_for_the_session_is_what_is_of_the_same_kind_and_no_more(
    new_client: NewClient,
) -> None:
    person = Person(["session", "once", "refused", "once"])
    script: list[Reply] = [
        command("echo 1 > a.txt"),
        command("echo 2 > b.txt"),
        command("curl --version"),
        command("rm a.txt"),
        tool("write_file", path="c.txt", content="3\n"),
        Answer("Done."),
        command("echo 4 > d.txt"),
        Answer("Done."),
    ]
    with ModelServer(script) as server:
        client = new_client(agent=server.agent("codex", "any"))
        result = await client.generate_code("do", approve="always", approver=person)
        again = await client.generate_code("more", approve="always", approver=person)
        await client.new()
    assert [approval.by for approval in result.approvals] == ["you", "session", "you", "you", "you"]
    assert [approval.by for approval in again.approvals] == ["session"]
    assert [asked.command or asked.path for asked in person.asked] == [
        "echo 1 > a.txt", "curl --version", "rm a.txt", "/home/user/c.txt",
    ]  # fmt: skip


async def test_another_session_is_asked_anew(new_client: NewClient) -> None:
    person = Person(["session"])
    script = [command("echo 1 > a.txt"), Answer("."), command("echo 1 > a.txt"), Answer(".")]
    with ModelServer(script) as server:
        client = new_client(agent=server.agent("codex", "any"))
        await client.generate_code("do", approve="always", approver=person)
        await client.new()
        await client.generate_code("do", approve="always", approver=person)
    assert len(person.asked) == 2


@pytest.mark.parametrize("agent", AGENTS)
async def test_stop_ends_the_run_as_an_interrupt_and_the_next_one_works(
    new_client: NewClient, agent: str
) -> None:
    events: list[Event] = []
    person = Person(["stopped"])
    with ModelServer([command("touch a", "touch b"), Answer("Here again.")]) as server:
        client = new_client(agent=server.agent(agent, "any"))
        with pytest.raises(RunInterruptedError) as caught:
            await client.generate_code(
                "do", approve="always", approver=person, on_event=events.append
            )
        assert caught.value.result is not None
        assert caught.value.result.status == "interrupted"
        assert [event.status for event in events if isinstance(event, RunFinished)] == [
            "interrupted"
        ]
        assert len(person.asked) == 1, "nothing is asked after stop"
        assert (await client.generate_code("go on")).text == "Here again."
    assert not server.violations


async def test_an_interrupt_ends_a_run_that_waits_for_an_answer(new_client: NewClient) -> None:
    absent = Absent()
    events: list[Event] = []
    with ModelServer([command("touch a"), Answer("Here again.")]) as server:
        client = new_client(agent=server.agent("codex", "any"))
        run = asyncio.create_task(
            client.generate_code("do", approve="always", approver=absent, on_event=events.append)
        )
        await absent.was_asked.wait()
        run.cancel()
        async with asyncio.timeout(1):
            with pytest.raises(asyncio.CancelledError):
                await run
        assert (await client.generate_code("go on")).text == "Here again."
    (answered,) = [event for event in events if isinstance(event, ApprovalAnswered)]
    assert (answered.answer, answered.by) == ("stopped", "nobody")


async def test_a_hundred_calls_are_asked_one_after_the_other(new_client: NewClient) -> None:
    person = Person(["once", "refused"])
    with ModelServer([command(*(f"true {n}" for n in range(100))), Answer("Done.")]) as server:
        client = new_client(agent=server.agent("codex", "any"))
        result = await client.generate_code("do", approve="always", approver=person)
    assert person.most == 1
    assert [asked.command for asked in person.asked] == [f"true {n}" for n in range(100)]
    assert sum(approval.answer == "refused" for approval in result.approvals) == 99


async def test_what_looks_is_never_asked_about(new_client: NewClient) -> None:
    person = Person(["refused"])
    script: list[Reply] = [
        tool("write_file", path="a.txt", content="1\n"),
        tool("read_file", path="a.txt"),
        tool("list_files", path="."),
        tool("search", pattern="1"),
        Answer("Done."),
    ]
    with ModelServer(script) as server:
        client = new_client(agent=server.agent("codex", "any"))
        await client.generate_code("do", approve="always", approver=person)
    assert [asked.tool for asked in person.asked] == ["write_file"]


async def test_where_only_risky_calls_are_asked_about_the_others_run(
    new_client: NewClient,
) -> None:
    person = Person(["refused"])
    script: list[Reply] = [
        command("echo 1 > a.txt"),
        tool("write_file", path="b.txt", content="2\n"),
        command("rm -rf a.txt"),
        tool("write_file", path="/opt/b.txt", content="2\n"),
        Answer("Done."),
    ]
    with ModelServer(script) as server:
        client = new_client(agent=server.agent("codex", "any"))
        result = await client.generate_code("do", approve="risky", approver=person)
    assert [asked.command or asked.path for asked in person.asked] == [
        "rm -rf a.txt", "/opt/b.txt",
    ]  # fmt: skip
    assert {file.path for file in result.files} == {"/home/user/a.txt", "/home/user/b.txt"}


async def test_a_change_is_shown_as_its_difference_before_it_is_made(
    new_client: NewClient,
) -> None:
    person = Person(["once"])
    script: list[Reply] = [
        tool("write_file", path="a.yaml", content="retries: 3\ntimeout: 30\n"),
        tool("edit_file", path="a.yaml", old="timeout: 30", new="timeout: 120"),
        Answer("Done."),
    ]
    with ModelServer(script) as server:
        client = new_client(agent=server.agent("codex", "any"))
        await client.generate_code("do", approve="always", approver=person)
    assert person.asked[0].title == "Create /home/user/a.yaml?"
    assert "+timeout: 30\n" in person.asked[0].diff
    assert person.asked[1].title == "Change /home/user/a.yaml?"
    assert "-timeout: 30\n+timeout: 120\n" in person.asked[1].diff


async def test_what_nobody_could_read_is_refused_unasked(new_client: NewClient) -> None:
    person = Person(["once"])
    long = "".join(f"line {n}\n" for n in range(20_000))
    with ModelServer([tool("write_file", path="a", content=long), Answer("Done.")]) as server:
        client = new_client(agent=server.agent("codex", "any"))
        result = await client.generate_code("do", approve="always", approver=person)
        assert "nobody could read it" in told_to_model(server)
    assert not person.asked
    assert not result.files


async def test_a_key_is_in_no_question(new_client: NewClient) -> None:
    key = "sk-test-0123456789abcdef"
    person = Person(["once"])
    with ModelServer([command(f"echo {key}"), Answer("Done.")]) as server:
        client = new_client(agent=server.agent("codex", key))
        result = await client.generate_code("do", approve="always", approver=person)
    assert person.asked[0].command == "echo [redacted]"
    assert key not in repr(result.approvals)
