"""A process that makes sessions one after the other, beside others who list them."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from vibekit_jupyter import VibeKit


async def make(user: str, count: int) -> None:
    """Make sessions, each in one of four ways; print each one's id and the seconds it took."""
    client = VibeKit({"type": "codex"}, user=user)
    for number in range(count):
        began = time.monotonic()
        match number % 4:
            case 0:
                made = (await client.new(f"{user}-{os.getpid()}-{number}")).id
            case 1:
                made = (await client.new()).id
            case 2:
                made = (await client.fork(f"{user}-{os.getpid()}-{number}")).id
            case _:
                fresh = VibeKit({"type": "codex"}, user=user)
                await fresh.execute_command("true")
                made = str(await fresh.get_session())
                await fresh.aclose()
        print(made, f"{time.monotonic() - began:.3f}", flush=True)  # noqa: T201 - what is read
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(make(sys.argv[1], int(sys.argv[2])))
