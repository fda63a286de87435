"""A server that has only the first version of E2B's routes serves the newest SDK all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.sandbox import first_routes

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from tests.support.counting_proxy import CountingProxy

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[404, 405])
def old_server(request: pytest.FixtureRequest, server: CountingProxy) -> CountingProxy:
    """Another service that knows nothing of ``/v2``."""
    server.missing_below, server.missing_status = "/v2/", request.param
    return server


async def test_a_session_lives_its_whole_life_there(
    new_client: NewClient, old_server: CountingProxy
) -> None:
    client = new_client()
    result = await client.generate_code(
        "Write primes.py that prints the first ten primes, and run it"
    )
    assert "29" in result.commands[-1].stdout
    made = str(await client.get_session())
    assert made in [one.id for one in await client.list(state="running")]
    assert (await client.pause()).state == "paused"
    assert "paused" in [one.state for one in await client.list() if one.id == made]
    other = new_client(session_id=made)
    assert "29" in (await other.execute_command("python3 primes.py")).stdout
    assert not (await new_client().restore(made)).reopened
    await client.kill(made)
    with pytest.raises(SessionNotFoundError, match="is gone"):
        await new_client(session_id=made).execute_command("true")


async def test_it_is_found_out_once(new_client: NewClient, old_server: CountingProxy) -> None:
    client = new_client()
    made = [await client.new() for _ in range(2)]
    asked = [one for one in old_server.requests if one.startswith("POST /v2/")]
    assert len(asked) <= 1
    for one in made:
        await client.kill(one.id)


async def test_a_kernel_that_only_connects_finds_it_out(
    new_client: NewClient, old_server: CountingProxy
) -> None:
    client = new_client()
    made = await client.new()
    first_routes._only_first.clear()  # as in another kernel
    other = new_client(session_id=made.id)
    assert (await other.execute_command("echo hello")).stdout == "hello\n"
    await other.kill()


async def test_what_it_cannot_do_is_said(new_client: NewClient, old_server: CountingProxy) -> None:
    old_server.missing = ("/fork", "/snapshots")
    client = new_client()
    made = await client.new("source")
    with pytest.raises(SandboxError, match="cannot do that"):
        await client.fork("copy")
    assert (await client.execute_command("echo here")).stdout == "here\n"
    await client.kill(made.id)
