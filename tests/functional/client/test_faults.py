"""Whatever a model or a command does, the run ends in the right error, or well, and the next works.

The scripted server holds every conversation against both vendors' rules meanwhile.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import (
    Cut,
    Disturbed,
    ErrorEvent,
    Garbage,
    ModelServer,
    Raw,
    Stall,
    UnknownEvent,
)
from tests.support.versions import xfail_where_the_sdk_holds_output
from vibekit_jupyter.demo_model.wire import WIRES, Answer, Request, ToolCall, Usage
from vibekit_jupyter.errors import (
    ModelError,
    ModelStreamError,
    ModelUnavailableError,
    RunLimitError,
    VibeKitError,
)
from vibekit_jupyter.events import CommandOutput, RunFinished, TextDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functional.client.conftest import NewClient
    from tests.support.model_server import Fault, Reply
    from vibekit_jupyter import VibeKit
    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio

AGENTS = ["codex", "claude"]
MB = 1_000_000
DISTURBED = Answer(
    "Words before.", tool_calls=(ToolCall("write_file", {"path": "b.txt", "content": "two"}),)
)


class Script:
    """Replies that can be changed between runs; ``Done.`` when there is none left."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def __call__(self, _: Request) -> Reply:
        return self.replies.pop(0) if self.replies else Answer("Done.")


def call(name: str, **arguments: object) -> Answer:
    return Answer(tool_calls=(ToolCall(name, arguments),))


def client_of(new_client: NewClient, server: ModelServer, agent: str) -> VibeKit:
    url = server.openai_url if agent == "codex" else server.anthropic_url
    return new_client(agent={"type": agent, "model": {"base_url": url, "api_key": "any"}})


def event_count(agent: str) -> int:
    wire = WIRES["openai" if agent == "codex" else "anthropic"]
    return len(list(wire.events(DISTURBED, "model")))


def resident() -> int:
    """The bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (lambda after: [Cut(after)], ModelStreamError),
        (lambda after: [ErrorEvent(after)], ModelError),
        (lambda after: [Garbage(after)], ModelError),
        (lambda after: [UnknownEvent(after), Stall(after, 0.01)], None),
    ],
    ids=["cut", "error", "garbage", "unknown and slow"],
)
async def test_a_fault_at_any_event_ends_in_its_error_and_the_next_run_works(
    new_client: NewClient,
    agent: str,
    faults: Callable[[int], list[Fault]],
    error: type[VibeKitError] | None,
) -> None:
    script = Script()
    failures = 0
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent)
        for after in range(event_count(agent) + 1):
            script.replies = [
                call("write_file", path="a.txt", content=f"one {after}"),
                Disturbed(DISTURBED, *faults(after)),
            ]
            result, raised = None, None
            try:
                result = await client.generate_code("Do it")
            except VibeKitError as caught:
                result, raised = caught.result, caught
            assert result is not None
            assert "/home/user/a.txt" in {change.path for change in result.files}
            if raised is None:
                assert result.text.endswith("Done.")
                continue
            failures += 1
            assert error is not None
            assert isinstance(raised, error)
            assert raised.hint
            assert raised.session_id == result.session_id
            assert result.status == "failed"
            script.replies = []
            assert (await client.generate_code("Again")).text == "Done."
        assert server.violations == []
        await client.kill()
    assert (failures > 5) == (error is not None)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    "reply",
    [
        Raw(b"<html>A proxy's word</html>"),
        Raw(b"data: {}\n\n", content_type="text/event-stream"),
        Raw(b"data: [1, 2]\n\ndata: nul\0l\n\n", content_type="text/event-stream"),
        Raw(b"\xff\xfe" * 1000, content_type="text/event-stream"),
        Raw(b"", content_type="text/event-stream"),
        Raw(b"data: " + b"x" * MB, content_type="text/event-stream"),
        Raw(b'{"error": {"message": "\xff"}}', status=400, content_type="application/json"),
    ],
    ids=["html", "empty event", "no object", "no text", "nothing", "a line", "broken error"],
)
async def test_what_is_no_answer_is_said_to_be_none(
    new_client: NewClient, agent: str, reply: Raw
) -> None:
    script = Script()
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent)
        script.replies = [call("write_file", path="a.txt", content="kept"), reply]
        with pytest.raises(ModelError) as caught:
            await client.generate_code("Do it")
        assert caught.value.result is not None
        assert caught.value.result.files
        assert (await client.generate_code("Again")).text == "Done."
        assert server.violations == []
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
async def test_an_answer_of_ten_megabytes_comes_whole(new_client: NewClient, agent: str) -> None:
    words = "All work and no play makes an agent dull. " * (10 * MB // 42)
    heard = 0

    def listen(event: Event) -> None:
        nonlocal heard
        heard += len(event.text) if isinstance(event, TextDelta) else 0

    script = Script()
    script.replies = [Answer(words)]
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent)
        result = await client.generate_code("Talk", on_event=listen)
        assert result.text == words.strip()
        assert heard == len(words)
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_hundred_tool_calls_of_one_answer_all_run(
    new_client: NewClient, agent: str
) -> None:
    calls = tuple(ToolCall("run_command", {"command": f"echo {n}"}) for n in range(100))
    script = Script()
    script.replies = [Answer(tool_calls=calls)]
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent)
        result = await client.generate_code("Count")
        assert sorted(int(command.stdout) for command in result.commands) == list(range(100))
        assert server.violations == []
        await client.kill()


@pytest.mark.parametrize(
    "command",
    ["yes | head -c 50000000", "tr '\\0' x < /dev/zero | head -c 50000000"],
    ids=["lines", "one line"],
)
async def test_fifty_megabytes_of_output_take_no_memory(
    new_client: NewClient, command: str, request: pytest.FixtureRequest
) -> None:
    xfail_where_the_sdk_holds_output(request)
    peak = 0

    def watch(event: Event) -> None:
        nonlocal peak
        peak = max(peak, resident())

    script = Script()
    with ModelServer(script) as server:
        client = client_of(new_client, server, "codex")
        script.replies = [call("run_command", command=command.replace("50000000", "2000000"))]
        await client.generate_code("Warm up")
        before = resident()
        script.replies = [call("run_command", command=command)]
        result = await client.generate_code("Pour it out", on_event=watch)
        assert peak - before < 20 * MB
        assert result.commands[0].exit_code == 0
        assert len(result.commands[0].stdout) < 100_000
        assert (await client.generate_code("Again")).text == "Done."
        await client.kill()


async def test_output_that_is_no_text_is_told_as_far_as_it_is(new_client: NewClient) -> None:
    script = Script()
    script.replies = [
        call("run_command", command=r"printf 'a\xffb\xe2\x82'; sleep 0.05; printf '\xac\0c\xf0'")
    ]
    told: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, CommandOutput):
            told.append(event.text)

    with ModelServer(script) as server:
        client = client_of(new_client, server, "claude")
        result = await client.generate_code("Print", on_event=listen)
        assert result.commands[0].stdout == "a\ufffdb€\0c\ufffd"
        assert "".join(told) == result.commands[0].stdout
        assert server.violations == []
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_silence_has_the_bound_that_was_set(new_client: NewClient, agent: str) -> None:
    with ModelServer([Disturbed(Answer("Too late."), Stall(3, 60)), Answer("Done.")]) as server:
        url = server.openai_url if agent == "codex" else server.anthropic_url
        model = {"base_url": url, "api_key": "any"}
        client = new_client(agent={"type": agent, "model": model, "silence": 0.5})
        with pytest.raises(ModelUnavailableError, match=r"silent for 0\.5 s.*--silence"):
            await client.generate_code("Think")
        assert (await client.generate_code("Go on")).text == "Done."
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    ("bound", "reached"), [({"max_steps": 2}, "2 steps"), ({"max_tokens": 30}, "30 tokens")]
)
async def test_a_bound_ends_a_run_that_the_next_prompt_goes_on_with(
    new_client: NewClient, agent: str, bound: dict[str, int], reached: str
) -> None:
    def answer(request: Request) -> Answer:
        if request.prompt == "Go on":
            return Answer("Done.")
        command = ToolCall("run_command", {"command": "true"})
        return Answer(tool_calls=(command,), usage=Usage(10, 0, 5))

    with ModelServer(answer) as server:
        client = client_of(new_client, server, agent)
        with pytest.raises(RunLimitError, match=reached) as caught:
            await client.generate_code("Count", **bound)  # type: ignore[arg-type]  # one of its bounds
        assert caught.value.result is not None
        assert (caught.value.result.status, caught.value.result.steps) == ("limit", 2)
        assert (await client.generate_code("Go on")).text == "Done."
        assert server.violations == []
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
async def test_an_interrupt_at_any_moment_leaves_what_both_vendors_accept(
    new_client: NewClient, agent: str
) -> None:
    script = Script()
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent)
        await client.execute_command("true")
        for number in range(12):
            script.replies = [
                Disturbed(DISTURBED, Stall(number, 0.02)),
                call("run_command", command="echo begun; sleep 0.05"),
                Disturbed(Answer("More words."), Stall(number, 0.02)),
            ]
            ended: list[Event] = []
            run = asyncio.ensure_future(client.generate_code("Do it", on_event=ended.append))
            await asyncio.wait([run], timeout=0.02 * number)
            run.cancel()
            await asyncio.wait([run])
            if ended:
                assert isinstance(ended[-1], RunFinished)
            script.replies = []
            other = "claude" if agent == "codex" else "codex"
            url = server.openai_url if other == "codex" else server.anthropic_url
            session = await client.get_session()
            second = new_client(
                agent={"type": other, "model": {"base_url": url, "api_key": "any"}},
                session_id=session,
            )
            assert (await second.generate_code("Again")).text == "Done."
        assert server.violations == []
        await client.kill()


async def test_the_effort_asked_for_reaches_the_model(new_client: NewClient) -> None:
    script = Script()
    with ModelServer(script) as server:
        for agent in AGENTS:
            client = client_of(new_client, server, agent)
            await client.generate_code("Think", effort="high")
            await client.kill()
        codex, claude = (request.json for request in server.requests)
        assert codex["reasoning"]["effort"] == "high"
        assert claude["output_config"] == {"effort": "high"}
