"""``%vibekit_config agents``: which agents for sandboxes are installed here, and install one."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from vibekit_jupyter.notebook.magic_errors import UsageError
from vibekit_jupyter.notebook.render import Rendered, config_card, message
from vibekit_jupyter.notebook.show import show

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.kernel_client import KernelClient
    from vibekit_jupyter.services.agent_folders import AgentFolder, KnownAgent

__all__ = ["agents"]

USAGE = "%vibekit_config agents, or %vibekit_config agents install NAME"


def agents(shell: InteractiveShell, client: KernelClient, options: Namespace) -> None:
    """Show the agents, or install one.

    Raises
    ------
    AgentInstallError
        It cannot be installed.
    """
    if (options.verb == "install") != (options.name is not None):
        raise UsageError(USAGE)
    if options.name is None:
        show(shell, table())
        return
    from vibekit_jupyter.notebook.progress import ProgressLine

    line = ProgressLine(shell)
    installing = _install(options.name, line.note, own=options.own)
    line.follow(client.submit(installing), _done)


def table() -> Rendered:
    """Return every agent that can be installed, and how it is."""
    from vibekit_jupyter.services.agent_folders import known_agents

    return config_card([_row(agent) for agent in known_agents()])


def _row(agent: KnownAgent) -> tuple[str, str, str]:
    if agent.installed is None:
        state = f"not installed ({agent.version}, {agent.megabytes} MB)"
    else:
        version = "your own" if agent.version == "own" else agent.version
        state = f"installed, {version}, {agent.megabytes} MB"
    more = [f"needs {agent.needs}"] if agent.needs else []
    more += [f"your own: {agent.own}"] if agent.own else []
    return agent.name, state, "; ".join(more)


def _done(folder: AgentFolder) -> Rendered:
    version = "your own program" if folder.version == "own" else folder.version
    return message(f"{folder.name} is installed ({version}): use it with --agent {folder.name}.")


async def _install(name: str, note: Callable[[str], None], *, own: bool) -> AgentFolder:
    from vibekit_jupyter.services.agent_install import install_agent

    stopped = threading.Event()
    work = asyncio.ensure_future(
        asyncio.to_thread(install_agent, name, own=own, say=note, stopped=stopped.is_set)
    )
    try:
        return await asyncio.shield(work)
    finally:
        # It is waited for: what it has begun is removed by itself.
        stopped.set()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
