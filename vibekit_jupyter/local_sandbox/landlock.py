"""What a sandbox confined by Landlock may reach, as lists of paths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vibekit_jupyter.local_sandbox.bubblewrap import (
    ETC,
    SECRET_FILES_OF_PREFIX,
    SECRETS_OF_PREFIX,
    SYSTEM,
    python_prefixes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["landlock_paths"]

# Besides those every sandbox reads: without stand-ins, the machine's own.
MORE_ETC = (
    *("bash.bashrc", "gitconfig", "group", "host.conf", "hosts", "nsswitch.conf", "passwd"),
    *("profile", "profile.d", "resolv.conf"),
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
KERNEL = (
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/run/systemd/resolve",
)


def landlock_paths(
    own: list[Path], tools: Path, store_root: Path, agents: Path | None = None
) -> dict[str, list[str]]:
    """Return paths by what may be done with them (see ``supervisor.landlock.restrict``)."""
    hidden = {str(store_root)}
    for prefix in python_prefixes():
        hidden |= {f"{prefix}/{name}" for name in (*SECRETS_OF_PREFIX, *SECRET_FILES_OF_PREFIX)}
    runnable = [path for path in SYSTEM if os.path.isdir(path)] + [str(tools)]
    for prefix in python_prefixes():
        runnable += _without(prefix, hidden)
    if agents is not None:
        runnable.append(str(agents))
    return {
        "run": runnable,
        "read": [*(f"/etc/{name}" for name in (*ETC, *MORE_ETC)), *KERNEL],
        "write": [str(folder) for folder in own],
        # Not /dev/shm: it is all programs' own, and no rule tells one's files from another's.
        "device": list(DEVICES),
    }


def _without(path: str, hidden: set[str]) -> Iterator[str]:
    """Yield ``path``, or the parts of it that leave the hidden ones out: rules only ever add."""
    if path in hidden:
        return
    if not any(other.startswith(path + "/") and os.path.lexists(other) for other in hidden):
        yield path
        return
    with os.scandir(path) as entries:
        for entry in entries:
            yield from _without(entry.path, hidden)
