#!/usr/bin/env python3
"""What a cell of code takes, cold and warm, beside the raw SDK's command on the same server.

The control of the cold start is the same Python starting, IPython's import included, as a command.
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

from tests.support.notebooks import as_a_newcomer
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter import VibeKit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 100
COLD_ROUNDS = 7
MEGABYTES = 40
PYTHON = "python3 -c 'import IPython.core.interactiveshell'"


async def seconds(call: Callable[[], Awaitable[object]]) -> float:
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def measure(server: SandboxServer) -> list[Figure]:
    """Return the figures."""
    import e2b

    client = VibeKit(agent="codex", environment={"e2b": server.where})
    cold, starts, warm, commands = [], [], [], []
    for _ in range(COLD_ROUNDS):
        session = await client.new()
        sdk = await e2b.AsyncSandbox.connect(session.id, **server.where)
        starts.append(await seconds(lambda: sdk.commands.run(PYTHON)))  # noqa: B023  # awaited here
        cold.append(await seconds(lambda: client.run_code("1")))
        if len(cold) < COLD_ROUNDS:
            await client.kill()
    for _ in range(ROUNDS):
        commands.append(await seconds(lambda: sdk.commands.run("true")))
        warm.append(await seconds(lambda: client.run_code("1 + 1")))
    code = f"print('x' * {MEGABYTES * 1_000_000})"
    output = await seconds(lambda: client.run_code(code))
    await client.kill()
    await client.aclose()
    return [
        Figure("Python and IPython, started by the SDK", median(starts), "ms"),
        Figure("a first cell", median(cold), "ms", most=500),
        Figure("the SDK's commands.run('true')", median(commands), "ms"),
        Figure("a cell", median(warm), "ms", most=20),
        Figure(f"{MEGABYTES} MB of output", output, "s", most=4),
    ]


def main() -> int:
    with (
        as_a_newcomer(),
        tempfile.TemporaryDirectory() as folder,
        sandbox_server(Path(folder)) as server,
    ):
        return report("run_code", asyncio.run(measure(server)))


if __name__ == "__main__":
    raise SystemExit(main())
