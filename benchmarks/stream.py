#!/usr/bin/env python3
"""What streamed events cost a kernel: CPU for 10 MB of them, and memory for 100 MB of output.

The whole client runs: the vendor's SDK, the loop, the record; only the drawing is left out. The
control reads the same answer from the same server with the SDK alone.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import openai

from tests.support.model_server import ModelServer, Raw, Reply
from tests.support.notebooks import as_a_newcomer
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter import VibeKit
from vibekit_jupyter.demo_model.wire import WIRES, Answer, Event, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vibekit_jupyter import events

MB = 1_000_000
ROUNDS = 3
WORDS = "All work and no play makes an agent dull. "
POURING = f"yes {'x' * 79} | head -c {{size}}"
PAGE = 4096
KEY = "sk-proj-0123456789abcdef"  # long enough to be looked for in everything that is told


def stream_of(size: int) -> Raw:
    """Return a stream of so many bytes, whose text comes a few words at a time."""
    events = list(WIRES["openai"].events(Answer(WORDS), "model"))
    kinds = [event.data["type"] for event in events]
    delta = kinds.index("response.output_text.delta")
    one = Event({**events[delta].data, "delta": WORDS}).encode()
    body = [event.encode() for event in events]
    body[delta:delta] = [one] * (size // len(one))
    return Raw(b"".join(body), content_type="text/event-stream")


def script(request: Request) -> Reply:
    """Answer with as many bytes of events as asked for, or run a command that prints them."""
    what, size = request.prompt.split()
    if what == "say":
        return stream_of(int(size))
    if request.messages[-1].tool_results:
        return Answer("Done.")
    command = POURING.format(size=size)
    return Answer(tool_calls=(ToolCall("run_command", {"command": command}),))


async def cpu(call: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds of CPU that this thread, the client's, spends on a call."""
    began = time.thread_time()
    await call()
    return time.thread_time() - began


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


async def growth(client: VibeKit, size: int) -> int:
    """Return by how many bytes the process grows while a command prints so much."""
    peak = before = resident()

    def watch(_: events.Event) -> None:
        nonlocal peak
        peak = max(peak, resident())

    await client.generate_code(f"print {size}", fresh=True, on_event=watch)
    return max(peak, resident()) - before


async def sdk_alone(client: openai.AsyncOpenAI, size: int) -> None:
    """Read an answer with the vendor's SDK, as its documentation shows."""
    stream = await client.responses.create(model="m", input=f"say {size}", stream=True)
    async for _ in stream:
        pass


async def measure(services: SandboxServer, models: ModelServer) -> list[Figure]:
    client = VibeKit(
        agent={"type": "codex", "model": {"base_url": models.openai_url, "api_key": KEY}},
        environment={"e2b": services.where},
    )
    control = openai.AsyncOpenAI(api_key=KEY, base_url=models.openai_url)
    await client.generate_code(f"say {MB}")
    await growth(client, MB)
    small, large, alone = [], [], []
    for _ in range(ROUNDS):
        small.append(await cpu(lambda: client.generate_code(f"say {5 * MB}", fresh=True)))
        large.append(await cpu(lambda: client.generate_code(f"say {10 * MB}", fresh=True)))
        alone.append(await cpu(lambda: sdk_alone(control, 10 * MB)))
    grown = await growth(client, 100 * MB)
    await client.kill()
    await client.aclose()
    await control.close()
    linear = statistics.median(large) / statistics.median(small)
    return [
        Figure("CPU for 10 MB of streamed events", statistics.median(large), "s", most=1),
        Figure("the SDK alone, its events read", statistics.median(alone), "s"),
        Figure("10 MB to 5 MB", linear, "x", most=2.5),
        Figure("growth at 100 MB of command output", grown / MB, "MB", most=20),
    ]


def main() -> int:
    with (
        as_a_newcomer(),
        tempfile.TemporaryDirectory() as folder,
        sandbox_server(Path(folder)) as services,
        ModelServer(script) as models,
    ):
        figures = asyncio.run(measure(services, models))
    return report("stream", figures)


if __name__ == "__main__":
    raise SystemExit(main())
