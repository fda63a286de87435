"""A key that others use for 100,000 sandboxes costs whoever has ten of them one request."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

import pytest
from aiohttp import web

from tests.support.kernel import Kernel
from vibekit_jupyter import VibeKit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

OTHERS = 100_000
OWN = 10


class BusyService:
    """A service's list of sandboxes, read by label, and how often it was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[str] = []
        self._sandboxes = [_sandbox(number, {"owner": "nobody"}) for number in range(OTHERS)]
        own = {"vibekit_user": "ada", "vibekit_notebook": ""}
        self._sandboxes += [
            _sandbox(OTHERS + number, {**own, "vibekit_name": f"mine-{number}"})
            for number in range(OWN)
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer with a page of those that carry the labels asked for."""
        self.requests.append(f"{request.method} {request.path_qs}")
        asked = {
            unquote(name): unquote(text)
            for name, text in parse_qsl(request.query.get("metadata", ""))
        }
        found = [one for one in self._sandboxes if asked.items() <= one["metadata"].items()]  # type: ignore[attr-defined]
        begin = int(request.query.get("nextToken", "0"))
        end = begin + int(request.query["limit"])
        headers = {"x-next-token": str(end)} if end < len(found) else {}
        return web.json_response(found[begin:end], headers=headers)


def _sandbox(number: int, labels: dict[str, str]) -> dict[str, object]:
    return {
        "sandboxID": f"i{number:020d}",
        "templateID": "base",
        "clientID": "c",
        "startedAt": "2026-01-01T00:00:00Z",
        "endAt": "2036-01-01T00:00:00Z",
        "state": "running",
        "cpuCount": 1,
        "memoryMB": 512,
        "diskSizeMB": 512,
        "envdVersion": "0.6.2",
        "metadata": labels,
    }


@pytest.fixture(scope="module")
def busy() -> Iterator[BusyService]:
    service = BusyService()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/v2/sandboxes", service.list)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    with contextlib.ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(loop.call_soon_threadsafe, loop.stop)
        stack.callback(lambda: asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10))
        yield service
    loop.close()


def where(busy: BusyService) -> dict[str, str]:
    return {
        "E2B_API_KEY": "e2b_" + "0" * 40,
        "E2B_API_URL": busy.url,
        "E2B_SANDBOX_URL": busy.url,
        "LOGNAME": "ada",
    }


async def test_a_list_is_one_request_and_holds_what_is_ones_own(
    busy: BusyService, vibekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in where(busy).items():
        monkeypatch.setenv(name, value)
    async with contextlib.aclosing(VibeKit(agent={"type": "codex"})) as client:
        busy.requests.clear()
        listed = await client.list()
    assert {session.name for session in listed} == {f"mine-{number}" for number in range(OWN)}
    assert len(busy.requests) == 1


def test_so_are_the_magic_the_picker_and_a_completion(
    busy: BusyService, vibekit_home: Path
) -> None:
    with Kernel(vibekit_home, where(busy)) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        busy.requests.clear()
        kernel.run("%vibekit_session list")
        assert len(busy.requests) == 1
        kernel.run("%vibekit_session pick")
        assert len(kernel.complete("%vibekit_session set mine-")) == OWN
        assert len(busy.requests) <= 3
