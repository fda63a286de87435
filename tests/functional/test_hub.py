"""The example of a JupyterHub runs: two users apart, culling, restart, a named server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.hub import Hub, hub

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

LOAD = "%load_ext vibekit_jupyter\nfrom vibekit_jupyter import get_client\nclient = get_client()"
NAMES = "print([(one.name, one.user, one.state) for one in await client.list()])"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(tmp_path_factory.mktemp("hub"), idle=10) as running:
        yield running


async def test_two_users_work_apart_are_culled_and_go_on(running: Hub) -> None:
    async with running.user("ada") as ada, running.user("ben") as ben:
        for user in (ada, ben):
            await user.start_server()
            async with user.kernel() as kernel:
                await kernel.run(LOAD)
                told = await kernel.run("%vibekit_config")
                assert "jupyterhub/site/vibekit.toml" in told
                assert "20 steps" in told
                await kernel.run(f"%vibekit_session new of-{user.name}")
                assert "42" in await kernel.run("%%vibekit\nprint(6 * 7)")
                assert f"('of-{user.name}', '{user.name}', 'running')" in await kernel.run(NAMES)
        # Named servers of one user share their home.
        await ada.start_server("lab")
        async with ada.kernel("lab") as kernel:
            await kernel.run(LOAD)
            told = await kernel.run(NAMES)
            assert "of-ada" in told
            assert "of-ben" not in told
        # Nobody is connected any more: the kernels are ended, and their sandboxes pause.
        await ben.wait_until_culled()
        async with running.user("ben") as back:
            await back.restart_server()
            async with back.kernel() as kernel:
                await kernel.run(LOAD)
                assert "('of-ben', 'ben', 'paused')" in await kernel.run(NAMES)
                assert "goes on: 1 turn" in await kernel.run("%vibekit_session restore of-ben")
                assert "43" in await kernel.run("%%vibekit\nprint(6 * 7 + 1)")
                assert "of-ada" not in await kernel.run(NAMES)
