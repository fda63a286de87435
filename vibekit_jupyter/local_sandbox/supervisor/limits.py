"""What one sandbox may use, and how it is noticed that it uses more."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from typing import Any

__all__ = [
    "Meter",
    "go_first",
    "run_before_others",
    "run_children_like_others",
    "set_limits",
]

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024
# Seconds between two looks at a sandbox.
INTERVAL = 0.5


def go_first() -> None:
    """Where the machine's memory ends, let the kernel end this process and its children first.

    Somebody's notebook stands in the same memory, and its kernel may well be larger.
    """
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("900")


def run_before_others() -> None:
    """Have the processor whenever it is needed: a fork bomb would leave none to who counts it."""
    with contextlib.suppress(AttributeError, OSError):  # not on Linux; not permitted
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def run_children_like_others() -> None:
    """Keep :func:`run_before_others` from what this thread starts."""
    with contextlib.suppress(AttributeError, OSError):
        policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, priority)


def set_limits(limits: dict[str, int], *, own_users: bool) -> None:
    """Set the kernel's limits on this process and all it starts; they cannot be raised again.

    ``own_users`` says that the sandbox has a user namespace of its own. Without one the kernel
    counts all tasks of the user on this machine, so that those of today are added.
    """
    processes = limits["processes"] + (0 if own_users else _tasks_of_user())
    for what, wanted in (
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_FSIZE, limits["file_mib"] * MIB),
        (resource.RLIMIT_DATA, limits["memory_mib"] * MIB),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(what)
        amount = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (amount, amount))


class Meter:
    """Measures a sandbox against its limits.

    Parameters
    ----------
    limits
        ``processes`` (number), ``memory_mib`` (of all its processes), ``disk_mib`` (of its
        folders), ``file_mib`` (of one file), ``open_files`` (of one process).
    folders
        The sandbox's own folders.
    foreign
        What is not its own although it appears below them: a Python under ``/root``, say.
    counted
        The kernel itself holds it to its number of processes.
    """

    def __init__(
        self, limits: dict[str, int], folders: list[str], foreign: list[str], *, counted: bool
    ) -> None:
        self.limits = limits
        self.folders = folders
        self.foreign = frozenset(foreign)
        self.counted = counted
        self._disk = 0
        self._disk_due = 0.0
        self._look_due = 0.0
        self._tasks = 0

    def disk_bytes(self) -> int:
        """Return what the folders hold; measured seldom where that takes long."""
        now = time.monotonic()
        if now >= self._disk_due:
            self._disk = sum(self._folder_bytes(folder) for folder in self.folders)
            self._disk_due = time.monotonic() + 20 * (time.monotonic() - now)
        return self._disk

    def _folder_bytes(self, folder: str) -> int:
        total, queue = 0, [folder]
        while queue:
            try:
                with os.scandir(queue.pop()) as entries:
                    for entry in entries:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False) and entry.path not in self.foreign:
                            queue.append(entry.path)
            except OSError:
                continue
        return total

    def refusal(self) -> str:
        """Return why nothing may be added to the sandbox's disk, or nothing."""
        if self._disk > self.limits["disk_mib"] * MIB:
            self._disk_due = 0.0
            if self.disk_bytes() > self.limits["disk_mib"] * MIB:
                return f"the sandbox's disk limit of {self.limits['disk_mib']} MiB is reached"
        return ""

    def is_due(self) -> bool:
        """Whether it is time for the next look."""
        return time.monotonic() >= self._look_due

    def sees_a_leap(self) -> bool:
        """Whether processes multiply on this machine, and may be the sandbox's, uncounted."""
        if self.counted:
            return False
        return _tasks_of_machine() >= self._tasks + self.limits["processes"] // 4

    def exceeded(self, descendants: list[int]) -> str:
        """Return which limit its processes exceed now, in a sentence, or nothing."""
        self._look_due, self._tasks = time.monotonic() + INTERVAL, _tasks_of_machine()
        if len(descendants) > self.limits["processes"]:
            return f"killed: more than {self.limits['processes']} processes, the sandbox's limit"
        if sum(map(_resident_bytes, descendants)) > self.limits["memory_mib"] * MIB:
            return (
                f"killed: more than {self.limits['memory_mib']} MiB of memory, the sandbox's limit"
            )
        if self.disk_bytes() > self.limits["disk_mib"] * MIB:
            return f"killed: more than {self.limits['disk_mib']} MiB on disk, the sandbox's limit"
        return ""

    def measure(self, pids: list[int]) -> dict[str, Any]:
        """Return ``memory`` and ``disk`` in bytes, ``cpu`` in seconds, ``processes``."""
        return {
            "memory": sum(map(_resident_bytes, pids)),
            "disk": self.disk_bytes(),
            "cpu": sum(map(_cpu_seconds, pids)),
            "processes": len(pids),
        }


def _tasks_of_machine() -> int:
    try:
        with open("/proc/loadavg", "rb") as file:
            return int(file.read().split()[3].partition(b"/")[2])
    except (OSError, IndexError, ValueError):
        return 0


def _tasks_of_user() -> int:
    uid, total = os.getuid(), 0
    if not os.path.isdir("/proc"):
        return resource.getrlimit(resource.RLIMIT_NPROC)[0]
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                total += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue  # it ended, or belongs to somebody else
    return total


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            fields = file.read().split()
        return (int(fields[1]) - int(fields[2])) * PAGE  # resident, without shared file pages
    except (OSError, IndexError):
        return 0


def _cpu_seconds(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    except (OSError, IndexError):
        return 0.0
