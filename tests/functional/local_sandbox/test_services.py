"""Who may ask, the way out, the code interpreter, the command line."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.functional.local_sandbox.conftest import ask
from tests.support.sandbox_server import sandbox_server

if TYPE_CHECKING:
    from pathlib import Path

    from e2b import Sandbox

    from tests.functional.local_sandbox.conftest import MakeSandbox
    from tests.support.sandbox_server import SandboxServer


# -- who may ask -------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "e2b_wrong", "e2b_" + "0" * 40])
def test_the_key_is_needed(server: SandboxServer, key: str | None) -> None:
    headers = {} if key is None else {"X-API-Key": key}
    for path in ("/v2/sandboxes", "/sandboxes/abc", "/snapshots", "/vibekit/server"):
        status, _headers, body = ask(server, "GET", path, headers)
        assert (status, json.loads(body)["code"]) == (401, 401)


@pytest.mark.parametrize("host", ["evil.org", "evil.org:80", "127.0.0.1.evil.org", "0.0.0.0"])
def test_another_host_is_refused(server: SandboxServer, host: str) -> None:
    headers = {"X-API-Key": server.key, "Host": host}
    status, _headers, body = ask(server, "GET", "/v2/sandboxes", headers)
    assert (status, json.loads(body)["code"]) == (403, 403)


def test_a_sandboxs_token_opens_no_other(server: SandboxServer, make: MakeSandbox) -> None:
    one, other = make(), make()
    headers = {"E2b-Sandbox-Id": one.sandbox_id, "E2b-Sandbox-Port": "49983"}
    for token in ("", "wrong", str(other._envd_access_token)):
        status, _headers, _body = ask(
            server, "GET", "/files?path=x", {**headers, "X-Access-Token": token}
        )
        assert status == 401


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/nowhere"), ("PUT", "/files"), ("POST", "/health")]
)
def test_every_error_is_json(server: SandboxServer, method: str, path: str) -> None:
    status, headers, body = ask(server, method, path)
    assert status >= 400
    assert headers["Content-Type"].startswith("application/json")
    assert set(json.loads(body)) == {"code", "message"}


def test_the_state_file_is_private_and_tells_the_truth(tmp_path: Path) -> None:
    with sandbox_server(tmp_path) as server:
        file = tmp_path / "server.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        state = json.loads(file.read_text())
        assert (state["schema"], state["protocol"]) == (1, 1)
        assert (state["url"], state["key"]) == (server.url, server.key)
        assert state["pid"] == server.process.pid
        status, _headers, body = ask(server, "GET", "/vibekit/server", {"X-API-Key": server.key})
        told = json.loads(body)
        assert status == 200
        assert told["instance"] == state["instance"]
        assert told["busy"] is False
        command_line = subprocess.run(
            ["ps", "-o", "args=", "e", "-p", str(server.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.partition(" serve ")[2]
        assert server.key not in command_line.partition(" PATH=")[0]


# -- the way out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://2130706433/"),
        *("http://169.254.169.254/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/"),
        "http://10.0.0.1/",
    ],
)
def test_the_way_out_leads_to_no_private_address(make: MakeSandbox, url: str) -> None:
    sandbox = make(allow_internet_access=True)
    command = f"curl -s -o /dev/null -w '%{{http_code}}' --noproxy '' -x $http_proxy '{url}'"
    assert sandbox.commands.run(command).stdout == "403"


def test_the_way_out_refuses_the_machines_own_server(make: MakeSandbox) -> None:
    handler = http.server.SimpleHTTPRequestHandler
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as own:
        threading.Thread(target=own.serve_forever, daemon=True).start()
        sandbox = make(allow_internet_access=True)
        url = f"http://127.0.0.1:{own.server_address[1]}/"
        shown = sandbox.commands.run(
            f"curl -s --noproxy '' -x $http_proxy {url}; curl -s --noproxy '*' {url} || echo closed"
        ).stdout
        own.shutdown()
    assert "refuses" in shown
    assert "closed" in shown


def asks_the_way_out(sandbox: Sandbox) -> str:
    """Return what the proxy that a command finds answers for an address it refuses."""
    command = "curl -s -o /dev/null -w '%{http_code}' --noproxy '' -x \"$http_proxy\" 127.0.0.1"
    return sandbox.commands.run(f'if [ "$http_proxy" ]; then {command}; fi').stdout


def test_the_way_out_is_opened_later_where_that_can_be(make_at_level: MakeSandbox) -> None:
    from e2b import SandboxException

    sandbox = make_at_level(timeout=600)
    assert asks_the_way_out(sandbox) == ""
    match sandbox.get_info().metadata["vibekit_confinement"]:
        case "bubblewrap":
            sandbox.update_network({"allow_internet_access": True})
            assert asks_the_way_out(sandbox) == "403"
            assert sandbox.get_info().allow_internet_access
        case "landlock":
            with pytest.raises(SandboxException, match="cannot be widened"):
                sandbox.update_network({"allow_internet_access": True})
            assert asks_the_way_out(sandbox) == ""


def test_the_way_out_of_a_paused_sandbox_is_open_when_it_goes_on(make: MakeSandbox) -> None:
    sandbox = make(timeout=600)
    sandbox.pause()
    sandbox.update_network({"allow_internet_access": True})
    sandbox.connect()
    assert asks_the_way_out(sandbox) == "403"


@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_the_way_out_comes_back_with_the_supervisor(tmp_path: Path, level: str) -> None:
    from e2b import Sandbox, SandboxException

    with sandbox_server(tmp_path, "--confine", level) as server:
        sandbox = Sandbox.create(timeout=600, allow_internet_access=True, **server.where)
        assert asks_the_way_out(sandbox) == "403"
        with contextlib.suppress(SandboxException):
            sandbox.commands.run("kill -9 $PPID; sleep 5")
        assert asks_the_way_out(sandbox) == "403"


def test_without_internet_there_is_no_way_out(make: MakeSandbox) -> None:
    sandbox = make()
    assert sandbox.commands.run("env | grep -ci proxy || true").stdout == "0\n"
    assert sandbox.commands.run("curl -s --max-time 3 http://1.1.1.1/ || echo closed").stdout == (
        "closed\n"
    )


# -- the code interpreter ----------------------------------------------------------------


def test_code_runs_in_a_kernel_inside_the_sandbox(server: SandboxServer) -> None:
    import e2b_code_interpreter as interpreter  # type: ignore[import-untyped]  # it tells no types

    with interpreter.Sandbox.create(**server.where) as sandbox:
        execution = sandbox.run_code("x = 41\nprint('hi')\nx + 1")
        assert (execution.text, execution.logs.stdout) == ("42", ["hi\n"])
        shown = sandbox.run_code("from IPython.display import HTML; HTML('<b>x</b>')").results[0]
        assert (shown.html, shown.is_main_result) == ("<b>x</b>", True)
        assert sandbox.run_code("1 / 0").error.name == "ZeroDivisionError"
        assert sandbox.run_code("import os; os.getcwd()").text == "'/home/user'"
        other = sandbox.create_code_context()
        assert sandbox.run_code("'x' in dir()", context=other).text == "False"
        assert sandbox.commands.list() == []


# -- the command line --------------------------------------------------------------------


def command_line(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line against the server of a folder."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "vibekit_jupyter.local_sandbox",
            *words,
            "--state-file",
            str(tmp_path / "server.json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_server_is_looked_after_by_hand(tmp_path: Path) -> None:
    from e2b import Sandbox

    assert "No sandbox server is known" in command_line(tmp_path, "status").stderr
    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create(metadata={"vibekit_name": "mine"}, **server.where)
        told = json.loads(command_line(tmp_path, "status").stdout)
        assert told["sandboxes"] == {"running": 1, "paused": 0}
        listed = command_line(tmp_path, "list").stdout.split()
        assert (listed[0], listed[1], listed[-1]) == (sandbox.sandbox_id, "running", "mine")
        command = sandbox.commands.run("sleep 60", background=True)
        assert "busy" in command_line(tmp_path, "stop").stderr
        command.kill()
        sandbox.pause()
        assert command_line(tmp_path, "prune").stdout == "Killed 1 paused sandbox.\n"
        assert command_line(tmp_path, "stop").returncode == 0
        assert server.process.wait(20) == 0


def test_an_idle_server_ends_by_itself(tmp_path: Path) -> None:
    with sandbox_server(tmp_path, "--idle-exit", "0.5") as server:
        assert server.process.wait(20) == 0
        assert not (tmp_path / "server.json").exists()
