"""The agents that are installed on this machine, below ``VIBEKIT_HOME/agents``.

Sandboxes of this machine see that folder, read-only: nothing else belongs there. A folder counts
as an agent when it has its name: whatever is being made has another one.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.services.agent_recipes import NODE, RECIPES
from vibekit_jupyter.settings.home import AGENTS_SEEN, agents_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vibekit_jupyter.services.agent_recipes import Recipe
    from vibekit_jupyter.settings.config import Service

__all__ = [
    "OWN",
    "AgentFolder",
    "KnownAgent",
    "agent_folder",
    "agents_folder",
    "known_agents",
    "own_program",
    "size_of",
]

# What the folder of somebody's own program is called after the agent's name.
OWN: Final = "own"
ELF: Final = b"\x7fELF"


@dataclass(frozen=True)
class AgentFolder:
    """An agent that is installed.

    Attributes
    ----------
    version
        The pinned one, or ``own``: then the program is the person's.
    """

    name: str
    version: str
    path: Path

    def seen_by(self, service: Service) -> str:
        """Return where a sandbox of a service of this machine sees it."""
        folders = AGENTS_SEEN if service.confinement == "bubblewrap" else str(agents_folder())
        return f"{folders}/{self.path.name}"


@dataclass(frozen=True)
class KnownAgent:
    """An agent that can be installed, and how it is.

    Attributes
    ----------
    installed
        None where it is not.
    megabytes
        What it takes, or would take.
    needs
        What else it takes, as a person would say it; empty where that is nothing.
    own
        The person's own program on ``PATH`` that could take its place; None where there is none.
    """

    name: str
    version: str
    installed: AgentFolder | None
    megabytes: int
    needs: str
    own: Path | None


def agent_folder(name: str) -> AgentFolder | None:
    """Return an agent's folder, the person's own program first; None where it is not installed.

    Raises
    ------
    ConfigurationError
        Nothing says where folders are.
    """
    recipe = RECIPES.get(name)
    if recipe is None:
        return None
    folders = agents_folder()
    if recipe.needs_node and not (folders / NODE.folder / NODE.program).is_file():
        return None
    for version in (OWN, recipe.version):
        path = folders / f"{name}-{version}"
        if path.is_dir():
            return AgentFolder(name, version, path)
    return None


def known_agents() -> Sequence[KnownAgent]:
    """Return every agent that can be installed here, and how it is."""
    return [_known(recipe) for recipe in RECIPES.values()]


def _known(recipe: Recipe) -> KnownAgent:
    installed = agent_folder(recipe.name)
    megabytes = size_of(installed.path) if installed else recipe.megabytes
    has_node = (agents_folder() / NODE.folder).is_dir()
    needs = f"Node {NODE.version}" if recipe.needs_node else ""
    if needs and not has_node:
        needs += f", {NODE.megabytes} MB"
    version = installed.version if installed else recipe.version
    own = own_program(recipe.command)
    return KnownAgent(recipe.name, version, installed, megabytes, needs, own)


def own_program(command: str) -> Path | None:
    """Return the program that a person has of this name; None where it is no whole program.

    A script that starts another program somewhere else is none: what it needs is not known.
    """
    found = shutil.which(command)
    if found is None:
        return None
    try:
        real = Path(found).resolve(strict=True)
        with real.open("rb") as file:
            return real if file.read(len(ELF)) == ELF else None
    except OSError:
        return None


def size_of(folder: Path) -> int:
    """Return what is in a folder, in megabytes."""
    return round(sum(_sizes(folder)) / 1_000_000)


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield Path(parent, name).lstat().st_size
            except OSError:  # it is just being removed
                continue
