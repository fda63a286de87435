#!/usr/bin/env python3
"""What a run of 20 steps takes beyond its model and its commands, and beside the vendors' runners.

The same scripted model server and the same sandbox serve all, with the same instructions and the
same tools: our client, OpenAI's ``AsyncResponsesToolRunner`` and Anthropic's
``beta.messages.tool_runner``, streaming, in turns.
The time of the model and the commands is measured beside them: the vendor's runner's own requests,
sent again by a bare HTTP client, and the same commands by the bare SDK. The rest of a run is its
overhead. Ours includes recording the conversation and looking for the files that were made.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from beside import served_by
from report import Figure, median, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import anthropic
import e2b
import httpx2
import openai
from openai.lib.responses_tool_runner import AsyncRegisteredFunction, AsyncResponsesToolRunner

from tests.support.notebooks import as_a_newcomer
from tests.support.sandbox_server import SandboxServer, sandbox_server
from vibekit_jupyter import VibeKit
from vibekit_jupyter.agents.instructions import instructions
from vibekit_jupyter.agents.tool_specs import SPECS
from vibekit_jupyter.settings.config import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

STEPS = 20
ROUNDS = 12
# Seconds of one answer and of one command: a quick model, a quick command.
MODEL, COMMAND = 0.1, 0.05
PROMPT = "Work in twenty steps"
SOURCE = f"sleep {COMMAND}; echo done"


def ours(client: VibeKit, agent: str) -> Callable[[], Awaitable[object]]:
    """Return a run through our client."""

    async def run() -> None:
        result = await client.generate_code(PROMPT, agent=agent, fresh=True)
        assert len(result.commands) == STEPS

    return run


class Recorder:
    """Keeps the requests of a vendor's runner, to be sent again without it."""

    def __init__(self) -> None:
        self.client = httpx2.AsyncClient(event_hooks={"request": [self._keep]}, timeout=60)
        self._bare = httpx2.AsyncClient(timeout=60)
        self._requests: list[httpx2.Request] = []

    async def _keep(self, request: httpx2.Request) -> None:
        self._requests.append(request)

    def bare(self, sandbox: e2b.AsyncSandbox) -> Callable[[], Awaitable[object]]:
        """Return the last run's requests and commands, with nothing around them."""

        async def run() -> None:
            requests = self._requests[-STEPS - 1 :]
            assert len(requests) == STEPS + 1
            for number, kept in enumerate(requests):
                if number > 0:
                    await sandbox.commands.run(SOURCE)
                await self._bare.request(
                    kept.method, kept.url, headers=kept.headers, content=kept.content
                )

        return run

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()
        await self._bare.aclose()


def openai_runner(
    client: openai.AsyncOpenAI, sandbox: e2b.AsyncSandbox
) -> Callable[[], Awaitable[object]]:
    """Return a run through OpenAI's tool runner."""

    async def execute(arguments: dict[str, object]) -> str:
        return (await sandbox.commands.run(str(arguments["command"]))).stdout

    tools = [
        openai.types.responses.FunctionToolParam(
            type="function",
            name=spec.name,
            description=spec.description,
            parameters=spec.parameters,
            strict=False,
        )
        for spec in SPECS
    ]

    async def run() -> None:
        runner = AsyncResponsesToolRunner(
            functions=[AsyncRegisteredFunction(tool, execute) for tool in tools]
        )
        await runner.run(
            client,
            {"model": "m", "input": PROMPT, "instructions": instructions("code"), "store": False},
            stream=True,
            max_steps=STEPS + 1,
        )

    return run


def anthropic_runner(
    client: anthropic.AsyncAnthropic, sandbox: e2b.AsyncSandbox
) -> Callable[[], Awaitable[object]]:
    """Return a run through Anthropic's tool runner, which keeps the history itself."""

    async def execute(**arguments: object) -> str:
        return (await sandbox.commands.run(str(arguments["command"]))).stdout

    tools = [
        anthropic.beta_async_tool(
            execute, name=spec.name, description=spec.description, input_schema=spec.parameters
        )
        for spec in SPECS
    ]

    async def run() -> None:
        runner = client.beta.messages.tool_runner(
            model="m",
            max_tokens=32_000,
            system=instructions("code"),
            messages=[{"role": "user", "content": PROMPT}],
            tools=tools,
            stream=True,
            thread=False,
        )
        async for stream in runner:
            async for _ in stream:
                pass

    return run


async def measure(services: SandboxServer, model_url: str) -> dict[str, list[float]]:
    """Return the seconds of each way to run, taking turns."""
    client = VibeKit(agent="codex", environment={"e2b": services.where})
    client.configure(
        dataclasses.replace(
            client.settings,
            models={
                "codex": ModelSettings("m", f"{model_url}/v1", "any-key"),
                "claude": ModelSettings("m", model_url, "any-key"),
            },
        )
    )
    await client.execute_command("true")
    session = await client.get_session()
    assert session is not None
    sandbox = await e2b.AsyncSandbox.connect(session, **services.where)
    recorders = {"openai": Recorder(), "anthropic": Recorder()}
    codex = openai.AsyncOpenAI(
        api_key="any-key", base_url=f"{model_url}/v1", http_client=recorders["openai"].client
    )
    claude = anthropic.AsyncAnthropic(
        api_key="any-key",
        base_url=model_url,
        http_client=recorders["anthropic"].client,
    )
    ways = {
        "openai": openai_runner(codex, sandbox),
        "codex": ours(client, "codex"),
        "bare openai": recorders["openai"].bare(sandbox),
        "anthropic": anthropic_runner(claude, sandbox),
        "claude": ours(client, "claude"),
        "bare anthropic": recorders["anthropic"].bare(sandbox),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        # To and fro, so that no way always follows the same one; nobody clears up after another.
        for name, run in list(ways.items())[:: -1 if number % 2 else 1]:
            gc.collect()
            began = time.perf_counter()
            await run()
            took = time.perf_counter() - began
            if number > 0:  # the first one warms up
                times[name].append(took)
    for recorder in recorders.values():
        await recorder.aclose()
    await client.kill()
    await client.aclose()
    return times


def figures(times: dict[str, list[float]], agent: str, vendor: str, name: str) -> Iterator[Figure]:
    """Yield what one agent takes beside its vendor's runner."""
    rounds = list(zip(times[f"bare {vendor}"], times[agent], times[vendor], strict=True))
    needed, took = median(times[f"bare {vendor}"]), median(times[agent])
    beyond = median([ours - bare for bare, ours, _ in rounds])
    yield Figure(f"{agent}: the model and the commands", needed, "ms")
    yield Figure(f"{agent}: a run beyond them", beyond, "ms")
    yield Figure(f"{agent}: of the run", 100 * beyond / took, "%", most=5)
    yield Figure(
        f"{name}'s tool runner beyond them",
        median([theirs - bare for bare, _, theirs in rounds]),
        "ms",
    )
    yield Figure(
        f"{agent}: a run beyond {name}'s tool runner",
        median([ours - theirs for _, ours, theirs in rounds]),
        "ms",
        most=0,
    )


def main() -> int:
    with (
        as_a_newcomer(),
        tempfile.TemporaryDirectory() as folder,
        sandbox_server(Path(folder)) as services,
        served_by("stepping_model.py", STEPS, MODEL, SOURCE) as model_url,
    ):
        times = asyncio.run(measure(services, model_url))
    return report(
        "run_overhead",
        [
            *figures(times, "codex", "openai", "OpenAI"),
            *figures(times, "claude", "anthropic", "Anthropic"),
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
