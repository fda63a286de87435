"""Who is refused a sandbox because there are many at once waits, sees it, and can leave."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from vibekit_jupyter.errors import SandboxLimitError
from vibekit_jupyter.events import Notice
from vibekit_jupyter.sandbox import queue
from vibekit_jupyter.sandbox.queue import telling_of_waits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import NewClient
    from tests.support.counting_proxy import CountingProxy
    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio

CREATE, CONNECT, FOREVER = "POST /v2/sandboxes", "/connect", 10_000
WAITING = "starts only so many sandboxes at a time: you are waiting, for 120 s at most."


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "FIRST", 0.05)
    monkeypatch.setattr(queue, "LONGEST", 0.1)


async def test_a_session_is_made_as_soon_as_the_service_lets_one(
    new_client: NewClient, server: CountingProxy
) -> None:
    server.limited = {CREATE: 12}
    client = new_client()
    told: list[str] = []
    with telling_of_waits(told.append):
        session = await client.new()
    assert session.state == "running"
    assert server.limited[CREATE] == 0
    assert len(told) == 1
    assert told[0].endswith(WAITING)
    await client.kill()


async def test_a_paused_session_is_waited_for_likewise(
    new_client: NewClient, server: CountingProxy
) -> None:
    client = new_client()
    session = await client.new()
    await client.pause()
    server.limited = {CONNECT: 12}
    assert (await client.execute_command("echo on")).stdout == "on\n"
    assert server.limited[CONNECT] == 0
    await client.kill(session.id)


async def test_a_run_tells_of_the_queue(new_client: NewClient, server: CountingProxy) -> None:
    server.limited = {CREATE: 12}
    client = new_client()
    client.configure(dataclasses.replace(client.settings, demo=True))
    events: list[Event] = []
    await client.generate_code("print(1)", on_event=events.append)
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert [text for text in notices if text.endswith(WAITING)]
    await client.kill()


async def test_the_queue_has_an_end_that_says_what_the_service_said(
    new_client: NewClient, server: CountingProxy
) -> None:
    server.limited = {CREATE: FOREVER}
    client = new_client()
    client.configure(dataclasses.replace(client.settings, queue=1.0))
    with pytest.raises(SandboxLimitError, match=r"At most 5 sandboxes a second.*You waited for"):
        await client.new()
    assert client.current_session is None


async def test_nobody_waits_for_what_comes_too_late(
    new_client: NewClient, server: CountingProxy
) -> None:
    server.limited, server.retry_after = {CREATE: FOREVER}, "3600"
    began = time.monotonic()
    with pytest.raises(SandboxLimitError):
        await new_client().new()
    assert time.monotonic() - began < 60, "the queue is 120 s long"


async def test_whoever_is_interrupted_leaves_the_queue(
    new_client: NewClient, server: CountingProxy
) -> None:
    client = new_client()
    before = {session.id for session in await client.list(state="running")}
    server.limited = {CREATE: FOREVER}
    waits = asyncio.Event()
    with telling_of_waits(lambda _: waits.set()):
        making = asyncio.ensure_future(client.new())
    await waits.wait()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    if creation := [task for task in asyncio.all_tasks() if "_create" in repr(task)]:
        await asyncio.wait(creation)
    server.limited = {}
    assert {session.id for session in await client.list(state="running")} == before
    assert client.current_session is None


def test_a_kernel_shows_that_it_waits_and_the_stop_button_ends_it(
    server: CountingProxy, vibekit_home: Path
) -> None:
    environment = {name: os.environ[name] for name in os.environ if name.startswith("E2B_")}
    server.limited = {CREATE: FOREVER}
    with Kernel(vibekit_home, environment) as kernel:
        kernel.run("%load_ext vibekit_jupyter\n%vibekit_config --demo on")
        for code in ("%vibekit_session new", "%%vibekit\nprint(1)", "%%vibekit_run\nprint(1)"):
            message = kernel.begin(code)
            kernel.wait_for(message, "you are waiting")
            kernel.interrupt()
            assert kernel.end(message).status == "error"
        server.limited = {}
        assert "2" in kernel.run("%%vibekit_run\nprint(1 + 1)").text
        assert kernel.run("%vibekit_session kill").status == "ok"
