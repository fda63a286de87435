"""What a sandbox serves on its ports, for whoever has its traffic token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.local_sandbox.conftest import ask
from tests.functional.local_sandbox.test_commands import wait_for

if TYPE_CHECKING:
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
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "Domain" not in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].partition(";")[0]
    status, _headers, _body = preview(
        server, app, **{"E2B-Traffic-Access-Token": "", "Cookie": cookie}
    )
    assert status == 200


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
