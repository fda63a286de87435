"""What confines sandboxes on this machine, found out by doing."""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.local_sandbox.bubblewrap_binary import find_bubblewrap
from vibekit_jupyter.local_sandbox.disk import Disk
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.levels import (
    LEVELS,
    Confinement,
    Limits,
    open_agents_folder,
    write_stand_ins,
)
from vibekit_jupyter.local_sandbox.sandbox import Sandbox
from vibekit_jupyter.local_sandbox.store import SandboxRecord
from vibekit_jupyter.local_sandbox.supervisor.groups import delegated_group

if TYPE_CHECKING:
    from vibekit_jupyter.local_sandbox.nursery import Nursery
    from vibekit_jupyter.local_sandbox.store import Store

__all__ = ["confine"]


async def confine(wanted: str, store: Store, nursery: Nursery, limits: Limits) -> Confinement:
    """Return the best level that works here, or the one that is wanted.

    Raises
    ------
    ConfigurationError
        The level that was asked for does not work on this machine.
    """
    write_stand_ins(store.root)
    reasons: list[str] = []
    for level in LEVELS if wanted == "auto" else (wanted,):
        try:
            binary = _binary(level)
            reason = " ".join(reasons)
            group = delegated_group()
            confinement = Confinement(
                level, reason, store.root, limits, binary, group, open_agents_folder()
            )
            await _probe(confinement, store, nursery)
        except (ConfigurationError, ProtocolError) as error:
            reasons.append(f"{level}: {error}")
        else:
            return confinement
    raise ConfigurationError(
        f"Sandboxes cannot be confined here by {wanted}: {' '.join(reasons)}",
        hint="Use --confine auto to take the best level that works.",
    )


def _binary(level: str) -> str:
    """Return the program that the level needs, if any."""
    if sys.platform != "linux" and level != "none":
        raise ConfigurationError(f"it exists on Linux only, and this is {sys.platform}.")
    return find_bubblewrap() if level == "bubblewrap" else ""


async def _probe(confinement: Confinement, store: Store, nursery: Nursery) -> None:
    """Make a sandbox of the level and run a command in it, or raise what failed."""
    record = SandboxRecord(id=f"probe{secrets.token_hex(4)}")
    sandbox = Sandbox(record, store.create(record), confinement, nursery)
    try:
        await sandbox.start()
        command = await sandbox.spawn(
            {"cmd": "/bin/sh", "args": ["-c", "exit 0"]}, user="user", stdin=False
        )
        command.begin()
        async with asyncio.timeout(10):
            await command.ended.wait()
        if command.end is None or command.end["exitCode"] != 0:
            raise ConfigurationError(f"a command failed in it ({command.end}).")
    except TimeoutError as error:
        raise ConfigurationError("a command did not end in it.") from error
    finally:
        await sandbox.stop()
        disk = Disk(store, nursery, level=confinement.level, most_mib=confinement.limits.disk_mib)
        await disk.discard(sandbox.folder)
