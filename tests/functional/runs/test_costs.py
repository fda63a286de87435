"""Runs stop at what they may cost, keep what they did, and are counted for whoever asked."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.model_server import Disturbed, HttpError, ModelServer, Stall
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall, Usage
from vibekit_jupyter.errors import (
    AuditError,
    ConfigurationError,
    ModelAuthenticationError,
    RunLimitError,
)
from vibekit_jupyter.events import Event, Notice, RunFinished, ToolCallStarted
from vibekit_jupyter.settings.audit import AuditSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from tests.support.model_server import Reply
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio

AGENTS = ["codex", "claude"]
# A dollar for a thousand tokens in, two for a thousand out.
PRICES = {"*": {"input": 1000.0, "output": 2000.0}}
KEY = "sk-test-0123456789"


def writes(name: str, usage: Usage) -> Answer:
    call = ToolCall("write_file", {"path": name, "content": "kept"})
    return Answer(tool_calls=(call,), usage=usage)


def client_of(
    new_client: NewClient, server: ModelServer, agent: str, user: str, **settings: Any
) -> VibeKit:
    client = new_client(agent=server.agent(agent, KEY), user=user)
    client.configure(dataclasses.replace(client.settings, prices=PRICES, **settings))
    return client


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_run_stops_before_the_call_that_would_cost_too_much(
    new_client: NewClient, agent: str
) -> None:
    heard: list[Event] = []
    script = [writes("a.txt", Usage(100, 0, 50)), writes("b.txt", Usage(200, 0, 50)), Answer("On.")]
    with ModelServer(script) as server:
        client = client_of(new_client, server, agent, f"cost-{agent}")
        # 0.2 and 0.3 are spent, and the next call's input costs 0.25 more.
        with pytest.raises(RunLimitError, match=r"bound of \$0.70 \(\$0.50 spent") as caught:
            await client.generate_code("Do it", max_cost=0.7, on_event=heard.append)
        assert len(server.requests) == 2
        result = caught.value.result
        assert result is not None
        assert (result.status, result.steps) == ("limit", 2)
        assert result.cost == pytest.approx(0.5)
        assert [change.path for change in result.files] == ["/home/user/a.txt", "/home/user/b.txt"]
        last = heard[-1]
        assert isinstance(last, RunFinished)
        assert last.status == "limit"
        assert last.cost == pytest.approx(0.5)
        assert client.history()[-1].status == "limit"
        assert (await client.execute_command("cat b.txt")).stdout == "kept"
        assert (await client.generate_code("Go on")).text == "On."
        assert server.violations == []
        await client.kill()


async def test_a_run_under_a_used_budget_asks_nobody_and_makes_no_sandbox(
    new_client: NewClient,
) -> None:
    with ModelServer([Answer("Done.", usage=Usage(1000, 0, 500))]) as server:
        client = client_of(new_client, server, "codex", "budget-used", budget_day=2.0)
        await client.generate_code("Do it")
        await client.kill()
        with pytest.raises(RunLimitError) as caught:
            await client.generate_code("Again")
        assert str(caught.value) == (
            "Your budget of $2.00 for today is used ($2.00; runs: %vibekit_config usage)."
            " It opens again at 00:00 UTC."
        )
        assert await client.get_session() is None
        assert len(server.requests) == 1
        assert client.configuration()[-1] == ("budget", "$2.00 of $2.00 today", "as set here")
        (told,) = client.usage(days=1)
        assert (told.day, told.runs, told.cost) == (datetime.now(UTC).date(), 1, 2.0)
        assert told.usage.total == 1500


async def test_two_runs_at_once_both_count(new_client: NewClient) -> None:
    waits = ToolCall("run_command", {"command": "until [ -e go ]; do sleep 0.05; done"})

    def script(request: Request) -> Answer:
        return Answer(tool_calls=(waits,), usage=Usage(1000, 0, 0))

    begun = asyncio.Event()

    def watch(event: Event) -> None:
        if isinstance(event, ToolCallStarted):
            begun.set()

    with ModelServer(script) as server:
        bounds = {"budget_day": 1.0}
        one = client_of(new_client, server, "codex", "two-at-once", **bounds)
        other = client_of(new_client, server, "claude", "two-at-once", **bounds)
        run = asyncio.ensure_future(one.generate_code("Wait", on_event=watch))
        await begun.wait()
        # The first run goes on, and what it has cost so far is known already.
        with pytest.raises(RunLimitError, match="for today is used"):
            await other.generate_code("Do it")
        assert len(server.requests) == 1
        await one.execute_command("touch go")
        with pytest.raises(RunLimitError, match="for today is used") as caught:
            await run
        assert caught.value.result is not None
        assert len(caught.value.result.commands) == 1
        assert len(server.requests) == 1
        await one.kill()


async def test_a_model_without_a_price_is_refused_under_a_bound(new_client: NewClient) -> None:
    with ModelServer([]) as server:
        client = new_client(agent=server.agent("codex", KEY, max_cost=1), user="no-price")
        with pytest.raises(ConfigurationError, match="price of gpt-6-astra is not known here"):
            await client.generate_code("Do it")
        with pytest.raises(ConfigurationError, match="max_cost is nan"):
            await client.generate_code("Do it", max_cost=float("nan"))
        assert server.requests == []
        assert await client.get_session() is None


async def test_the_demo_model_costs_nothing(new_client: NewClient) -> None:
    client = new_client(agent={"type": "codex", "max_cost": 0.01}, user="demo-is-free")
    client.configure(dataclasses.replace(client.settings, budget_day=0.01, budget_month=0.01))
    assert (await client.generate_code("hello")).status == "done"
    await client.kill()


async def test_a_copied_conversation_is_not_paid_twice(new_client: NewClient) -> None:
    with ModelServer([Answer("Done.", usage=Usage(1000, 0, 0))]) as server:
        client = client_of(new_client, server, "codex", "copied")
        await client.generate_code("Do it")
        fork = await client.fork()
        assert [each.cost for each in client.usage()] == [1.0]
        await client.kill(fork.id)
        await client.kill()


async def test_each_run_leaves_two_lines_in_the_audit_however_it_ends(
    new_client: NewClient, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    script: list[Reply] = [
        Answer("Done with the patients.", usage=Usage(10, 0, 5)),
        HttpError(401, f"Wrong key {KEY}"),
        Disturbed(Answer("Words."), Stall(2, 60)),
        writes("secret.csv", Usage(1000, 0, 0)),
    ]
    with ModelServer(script) as server:
        client = client_of(
            new_client, server, "claude", "audited", audit=AuditSettings(file=str(path))
        )
        await client.generate_code("Read the patients' files")
        with pytest.raises(ModelAuthenticationError):
            await client.generate_code("Again")
        run = asyncio.ensure_future(client.generate_code("Wait"))
        await asyncio.to_thread(server.wait_for_requests, 3)
        run.cancel()
        await asyncio.wait([run])
        with pytest.raises(RunLimitError):
            await client.generate_code("Write", max_cost=1)
        session = await client.get_session()
        await client.kill()
    ends = [line for line in lines(path) if line["vibekit.status"] != "started"]
    assert [line["vibekit.status"] for line in ends] == ["done", "failed", "interrupted", "limit"]
    assert [line.get("error.type") for line in ends] == [
        None,
        "ModelAuthenticationError",
        None,
        "RunLimitError",
    ]
    assert ends[0]["vibekit.cost"] == pytest.approx(0.02)
    assert ends[3]["vibekit.files"] == 1
    assert {line["gen_ai.conversation.id"] for line in ends} == {session}
    assert {line["gen_ai.provider.name"] for line in ends} == {"anthropic"}
    assert len({line["run"] for line in lines(path)}) == 4
    assert len(lines(path)) == 8
    for secret in (KEY, "patients", "secret.csv"):
        assert secret not in path.read_text()


async def test_a_required_audit_that_cannot_be_written_stops_the_run_before_it_begins(
    new_client: NewClient, tmp_path: Path
) -> None:
    with ModelServer([]) as server:
        audit = AuditSettings(file=str(tmp_path), required=True)
        client = client_of(new_client, server, "codex", "required", audit=audit)
        with pytest.raises(AuditError, match="it is a folder"):
            await client.generate_code("Do it")
        assert server.requests == []
        assert await client.get_session() is None


async def test_a_required_audit_that_fails_at_a_runs_end_fails_the_run_and_keeps_its_work(
    new_client: NewClient, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"

    def script(request: Request) -> Answer:
        path.unlink()
        path.mkdir()
        return Answer("Done.", usage=Usage(10, 0, 5))

    with ModelServer(script) as server:
        audit = AuditSettings(file=str(path), required=True)
        client = client_of(new_client, server, "codex", "required-at-end", audit=audit)
        with pytest.raises(AuditError, match="it is a folder") as caught:
            await client.generate_code("Do it")
        assert caught.value.result is not None
        assert (caught.value.result.text, caught.value.result.status) == ("Done.", "failed")
        assert client.history()[-1].status == "failed"
        await client.kill()


async def test_an_audit_that_cannot_be_written_is_told_once(
    new_client: NewClient, tmp_path: Path
) -> None:
    with ModelServer([Answer("One."), Answer("Two.")]) as server:
        audit = AuditSettings(file=str(tmp_path))
        client = client_of(new_client, server, "codex", "told-once", audit=audit)
        heard: list[Event] = []
        for prompt in ("One", "Two"):
            await client.generate_code(prompt, on_event=heard.append)
        told = [event.text for event in heard if isinstance(event, Notice)]
        assert [text for text in told if "audit" in text] == [
            f"The audit file {tmp_path} cannot be written: it is a folder. Runs go on without it."
        ]
        await client.kill()
