#!/usr/bin/env python3
"""What ``client.execute_command`` adds to the raw SDK's call, on the local sandbox server.

Both run ``true`` in one sandbox, in turns. A proxy counts the requests that each makes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, median, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.counting_proxy import counting_proxy
from tests.support.notebooks import as_a_newcomer
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter import VibeKit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 100
WARM_UP = 5


async def seconds(call: Callable[[], Awaitable[object]]) -> float:
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def client_of(server: SandboxServer, url: str) -> VibeKit:
    """Return a client of a server, reached at a URL."""
    e2b = {**server.where, "api_url": url, "sandbox_url": url}
    return VibeKit(agent="codex", environment={"e2b": e2b})


async def compare(server: SandboxServer) -> tuple[list[float], list[float]]:
    """Return the seconds of the SDK's calls and of ours."""
    import e2b

    client = client_of(server, server.url)
    await client.execute_command("true")
    session = await client.get_session()
    assert session is not None
    sdk = await e2b.AsyncSandbox.connect(session, **server.where)
    theirs, ours = [], []
    for number in range(WARM_UP + ROUNDS):
        sdk_took = await seconds(lambda: sdk.commands.run("true"))
        took = await seconds(lambda: client.execute_command("true"))
        if number >= WARM_UP:
            theirs.append(sdk_took)
            ours.append(took)
    await client.kill()
    await client.aclose()
    return theirs, ours


async def count(server: SandboxServer) -> tuple[int, int]:
    """Return the requests of a first command in a session that is there, and of the next one."""
    with counting_proxy(server.url) as proxy:
        maker, client = client_of(server, proxy.url), client_of(server, proxy.url)
        session = (await maker.new()).id
        await client.set_session(session)
        made: list[int] = []
        for _ in range(2):
            proxy.requests.clear()
            await client.execute_command("true")
            made.append(len(proxy.requests))
        await maker.kill()
        await client.aclose()
        await maker.aclose()
    return made[0], made[1]


def main() -> int:
    with (
        as_a_newcomer(),
        tempfile.TemporaryDirectory() as folder,
        sandbox_server(Path(folder)) as server,
    ):
        theirs, ours = asyncio.run(compare(server))
        first, following = asyncio.run(count(server))
    return report(
        "command_round_trip",
        [
            Figure("the SDK's commands.run('true')", median(theirs), "ms"),
            Figure("client.execute_command('true')", median(ours), "ms"),
            Figure("ours to the SDK's", median(ours) / median(theirs), "x", most=1.5),
            Figure("requests on first use", first, "", most=2),
            Figure("requests once connected", following, "", most=1),
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
