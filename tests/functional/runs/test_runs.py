"""A run that fails or is interrupted keeps what it did, says what to do, and the next works."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import Cut, Disturbed, ErrorEvent, HttpError, ModelServer, Stall
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.errors import (
    ModelAuthenticationError,
    ModelError,
    ModelStreamError,
    SessionNotFoundError,
    UnconfinedError,
    VibeKitError,
)
from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    RetryScheduled,
    RunFinished,
    TextDelta,
    ToolCallStarted,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from tests.support.model_server import Reply
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio

AGENTS = ["codex", "claude"]


def call(name: str, **arguments: object) -> Answer:
    return Answer(tool_calls=(ToolCall(name, arguments),))


def files_with(folder: Path, data: bytes) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the server empties its trash meanwhile
            if path.is_file() and data in path.read_bytes():
                found.append(path)
    return found


def client_of(new_client: NewClient, server: ModelServer, agent: str, key: str = "any") -> VibeKit:
    return new_client(agent=server.agent(agent, key))


async def processes(client: VibeKit) -> str:
    """What runs in the sandbox, but for the question itself."""
    result = await client.execute_command(
        "ps -eo args | grep -E 'sleep 9[0-9]{3}' | grep -v grep || true"
    )
    return result.stdout


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (HttpError(401, "bad key"), ModelAuthenticationError),
        (Disturbed(Answer("I begin and then"), Cut(after=5)), ModelStreamError),
        (Disturbed(Answer("I begin and then"), ErrorEvent(after=5)), ModelError),
    ],
)
async def test_a_failed_run_keeps_what_it_did_and_the_next_one_works(
    new_client: NewClient, agent: str, fault: Reply, error: type[VibeKitError]
) -> None:
    script: list[Reply] = [call("write_file", path="a.txt", content="kept"), fault, Answer("Done.")]
    heard: list[Event] = []
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent)
        with pytest.raises(error) as caught:
            await client.generate_code("Do it", on_event=heard.append)
        assert caught.value.hint
        partial = caught.value.result
        assert partial is not None
        assert [change.path for change in partial.files] == ["/home/user/a.txt"]
        last = heard[-1]
        assert isinstance(last, RunFinished)
        assert last.status == "failed"
        assert last.error == str(caught.value)
        assert client.history()[-1].status == "failed"
        assert (await client.generate_code("Again")).text == "Done."
        assert (await client.execute_command("cat a.txt")).stdout == "kept"
        assert server.violations == []
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
async def test_an_interrupt_leaves_nothing_running_within_a_second(
    new_client: NewClient, agent: str
) -> None:
    hard_to_end = "trap '' TERM INT; (setsid sleep 9001 &); sleep 9002 & nohup sleep 9003 & wait"
    with ModelServer([call("run_command", command=hard_to_end), Answer("Done.")]) as server:
        client = client_of(new_client, server, agent)
        await client.execute_command("true")
        begun = asyncio.Event()

        def watch(event: Event) -> None:
            if isinstance(event, ToolCallStarted):
                begun.set()

        run = asyncio.ensure_future(client.generate_code("Wait", on_event=watch))
        await begun.wait()
        while not await processes(client):  # noqa: ASYNC110 - it is a look into the sandbox
            await asyncio.sleep(0.01)
        started = time.monotonic()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert time.monotonic() - started < 1
        assert await processes(client) == ""
        assert (await client.generate_code("Go on")).text == "Done."
        assert server.violations == []
        assert [turn.status for turn in client.history()] == ["interrupted", "done"]
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
async def test_an_interrupt_of_a_silent_model_ends_its_stream(
    new_client: NewClient, agent: str
) -> None:
    with ModelServer([Disturbed(Answer("Words."), Stall(3, 60)), Answer("Done.")]) as server:
        client = client_of(new_client, server, agent)
        run = asyncio.ensure_future(client.generate_code("Wait"))
        await asyncio.to_thread(server.wait_for_requests, 1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await asyncio.to_thread(server.wait_for_hangup)
        assert (await client.generate_code("Go on")).text == "Done."
        await client.kill()


async def test_an_interrupt_while_the_sandbox_is_created_loses_no_sandbox(
    new_client: NewClient,
) -> None:
    client = new_client()
    run = asyncio.ensure_future(client.generate_code("print(1)"))
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    result = await client.generate_code("print(2)")
    assert [one.id for one in await client.list() if one.current] == [result.session_id]
    await client.kill()


@pytest.mark.parametrize(
    "prompt",
    [
        'it\'s "quoted" `ticks` $(touch x) ${HOME} {braces} %d !! \\n',
        "\n\n  leading and trailing \n\n",
        "-rf --help",
        "emoji 🦊 and e\u0301 and \u202e and \ufeff",
        "x" * 1_000_000,
        "tab\tnul-free \x01\x02 controls\r\nCRLF",
    ],
)
@pytest.mark.parametrize("agent", AGENTS)
async def test_a_prompt_arrives_byte_for_byte(
    new_client: NewClient, agent: str, prompt: str
) -> None:
    with ModelServer([Answer("Done.")]) as server:
        client = client_of(new_client, server, agent)
        result = await client.generate_code(prompt)
        assert server.prompts[-1] == prompt
        assert result.prompt == prompt
        assert client.history()[-1].prompt == prompt
        await client.kill()


async def test_a_sandbox_killed_in_mid_run_is_said_to_be_gone(new_client: NewClient) -> None:
    with ModelServer([call("run_command", command="echo on; sleep 9001"), Answer("?")]) as server:
        client = client_of(new_client, server, "codex")
        begun = asyncio.Event()

        def watch(event: Event) -> None:
            if isinstance(event, CommandOutput):
                begun.set()

        run = asyncio.ensure_future(client.generate_code("Wait", on_event=watch))
        await begun.wait()
        session_id = str(await client.get_session())
        await new_client().kill(session_id, force=True)
        with pytest.raises(SessionNotFoundError, match=session_id) as caught:
            await run
        assert caught.value.result is not None


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_key_is_told_nowhere(new_client: NewClient, agent: str, shared_home: Path) -> None:
    key = "sk-ant-oat-9f86d081884c7d659a2f"
    encoded = base64.b64encode(f"x{key}".encode()).decode()
    script: list[Reply] = [
        Answer(
            f"The key is {key}.", tool_calls=(ToolCall("run_command", {"command": f"echo {key}"}),)
        ),
        Disturbed(Answer(f"Again {encoded} and {key}"), Cut(after=5)),
    ]
    heard: list[str] = []
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent, key)
        with pytest.raises(VibeKitError) as caught:
            await client.generate_code(f"Use {key}", on_update=heard.append)
        assert server.prompts[-1] == f"Use {key}"
        told = (await client.execute_command("env")).stdout + str(client.history())
        await client.kill()
    told += "".join(heard) + str(caught.value)
    told += repr(caught.value.result) + str(caught.value.result.commands)  # type: ignore[union-attr]  # it has one
    assert key not in told
    assert not files_with(shared_home, key.encode())


async def test_what_a_real_model_wrote_never_runs_unconfined(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vibekit_jupyter.settings.checks import check_confined
    from vibekit_jupyter.settings.config import Service, Settings

    bare = Service("local", "local sandbox", "k", confinement="none", confinement_reason="No.")
    with pytest.raises(UnconfinedError, match=r"No\..*VIBEKIT_ALLOW_UNCONFINED"):
        check_confined(bare, Settings())
    monkeypatch.setenv("VIBEKIT_ALLOW_UNCONFINED", "1")
    check_confined(bare, Settings())


async def test_a_stream_gives_the_events_and_then_the_error(new_client: NewClient) -> None:
    with ModelServer([Answer("Words."), HttpError(401, "bad key")]) as server:
        client = client_of(new_client, server, "codex")
        kinds = [type(event) async for event in client.stream("Say words")]
        assert kinds[-1] is RunFinished
        assert TextDelta in kinds
        heard: list[Event] = []
        with pytest.raises(ModelAuthenticationError):
            await client.generate_code("Say more", on_event=heard.append)
        assert isinstance(heard[-1], RunFinished)
        await client.kill()


@pytest.mark.parametrize("agent", AGENTS)
async def test_another_try_is_told_while_it_is_waited_for_and_not_recorded(
    new_client: NewClient, agent: str
) -> None:
    told: list[Event] = []
    with ModelServer([HttpError.rate_limited(retry_after=1), Answer("Done.")]) as server:
        client = client_of(new_client, server, agent)
        await client.generate_code("hello", on_event=told.append)
    assert RetryScheduled(1.0, "429") in told
    (turn,) = client.history()
    assert "retry_scheduled" not in {event["type"] for event in turn.events}
