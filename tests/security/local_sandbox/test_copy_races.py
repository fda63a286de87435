"""A sandbox that swaps its folders for links while it is copied or removed gets nothing by it.

``RACES`` says how often each is tried.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2b import Sandbox

    from tests.security.local_sandbox.conftest import Machine

pytestmark = [pytest.mark.attack, pytest.mark.timeout(3600)]

RACES = int(os.environ.get("RACES", "20"))
SOURCE = Path(__file__).with_name("swapper.py")


@pytest.fixture
def swapping(machine: Machine) -> Iterator[Sandbox]:
    """A sandbox that swaps folders for links to the machine's secrets, whoever stops it.

    A timer's signal wakes a stopped process on many kernels; here the test does it on all.
    """
    sandbox = start_swapping(machine)
    over = threading.Event()
    waking = threading.Thread(target=keep_awake, args=(over,))
    waking.start()
    yield sandbox
    over.set()
    waking.join()
    sandbox.kill()


def keep_awake(over: threading.Event) -> None:
    pids = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and b"swapper.py" in (entry / "cmdline").read_bytes():
                pids.append(int(entry.name))
    while not over.wait(0.0005):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def start_swapping(machine: Machine) -> Sandbox:
    bait: dict[str, list[str]] = {}
    for path in map(Path, machine.bait["secrets"]):
        if path.parent.name == ".ssh":
            bait.setdefault(str(path.parent), []).append(path.name)
    sandbox = machine.create(timeout=3600)
    sandbox.files.write("swapper.py", SOURCE.read_text())
    sandbox.commands.run(f"python3 swapper.py '{json.dumps(bait)}'", timeout=60)
    return sandbox


def copied(machine: Machine, kind: str, copy_id: str) -> bytes:
    """Return all that is in a copy, as it is on disk."""
    folder = Path(machine.bait["root"], kind, copy_id.partition(":")[0])
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return b"\n".join(path.read_bytes() for path in files)


def test_a_fork_holds_nothing_of_the_machine(machine: Machine, swapping: Sandbox) -> None:
    made = 0
    for _race in range(RACES):
        for fork in swapping.fork():
            if not isinstance(fork, Exception):
                made += 1
                assert b"BAIT" not in copied(machine, "sandboxes", fork.sandbox_id)
                fork.kill()
    assert made > RACES / 2


def test_a_snapshot_holds_nothing_of_the_machine(machine: Machine, swapping: Sandbox) -> None:
    for _race in range(RACES):
        snapshot = swapping.create_snapshot()
        data = copied(machine, "snapshots", snapshot.snapshot_id)
        assert b"mine" in data
        assert b"BAIT" not in data
        swapping.delete_snapshot(
            snapshot.snapshot_id, api_key=machine.server.key, api_url=machine.server.url
        )


def test_a_removal_removes_nothing_of_the_machine(machine: Machine) -> None:
    for _race in range(max(1, RACES // 4)):
        start_swapping(machine).kill()
        assert all(Path(path).read_text() == "BAIT" for path in machine.bait["secrets"])
