"""How much memory a value from a sandbox may take: half of what is free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vibekit_jupyter.workbench.data.refusals import too_large

__all__ = ["check_room", "room"]

CGROUP: Final = Path("/sys/fs/cgroup")
UNKNOWN: Final = 2_000_000_000  # bytes, where the system does not say


def room() -> int:
    """Return how many bytes a value may take."""
    return min(_free_memory(), _free_of_cgroup()) // 2


def check_room(what: str, size: int) -> None:
    """Refuse what would take more memory than there is room for, naming both sizes.

    Raises
    ------
    DataError
        It would.
    """
    if size > (limit := room()):
        raise too_large(what, size, "in this kernel's memory there is room for", limit)


def _free_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        told = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(told.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError):
        return UNKNOWN


def _free_of_cgroup() -> int:
    """Return what is left of a container's memory."""
    try:
        limit = int((CGROUP / "memory.max").read_text())
        return max(0, limit - int((CGROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        return 1 << 62
