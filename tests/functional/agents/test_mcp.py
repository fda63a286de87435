"""Tools of MCP servers: offered beside ours, data to the model, and never the end of a run."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from PIL import Image

from tests.support.mcp_server import McpPeer, mcp_server, text, tool
from vibekit_jupyter.agents.conversation import ToolCall
from vibekit_jupyter.agents.mcp import connection as mcp_connection
from vibekit_jupyter.agents.mcp.tools import MOST_TOOLS, McpTools, opened
from vibekit_jupyter.settings.mcp import McpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vibekit_jupyter.agents.outcome import Outcome

pytestmark = pytest.mark.anyio

KEY = "sk-docs-0123456789abcdef"
LOOK = "mcp__docs__look"


def redact(words: str) -> str:
    return words.replace(KEY, "[redacted]")


def server(peer: McpPeer, **options: Any) -> McpServer:
    return McpServer("docs", peer.url, **options)


async def run(tools: McpTools, name: str = LOOK, **arguments: Any) -> Outcome:
    return await tools.run(ToolCall("1", name, json.dumps(arguments)))


@pytest.fixture
async def peer() -> AsyncIterator[McpPeer]:
    async with mcp_server(McpPeer()) as running:
        yield running


@pytest.mark.parametrize("events", [False, True])
async def test_its_tools_are_listed_and_called(peer: McpPeer, *, events: bool) -> None:
    peer.events = events
    async with opened([server(peer, headers=(("Authorization", f"Bearer {KEY}"),))], redact) as mcp:
        assert not mcp.notes
        (spec,) = mcp.specs
        assert (spec.name, mcp.title(spec.name)) == (LOOK, "docs: look")
        assert spec.parameters["required"] == ["word"]
        outcome = await run(mcp, word="a")
    assert (outcome.output, outcome.ok) == ("look: yes", True)
    assert peer.methods == [
        "initialize", "notifications/initialized", "tools/list", "tools/call",
    ]  # fmt: skip
    assert peer.asked[-1]["params"] == {"name": "look", "arguments": {"word": "a"}}
    assert {headers["authorization"] for headers in peer.headers} == {f"Bearer {KEY}"}
    assert peer.headers[-1]["mcp-session-id"] == "session-1"
    assert peer.headers[-1]["mcp-protocol-version"] == mcp_connection.PROTOCOL
    assert peer.ended == 1


async def test_pages_of_tools_are_followed_and_the_number_is_bounded(peer: McpPeer) -> None:
    peer.tools, peer.page = [tool(f"t{number}") for number in range(200)], 10
    async with opened([server(peer)], redact) as mcp:
        assert len(mcp.specs) == MOST_TOOLS
    assert peer.methods.count("tools/list") == 7


async def test_a_tool_that_cannot_be_offered_is_left_out_and_said(peer: McpPeer) -> None:
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"properties": {"x": deep}}
    schemas: list[Any] = [
        None, [], {"type": "array"}, {"type": "object", "anyOf": []},
        {"type": "object", "properties": {"x": {"description": "x" * 20_000}}},
        {"type": "object", "properties": deep},
    ]  # fmt: skip
    peer.tools = [
        tool("fine"), tool("fine"), {"name": "n" * 100, **tool("x")}, tool("n" * 100), {"name": 3},
        *({"name": f"bad{n}", "inputSchema": schema} for n, schema in enumerate(schemas)),
    ]  # fmt: skip
    async with opened([server(peer)], redact) as mcp:
        assert [spec.name for spec in mcp.specs] == ["mcp__docs__fine", "mcp__docs__x"]
        assert mcp.notes == ["The MCP server docs has 9 tools that cannot be offered."]


def hangs(_: str, __: web.Request) -> web.StreamResponse:
    return _Hanging()


class _Hanging(web.StreamResponse):
    """Never comes to its end."""

    async def prepare(self, request: web.BaseRequest) -> Any:
        await super().prepare(request)
        await asyncio.Event().wait()


class _Endless(web.StreamResponse):
    """Goes on for ever, as one event or as one document."""

    async def prepare(self, request: web.BaseRequest) -> Any:
        await super().prepare(request)
        while True:
            await self.write(b"data: " + b"x" * 1024**2)


def raw(body: bytes, status: int = 200, **headers: str) -> Any:
    return lambda *_: web.Response(body=body, status=status, headers=headers)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (raw(b"", 307, Location="http://127.0.0.1:1/mcp"), "leads elsewhere (HTTP 307)"),
        (raw(b"", 302, Location="http://169.254.169.254/"), "leads elsewhere (HTTP 302)"),
        (raw(b"no", 401), "does not take the key, or wants one (HTTP 401)"),
        (raw(b"no", 500), "answered HTTP 500"),
        (raw(b"<html>", 200), "something that is not JSON"),
        (raw(b"[" * 100_000, 200), "something that is not JSON"),
        (raw(b"{}", 200), "gave no answer"),
        (raw(b'{"id": 1, "result": []}', 200), "gave an answer that is none"),
        (raw(b'{"id": 1, "result": {}}', 200), "does not speak MCP"),
        (raw(b'{"id": 1, "error": {"message": "closed today"}}', 200), "refused: closed today"),
        (raw(b"x", 200, **{"Content-Encoding": "gzip"}), "compressed"),
        (lambda *_: _Endless(headers={"Content-Type": "text/event-stream"}), "more than 24 MiB"),
        (lambda *_: _Endless(headers={"Content-Type": "application/json"}), "more than 24 MiB"),
    ],
)
async def test_a_server_that_cannot_be_used_is_one_sentence(
    peer: McpPeer, fault: Any, words: str
) -> None:
    peer.fault = fault
    async with opened([server(peer)], redact) as mcp:
        assert not mcp.specs
        (note,) = mcp.notes
    assert words in note
    assert note.startswith("The MCP server docs ")
    assert note.endswith(": the run goes on without its tools.")


async def test_a_server_that_is_down_or_says_nothing_does_not_hold_others_up(
    peer: McpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_connection, "OPENING", 0.3)
    async with mcp_server(McpPeer(fault=hangs)) as slow:
        down = McpServer("down", "http://127.0.0.1:1/mcp")
        servers = [down, McpServer("slow", slow.url), server(peer)]
        async with opened(servers, redact) as mcp:
            assert [spec.name for spec in mcp.specs] == [LOOK]
            assert [note.split(":")[0] for note in mcp.notes] == [
                "The MCP server down cannot be reached (ConnectError)",
                "The MCP server slow did not answer within 0 s",
            ]


@pytest.mark.parametrize("times", [1, 1_000_000])
async def test_a_server_that_forgot_the_session_is_asked_in_a_new_one_once(
    peer: McpPeer, times: int
) -> None:
    left = times

    def forget(method: str, request: web.Request) -> web.Response | None:
        nonlocal left
        if method != "tools/call" or left == 0:
            return None
        left -= 1
        return web.Response(status=404)

    async with opened([server(peer)], redact) as mcp:
        peer.fault = forget
        outcome = await run(mcp, word="a")
    assert outcome.ok == (times == 1)
    assert peer.methods[3:] == [
        *("tools/call", "initialize", "notifications/initialized", "tools/call"),
    ]
    assert "mcp-session-id" not in peer.headers[4]
    if not outcome.ok:
        assert "forgot the session" in outcome.output


async def test_what_goes_wrong_in_a_call_is_told_to_the_model(peer: McpPeer) -> None:
    async with opened([server(peer)], redact) as mcp:
        peer.fault = raw(f"{KEY}".encode(), 500)
        broken = await run(mcp)
        peer.fault = lambda *_: None
        peer.tools = []
        gone = await run(mcp)
    assert (broken.output, broken.ok) == ("Error: the MCP server docs answered HTTP 500.", False)
    assert (gone.output, gone.ok) == ("Error: the MCP server docs says: Unknown tool: look", False)


async def test_a_result_is_bounded_without_secrets_and_well_formed(peer: McpPeer) -> None:
    peer.answer = lambda *_: text(f"You sent Bearer {KEY}", "x" * 1_000_000, "\ud800", isError=True)
    async with opened([server(peer)], redact) as mcp:
        outcome = await run(mcp)
    assert len(outcome.output) < 20_000
    assert KEY not in outcome.output
    assert "Bearer [redacted]" in outcome.output
    assert not outcome.ok
    outcome.output.encode()


async def test_a_picture_is_one_and_what_is_none_is_named(peer: McpPeer) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(drawn, "PNG")
    data = base64.b64encode(drawn.getvalue()).decode()
    picture = {"type": "image", "mimeType": "image/png", "data": data}
    results = {
        "one": [picture, picture],
        "none": [{**picture, "data": "aGk="}],
        "odd": [{"type": "audio", "data": "x"}, {"type": "resource_link", "uri": "file:///a"}, 3],
    }
    peer.tools = [tool(name) for name in results]
    peer.answer = lambda name, _: {"content": results[name]}
    async with opened([server(peer)], redact) as mcp:
        one, none, odd = [await run(mcp, f"mcp__docs__{name}") for name in results]
    assert one.picture is not None
    assert one.picture.media_type == "image/png"
    assert "not looked at" not in one.output.split("\n")[0]
    assert none.picture is None
    assert none.output == "[a picture that cannot be read]"
    assert odd.output == "[a part of kind 'audio' that is not shown]\n[a resource: file:///a]"


async def test_what_is_structured_alone_is_told_as_json(peer: McpPeer) -> None:
    peer.answer = lambda *_: {"content": [], "structuredContent": {"rows": 3}}
    async with opened([server(peer)], redact) as mcp:
        assert (await run(mcp)).output == '{"rows": 3}'
