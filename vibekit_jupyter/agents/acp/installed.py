"""Where a sandbox has an agent that is known by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import AgentError
from vibekit_jupyter.services.agent_folders import agent_folder

if TYPE_CHECKING:
    from vibekit_jupyter.agents.acp.known import AcpAgent
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["folder_in"]


async def folder_in(sandbox: Sandbox, agent: AcpAgent) -> str:
    """Return the folder of an agent, as a sandbox sees it.

    Raises
    ------
    AgentError
        It is not there.
    """
    if sandbox.service.confinement is None:
        raise AgentError(
            f"{agent.title} runs in the sandboxes of this machine alone so far.",
            hint="Use --agent codex or claude there; or name a program that the sandbox has: "
            "%vibekit_config --agent-command 'PROGRAM'.",
        )
    found = await asyncio.to_thread(agent_folder, agent.name)
    if found is None:
        raise AgentError(
            f"{agent.title} is not installed on this machine.",
            hint=f"Install it: %vibekit_config agents install {agent.name}",
        )
    return found.seen_by(sandbox.service)
