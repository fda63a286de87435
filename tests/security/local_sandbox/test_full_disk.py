"""A server whose disk is full says so, loses nothing, and goes on when there is space again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.security.local_sandbox.conftest import CONFINED
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.conversation import ToolCall
from vibekit_jupyter.agents.tools import Toolbox
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.agents.outcome import Outcome

pytestmark = pytest.mark.attack

MIB = 2**20
# Mount a disk of 16 MiB on $0 for nobody else to see, and another one as the trash: nothing can be
# moved into it, as on a full disk of some kinds. Then be the program that follows.
MOUNT = """
mount -t tmpfs -o size=16m small "$0" && mkdir "$0/trash" &&
mount -t tmpfs -o size=1m trash "$0/trash" && exec "$@"
"""
GIVE_UP = ("setpriv", "--ambient-caps", "-all", "--inh-caps", "-all")
KEEP = ("--user", "--map-current-user", "--keep-caps")  # what an ordinary user needs to mount


def small_disk(root: Path) -> list[str]:
    """Return the launcher of a server that finds a small disk at ``root``."""
    root.mkdir()
    ordinary = os.geteuid() != 0
    launcher = ["unshare", *(KEEP if ordinary else ()), "--mount", "sh", "-c", MOUNT, str(root)]
    return launcher + list(GIVE_UP if ordinary else ())


@pytest.fixture(params=CONFINED)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SandboxServer]:
    launcher = small_disk(tmp_path / "root")
    with sandbox_server(tmp_path, "--confine", request.param, launcher=launcher) as running:
        yield running


def record_of(server: SandboxServer, tmp_path: Path, sandbox_id: str) -> dict[str, Any]:
    """Return what is on the small disk of a sandbox."""
    folder = Path(f"/proc/{server.process.pid}/root{tmp_path}/root/sandboxes/{sandbox_id}")
    record: dict[str, Any] = json.loads((folder / "record.json").read_text())
    return record


def test_a_full_disk_is_told_and_corrupts_nothing(server: SandboxServer, tmp_path: Path) -> None:
    from e2b import CommandExitException, NotEnoughSpaceException, Sandbox, SandboxException

    where = server.where
    sandbox = Sandbox.create(timeout=600, **where)
    sandbox.files.write("kept.txt", "kept")

    with pytest.raises(NotEnoughSpaceException, match="No space left"):
        sandbox.files.write("large", b"x" * 20 * MIB)
    with pytest.raises(CommandExitException, match="No space left"):
        sandbox.commands.run("cat /dev/zero > larger")
    with pytest.raises(SandboxException, match="No space left"):
        sandbox.set_timeout(900)
    with pytest.raises(SandboxException, match="No space left"):
        Sandbox.create(**where)

    assert sandbox.files.read("kept.txt") == "kept"
    assert sandbox.commands.run("cat kept.txt").stdout == "kept"
    assert [found.sandbox_id for found in Sandbox.list(**where).next_items()] == [
        sandbox.sandbox_id
    ]
    folders = Path(f"/proc/{server.process.pid}/root{tmp_path}/root/sandboxes")
    (folder,) = folders.iterdir()
    assert record_of(server, tmp_path, folder.name)["id"] == sandbox.sandbox_id

    sandbox.files.remove("large")
    sandbox.commands.run("rm -f larger")
    sandbox.files.write("more.txt", b"y" * MIB)
    sandbox.set_timeout(900)
    other = Sandbox.create(**where)
    assert other.commands.run("echo here").stdout == "here\n"
    assert other.kill()
    assert sandbox.kill()
    assert not list(folders.iterdir())


def test_a_full_disk_leaves_a_sandbox_as_it_was(server: SandboxServer, tmp_path: Path) -> None:
    from e2b import NotEnoughSpaceException, Sandbox, SandboxException

    sandbox = Sandbox.create(timeout=600, **server.where)

    other = Sandbox.create(timeout=600, **server.where)
    sandbox.commands.run("sleep 555.5", background=True, timeout=0)

    def state() -> str:
        told = sandbox.get_info()
        record = record_of(server, tmp_path, sandbox.sandbox_id)
        assert record["state"] == told.state.value
        assert int(record["end_at"]) == int(told.end_at.timestamp())
        return told.state.value

    def fill() -> None:
        with pytest.raises(NotEnoughSpaceException):
            other.files.write("large", b"x" * 20 * MIB)

    def still_sleeps() -> bool:
        return sandbox.commands.run("pgrep -f 'sleep 555[.]5'").exit_code == 0

    fill()
    for change in (sandbox.pause, lambda: sandbox.set_timeout(900)):
        with pytest.raises(SandboxException, match="No space left"):
            change()
        assert state() == "running"
    assert still_sleeps()

    other.files.remove("large")
    sandbox.pause()
    fill()
    for _again in range(2):
        with pytest.raises(SandboxException, match="No space left"):
            sandbox.connect()
        assert state() == "paused"
        assert not sandbox.is_running()

    assert other.kill()
    sandbox.connect()
    assert state() == "running"
    assert still_sleeps()
    assert sandbox.kill()


@pytest.mark.anyio
async def test_the_model_is_told_of_a_full_disk_and_can_make_room(server: SandboxServer) -> None:
    service = Service("there", "there", **server.where)
    sandbox = await Sandbox.create(service, timeout=600, metadata={}, internet=False)
    tools = Toolbox(sandbox, "code", Changes())

    async def call(tool: str, **arguments: str) -> Outcome:
        return await tools.run(ToolCall("1", tool, json.dumps(arguments)), lambda *_: None)

    assert (await call("write_file", path="kept.txt", content="kept")).ok
    assert not (await call("run_command", command="cat /dev/zero > larger")).ok
    refused = await call("write_file", path="large.txt", content="x" * 5 * MIB)
    assert not refused.ok
    assert "large.txt: the sandbox's disk is full" in refused.output
    assert (await call("read_file", path="kept.txt")).output.startswith("kept")
    assert (await call("run_command", command="rm larger")).ok
    assert (await call("write_file", path="large.txt", content="x" * 5 * MIB)).ok
    await kill(service, sandbox.id)
