"""What dies or stops in the middle of an agent's turn: one clear error, and the session goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.local_server import stop_local_server
from tests.support.model_server import ModelServer
from tests.support.turns_in_cells import marked_below, server_of, slow_work
from vibekit_jupyter import VibeKit
from vibekit_jupyter.errors import AgentError, ModelUnavailableError, SandboxError
from vibekit_jupyter.events import Notice, TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from vibekit_jupyter.errors import VibeKitError
    from vibekit_jupyter.events import Event

pytestmark = pytest.mark.anyio

DEADLINE = 60.0
# Of the commands in the sandbox, by what stands in them.
VICTIMS = {"agent": "demo_agent.py", "relay": "-I -S -c"}


class Place:
    """One client with an agent in a sandbox, and what its model is asked."""

    def __init__(self, home: Path, server: ModelServer) -> None:
        self.home = home
        self.server = server
        url = server.url_for("codex")
        model = {"name": "the-model", "base_url": url, "api_key": "any"}
        self.agent = {"type": "demo-acp", "model": model}
        self.client = VibeKit(agent=self.agent)

    async def breaks(self, do: Callable[[], Awaitable[None]]) -> VibeKitError:
        """Do something when a turn has spoken; return what the turn ends with."""
        spoken = asyncio.Event()

        def see(event: Event) -> None:
            if isinstance(event, TextDelta):
                spoken.set()

        turn = asyncio.ensure_future(self.client.generate_code("Turn 1: work", on_event=see))
        await asyncio.wait_for(spoken.wait(), DEADLINE)
        await do()
        with pytest.raises((AgentError, ModelUnavailableError, SandboxError)) as raised:
            await asyncio.wait_for(turn, DEADLINE)
        return raised.value

    async def goes_on(self) -> list[Event]:
        """The next prompt knows what was said, and nothing else is left of the turn before."""
        told: list[Event] = []
        result = await self.client.generate_code("Which turns were there?", on_event=told.append)
        assert result.text == "I know of them."
        assert "I begin" in self.server.requests[-1].body.decode()
        async with asyncio.timeout(DEADLINE):
            while marked_below(server_of(self.home)):  # noqa: ASYNC110  (it is not of this loop)
                await asyncio.sleep(0.02)
        return told


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    home = tmp_path / "home"
    monkeypatch.setenv("VIBEKIT_HOME", str(home))
    with ModelServer(slow_work, strict=False) as server:
        here = Place(home, server)
        yield here
        await here.client.aclose()
    stop_local_server(home)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_program_of_the_turn_is_killed(place: Place, victim: str) -> None:
    async def kill() -> None:
        running = marked_below(server_of(place.home)).items()
        (pid,) = [pid for pid, called in running if VICTIMS[victim] in called]
        os.kill(pid, signal.SIGKILL)

    error = await place.breaks(kill)
    # Which end is seen first is open where it is the relay: the agent says that its model is gone.
    kinds = AgentError if victim == "agent" else (AgentError, ModelUnavailableError)
    assert isinstance(error, kinds)
    assert error.hint
    await place.goes_on()


async def test_the_sandbox_server_is_killed(place: Place) -> None:
    async def kill() -> None:
        os.kill(server_of(place.home), signal.SIGKILL)

    assert isinstance(await place.breaks(kill), SandboxError)
    await place.goes_on()


async def paused_by_another_one(place: Place) -> None:
    other = VibeKit(agent=place.agent)
    await other.pause(place.client._workspace.book.current, force=True)
    await other.aclose()


async def paused_by_its_service(place: Place) -> None:
    """Its time runs out, which some other client has made short."""
    import e2b

    service = await place.client._workspace.service()
    session = place.client.current_session
    assert session is not None
    await e2b.AsyncSandbox.set_timeout(session, 0, api_key=service.api_key, api_url=service.api_url)


@pytest.mark.parametrize("pause", [paused_by_another_one, paused_by_its_service])
async def test_the_sandbox_is_paused(
    place: Place, pause: Callable[[Place], Awaitable[None]]
) -> None:
    assert (await place.client.generate_code("Which turns: this is Turn 0")).status == "done"
    error = await place.breaks(lambda: pause(place))
    assert "was paused meanwhile" in error.message
    assert error.result is not None
    assert "I begin" in error.result.text
    assert "I begin" in place.client.history()[-1].text
    # What the pause has frozen does not go on beside the next turn.
    told = await place.goes_on()
    assert [event.text for event in told if isinstance(event, Notice)] == []
    # The agent has loaded its own session, and is told of the one turn that was broken off.
    body = place.server.requests[-1].body.decode()
    assert body.count("this is Turn 0") == 1
    assert "was paused meanwhile" in body
