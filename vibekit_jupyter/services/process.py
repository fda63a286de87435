"""Which process is meant: a pid alone may be somebody else's by now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vibekit_jupyter.settings.home import host_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["boot_id", "ended_mark", "is_running", "own_mark", "start_time", "was_running"]


def boot_id() -> str:
    """Return what tells this boot of the machine from others; empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; empty where that is unknown."""
    return _fields(pid)[19]


def is_running(pid: int, started: str, boot: str) -> bool:
    """Whether the process that was recorded so is still running, and no zombie."""
    if boot != boot_id():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    fields = _fields(pid)
    return fields[19] == started and fields[0] not in {"Z", "X"}


def _fields(pid: int) -> Sequence[str]:
    """Return what ``/proc`` says of a process from its state on; empty texts off Linux."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [""] * 20
    # The name, in parentheses, may hold anything.
    return stat.rpartition(")")[2].split()


def own_mark() -> str:
    """Return what tells this process from every other one, now and later."""
    pid = os.getpid()
    return f"{host_name()} {pid} {start_time(pid)} {boot_id()}"


def ended_mark() -> str:
    """Return the mark of a process that is no more: what it left running is to be ended."""
    return f"{host_name()} 0 0 ended"


def was_running(mark: str) -> bool | None:
    """Whether the process of this mark is still running; None where it is another host's."""
    host, pid, started, boot = (*mark.split(" "), "", "", "", "")[:4]
    return is_running(int(pid or 0), started, boot) if host == host_name() else None
