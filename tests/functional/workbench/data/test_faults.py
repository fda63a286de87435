"""A transfer that fails is one sentence: what was there stays, and nothing half has a name."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import resource
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from vibekit_jupyter.errors import DataError, FilesError, VibeKitError
from vibekit_jupyter.workbench.files.plan import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from tests.support.sandbox_server import SandboxServer
    from vibekit_jupyter import VibeKit
    from vibekit_jupyter.workbench.files.outcome import Progress

pytestmark = pytest.mark.anyio
MIB = 2**20


@pytest.fixture
def proxy(other_server: SandboxServer) -> Iterator[CuttingProxy]:
    with cutting_proxy(other_server.url) as proxy:
        yield proxy


@pytest.fixture
def far_client(new_client: NewClient, other_server: SandboxServer, proxy: CuttingProxy) -> VibeKit:
    """A client of a server behind a network that is cut now and then."""
    where = {**other_server.where, "sandbox_url": proxy.url}
    return new_client(environment={"e2b": where})


@contextlib.contextmanager
def files_hold(most: int) -> Iterator[None]:
    """On this machine's disk there is room for so many bytes in a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def one_sentence(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    assert len(text) < 400
    return text


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def what_came(folder: Path) -> list[bytes]:
    """What has its final name."""
    return [path.read_bytes() for path in folder.glob("[!.]*")]


async def files_of(client: VibeKit, folder: str) -> list[str]:
    return (await client.execute_command(f"ls -A {folder}")).stdout.split()


async def test_a_full_disk_here_takes_no_value_and_no_half_file(
    new_client: NewClient, here: Path
) -> None:
    client = new_client()
    await client.execute_command(
        "mkdir out; head -c 3000000 /dev/zero >out/v.bin; head -c 100 /dev/zero >out/w.bin"
    )
    with files_hold(1_000_000):
        with pytest.raises(DataError, match=r"'v\.bin' could not be .*: File too large\.") as data:
            await client.fetch("v")
        with pytest.raises(FilesError) as files:
            await client.pull("out/v.bin")
        assert await client.fetch("w") == bytes(100)
    one_sentence(data.value)
    one_sentence(files.value)
    assert names_in(here) == []
    assert len(await client.fetch("v")) == 3_000_000


async def test_a_cut_on_the_way_up_leaves_what_was_there(
    far_client: VibeKit, proxy: CuttingProxy
) -> None:
    await far_client.send(v=np.arange(10))
    before = (await far_client.execute_command("sha256sum data/v.npy")).stdout
    proxy.cut("up", 8 * MIB)
    with pytest.raises(VibeKitError) as raised:
        await far_client.send(v=np.zeros(4 * MIB))
    one_sentence(raised.value)
    assert proxy.cuts == 1
    assert (await far_client.execute_command("sha256sum data/v.npy")).stdout == before
    assert await files_of(far_client, "data") == ["v.npy"]
    await far_client.send(v=np.zeros(4 * MIB))


async def test_a_cut_on_the_way_down_takes_no_value(
    far_client: VibeKit, proxy: CuttingProxy
) -> None:
    await far_client.execute_command("mkdir out; head -c 30000000 /dev/urandom >out/v.bin")
    proxy.cut("down", 8 * MIB)
    with pytest.raises(VibeKitError) as raised:
        await far_client.fetch("v")
    one_sentence(raised.value)
    assert proxy.cuts == 1
    assert len(await far_client.fetch("v")) == 30_000_000


async def test_a_large_file_that_was_cut_is_gone_on_with(
    far_client: VibeKit, proxy: CuttingProxy, here: Path
) -> None:
    data = np.random.default_rng(1).bytes(2 * LARGE + 12_345)
    (here / "big").write_bytes(data)
    proxy.cut("up", LARGE + 20 * MIB)
    with pytest.raises(VibeKitError) as raised:
        await far_client.push("big", to="in")
    one_sentence(raised.value)
    assert (await far_client.execute_command("ls in")).stdout == ""
    began: list[int] = []

    def tell(progress: Progress) -> None:
        began.append(progress.size)

    await far_client.push("big", to="in", on_progress=tell)
    assert began[1] >= LARGE
    assert await files_of(far_client, "in") == ["big"]

    proxy.cut("down", LARGE)
    with pytest.raises(VibeKitError) as raised:
        await far_client.pull("in/big", to="out")
    one_sentence(raised.value)
    assert not (here / "out/big").exists()
    began.clear()
    await far_client.pull("in/big", to="out", on_progress=tell)
    assert max(began[:2]) > 0
    assert (here / "out/big").read_bytes() == data
    assert names_in(here / "out") == ["big"]


@pytest.mark.parametrize("way", ["push", "pull"])
@pytest.mark.parametrize("what", ["pause", "kill"])
async def test_a_session_that_ends_meanwhile_leaves_a_file_whole_or_none(
    new_client: NewClient, here: Path, way: str, what: str
) -> None:
    data = os.urandom(MIB) * 150
    (here / "large").write_bytes(data)
    client = new_client()
    other = new_client(session_id=(await client.new()).id)
    if way == "pull":
        await client.push("large")
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.size:
            loop.call_soon_threadsafe(reached.set)

    if way == "pull":
        work = client.pull("large", to="out", on_progress=tell)
    else:
        work = client.push("large", on_progress=tell)
    moving = asyncio.ensure_future(work)
    await reached.wait()
    await (other.pause() if what == "pause" else other.kill(force=True))
    try:
        assert (await moving).size == len(data)
    except VibeKitError as error:
        assert what == "kill"
        one_sentence(error)
    assert all(came == data for came in what_came(here / "out"))
    if what == "pause":
        there = (await client.execute_command("sha256sum <large")).stdout.split()[0]
        assert there == hashlib.sha256(data).hexdigest()
        await client.kill()
