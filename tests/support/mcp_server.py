"""An MCP server for tests: streamable HTTP, and everything that goes wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

__all__ = ["McpPeer", "mcp_server", "text", "tool"]

Result = dict[str, Any]
# Says what is sent instead of an answer; None lets it be.
Fault = Callable[[str, web.Request], web.StreamResponse | None]


def tool(name: str, **properties: Any) -> dict[str, Any]:
    """A tool as it is listed."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": f"Does {name}.", "inputSchema": schema}


def text(*words: str, **rest: Any) -> Result:
    """A result of words."""
    return {"content": [{"type": "text", "text": word} for word in words], **rest}


@dataclass
class McpPeer:
    """What a server has, and what it was asked.

    Attributes
    ----------
    answer
        Makes the result of a call, of its name and its arguments.
    fault
        Makes what is sent in the place of an answer to a method, where it is not None.
    events
        Answers are server-sent events.
    page
        How many tools are listed at a time.
    """

    tools: Sequence[dict[str, Any]] = (tool("look", word={"type": "string"}),)
    answer: Callable[[str, dict[str, Any]], Result] = lambda name, _: text(f"{name}: yes")
    fault: Fault = lambda _, __: None
    events: bool = False
    page: int = 1000
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ended: int = 0

    @property
    def methods(self) -> list[str]:
        """What was asked for, in order."""
        return [message["method"] for message in self.asked]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one message."""
        if request.method == "DELETE":
            self.ended += 1
            return web.Response()
        message = await request.json()
        self.asked.append(message)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        faulty = self.fault(message["method"], request)
        if faulty is not None:
            return faulty
        if "id" not in message:
            return web.Response(status=202)
        result = self._result(message["method"], message.get("params") or {})
        answer = {"jsonrpc": "2.0", "id": message["id"], **result}
        session = {"Mcp-Session-Id": "session-1"} if message["method"] == "initialize" else {}
        if not self.events:
            return web.json_response(answer, headers=session)
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "hm"}}
        body = "".join(
            f"event: message\r\ndata: {json.dumps(each)}\r\n\r\n" for each in (note, answer)
        )
        headers = {"Content-Type": "text/event-stream; charset=utf-8", **session}
        return web.Response(body=body.encode(), headers=headers)

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "initialize":
                about = {"name": "peer", "version": "1"}
                shared = {"capabilities": {"tools": {}}, "serverInfo": about}
                return {"result": {"protocolVersion": params["protocolVersion"], **shared}}
            case "tools/list":
                first = int(params.get("cursor", 0))
                following = first + self.page
                rest = {"nextCursor": str(following)} if following < len(self.tools) else {}
                return {"result": {"tools": list(self.tools[first:following]), **rest}}
            case "tools/call":
                if params["name"] not in [each["name"] for each in self.tools]:
                    return {"error": {"code": -32602, "message": f"Unknown tool: {params['name']}"}}
                return {"result": self.answer(params["name"], params["arguments"])}
        return {"error": {"code": -32601, "message": "no such method"}}


@asynccontextmanager
async def mcp_server(peer: McpPeer) -> AsyncIterator[McpPeer]:
    """Serve a peer on a free port of 127.0.0.1."""
    app = web.Application()
    app.router.add_route("*", "/mcp", peer.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
        yield peer
    finally:
        await asyncio.shield(runner.cleanup())
