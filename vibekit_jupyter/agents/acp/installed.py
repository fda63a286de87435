"""Where a sandbox has an agent that is known by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vibekit_jupyter.agents.acp.launch import Found
from vibekit_jupyter.errors import AgentError
from vibekit_jupyter.services.agent_folders import OWN, agent_folder
from vibekit_jupyter.services.agent_recipes import NODE, RECIPES

if TYPE_CHECKING:
    from vibekit_jupyter.agents.acp.known import AcpAgent
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["found_in", "in_folder"]


async def found_in(sandbox: Sandbox, agent: AcpAgent) -> Found:
    """Return where a sandbox has an agent; one of another service gets it where it can.

    Raises
    ------
    AgentError
        It is not there, and could not be installed.
    SandboxError, SessionNotFoundError
        The sandbox could not be asked.
    """
    if sandbox.service.confinement is None:
        from vibekit_jupyter.agents.acp.elsewhere import found_elsewhere

        return await found_elsewhere(sandbox, agent.title, RECIPES[agent.name])
    found = await asyncio.to_thread(agent_folder, agent.name)
    if found is None:
        raise AgentError(
            f"{agent.title} is not installed on this machine.",
            hint=f"Install it: %vibekit_config agents install {agent.name}",
        )
    return in_folder(agent.name, found.seen_by(sandbox.service))


def in_folder(name: str, folder: str) -> Found:
    """Return an agent in one of the folders that this machine shows its sandboxes."""
    recipe = RECIPES[name]
    own = f"{folder}/bin/{recipe.command}" if folder.endswith(f"-{OWN}") else ""
    if not recipe.needs_node:
        return Found((own or f"{folder}/{recipe.program}",))
    node = f"{folder.rpartition('/')[0]}/{NODE.folder}/{NODE.program}"
    return Found((node, f"{folder}/{recipe.program}"), own)
