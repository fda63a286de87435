"""What strangers and sandboxes send the server: bounded by number, size, rate and time."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.local_sandbox.conftest import ask
from tests.support.sandbox_server import sandbox_server
from tests.support.waiting import wait_for
from vibekit_jupyter.local_sandbox.visitors import HEAD_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2b import Sandbox

    from tests.functional.local_sandbox.conftest import MakeSandbox
    from tests.support.sandbox_server import SandboxServer

HALF = b"POST /v2/sandboxes HTTP/1.1\r\nHost: localhost\r\nX-Api-"


def address(server: SandboxServer) -> tuple[str, int]:
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


@contextlib.contextmanager
def many_half_requests(server: SandboxServer, number: int) -> Iterator[list[socket.socket]]:
    """Open connections that each begin a request and never end it."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _client in range(number):
            client = stack.enter_context(socket.create_connection(address(server), timeout=10))
            client.sendall(HALF)
            opened.append(client)
        yield opened


def answers_within_a_second(sandbox: Sandbox) -> bool:
    """Whether a sandbox runs commands as if nobody else were there.

    A machine that is busy otherwise stands still now and then; a server that is held up is held
    up every time.
    """
    return any(slowest_of(sandbox) < 1 for _attempt in range(3))


def slowest_of(sandbox: Sandbox) -> float:
    """Return how long a sandbox takes at most to run a command."""
    slowest = 0.0
    for _look in range(10):
        begun = time.monotonic()
        assert sandbox.commands.run("echo here", request_timeout=10).stdout == "here\n"
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


def post(server: SandboxServer, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """Send one body as it stands."""
    connection = http.client.HTTPConnection(*address(server), timeout=20)
    try:
        connection.request("POST", path, body, {"X-Api-Key": server.key, **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_more_half_requests_than_there_is_room_for_keep_nobody_out(
    server: SandboxServer, make: MakeSandbox
) -> None:
    sandbox = make(timeout=600)
    with many_half_requests(server, 1500):
        assert answers_within_a_second(sandbox)
        assert make().commands.run("echo new").stdout == "new\n"


def test_who_was_answered_can_ask_again_on_the_same_connection(server: SandboxServer) -> None:
    with contextlib.closing(http.client.HTTPConnection(*address(server), timeout=20)) as client:
        client.request("GET", "/health")
        client.getresponse().read()
        kept = client.sock
        with many_half_requests(server, 1500):
            client.request("GET", "/health")
            assert client.getresponse().status < 400
        assert client.sock is kept


@pytest.mark.timeout(120)
def test_a_half_request_is_given_up(server: SandboxServer) -> None:
    begun = time.monotonic()
    with socket.create_connection(address(server), timeout=HEAD_SECONDS * 2) as client:
        client.sendall(HALF)
        assert client.recv(1) == b""
    assert time.monotonic() - begun < HEAD_SECONDS * 1.5


def test_a_command_that_runs_for_longer_than_a_head_may_take_is_kept(make: MakeSandbox) -> None:
    sandbox = make(timeout=600)
    seconds = HEAD_SECONDS + 2
    assert sandbox.commands.run(f"sleep {seconds}; echo end", timeout=0).stdout == "end\n"


SILENT = """
import socket, sys, time
held = []
for _client in range(1800):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", int(sys.argv[1])))
    held.append(client)
print("open", flush=True)
time.sleep(600)
"""


def test_silent_clients_of_the_way_out_disturb_nobody(
    server: SandboxServer, make: MakeSandbox
) -> None:
    greedy, other = make(allow_internet_access=True), make(allow_internet_access=True)
    greedy.files.write("silent.py", SILENT)
    held = greedy.commands.run(
        "ulimit -n 4096; python3 silent.py ${http_proxy##*:}", background=True, timeout=0
    )
    assert next(iter(held))[0] == "open\n"
    assert answers_within_a_second(other)
    command = "curl -s -o /dev/null -w '%{http_code}' --noproxy '' -x $http_proxy 127.0.0.1"
    assert other.commands.run(command).stdout == "403"
    links = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    assert links < 400
    held.kill()


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[tuple[Sandbox, Path, SandboxServer]]:
    """A sandbox with a way out, and the log of its server."""
    from e2b import Sandbox

    log = tmp_path / "rotated.log"
    with sandbox_server(tmp_path / "server", "--log-file", str(log)) as server:
        sandbox = Sandbox.create(timeout=600, allow_internet_access=True, **server.where)
        yield sandbox, log, server
        sandbox.kill()


def test_a_long_name_and_many_refusals_leave_little_in_the_log(
    logged: tuple[Sandbox, Path, SandboxServer],
) -> None:
    sandbox, log, _server = logged
    before = log.stat().st_size
    code = (
        "import socket, os\n"
        "port = int(os.environ['http_proxy'].rpartition(':')[2])\n"
        "for name in ['x' * 60_000, *['127.0.0.1'] * 300]:\n"
        "    with socket.create_connection(('127.0.0.1', port)) as proxy:\n"
        "        proxy.sendall(f'CONNECT {name}:443 HTTP/1.1\\r\\n\\r\\n'.encode())\n"
        "        print(proxy.recv(12))\n"
    )
    sandbox.files.write("refused.py", code)
    assert sandbox.commands.run("python3 refused.py").stdout == f"{b'HTTP/1.1 403'!r}\n" * 301
    told = log.read_text()[before:]
    assert "127.0.0.1 is at 127.0.0.1" in told
    assert len(told.splitlines()) < 25
    assert len(told) < 10_000


def test_the_log_is_rotated_and_stays_private(
    logged: tuple[Sandbox, Path, SandboxServer],
) -> None:
    sandbox, log, server = logged
    assert log.stat().st_mode & 0o777 == 0o600
    with log.open("a") as file:
        file.write("x" * 2_000_000 + "\n")
    sandbox.commands.run("curl -s --noproxy '' -x $http_proxy 127.0.0.1")
    old = log.with_name("rotated.log.1")
    wait_for(lambda: old.exists() and log.stat().st_size < 10_000)
    assert old.stat().st_size >= 2_000_000
    assert old.stat().st_mode & 0o777 == 0o600
    assert server.key not in log.read_text() + old.read_text()


@pytest.mark.parametrize("depth", [100, 900, 100_000])
@pytest.mark.parametrize(
    "path", ["/v2/sandboxes", "/process.Process/List", "/filesystem.Filesystem/Stat"]
)
def test_deep_json_is_refused_and_harms_nobody(
    server: SandboxServer, make: MakeSandbox, path: str, depth: int
) -> None:
    sandbox = make()
    status, told = post(
        server,
        path,
        b'{"path":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}",
        **{
            "E2b-Sandbox-Id": sandbox.sandbox_id,
            "X-Access-Token": str(sandbox._envd_access_token),
        },
    )
    if path != "/process.Process/List":  # which reads nothing
        assert (status, "deep" in told["message"]) == (400, True)
    assert sandbox.commands.run("echo here").stdout == "here\n"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"nul",
        b'{"timeout": NaN}',
        b'{"timeout": 1e999}',
        b'{"timeout": -1}',
        b'{"timeout": "soon"}',
        b'{"timeout": ' + b"9" * 5000 + b"}",
        b'{"metadata": {"a": 1}}',
        b'{"metadata": ["a"]}',
        b'{"metadata": {"a\\u0000": "b"}}',
        b'{"envVars": {"A=B": "c"}}',
        b'{"autoResume": 1}',
        b'{"network": "open"}',
        b'{"network": {"allowOut": [1]}}',
        b'{"templateID": {}}',
    ],
)
def test_a_request_of_another_shape_is_refused_with_a_sentence(
    server: SandboxServer, body: bytes
) -> None:
    status, told = post(server, "/v2/sandboxes", body)
    assert status == 400
    assert "failed" not in told["message"]


def test_a_body_larger_than_any_setting_is_refused(server: SandboxServer) -> None:
    status, told = post(server, "/v2/sandboxes", b'{"a": "' + b"x" * 2_000_000 + b'"}')
    assert status == 400
    assert "larger than" in told["message"]


@pytest.mark.parametrize("key", ["schlüssel", "\udcff\udcfe", "€" * 1000, "\x7f"])
def test_a_key_of_any_characters_is_refused_and_fails_nothing(
    server: SandboxServer, make: MakeSandbox, key: str
) -> None:
    raw = key.encode("utf-8", "surrogateescape")
    sandbox = make()
    for head in (
        b"GET /v2/sandboxes HTTP/1.1\r\nX-API-Key: %s" % raw,
        b"GET /files?path=a HTTP/1.1\r\nE2b-Sandbox-Id: %s\r\nX-Access-Token: %s"
        % (sandbox.sandbox_id.encode(), raw),
        b"GET /files?path=a&signature=%s HTTP/1.1\r\nA: b" % b"%ff%fe",
        b"GET /files?path=a&signature=%ed%a0%80&signature_expiration=%c2%b2 HTTP/1.1\r\nA: b",
    ):
        with socket.create_connection(address(server), timeout=10) as client:
            client.sendall(head + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answered = client.makefile("rb").read()
        assert answered.split()[1] in {b"400", b"401"}, answered


def test_a_servers_own_key_is_one_that_a_header_carries(tmp_path: Path) -> None:
    from tests.functional.local_sandbox.test_services import command_line

    key = tmp_path / "key"
    key.write_text("schlüssel")
    failed = command_line(
        tmp_path, "serve", "--root", str(tmp_path / "root"), "--api-key-file", str(key)
    )
    assert failed.returncode == 1
    assert "no HTTP header carries" in failed.stderr


# -- what is not implemented ---------------------------------------------------------------


SECRET = "sk-live-0123456789"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (
            {"network": {"rules": {"a.example": [{"transform": {"headers": {"X": SECRET}}}]}}},
            "network.rules",
        ),
        (
            {"network": {"egressProxy": {"address": "p:1", "password": SECRET}}},
            "network.egressProxy",
        ),
        ({"network": {"maskRequestHost": SECRET}}, "network.maskRequestHost"),
        ({"network": {"allowPublicTraffic": True}}, "network.allowPublicTraffic"),
        ({"iam": {"tokens": {"aws": SECRET}}}, "iam"),
        ({"volumeMounts": [{"name": SECRET, "path": "/x"}]}, "volumeMounts"),
    ],
)
def test_what_is_not_implemented_is_refused_and_nowhere_kept(
    server: SandboxServer,
    make: MakeSandbox,
    options: dict[str, Any],
    named: str,
) -> None:
    status, told = post(server, "/v2/sandboxes", json.dumps(options).encode())
    assert (status, f"does not implement {named}:" in told["message"]) == (400, True)
    if network := options.get("network"):
        sandbox = make()
        connection = http.client.HTTPConnection(*address(server), timeout=20)
        path = f"/sandboxes/{sandbox.sandbox_id}/network"
        connection.request("PUT", path, json.dumps(network), {"X-Api-Key": server.key})
        assert connection.getresponse().status == 400
        connection.close()
    assert files_that_hold(SECRET, server) == []


def files_that_hold(secret: str, server: SandboxServer) -> list[Path]:
    """Return what a server has written a secret into: records and log."""
    words = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().split(b"\0")
    folder = Path(words[words.index(b"--root") + 1].decode()).parent
    # What others leave is removed meanwhile.
    kept = (Path(above, name) for above, _folders, names in os.walk(folder) for name in names)
    written = [file for file in kept if file.name.endswith((".json", ".log"))]
    return [file for file in written if file.exists() and secret in file.read_text()]


def test_nothing_asked_for_is_not_refused(server: SandboxServer) -> None:
    from e2b import Sandbox

    network = {"rules": {}, "allowPublicTraffic": False}
    body = {"network": network, "mcp": {"github": {"token": SECRET}}, "secure": True}
    status, told = post(server, "/v2/sandboxes", json.dumps(body).encode())
    assert status == 201
    assert files_that_hold(SECRET, server) == []
    Sandbox.kill(told["sandboxID"], **server.where)


def test_what_an_earlier_server_kept_is_forgotten(tmp_path: Path) -> None:
    from e2b import Sandbox

    with sandbox_server(tmp_path) as server:
        sandbox = Sandbox.create(timeout=3600, **server.where)
        sandbox.pause()
    record = tmp_path / "root" / "sandboxes" / sandbox.sandbox_id / "record.json"
    kept = json.loads(record.read_text())
    kept["network"] = {"allowOut": ["a.example"], "rules": {"a.example": SECRET}}
    record.write_text(json.dumps(kept))
    with sandbox_server(tmp_path) as server:
        _status, _headers, body = ask(
            server, "GET", f"/sandboxes/{sandbox.sandbox_id}", {"X-API-Key": server.key}
        )
        assert json.loads(body)["network"] == {"allowOut": ["a.example"]}
        assert SECRET not in record.read_text()
        assert Sandbox.kill(sandbox.sandbox_id, **server.where)


# -- what stays --------------------------------------------------------------------------------


def resident_kib(server: SandboxServer) -> int:
    """Return what the server itself holds of the machine's memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_memory_does_not_grow_with_what_ran(server: SandboxServer, make: MakeSandbox) -> None:
    sandbox = make(timeout=600)

    def run(times: int) -> None:
        for number in range(times):
            sandbox.commands.run(f"echo {number}; # {'x' * 2000}")

    run(150)
    before = resident_kib(server)
    run(500)
    assert resident_kib(server) - before < 1500
