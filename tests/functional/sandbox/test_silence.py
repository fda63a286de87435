"""A sandbox service that takes connections and never answers is noticed, and said to be silent."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import SandboxUnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.functional.conftest import NewClient
    from vibekit_jupyter import VibeKit

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """Take connections, read nothing, and say nothing."""
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(
        lambda _, writer: connections.append(writer), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in connections:
            writer.close()


def client_at(new_client: NewClient, url: str) -> VibeKit:
    e2b = {"api_key": f"e2b_{0:040}", "api_url": url, "sandbox_url": url, "request_timeout": 1}
    return new_client(environment={"e2b": e2b})


@pytest.mark.parametrize(
    "operation",
    [
        lambda client: client.new(),
        lambda client: client.set_session("abcdefghijklmnop", check=True),
        lambda client: client.generate_code("print(1)", session="abcdefghijklmnop"),
    ],
    ids=["create", "connect", "run"],
)
async def test_a_silent_service_is_noticed_in_bounded_time(
    new_client: NewClient, operation: Callable[[VibeKit], Awaitable[object]]
) -> None:
    async with black_hole() as url:
        client = client_at(new_client, url)
        client.configure(dataclasses.replace(client.settings, demo=True))
        started = time.monotonic()
        with pytest.raises(SandboxUnreachableError, match="did not answer within 1 s") as caught:
            await operation(client)
        assert time.monotonic() - started < 5, "the SDK asks a second time"
        assert caught.value.hint


async def test_sessions_are_listed_in_bounded_time_though_their_service_is_silent(
    new_client: NewClient,
) -> None:
    async with black_hole() as url:
        started = time.monotonic()
        await client_at(new_client, url).list()
        assert time.monotonic() - started < 5
