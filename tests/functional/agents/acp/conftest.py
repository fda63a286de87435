"""A peer in a sandbox, a scripted model, and turns of one at the other."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.agents.support import model_at
from tests.support.acp_peer import Forgetful, peer, program
from tests.support.model_server import ModelServer
from vibekit_jupyter.agents.acp.turn import run_acp_agent
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.conversation import Conversation
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.sandbox.ending import new_run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from tests.support.model_server import Reply
    from vibekit_jupyter.demo_model.wire import Request
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.sandbox.connection import Sandbox

DEADLINE = 60.0
OF_A_TURN = ("peer.py", "sleep 4711", "VIBEKIT_PORT", "relay_script", "/tmp/vibekit/agents")  # noqa: S108
LOOK = r"for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' < $f; echo; done 2>/dev/null"


@dataclass
class Peers:
    """One sandbox and one model, for turns of agents with any fault."""

    sandbox: Sandbox
    server: ModelServer
    conversation: Conversation = field(default_factory=Conversation)
    told: list[Event] = field(default_factory=list)
    next: list[Reply] = field(default_factory=list)
    run: int = 0

    def replies(self, *replies: Reply) -> None:
        """Let the model answer so; what comes then is that it is done."""
        self.next = list(replies)

    def script(self, _: Request) -> Reply:
        """Return the model's next answer."""
        return self.next.pop(0) if self.next else Answer("Done.")

    async def turn(self, *fault: str, **options: Any) -> list[Event]:
        """Run a turn to its end; what was told is kept in any case."""
        self.told = []
        async with aclosing(self.events(*fault, **options)) as events:
            async for event in events:
                self.told.append(event)
        return self.told

    def events(
        self,
        *fault: str,
        prompt: str = "Do it",
        mode: str | None = None,
        effort: str | None = None,
        **options: Any,
    ) -> AsyncGenerator[Event, None]:
        """Begin a turn."""
        self.run = new_run()
        options = {
            "memory": Forgetful(),
            "limits": Limits(silence=10),
            "changes": Changes(),
            **options,
        }
        words = options.pop("words", peer(*fault))
        agent = program(model_at(self.server, "codex"), *words, mode=mode, effort=effort)
        agent = dataclasses.replace(agent, servers=options.pop("servers", ()))
        return run_acp_agent(
            agent,
            self.conversation,
            prompt,
            sandbox=self.sandbox,
            run=self.run,
            **options,
        )

    async def until(self, kind: type[Event]) -> None:
        """Wait until something of a kind was told."""
        async with asyncio.timeout(DEADLINE):
            while not any(isinstance(event, kind) for event in self.told):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def left(self) -> list[str]:
        """Return what of a turn's processes is still there."""
        said = (await self.sandbox.run(LOOK)).stdout.splitlines()
        return [line for line in said if any(word in line for word in OF_A_TURN)]

    async def nothing_left(self) -> None:
        """Wait until no process of a turn is there: what was told to end takes a moment."""
        async with asyncio.timeout(DEADLINE):
            while await self.left():
                pass


@pytest.fixture
async def peers(sandbox: Sandbox) -> AsyncIterator[Peers]:
    with ModelServer(lambda request: here.script(request)) as server:  # noqa: PLW0108
        here = Peers(sandbox, server)
        yield here
