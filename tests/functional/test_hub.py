"""The example of a JupyterHub runs: two users apart, keys, culling, a named server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.hub import Hub, User, hub

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

LOAD = "%load_ext vibekit_jupyter\nfrom vibekit_jupyter import get_client\nclient = get_client()"
NAMES = "print([(one.name, one.user, one.state) for one in await client.list()])"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(tmp_path_factory.mktemp("hub"), idle=5) as running:
        yield running


async def works(user: User, bound: str) -> None:
    """Start a server, and work there."""
    await user.start_server()
    async with user.kernel() as kernel:
        await kernel.run(LOAD)
        told = await kernel.run("%vibekit_config")
        assert "jupyterhub/site/vibekit.toml" in told
        assert bound in told
        await kernel.run(f"%vibekit_session new of-{user.name}")
        assert "42" in await kernel.run("%%vibekit\nprint(6 * 7)")
        assert f"('of-{user.name}', '{user.name}', 'running')" in await kernel.run(NAMES)


async def goes_on_elsewhere(user: User, other: str) -> None:
    """Go on at a second server, which shares the home, when the first one's kernel has ended."""
    await asyncio.gather(user.start_server("lab"), user.wait_until_culled())
    async with user.kernel("lab") as kernel:
        await kernel.run(LOAD)
        told = await kernel.run(NAMES)
        assert f"('of-{user.name}', '{user.name}', 'paused')" in told
        assert f"of-{other}" not in told
        restored = await kernel.run(f"%vibekit_session restore of-{user.name}")
        assert "goes on: 1 turn" in restored
        assert "43" in await kernel.run("%%vibekit\nprint(6 * 7 + 1)")


async def test_two_users_work_apart_are_culled_and_go_on(running: Hub) -> None:
    running.give("ada", VIBEKIT_MAX_STEPS="50")  # more than the policy allows
    async with running.user("ada") as ada, running.user("ben") as ben:
        await asyncio.gather(works(ada, "40 steps"), works(ben, "20 steps"))
        await goes_on_elsewhere(ben, "ada")
