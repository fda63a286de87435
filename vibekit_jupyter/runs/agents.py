"""The agents by name, as what a run asks: a loop of ours, or a program in the sandbox."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from vibekit_jupyter.agents.loop import run_agent
from vibekit_jupyter.settings.vendors import AGENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from vibekit_jupyter.agents.conversation import Conversation
    from vibekit_jupyter.agents.memory import Memory
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.sessions.workspace import Workspace
    from vibekit_jupyter.settings.config import Settings
    from vibekit_jupyter.settings.mcp import McpServer

__all__ = ["Agent", "agent_of"]


class Agent(Protocol):
    """Runs a prompt to its end, and yields what happens; see :func:`.run_agent` for the options.

    ``memory`` is for an agent that keeps conversations of its own.
    """

    def __call__(
        self, conversation: Conversation, prompt: str, *, memory: Memory, **options: Any
    ) -> AsyncGenerator[Event, None]:
        """Begin."""
        ...


async def agent_of(workspace: Workspace, settings: Settings, name: str) -> Agent:
    """Return the agent of this name, with its model.

    Raises
    ------
    AgentNotInitializedError, ConfigurationError
        It cannot be used.
    """
    connections = workspace.connections
    if name in AGENTS:
        vendor = await connections.vendor(settings, name)

        def in_kernel(
            conversation: Conversation,
            prompt: str,
            *,
            memory: Memory,  # noqa: ARG001  (the conversation is all that it needs)
            pictures: object = None,  # noqa: ARG001  (it looks at files, where it wants to)
            **options: Any,
        ) -> AsyncGenerator[Event, None]:
            return run_agent(vendor, conversation, prompt, **options)

        return in_kernel
    from vibekit_jupyter.agents.acp.program import program_of
    from vibekit_jupyter.agents.acp.starting import told_while_starting
    from vibekit_jupyter.agents.acp.turn import run_acp_agent

    program = program_of(settings, name, await connections.model(settings, name))

    def in_sandbox(
        conversation: Conversation,
        prompt: str,
        *,
        memory: Memory,
        servers: Sequence[McpServer] = (),
        **options: Any,
    ) -> AsyncGenerator[Event, None]:
        # No key reaches a sandbox.
        named = [server.as_acp() for server in servers if not server.secrets]
        kept = [server.name for server in servers if server.secrets]
        asked = dataclasses.replace(program, servers=named, withheld=kept)
        events = run_acp_agent(asked, conversation, prompt, memory=memory, **options)
        return told_while_starting(asked.title, events) if asked.starts_slowly else events

    return in_sandbox
