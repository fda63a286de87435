"""Turns of both agents at one scripted server, which holds them to both vendors' rules."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from tests.functional.agents.support import model_at
from vibekit_jupyter import agents
from vibekit_jupyter.agents.conversation import AssistantMessage, Conversation
from vibekit_jupyter.agents.loop import run_agent
from vibekit_jupyter.demo_model.wire import Answer, Request
from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.settings.config import AGENTS, AgentName

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.model_server import ModelServer, Reply
    from vibekit_jupyter.agents.vendor import Vendor
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["Place"]


class Place:
    """Both vendors at one server whose script can be changed; every request follows the rules."""

    def __init__(self, server: ModelServer, sandbox: Sandbox) -> None:
        self.server = server
        self.sandbox = sandbox
        self.vendors: dict[AgentName, Vendor] = {
            agent: agents.load(model_at(server, agent)) for agent in AGENTS
        }
        self.replies: list[Reply] = []
        self.raised: VibeKitError | None = None
        self.script: Callable[[Request], Reply] = self.next

    def next(self, _: Request) -> Reply:
        return self.replies.pop(0) if self.replies else Answer("Done.", thinking="So it is.")

    async def turn(
        self, agent: AgentName, conversation: Conversation, *replies: Reply, most: int | None = None
    ) -> list[Event]:
        """Run a turn, of which so many events are taken; an error of ours may end it."""
        self.replies = list(replies)
        taken: list[Event] = []
        self.raised = None
        events = run_agent(self.vendors[agent], conversation, "Look at it", sandbox=self.sandbox)
        try:
            async with aclosing(events):
                async for event in events:
                    taken.append(event)
                    if most is not None and len(taken) >= most:
                        break
        except VibeKitError as error:
            self.raised = error
        self.replies = []
        return taken

    async def goes_on(self, conversation: Conversation) -> None:
        """The next prompt is accepted by both vendors."""
        for agent in AGENTS:
            again = Conversation.from_dict(conversation.to_dict())
            await self.turn(agent, again)
            assert self.server.violations == []
            last = again.messages[-1]
            assert isinstance(last, AssistantMessage)
            assert last.text == "Done."
