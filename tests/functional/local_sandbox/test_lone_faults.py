"""What fails in one request is told to who asked; the sandbox and all others go on."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter.local_sandbox.levels import Limits
from vibekit_jupyter.local_sandbox.nursery import Nursery
from vibekit_jupyter.local_sandbox.probe import confine
from vibekit_jupyter.local_sandbox.sandbox import Sandbox as LocalSandbox
from vibekit_jupyter.local_sandbox.store import SandboxRecord, Store
from vibekit_jupyter.local_sandbox.supervisor.proc import children_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def lone_server(tmp_path: Path) -> Iterator[SandboxServer]:
    """A server whose helper is about to run out of descriptors."""
    with sandbox_server(tmp_path, "--confine", "bubblewrap") as server:
        yield server


def allow_descriptors(pid: int, more: int) -> None:
    """Let a process open so many files more."""
    _soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    opened = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + 1 + more, hard))


def test_a_sandbox_that_cannot_be_made_ends_no_other(lone_server: SandboxServer) -> None:
    from e2b import Sandbox, SandboxException

    first = Sandbox.create(timeout=600, **lone_server.where)
    supervisor = first.commands.run("echo $PPID").stdout
    (zygote,) = children_of(lone_server.process.pid)
    # The way to the new sandbox has room, and nothing else.
    for more in (1, 2, 3, 5):
        allow_descriptors(zygote.pid, more)
        with pytest.raises(SandboxException, match="Too many open files"):
            Sandbox.create(timeout=600, **lone_server.where)
    allow_descriptors(zygote.pid, 100)
    second = Sandbox.create(timeout=600, **lone_server.where)
    assert second.commands.run("echo here").stdout == "here\n"
    assert first.commands.run("echo $PPID").stdout == supervisor


def test_nothing_is_kept_of_commands_whose_starter_has_left(tmp_path: Path) -> None:
    nursery = Nursery()
    try:
        asyncio.run(start_and_leave(Store(tmp_path / "root"), nursery))
    finally:
        nursery.close()


async def start_and_leave(store: Store, nursery: Nursery) -> None:
    confinement = await confine("auto", store, nursery, Limits())
    record = SandboxRecord(id="left")
    sandbox = LocalSandbox(record, store.create(record), confinement, nursery)
    await sandbox.start()
    short = {"cmd": "/bin/true"}
    for _start in range(20):
        starting = asyncio.ensure_future(sandbox.spawn(short, user="user", stdin=False))
        await asyncio.sleep(0)
        starting.cancel()
    kept = await sandbox.spawn(short, user="user", stdin=False)
    kept.begin()
    await kept.ended.wait()
    await sandbox.request("flush")  # whatever ended before is told by now
    assert sandbox.commands == {kept.pid: kept}
    assert sandbox._early_exits == {}
    await sandbox.stop()
