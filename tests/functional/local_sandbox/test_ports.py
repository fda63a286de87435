"""What a sandbox serves on its ports, for whoever has its traffic token."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import anyio.to_thread
import pytest

from tests.functional.local_sandbox.conftest import ask
from tests.functional.local_sandbox.test_commands import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from e2b import Sandbox

    from tests.functional.local_sandbox.conftest import MakeSandbox
    from tests.support.sandbox_server import SandboxServer


APP = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{self.path} {self.headers.get('Cookie')} {self.headers.get('X-Access-Token')}"
        self.send_response(200)
        self.send_header("Set-Cookie", "seen=1; Domain=localhost; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""


@pytest.fixture
def app(make: MakeSandbox, server: SandboxServer) -> Sandbox:
    """A sandbox that serves on its port 8000."""
    sandbox = make(timeout=600)
    sandbox.files.write("app.py", APP)
    sandbox.commands.run("python3 app.py", background=True, timeout=0)
    wait_for(lambda: preview(server, sandbox)[0] == 200)
    return sandbox


def preview(
    server: SandboxServer, sandbox: Sandbox, path: str = "/", **headers: str
) -> tuple[int, Any, str]:
    """Ask for a sandbox's port 8000 with its token."""
    given = {"Host": sandbox.get_host(8000), **headers}
    given.setdefault("E2B-Traffic-Access-Token", str(sandbox.traffic_access_token))
    status, answered, body = ask(server, "GET", path, given)
    return status, answered, body.decode()


def test_a_port_is_served_under_its_own_name(server: SandboxServer, app: Sandbox) -> None:
    assert app.get_host(8000) == f"8000-{app.sandbox_id}.localhost:{server.url.rpartition(':')[2]}"
    status, _headers, body = preview(server, app, "/a/b?c=d%20e")
    assert (status, body) == (200, "/a/b?c=d%20e None None")


def test_a_port_needs_the_sandboxs_token(server: SandboxServer, app: Sandbox) -> None:
    status, _headers, _body = preview(server, app, **{"E2B-Traffic-Access-Token": "wrong"})
    assert status == 403


def test_a_token_in_the_url_becomes_a_cookie_of_that_name_alone(
    server: SandboxServer, app: Sandbox
) -> None:
    path = f"/x?vibekit_traffic_token={app.traffic_access_token}&y=1"
    status, headers, _body = preview(server, app, path)
    assert (status, headers["Location"]) == (303, "/x?y=1")
    plain, framed = headers.get_all("Set-Cookie")
    for cookie in (plain, framed):
        assert "HttpOnly" in cookie
        assert "Domain" not in cookie
        given = {"E2B-Traffic-Access-Token": "", "Cookie": cookie.partition(";")[0]}
        assert preview(server, app, **given)[0] == 200
    assert "SameSite=Lax" in plain
    assert {"Secure", "SameSite=None", "Partitioned"} <= set(framed.split("; "))


def test_no_cookie_of_another_crosses_the_proxy(server: SandboxServer, app: Sandbox) -> None:
    _status, headers, _body = preview(server, app)
    (given,) = [value for value in headers.get_all("Set-Cookie") if "seen" in value]
    assert "domain" not in given.lower()
    own = given.partition(";")[0]
    cookies = f"jupyter-session=secret; seen=forged; vibekit-8000-other-seen=2; {own}"
    _status, _headers, body = preview(server, app, Cookie=cookies)
    assert body == "/ seen=1 None"


def test_a_port_nobody_serves_is_said(server: SandboxServer, make: MakeSandbox) -> None:
    status, _headers, body = preview(server, make())
    assert status == 502
    assert "port is not open" in json.loads(body)["message"]


def test_a_program_that_speaks_no_http_is_said(server: SandboxServer, make: MakeSandbox) -> None:
    sandbox = make(timeout=600)
    sandbox.files.write("app.py", MUTE)
    sandbox.commands.run("python3 app.py", background=True, timeout=0)
    wait_for(lambda: "port is not open" not in preview(server, sandbox)[2])
    status, _headers, body = preview(server, sandbox)
    assert status == 502
    assert "port 8000 gave no proper answer" in json.loads(body)["message"]
    with pytest.raises(http.client.IncompleteRead):
        preview(server, sandbox, "/half")


MUTE = """
import socket
server = socket.create_server(("127.0.0.1", 8000))
while True:
    client, _address = server.accept()
    with client:
        if b"/half" in client.recv(65536):
            client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nhalf")
"""

ECHO = """
from aiohttp import web

async def echo(request):
    socket = web.WebSocketResponse(protocols=["chat"])
    await socket.prepare(request)
    await socket.send_str(f"{request.path_qs} {request.headers.get('Cookie')}")
    async for message in socket:
        if message.data == "leave":
            await socket.close(code=4001)
        elif message.type == message.type.BINARY:
            await socket.send_bytes(message.data)
        else:
            await socket.send_str(message.data)
    return socket

app = web.Application()
app.add_routes([web.get("/socket", echo)])
web.run_app(app, host="127.0.0.1", port=8000, print=None)
"""


@pytest.fixture
def echo(make: MakeSandbox, server: SandboxServer) -> Sandbox:
    """A sandbox that answers websockets on its port 8000."""
    sandbox = make(timeout=600)
    sandbox.files.write("app.py", ECHO)
    sandbox.commands.run(f"{sys.executable} app.py", background=True, timeout=0)
    wait_for(lambda: preview(server, sandbox)[0] == 404)
    return sandbox


@contextlib.asynccontextmanager
async def websocket(
    server: SandboxServer, sandbox: Sandbox, path: str = "/socket", **headers: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open a websocket to a sandbox's port 8000, as a page of that port does."""
    host = sandbox.get_host(8000)
    given = {"Host": host, "Origin": f"http://{host}", **headers}
    given.setdefault("Cookie", f"vibekit-traffic={sandbox.traffic_access_token}")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url + path, headers=given, protocols=["chat"]) as opened,
    ):
        yield opened


@pytest.mark.anyio
async def test_a_websocket_passes_both_ways(server: SandboxServer, echo: Sandbox) -> None:
    cookie = f"vibekit-8000-{echo.sandbox_id}-own=1"
    cookies = f"vibekit-traffic={echo.traffic_access_token}; jupyter-session=secret; {cookie}"
    async with websocket(server, echo, "/socket?a=b", Cookie=cookies) as opened:
        assert opened.protocol == "chat"
        assert await opened.receive_str() == "/socket?a=b own=1"
        await opened.send_str("héllo")
        assert await opened.receive_str() == "héllo"
        large = os.urandom(3_000_000)
        await opened.send_bytes(large)
        assert await opened.receive_bytes() == large
        await opened.send_str("leave")
        message = await opened.receive()
        assert (message.type, opened.close_code) == (aiohttp.WSMsgType.CLOSE, 4001)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": ""},
        {"Cookie": "vibekit-traffic=wrong"},
        {"Origin": "http://evil.org"},
        {"Origin": "http://localhost:8888"},
        {"Origin": "null"},
    ],
)
async def test_a_websocket_of_another_page_is_refused(
    server: SandboxServer, echo: Sandbox, headers: dict[str, str]
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        async with websocket(server, echo, **headers):
            pass
    assert raised.value.status == 403


@pytest.mark.anyio
async def test_a_websocket_ends_with_its_sandbox(server: SandboxServer, echo: Sandbox) -> None:
    async with websocket(server, echo) as opened:
        await opened.receive_str()
        await anyio.to_thread.run_sync(echo.kill)
        with anyio.fail_after(10):
            assert (await opened.receive()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.anyio
async def test_a_websocket_that_is_refused_inside_is_refused(
    server: SandboxServer, echo: Sandbox
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        async with websocket(server, echo, "/nowhere"):
            pass
    assert raised.value.status == 502
