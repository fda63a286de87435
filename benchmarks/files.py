#!/usr/bin/env python3
"""Files in and out of a sandbox, on the local sandbox server.

10,000 small files travel as one archive; the control is one request each, through the same
connection, measured on a sample, in turns with it. One large file is streamed; the control is the
SDK's own stream, written to a file and read from one.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter import VibeKit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    import e2b

    from tests.support.sandbox_server import SandboxServer

FILES = 10_000
SAMPLE = 250
SIZE = 2_000
LARGE = 400_000_000
PIECE = 4 * 1024**2
TURNS = 3
HOME = "/home/user"


async def seconds(work: Awaitable[object]) -> float:
    """Return how many seconds something takes."""
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def one_each_down(sdk: e2b.AsyncSandbox, folder: Path, first: int) -> None:
    """Read a sample with a request each, and write it down."""
    for number in range(first, first + SAMPLE):
        data = await sdk.files.read(f"{HOME}/many/{number}", format="bytes")
        (folder / str(number)).write_bytes(data)


async def one_each_up(sdk: e2b.AsyncSandbox, folder: Path, first: int) -> None:
    """Write a sample with a request each."""
    for number in range(first, first + SAMPLE):
        await sdk.files.write(f"{HOME}/each/{number}", (folder / str(number)).read_bytes())


async def many(client: VibeKit, sdk: e2b.AsyncSandbox, folder: Path) -> dict[str, float]:
    """Return the seconds for all the files: ours, and a request each, both ways."""
    took: dict[str, list[float]] = {name: [] for name in ("pull", "push", "down", "up")}
    one = folder / "one"
    one.mkdir()
    for turn in range(TURNS):
        got = folder / f"got{turn}"
        took["down"].append(await seconds(one_each_down(sdk, one, turn * SAMPLE)))
        took["pull"].append(await seconds(client.pull("many", to=got)))
        took["down"].append(await seconds(one_each_down(sdk, one, turn * SAMPLE)))
        took["up"].append(await seconds(one_each_up(sdk, one, turn * SAMPLE)))
        took["push"].append(await seconds(client.push(got / "many", to=f"back{turn}")))
        took["up"].append(await seconds(one_each_up(sdk, one, turn * SAMPLE)))
        shutil.rmtree(got)
    middle = {name: sorted(each)[len(each) // 2] for name, each in took.items()}
    return {
        name: value * (1 if name[0] == "p" else FILES / SAMPLE) for name, value in middle.items()
    }


async def stream_down(sdk: e2b.AsyncSandbox, path: Path) -> None:
    """Read the large file as the SDK streams it."""
    with path.open("wb") as file:
        async with await sdk.files.read(f"{HOME}/large", format="stream") as chunks:
            async for chunk in chunks:
                file.write(chunk)


async def stream_up(sdk: e2b.AsyncSandbox, path: Path) -> None:
    """Write the large file as the SDK streams it."""

    async def pieces() -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    await sdk.files.write(f"{HOME}/raw", pieces())


async def large(client: VibeKit, sdk: e2b.AsyncSandbox, folder: Path) -> dict[str, float]:
    """Return how fast ours is, as a share of the SDK's own stream."""
    took: dict[str, list[float]] = {name: [] for name in ("pull", "push", "down", "up")}
    for turn in range(TURNS):
        took["down"].append(await seconds(stream_down(sdk, folder / "raw")))
        took["pull"].append(await seconds(client.pull("large", to=folder / f"large{turn}")))
        took["up"].append(await seconds(stream_up(sdk, folder / "raw")))
        took["push"].append(await seconds(client.push(folder / "raw", to=f"pushed{turn}")))
        shutil.rmtree(folder / f"large{turn}")
        await client.remove_files("raw", f"pushed{turn}")
    return {name: min(each) for name, each in took.items()}


async def held(client: VibeKit, folder: Path) -> float:
    """Return how many MB of memory a large file takes, both ways."""
    tracemalloc.start()
    await client.pull("large", to=folder / "held")
    await client.push(folder / "held" / "large", to="held")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


async def measure(server: SandboxServer, folder: Path) -> int:
    """Measure, and return the exit status."""
    import e2b

    client = VibeKit(agent="codex", environment={"e2b": server.where})
    make = (
        f"import os; os.mkdir('many'); [open(f'many/{{n}}', 'wb').write(os.urandom({SIZE})) "
        f"for n in range({FILES})]; f = open('large', 'wb'); "
        f"[f.write(os.urandom(1_000_000)) for _ in range({LARGE // 1_000_000})]"
    )
    await client.execute_command(f'python3 -c "{make}"')
    session = await client.get_session()
    assert session is not None
    sdk = await e2b.AsyncSandbox.connect(session, **server.where)
    small, big = await many(client, sdk, folder), await large(client, sdk, folder)
    memory = await held(client, folder)
    await client.kill()
    await client.aclose()
    return report(
        "files",
        [
            Figure("10,000 files pulled", small["pull"], "s"),
            Figure("  one request each", small["down"], "s"),
            Figure("  times as fast", small["down"] / small["pull"], "x", least=8),
            Figure("10,000 files pushed", small["push"], "s"),
            Figure("  one request each", small["up"], "s"),
            Figure("  times as fast", small["up"] / small["push"], "x", least=8),
            Figure("400 MB pulled", LARGE / 1e6 / big["pull"], "MB/s"),
            Figure("  of the SDK's stream", big["down"] / big["pull"], "x", least=0.8),
            Figure("400 MB pushed, in pieces", LARGE / 1e6 / big["push"], "MB/s"),
            Figure("  of the SDK's stream", big["up"] / big["push"], "x"),
            Figure("memory for both", memory, "MB", most=40),
        ],
    )


def main() -> int:
    """Return the exit status."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with sandbox_server(folder / "server") as server:
            return asyncio.run(measure(server, folder))


if __name__ == "__main__":
    raise SystemExit(main())
