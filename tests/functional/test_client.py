"""Every statement of the seeds' getSession and setSession, on both services."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter import VibeKit
from vibekit_jupyter.errors import (
    AgentNotInitializedError,
    CommandError,
    ConfigurationError,
    SessionNotFoundError,
)

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("service")]


async def test_there_is_no_session_before_anything_ran(new_client: NewClient) -> None:
    assert await new_client().get_session() is None


async def test_the_first_generate_code_creates_the_session(new_client: NewClient) -> None:
    client = new_client()
    result = await client.generate_code("print('Hello World')")
    assert await client.get_session() == result.session_id
    assert "Hello World" in result.commands[-1].stdout


async def test_a_session_persists_over_several_calls(new_client: NewClient) -> None:
    client = new_client()
    await client.execute_command("echo kept > note.txt")
    first = await client.get_session()
    await client.generate_code("Show note.txt")
    assert (await client.execute_command("cat note.txt")).stdout == "kept\n"
    assert await client.get_session() == first


async def test_the_id_given_at_construction_is_the_session(new_client: NewClient) -> None:
    first = new_client()
    await first.execute_command("echo mine > a.txt")
    second = new_client(session_id=await first.get_session())
    assert await second.get_session() == await first.get_session()
    assert (await second.execute_command("cat a.txt")).stdout == "mine\n"


async def test_set_before_first_use_is_used_and_nothing_is_created(new_client: NewClient) -> None:
    first, second = new_client(), new_client()
    await first.execute_command("echo mine > a.txt")
    count = len(await first.list())
    await second.set_session(str(await first.get_session()))
    assert (await second.execute_command("cat a.txt")).stdout == "mine\n"
    assert len(await first.list()) == count


async def test_set_while_another_is_connected_really_switches(new_client: NewClient) -> None:
    client = new_client()
    await client.execute_command("echo one > one.txt")
    first = str(await client.get_session())
    second = (await client.new()).id
    with pytest.raises(CommandError):
        await client.execute_command("cat one.txt")
    await client.set_session(first)
    assert await client.get_session() == first
    assert (await client.execute_command("cat one.txt")).stdout == "one\n"
    await client.set_session(second)
    with pytest.raises(CommandError, match="exited with code 1"):
        await client.execute_command("cat one.txt")


async def test_set_sends_nothing_and_takes_less_than_a_millisecond(new_client: NewClient) -> None:
    client = new_client()
    await client.set_session("session-abc123")
    started = time.perf_counter()
    for number in range(100):
        await client.set_session(f"session-{number}")
    assert await client.get_session() == "session-99"
    assert (time.perf_counter() - started) / 100 < 0.01  # the benchmark has the real bound


async def test_an_unknown_session_is_an_error_at_the_next_operation_and_nothing_is_created(
    new_client: NewClient,
) -> None:
    client = new_client()
    count = len(await client.list())
    await client.set_session("invalid-session-id")
    for operation in (client.execute_command("true"), client.generate_code("print(1)")):
        with pytest.raises(SessionNotFoundError, match="invalid-session-id"):
            await operation
    assert await client.get_session() == "invalid-session-id"
    assert len(await client.list()) <= count


async def test_check_validates_at_once_and_keeps_the_current_one(new_client: NewClient) -> None:
    client = new_client()
    await client.execute_command("true")
    current = await client.get_session()
    with pytest.raises(SessionNotFoundError):
        await client.set_session("gone00000000000000000", check=True)
    assert await client.get_session() == current


async def test_a_killed_session_says_when_it_was_seen_and_what_remains(
    new_client: NewClient,
) -> None:
    client = new_client()
    result = await client.generate_code("print(1)")
    other = new_client()
    await other.kill(result.session_id)
    with pytest.raises(SessionNotFoundError, match=r"last used .*restore"):
        await client.execute_command("true")


async def test_one_agent_goes_on_where_the_other_stopped(new_client: NewClient) -> None:
    client = new_client()
    await client.generate_code("Write primes.py that prints the first ten primes, and run it")
    result = await client.generate_code("Now make it print twenty", agent="claude")
    assert "67 71" in result.commands[-1].stdout
    assert [turn.agent for turn in client.history()] == ["codex", "claude"]


async def test_two_first_calls_make_one_sandbox(new_client: NewClient) -> None:
    client = new_client()
    count = len(await client.list())
    await asyncio.gather(*(client.execute_command("true") for _ in range(4)))
    assert len(await client.list()) == count + 1


async def test_a_failing_command_is_its_result(new_client: NewClient) -> None:
    client = new_client()
    with pytest.raises(CommandError) as caught:
        await client.execute_command("echo out; echo err >&2; exit 3")
    error = caught.value
    assert (error.exit_code, error.stdout, error.stderr) == (3, "out\n", "err\n")
    assert error.session_id == await client.get_session()


@pytest.mark.parametrize(
    "agent",
    [
        None,
        {"type": "copilot"},
        {"type": "codex", "model": {"api_key": ""}},
        {"type": "claude", "model": {"api_key": "sk ant"}},
        {"type": "codex", "model": {"base_url": "not a url"}},
    ],
)
async def test_not_initialized_is_said_by_every_method(agent: object) -> None:
    client = VibeKit(agent)  # type: ignore[arg-type]  # wrong on purpose
    for operation in (
        client.get_session(),
        client.set_session("x"),
        client.generate_code("print(1)"),
        client.execute_command("true"),
    ):
        with pytest.raises(AgentNotInitializedError, match=r"^Agent not initialized"):
            await operation
    await client.aclose()


async def test_an_empty_prompt_or_id_is_an_error_and_nothing_is_lost(new_client: NewClient) -> None:
    client = new_client()
    await client.execute_command("true")
    current = await client.get_session()
    for prompt in ("", " \n\t "):
        with pytest.raises(ConfigurationError, match="prompt is empty"):
            await client.generate_code(prompt)
    with pytest.raises(ConfigurationError, match="session id is empty"):
        await client.set_session(" ")
    assert await client.get_session() == current


async def test_a_model_that_is_asked_for_by_name_is_never_the_demo_model(
    new_client: NewClient,
) -> None:
    with pytest.raises(AgentNotInitializedError, match="no model 'gpt-9'"):
        await new_client().generate_code("Hello", model="gpt-9")
    named = new_client(agent={"type": "codex", "model": "gpt-9"})
    with pytest.raises(AgentNotInitializedError, match="no model 'gpt-9'"):
        await named.generate_code("Hello")


async def test_an_agent_whose_vendor_is_not_configured_is_an_error(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with pytest.raises(AgentNotInitializedError, match="no key for Anthropic"):
        await new_client().generate_code("Hello", agent="claude")


@pytest.mark.parametrize("prompt", [None, 7, b"bytes", ["a"]])
async def test_a_prompt_that_is_no_text_is_refused(new_client: NewClient, prompt: object) -> None:
    with pytest.raises(ConfigurationError, match="prompt is empty"):
        await new_client().generate_code(prompt)  # type: ignore[arg-type]  # what is tried


async def test_odd_texts_run_or_are_refused_in_a_sentence(new_client: NewClient) -> None:
    client = new_client()
    assert (await client.generate_code("Say \ud800 hi")).status == "done"
    with pytest.raises(ConfigurationError, match="bytes"):
        await client.execute_command("echo " + "x" * 200_000)
    assert (await client.execute_command("echo " + "x" * 110_000)).exit_code == 0
    for command in ("echo \ud800", "echo \0", None, b"echo"):
        with pytest.raises(ConfigurationError, match="The command"):
            await client.execute_command(command)  # type: ignore[arg-type]  # what is tried
    odd: list[dict[str, Any]] = [
        {"timeout": "x"}, {"timeout": -1}, {"cwd": 5}, {"cwd": "\ud800"}, {"cwd": "a\0b"},
    ]  # fmt: skip
    for options in odd:
        with pytest.raises(ConfigurationError):
            await client.execute_command("echo", **options)
    await client.kill()


@pytest.mark.parametrize(
    "options",
    [
        {"model": 5},
        {"model": "\ud800"},
        {"model": "two\nlines"},
        {"model": "m" * 1000},
        {"mode": ["ask"]},
        {"session": 5},
        {"session": ""},
        {"without": 5},
    ],
    ids=str,
)
async def test_an_odd_option_is_refused_in_a_sentence(
    new_client: NewClient, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ConfigurationError):
        await new_client().generate_code("Hello", **options)
    if "model" in options:
        with pytest.raises(ConfigurationError):
            await new_client(agent={"type": "codex", **options}).generate_code("Hello")
