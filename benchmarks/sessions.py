#!/usr/bin/env python3
"""The registry with ten thousand sessions, and what switching and restoring cost.

Each operation is measured on a registry of ten sessions too: its size must not slow it down.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.counting_proxy import counting_proxy
from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter import VibeKit
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import Service, local_service_id

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 50
FEW, MANY = 10, 10_000
SERVICE = Service(id=local_service_id(), title="local sandbox", api_key="k")


def filled(path: Path, count: int) -> Registry:
    """Return a registry with so many sessions and twice as many turns."""
    registry = Registry(path)
    now = time.time()
    with registry.transaction() as database:
        database.executemany(
            "INSERT INTO session (service, id, title, name, user, created, last_used)"
            " VALUES (?, ?, 'local sandbox', ?, 'ada', ?, ?)",
            [
                (SERVICE.id, f"id{number}", f"name-{number}", now, now + number)
                for number in range(count)
            ],
        )
        database.executemany(
            "INSERT INTO turn (service, session, agent, model, mode, prompt, status, started)"
            " VALUES (?, ?, 'codex', 'm', 'code', 'p', 'done', ?)",
            [(SERVICE.id, f"id{number % count}", now) for number in range(2 * count)],
        )
    return registry


def milliseconds(call: Callable[[int], object], rounds: int = ROUNDS) -> float:
    """Return the median of a call's times; it is told the round's number."""
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def operations(registry: Registry, count: int) -> dict[str, float]:
    """Return what each operation on a registry takes, in milliseconds."""

    def add(number: int) -> None:
        name = f"new-{number}"
        registry.add(Session(name, name, SERVICE.title, user="ada"), SERVICE)

    last = f"name-{count - 1}"
    return {
        "add a session": milliseconds(add),
        "find by id": milliseconds(lambda _: registry.get(SERVICE.id, "id5")),
        "find by name": milliseconds(lambda _: registry.by_name("ada", SERVICE.id, last)),
        "find by prefix": milliseconds(lambda _: registry.beginning_with("ada", SERVICE.id, last)),
        "remember": milliseconds(lambda _: registry.remember("ada", "/n", SERVICE.id, "id5")),
    }


async def switching(folder: Path) -> list[Figure]:
    """Return what ``set_session`` takes, and the requests of switching and restoring."""
    figures = []
    with sandbox_server(folder) as server, counting_proxy(server.url) as proxy:
        e2b = {**server.where, "api_url": proxy.url, "sandbox_url": proxy.url}
        client = VibeKit(agent="codex", environment={"e2b": e2b})
        ids = [(await client.new()).id for _ in range(2)]
        proxy.requests.clear()
        times = []
        for number in range(ROUNDS):
            began = time.perf_counter()
            await client.set_session(ids[number % 2])
            times.append(time.perf_counter() - began)
        figures += [
            Figure("set_session", statistics.median(times) * 1000, "ms", most=1),
            Figure("set_session, requests", len(proxy.requests), "", most=0),
        ]
        await client.execute_command("true")
        await client.aclose()
        proxy.requests.clear()
        restarted = VibeKit(agent="codex", environment={"e2b": e2b})
        await restarted.restore(ids[0])
        figures.append(Figure("restore, requests", len(proxy.requests), "", most=2))
        await restarted.aclose()
    return figures


def main() -> int:
    """Measure, and return the exit status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["VIBEKIT_HOME"] = str(folder / "home")
        figures = asyncio.run(switching(folder / "server"))
        with (
            closing(filled(folder / "few.sqlite", FEW)) as few,
            closing(filled(folder / "many.sqlite", MANY)) as many,
        ):
            base, full = operations(few, FEW), operations(many, MANY)
            for what, value in full.items():
                figures += [
                    Figure(f"{what}, of {MANY}", value, "ms"),
                    Figure(f"{what}, ratio to {FEW}", value / base[what], "x", most=2),
                ]
            listing = milliseconds(lambda _: many.sessions("ada"), rounds=10)
            figures.append(Figure(f"list {MANY}", listing, "ms", most=100))
    return report("sessions", figures)


if __name__ == "__main__":
    sys.exit(main())
