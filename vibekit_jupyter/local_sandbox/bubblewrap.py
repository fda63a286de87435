"""The namespaces of one sandbox, as a command line for bubblewrap.

What the sandbox sees is listed here and nowhere else: whatever is not bound does not exist.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vibekit_jupyter.settings.home import AGENTS_SEEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["namespace_arguments", "python_prefixes", "sandbox_uid"]

UID = 1000
# Nobody's, on any system: above what people and services get, below what containers map.
ROOTS_SANDBOX_UID = 64_646
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
# Named one by one: /etc as a whole holds secrets that the server's user may read.
ETC = (
    *("alternatives", "ca-certificates", "crypto-policies", "debian_version", "fonts", "gai.conf"),
    *("inputrc", "java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic"),
    *("mime.types", "os-release", "pki", "protocols", "services", "ssl/certs", "ssl/openssl.cnf"),
    *("terminfo", "timezone"),
)
# Under the prefix of a Python, these may hold tokens.
SECRETS_OF_PREFIX = ("etc", "share/jupyter/runtime")
SECRET_FILES_OF_PREFIX = ("pip.conf", ".condarc", "condarc", "conda-meta/state", ".netrc")
SHM_BYTES = 256 * 1024 * 1024


def python_prefixes() -> list[str]:
    """Return the folders of this Python and its packages that a sandbox may read.

    Never a folder that is, or contains, the user's home: only what lies deeper counts as a
    Python's own.
    """
    home = os.path.realpath(Path.home())
    found: list[str] = []
    for prefix in (sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix):
        for path in (prefix, os.path.realpath(prefix)):
            contains_home = home == path or home.startswith(path.rstrip("/") + "/")
            if path not in found and not contains_home and not _in_system(path):
                found.append(path)
    return found


def _in_system(path: str) -> bool:
    return path == "/" or any(path == top or path.startswith(top + "/") for top in SYSTEM)


def namespace_arguments(
    binary: str,
    *,
    folders: dict[str, Path],
    etc: Path,
    tools: Path,
    boot_id: Path,
    hidden: Iterable[Path],
    agents: Path | None = None,
) -> list[str]:
    """Return the command that makes one sandbox's namespaces, up to the program to run.

    Parameters
    ----------
    binary
        bubblewrap.
    folders
        The sandbox's own writable folders, by the path it sees.
    etc
        Folder that stands in for the machine's ``/etc``.
    tools
        Folder of small programs put first in ``PATH``.
    boot_id
        File that stands in for the kernel's boot id: a new one for each cold start.
    hidden
        Folders of the machine that stay empty even where something bound contains them.
    agents
        Folder of the programs that people installed for sandboxes; what is added shows.
    """
    command = [binary, "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--unshare-net", "--hostname", "sandbox"]
    if sandbox_uid() is None:
        command += ["--unshare-user", "--uid", str(UID), "--gid", str(UID)]
    command += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += _system()
    shown = (*folders, TOOLS, AGENTS_SEEN, "/sys/devices/system/cpu")
    for parent in _parents((*shown, *python_prefixes(), "/var/tmp", "/run/x"), tuple(folders)):
        command += ["--perms", "0755", "--dir", parent]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--ro-bind", str(boot_id), "/proc/sys/kernel/random/boot_id"]
    command += ["--perms", "1777", "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm"]
    # bubblewrap mounts a file system in memory there, as large as half of the machine's.
    command += ["--remount-ro", "/dev"]
    for seen, real in folders.items():
        command += ["--bind", str(real), seen]
    command += ["--ro-bind", str(etc), "/etc"]
    for name in ETC:
        if (etc / name).is_dir():
            command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    command += ["--ro-bind", str(tools), TOOLS]
    if agents is not None:
        command += ["--ro-bind", str(agents), AGENTS_SEEN]
    for name in ("cpu", "node"):
        path = f"/sys/devices/system/{name}"
        command += ["--ro-bind-try", path, path]
    for prefix in python_prefixes():
        command += ["--ro-bind", prefix, prefix, *_masks(prefix)]
    for folder in hidden:
        if any(str(folder).startswith(prefix + "/") for prefix in (*python_prefixes(), *SYSTEM)):
            command += _empty(str(folder))
    command += ["--symlink", "/tmp", "/var/tmp", "--dir", "/run", "--remount-ro", "/"]
    return command


TOOLS = "/opt/sandbox/bin"


def sandbox_uid() -> int | None:
    """Return who sandboxes are on this machine where its root runs the server, else nobody."""
    return ROOTS_SANDBOX_UID if os.geteuid() == 0 else None


def _parents(paths: Iterable[str], folders: tuple[str, ...]) -> list[str]:
    """Return the folders above ``paths`` that must be made, above before below."""
    found: dict[str, None] = {}
    for path in paths:
        above = [str(parent) for parent in reversed(Path(path).parents)][1:]
        found |= dict.fromkeys(
            parent
            for parent in above
            if not _in_system(parent)
            and not any(parent == folder or parent.startswith(folder + "/") for folder in folders)
        )
    return list(found)


def _system() -> Iterator[str]:
    for path in SYSTEM:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            yield from ("--ro-bind", path, path)


def _empty(path: str) -> list[str]:
    """Return what covers a folder with an empty one that nobody can fill."""
    return ["--tmpfs", path, "--remount-ro", path]


def _masks(prefix: str) -> Iterator[str]:
    for name in SECRETS_OF_PREFIX:
        if os.path.isdir(f"{prefix}/{name}"):
            yield from _empty(f"{prefix}/{name}")
    for name in SECRET_FILES_OF_PREFIX:
        if os.path.isfile(f"{prefix}/{name}"):
            yield from ("--ro-bind", "/dev/null", f"{prefix}/{name}")
