"""What the system tells of processes: which there are, below whom, and whether they run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import NamedTuple

__all__ = [
    "Process",
    "children_of",
    "descendants_of",
    "environment_of",
    "is_running",
]

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
ENDED, STOPPED = b"ZX", b"TtZX"
# In /proc/PID/stat, counted from what follows the name.
STATE, PARENT, USER_TICKS, SYSTEM_TICKS, TASKS = 0, 1, 11, 12, 17


class Process(NamedTuple):
    """A process.

    Attributes
    ----------
    tasks
        How many threads it has.
    folder
        Where ``/proc`` tells what it holds: its first thread may end before it, and then nothing
        is told under the process's own number.
    """

    pid: int
    tasks: int
    folder: str
    cpu_ticks: int = 0

    @property
    def cpu_seconds(self) -> float:
        """How long its threads had a processor."""
        return self.cpu_ticks / TICKS_A_SECOND


def children_of(pid: int) -> list[Process]:
    """Return the living children of a process."""
    return _children().get(pid, [])


def descendants_of(pid: int) -> list[Process]:
    """Return all living processes below a process."""
    children = _children()
    found = list(children.get(pid, ()))
    for process in found:  # which grows meanwhile
        found += children.get(process.pid, ())
    return found


def _children() -> dict[int, list[Process]]:
    if sys.platform != "linux":
        return _children_by_ps()
    children: dict[int, list[Process]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            folder = f"/proc/{name}"
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = _stat(folder)
                parent, tasks = int(fields[PARENT]), int(fields[TASKS])
                if fields[STATE] in ENDED:
                    if tasks < 2:
                        continue
                    folder = _living_thread(folder)
                ticks = int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])
                children.setdefault(parent, []).append(Process(int(name), tasks, folder, ticks))
    return children


def _living_thread(folder: str) -> str:
    for thread in os.listdir(f"{folder}/task"):
        with contextlib.suppress(OSError):
            if _stat(f"{folder}/task/{thread}")[STATE] not in ENDED:
                return f"{folder}/task/{thread}"
    return folder


def _children_by_ps() -> dict[int, list[Process]]:
    shown = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=False
    )
    children: dict[int, list[Process]] = {}
    for line in shown.stdout.splitlines():
        pid, parent, state = line.split()[:3]
        if not state.startswith("Z"):
            children.setdefault(int(parent), []).append(Process(int(pid), 1, f"/proc/{pid}"))
    return children


def _stat(folder: str) -> list[bytes]:
    with open(f"{folder}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def is_running(process: Process) -> bool:
    """Whether it is neither stopped nor at its end."""
    try:
        return _stat(process.folder)[STATE] not in STOPPED
    except (OSError, IndexError):
        return False


def environment_of(process: Process) -> list[bytes]:
    """Return what stands in the environment that it was started with."""
    try:
        with open(f"{process.folder}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
