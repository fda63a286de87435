"""What each level of confinement means: how a sandbox of it is made, and what it may use."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.local_sandbox.bubblewrap import (
    ETC,
    TOOLS,
    namespace_arguments,
    python_prefixes,
    sandbox_uid,
)
from vibekit_jupyter.local_sandbox.landlock import landlock_paths
from vibekit_jupyter.local_sandbox.store import FOLDERS
from vibekit_jupyter.local_sandbox.supervisor.tree import make_path, open_folder, unlock
from vibekit_jupyter.settings.home import agents_folder, private_directory

__all__ = ["LEVELS", "Confinement", "Limits", "open_agents_folder", "write_stand_ins"]

LEVELS = ("bubblewrap", "landlock", "none")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSWD = (
    "root:x:0:0:root:/root:/bin/bash\n"
    "user:x:1000:1000:user:/home/user:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
GROUP = "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"
HOSTS = "127.0.0.1 localhost sandbox\n::1 localhost\n"
# There is no other user to become: what people write before a command is passed over.
SUDO = """#!/bin/bash
while [ $# -gt 0 ]; do
  case "$1" in
    -u|-g|-h|-p|-C|-T|-D|-R) shift 2 ;;
    --) shift; break ;;
    -*) shift ;;
    *=*) export "$1"; shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || exec /bin/bash
exec "$@"
"""


def _memory_mib() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)
    return max(1024, min(8192, total // 2))


@dataclass(frozen=True)
class Limits:
    """What one sandbox may use.

    Attributes
    ----------
    processes
        Processes and threads at once.
    memory_mib
        Memory of all its processes, and of each.
    disk_mib, file_mib
        Its files together, and each.
    files
        Their number.
    open_files
        Of each process; all together have sixteen times as many.
    """

    processes: int = 512
    memory_mib: int = field(default_factory=_memory_mib)
    disk_mib: int = 4096
    file_mib: int = 2048
    files: int = 250_000
    open_files: int = 4096


@dataclass(frozen=True)
class Confinement:
    """How this server confines.

    Attributes
    ----------
    level
        One of :data:`LEVELS`.
    reason
        Why it is no better one, in the probe's words.
    groups
        The control group in which the kernel lets sandboxes have theirs, or nothing: then what
        they hold is measured, and not bounded.
    agents
        The folder of the agents that the user installed for sandboxes, or nothing.
    """

    level: str
    reason: str
    store_root: Path
    limits: Limits
    binary: str = ""
    groups: str = ""
    agents: Path | None = None

    def plan(self, folder: Path) -> dict[str, Any]:
        """Return what the zygote needs to make a sandbox of ``folder``."""
        real = {seen: str(folder / name) for seen, name in FOLDERS.items()}
        self._own(folder)
        plan: dict[str, Any] = {
            "level": self.level,
            "limits": asdict(self.limits),
            "groups": self.groups,
            "real": {} if self.level == "bubblewrap" else real,
            "whole": False,
            "uid": sandbox_uid() if self.level == "bubblewrap" else None,
            "ports": [],
            "bubblewrap": [],
            "foreign": python_prefixes(),
            "environment": self._environment(real),
        }
        if self.level == "bubblewrap":
            boot_id = folder / "boot_id"
            boot_id.write_text(f"{uuid.uuid4()}\n")
            plan["bubblewrap"] = namespace_arguments(
                self.binary,
                folders={seen: folder / name for seen, name in FOLDERS.items()},
                etc=self.store_root / "etc",
                tools=self.store_root / "bin",
                boot_id=boot_id,
                hidden=[self.store_root],
                agents=self.agents,
            )
        elif self.level == "landlock":
            own = [folder / name for name in FOLDERS.values()]
            plan["paths"] = landlock_paths(
                own, self.store_root / "bin", self.store_root, self.agents
            )
        return plan

    def _own(self, folder: Path) -> None:
        """Make the folders the sandbox user's, with room for what is mounted below them.

        Whoever was in the sandbox before may have left anything there: links in the way, folders
        closed to itself.
        """
        uid = sandbox_uid() if self.level == "bubblewrap" else None
        mounted = python_prefixes() if self.level == "bubblewrap" else []
        above = open_folder(str(folder))
        try:
            for seen, name in FOLDERS.items():
                unlock(above, name)
                if uid is not None:
                    os.chown(name, uid, uid, dir_fd=above, follow_symlinks=False)
                for prefix in mounted:
                    if prefix.startswith(seen + "/"):
                        make_path(above, f"{name}{prefix.removeprefix(seen)}", uid)
        finally:
            os.close(above)

    def _environment(self, real: dict[str, str]) -> dict[str, str]:
        own, base = (f"{prefix}/bin" for prefix in (sys.prefix, sys.base_prefix))
        tools = TOOLS if self.level == "bubblewrap" else str(self.store_root / "bin")
        environment = {
            "PATH": ":".join(dict.fromkeys([own, tools, base, *SYSTEM_PATH.split(":")])),
            "LANG": "C.UTF-8",
        }
        if self.level != "bubblewrap":
            environment["TMPDIR"] = real["/tmp"]
        return environment


def open_agents_folder() -> Path | None:
    """Return the folder of this user's agents, made where it is not there.

    A sandbox that is there sees what is installed later, so that the folder is bound as a whole.
    A link in its place is not followed: it may lead anywhere.
    """
    with contextlib.suppress(ConfigurationError, OSError):
        folder = agents_folder()
        if folder.parent.is_dir():
            folder.mkdir(mode=0o755, exist_ok=True)
        if folder.is_dir() and not folder.is_symlink():
            return folder
    return None


def write_stand_ins(root: Path) -> None:
    """Write what stands in for ``/etc``, and the small tools, under ``root``.

    One folder with copies, and mounts for folders only, makes a sandbox in half the time.
    """
    etc, tools = private_directory(root / "etc"), private_directory(root / "bin")
    for folder in (etc, tools):
        folder.chmod(0o755)
    for name in ETC:
        stand_in(Path("/etc", name), etc / name)
    for name, text in {
        "passwd": PASSWD,
        "group": GROUP,
        "hosts": HOSTS,
        "hostname": "sandbox\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "resolv.conf": "",
        "profile": "",
        "bash.bashrc": "",
        "gitconfig": "[safe]\n\tdirectory = *\n",
        "machine-id": "",
    }.items():
        (etc / name).write_text(text)
        (etc / name).chmod(0o644)
    (tools / "sudo").write_text(SUDO)
    (tools / "sudo").chmod(0o755)


def stand_in(source: Path, destination: Path) -> None:
    """Copy a file of the machine, or make a folder that its own can be mounted on."""
    with contextlib.suppress(OSError):  # not on this machine, or not for this user
        if source.is_dir():
            destination.mkdir(parents=True, exist_ok=True)
        else:
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.unlink(missing_ok=True)
            destination.write_bytes(source.read_bytes())
