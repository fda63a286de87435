"""System V's shared memory, semaphores and queues: they outlive the processes that made them.

Only for a sandbox with an IPC namespace of its own: elsewhere these are the whole machine's.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING

from vibekit_jupyter.local_sandbox.supervisor.holdings import MEMORY_DEVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["held_bytes", "remove_all", "segments"]

IPC_RMID = 0
SEMAPHORE_BYTES = 64
MESSAGE_BYTES = 64
_libc = ctypes.CDLL(None, use_errno=True)


def segments() -> list[tuple[int, int]]:
    """Return the shared memory, as a mapping of it is told: by device and inode."""
    return [(MEMORY_DEVICE, row["shmid"]) for row in _rows("shm")]


def held_bytes() -> int:
    """Return how much memory all of it takes."""
    shared = sum(row["rss"] + row["swap"] for row in _rows("shm"))
    queued = sum(row["cbytes"] + row["qnum"] * MESSAGE_BYTES for row in _rows("msg"))
    return shared + queued + sum(row["nsems"] * SEMAPHORE_BYTES for row in _rows("sem"))


def remove_all() -> None:
    """Remove all of it."""
    for row in _rows("shm"):
        _libc.shmctl(row["shmid"], IPC_RMID, None)
    for row in _rows("msg"):
        _libc.msgctl(row["msqid"], IPC_RMID, None)
    for row in _rows("sem"):
        _libc.semctl(row["semid"], 0, IPC_RMID)


def _rows(kind: str) -> Iterator[dict[str, int]]:
    with contextlib.suppress(OSError), open(f"/proc/sysvipc/{kind}", "rb") as file:
        names = file.readline().decode().split()
        for line in file:
            # Permissions are octal, and told as such: of no interest here.
            yield dict(zip(names, map(int, line.split()), strict=True))
