"""One local sandbox server a user: found, started, believed only when it answers for itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.local_server import stop_local_server
from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter.errors import SandboxError
from vibekit_jupyter.services import local_sandbox
from vibekit_jupyter.services.http import request_json
from vibekit_jupyter.services.process import is_running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIND = "from vibekit_jupyter.services.local_sandbox import *; print(find_or_start().api_url)"


@pytest.fixture(autouse=True)
def _servers_end(vibekit_home: Path) -> Iterator[None]:
    yield
    stop_local_server(vibekit_home)


def record() -> dict[str, object]:
    data: dict[str, object] = json.loads(local_sandbox.state_file().read_text())
    return data


def write_record(**changes: object) -> None:
    local_sandbox.state_file().write_text(json.dumps(record() | changes))


def test_it_is_started_once_and_found_again() -> None:
    first = local_sandbox.find_or_start()
    assert local_sandbox.find_or_start() == first
    assert local_sandbox.is_current(first)


def test_kernels_that_start_at_once_get_one_server() -> None:
    finders = [
        subprocess.Popen([sys.executable, "-c", FIND], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert len({finder.communicate(timeout=60)[0] for finder in finders}) == 1


def test_the_record_is_private() -> None:
    local_sandbox.find_or_start()
    for path in (local_sandbox.state_file(), local_sandbox.log_file()):
        assert path.stat().st_mode & 0o777 == 0o600
    assert str(record()["key"]) not in local_sandbox.log_file().read_text()


@pytest.mark.parametrize("what", ["cmdline", "environ"])
def test_the_key_is_in_no_command_line_and_no_environment(what: str) -> None:
    local_sandbox.find_or_start()
    pid, key = record()["pid"], str(record()["key"])
    with open(f"/proc/{pid}/{what}", "rb") as file:  # noqa: PTH123 - not a file of ours
        assert key.encode() not in file.read()


def test_the_kernels_keys_do_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    local_sandbox.find_or_start()
    with open(f"/proc/{record()['pid']}/environ", "rb") as file:  # noqa: PTH123
        assert b"sk-very-secret" not in file.read()


def test_a_server_that_died_is_started_again() -> None:
    first = local_sandbox.find_or_start()
    os.kill(int(str(record()["pid"])), signal.SIGKILL)
    second = local_sandbox.find_or_start()
    assert second != first
    assert not local_sandbox.is_current(first)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 99, "url": "x"}'])
def test_a_record_that_cannot_be_read_is_not_believed(vibekit_home: Path, text: str) -> None:
    vibekit_home.mkdir()
    local_sandbox.state_file().write_text(text)
    assert local_sandbox.is_current(local_sandbox.find_or_start())


def test_a_record_that_names_another_instance_is_not_believed() -> None:
    first = local_sandbox.find_or_start()
    pid = int(str(record()["pid"]))
    write_record(instance="somebody-else")
    try:
        with pytest.raises(SandboxError, match=str(pid)):  # its root is taken, and by whom
            local_sandbox.find_or_start()
    finally:
        os.kill(pid, signal.SIGTERM)
    assert first.api_url


def test_a_record_never_sends_the_key_off_this_machine() -> None:
    local_sandbox.find_or_start()
    good = record()
    write_record(url="http://198.51.100.7:80")
    assert local_sandbox._read_record() is None
    local_sandbox.state_file().write_text(json.dumps(good))


def test_an_idle_server_of_another_protocol_makes_way() -> None:
    first = local_sandbox.find_or_start()
    old = record()
    write_record(protocol=0)
    second = local_sandbox.find_or_start()
    assert second.api_url != first.api_url
    assert not is_running(int(str(old["pid"])), str(old["pid_started"]), str(old["boot_id"]))


def test_a_busy_server_of_another_protocol_is_left_alone_and_named() -> None:
    from e2b import Sandbox

    service = local_sandbox.find_or_start()
    sandbox = Sandbox.create(
        api_key=service.api_key, api_url=service.api_url, sandbox_url=service.sandbox_url
    )
    command = sandbox.commands.run("sleep 60", background=True, timeout=0)
    write_record(protocol=0)
    with pytest.raises(SandboxError, match=r"busy.*vibekit_jupyter\.local_sandbox stop"):
        local_sandbox.find_or_start()
    write_record(protocol=local_sandbox.PROTOCOL)
    assert local_sandbox.is_current(service)
    command.kill()
    sandbox.kill()


def test_two_servers_never_share_a_root(tmp_path: Path) -> None:
    with sandbox_server(tmp_path / "one") as server:
        second = subprocess.run(
            [
                *(sys.executable, "-m", "vibekit_jupyter.local_sandbox", "serve"),
                *("--root", str(tmp_path / "one" / "root"), "--port", "0"),
                *("--state-file", str(tmp_path / "two.json")),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode != 0
        assert str(server.process.pid) in second.stderr + second.stdout
        assert not (tmp_path / "two.json").exists()


def test_an_idle_server_ends_by_itself(tmp_path: Path) -> None:
    with sandbox_server(tmp_path, "--idle-exit", "0.5") as server:
        status = request_json(f"{server.url}/vibekit/server", key=server.key)
        assert status["busy"] is False
        deadline = time.monotonic() + 30
        assert server.process.wait(deadline - time.monotonic()) == 0
        assert not (tmp_path / "server.json").exists()
