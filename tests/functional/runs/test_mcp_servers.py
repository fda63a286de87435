"""A run has the tools of MCP servers beside its own, and asks before it uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.mcp_server import McpPeer, mcp_server, text
from tests.support.model_server import ModelServer
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    Notice,
    ToolCallFinished,
    ToolCallStarted,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio

AGENTS = ["codex", "claude"]
KEY = "sk-docs-0123456789abcdef"
LOOK = ToolCall("mcp__docs__look", {"word": "a"})


@pytest.fixture
async def peer() -> AsyncIterator[McpPeer]:
    async with mcp_server(McpPeer()) as running:
        yield running


def with_server(client: VibeKit, **server: Any) -> VibeKit:
    client.layers.given = {**client.layers.given, "mcp": {"docs": server}}
    return client


@pytest.mark.parametrize("agent", AGENTS)
async def test_the_model_uses_a_tool_of_a_server_and_its_words_are_data(
    new_client: NewClient, peer: McpPeer, tmp_path: Path, agent: str
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    peer.answer = lambda *_: text(f"<b>yes</b>, {KEY}")
    events: list[Event] = []
    with ModelServer([Answer(tool_calls=(LOOK,)), Answer("It says yes.")]) as server:
        client = with_server(
            new_client(agent=server.agent(agent, "any")), url=peer.url, key_file=str(key)
        )
        result = await client.generate_code("look", on_event=events.append)
        assert set(server.requests[0].tools) >= {"run_command", "mcp__docs__look"}
        assert b"<b>yes</b>, [redacted]" in server.requests[1].body
        assert KEY.encode() not in b"".join(request.body for request in server.requests)
        assert not server.violations
    assert result.text == "It says yes."
    (started,) = [event for event in events if isinstance(event, ToolCallStarted)]
    assert (started.title, started.arguments) == ("docs: look", {"word": "a"})
    (finished,) = [event for event in events if isinstance(event, ToolCallFinished)]
    assert finished.ok
    assert peer.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(events)
    assert KEY not in repr(client.configuration())


async def test_a_server_that_is_down_is_a_notice_and_the_run_goes_on(
    new_client: NewClient,
) -> None:
    events: list[Event] = []
    with ModelServer([Answer("Done.")]) as server:
        client = with_server(
            new_client(agent=server.agent("codex", "any")), url="http://127.0.0.1:1/mcp"
        )
        result = await client.generate_code("look", on_event=events.append)
    assert result.text == "Done."
    notes = [event.text for event in events if isinstance(event, Notice)]
    assert any(note.startswith("The MCP server docs cannot be reached") for note in notes)


async def test_a_tool_that_a_server_took_away_meanwhile_is_told_to_the_model(
    new_client: NewClient, peer: McpPeer
) -> None:
    def script(request: Any) -> Answer:
        peer.tools = []
        return Answer("Gone.") if request.messages[-1].tool_results else Answer(tool_calls=(LOOK,))

    with ModelServer(script) as server:
        client = with_server(new_client(agent=server.agent("codex", "any")), url=peer.url)
        result = await client.generate_code("look")
        assert b"the MCP server docs says: Unknown tool: look" in server.requests[1].body
    assert result.text == "Gone."


async def test_in_ask_mode_there_are_none_and_no_server_is_asked(
    new_client: NewClient, peer: McpPeer
) -> None:
    with ModelServer([Answer("Looked.")]) as server:
        client = with_server(new_client(agent=server.agent("codex", "any")), url=peer.url)
        await client.generate_code("look", mode="ask")
        assert not [tool for tool in server.requests[0].tools if tool.startswith("mcp__")]
    assert not peer.asked


class Person:
    """Refuses, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[ApprovalAsked] = []

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        self.asked.append(asked)
        return ApprovalAnswered(asked.request_id, "refused", "you")


async def test_a_tool_of_a_server_is_risky(new_client: NewClient, peer: McpPeer) -> None:
    person = Person()
    with ModelServer([Answer(tool_calls=(LOOK,)), Answer("Left.")]) as server:
        client = with_server(new_client(agent=server.agent("codex", "any")), url=peer.url)
        await client.generate_code("look", approve="risky", approver=person)
    (asked,) = person.asked
    assert (asked.title, asked.command) == ("Use docs: look?", '{\n "word": "a"\n}')
    assert "tools/call" not in peer.methods


async def test_a_key_that_is_not_there_ends_the_run_before_it_begins(
    new_client: NewClient, peer: McpPeer
) -> None:
    with ModelServer([Answer("Never.")]) as server:
        client = with_server(
            new_client(agent=server.agent("codex", "any")), url=peer.url, key_file="/none"
        )
        with pytest.raises(ConfigurationError, match=r"mcp\.docs\.key_file"):
            await client.generate_code("look")
        assert not server.requests


async def test_an_agent_in_a_sandbox_is_told_of_servers_without_a_key_alone(
    new_client: NewClient, peer: McpPeer, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    events: list[Event] = []
    client = with_server(new_client(agent={"type": "demo-acp"}), url=peer.url, key_file=str(key))
    result = await client.generate_code("say hello", on_event=events.append)
    assert result.status == "done"
    notes = [event.text for event in events if isinstance(event, Notice)]
    assert any("is not told of the MCP server docs: it needs a key" in note for note in notes)
    assert KEY not in repr(events)
    found = await client.execute_command(f"grep -rs {KEY} /home/user || true")
    assert KEY not in found.stdout
