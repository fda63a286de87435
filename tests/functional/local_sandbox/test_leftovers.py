"""Whatever a sandbox leaves on disk, it is listed, copied, removed; the server starts again."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.functional.local_sandbox import leftovers
from tests.functional.local_sandbox.leftovers import KINDS
from tests.support.sandbox_server import SandboxServer, sandbox_server
from tests.support.waiting import wait_for
from vibekit_jupyter.local_sandbox.supervisor import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2b import Sandbox

SCRIPT = Path(leftovers.__file__).read_text()
# Too much for what is asked of a single file.
HUGE = {"a_very_deep_folder", "a_wide_folder"}


def leave(sandbox: Sandbox, kind: str) -> None:
    """Let a sandbox leave something behind."""
    sandbox.files.write("/root/leftovers.py", SCRIPT)
    root = sandbox.commands.run("echo $HOME", user="root").stdout.strip()
    sandbox.commands.run(f"python3 {root}/leftovers.py {kind}", timeout=120)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder in memory where that is possible: a disk takes minutes for deep trees."""
    found = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    yield found
    above = tree.open_folder(str(found.parent))
    tree.remove(above, found.name)


@pytest.fixture(scope="module")
def roomy(place: Path) -> Iterator[SandboxServer]:
    """A server of the best level in that folder."""
    with sandbox_server(place / "roomy") as server:
        yield server


def start_time(place: Path) -> float:
    begun = time.monotonic()
    with sandbox_server(place):
        return time.monotonic() - begun


def test_a_server_starts_whatever_sandboxes_left(place: Path) -> None:
    from e2b import Sandbox

    empty = min(start_time(place / "empty") for _start in range(3))
    made = {}
    with sandbox_server(place / "left") as server:
        for kind in KINDS:
            made[kind] = Sandbox.create(timeout=3600, **server.where)
            leave(made[kind], kind)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    started = min(start_time(place / "left") for _start in range(3))
    with sandbox_server(place / "left") as server:
        paginator = Sandbox.list(**server.where)
        listed = {info.sandbox_id for info in paginator.next_items()}
        assert listed == {sandbox.sandbox_id for sandbox in made.values()}
        begun = time.monotonic()
        for sandbox in made.values():
            assert Sandbox.kill(sandbox.sandbox_id, **server.where)
        killed = time.monotonic() - begun
        assert Sandbox.list(**server.where).next_items() == []
        assert not list((place / "left" / "root" / "sandboxes").iterdir())
        wait_for(lambda: not list((place / "left" / "root" / "trash").iterdir()), 120)
    assert started < empty + 1, (started, empty)
    assert killed < 3, killed


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - HUGE))
def test_a_sandbox_lives_with_what_it_left(roomy: SandboxServer, kind: str) -> None:
    from e2b import Sandbox, SandboxException

    sandbox = Sandbox.create(timeout=600, **roomy.where)
    leave(sandbox, kind)
    supervisor = sandbox.commands.run("echo $PPID", cwd="/").stdout
    try:
        sandbox.files.list("/home/user", depth=10_000)
    except SandboxException:
        assert "lock" in kind
    assert sandbox.commands.run("echo $PPID", cwd="/").stdout == supervisor
    (fork,) = sandbox.fork()
    assert not isinstance(fork, Exception)
    assert fork.commands.run("echo here").stdout == "here\n"
    assert fork.kill()
    assert sandbox.pause(keep_memory=False)
    sandbox.connect()
    assert sandbox.commands.run("echo here").stdout == "here\n"
    for entry in sandbox.files.list("/home/user"):
        if entry.name.isprintable() and entry.name != "busy":
            sandbox.files.remove(entry.path)
    assert sandbox.kill()
