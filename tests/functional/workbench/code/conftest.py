"""Clients of a server of each level that confines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox_server import SandboxServer, sandbox_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def level_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxServer]:
    with sandbox_server(tmp_path_factory.mktemp("code"), "--confine", request.param) as running:
        yield running


@pytest.fixture
async def client(new_client: NewClient, level_server: SandboxServer) -> AsyncIterator[VibeKit]:
    """A client of a server of each level, with a session of its own and no model."""
    client = new_client(environment={"e2b": level_server.where})
    await client.new()
    yield client
    await client.kill()
