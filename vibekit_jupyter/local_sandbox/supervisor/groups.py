"""A control group for each sandbox, where the kernel leaves this user a part of the tree.

Then the kernel itself bounds memory and processes, shares out the processor, and stops all at one
moment. https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import contextlib
import os
import time

__all__ = ["Group", "delegated_group", "leave_group", "make_group"]

NEEDED = {"memory", "pids"}
PREFIX = "vibekit-"
# The supervisor measures, and so can name a limit: the kernel comes after it.
ROOM_FOR_SUPERVISOR = 8
# Of what others have: the default weight is 100.
WEIGHT = 10
MOST_ROUNDS = 50
SECONDS_TO_STOP = 2.0


def delegated_group() -> str:
    """Return the nearest group above this process in which bounded ones can be made, or nothing."""
    try:
        with open("/proc/self/cgroup") as file:
            (own,) = (line[3:].rstrip("\n") for line in file if line.startswith("0::"))
        with open("/proc/self/mountinfo") as file:
            mounts = [line.split() for line in file if " - cgroup2 " in line]
        top = next(fields[4] for fields in mounts if fields[3] == "/")
    except (OSError, ValueError, StopIteration):
        return ""
    group = f"{top.rstrip('/')}{own}".rstrip("/")
    while group.startswith(top) and os.access(f"{group}/cgroup.procs", os.W_OK):
        if set(_read(f"{group}/cgroup.subtree_control").split()) >= NEEDED:
            return group if _works(group) else ""
        group = os.path.dirname(group)
    return ""


def _works(parent: str) -> bool:
    """Find out by doing."""
    for name in os.listdir(parent):
        pid = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(PREFIX) and not os.path.exists(f"/proc/{pid}"):
            leave_group(f"{parent}/{name}")  # of a server that was killed
    try:
        group = make_group(parent, "probe", {"memory_mib": 64, "processes": 16})
    except OSError:
        return False
    return leave_group(group)


def make_group(parent: str, sandbox: str, limits: dict[str, int]) -> str:
    """Make a sandbox's group; return its folder.

    Raises
    ------
    OSError
        The kernel does not let us.
    """
    group = f"{parent}/{PREFIX}{os.getpid()}-{sandbox}"
    os.mkdir(group)
    try:
        memory = limits["memory_mib"] * 1024 * 1024
        _write(f"{group}/memory.max", str(memory + memory // 8))
        with contextlib.suppress(OSError):  # there is no swap
            _write(f"{group}/memory.swap.max", "0")
        _write(f"{group}/pids.max", str(limits["processes"] + ROOM_FOR_SUPERVISOR))
        with contextlib.suppress(OSError):  # the processor is not shared out by group here
            _write(f"{group}/cpu.weight", str(WEIGHT))
        # Who is stopped has a group of its own, without the supervisor.
        os.mkdir(f"{group}/stopped")
    except OSError:
        leave_group(group)
        raise
    return group


def leave_group(group: str) -> bool:
    """Kill what is left in a group, and remove it; return whether it is gone."""
    with contextlib.suppress(OSError):
        _write(f"{group}/cgroup.kill", "1")
    for folder in (f"{group}/stopped", group):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return not os.path.exists(group)


class Group:
    """The group of the sandbox that this process supervises, entered before it is confined.

    What is opened here is all that it can do with groups later.
    """

    def __init__(self, group: str) -> None:
        _write(f"{group}/cgroup.procs", "0")
        self._members = os.open(f"{group}/cgroup.procs", os.O_RDWR | os.O_CLOEXEC)
        self._stopped = os.open(f"{group}/stopped/cgroup.procs", os.O_RDWR | os.O_CLOEXEC)
        self._freeze = os.open(f"{group}/stopped/cgroup.freeze", os.O_WRONLY | os.O_CLOEXEC)
        self._events = os.open(f"{group}/stopped/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        self._memory_events = os.open(f"{group}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
        self._kills = 0

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed for its memory since this was last asked."""
        try:
            fields = os.pread(self._memory_events, 4096, 0).split()
            kills = int(fields[fields.index(b"oom_kill") + 1])
        except (OSError, ValueError, IndexError):  # somebody has removed the group
            return False
        before, self._kills = self._kills, kills
        return kills > before

    def stop_all(self) -> bool:
        """Stop all processes but this one, at one moment; return whether they stand still."""
        try:
            for _round in range(MOST_ROUNDS):
                others = self._others()
                if not others:
                    break
                for pid in others:
                    with contextlib.suppress(ProcessLookupError):
                        os.write(self._stopped, pid)
            else:
                return False
            os.write(self._freeze, b"1")
            for _look in range(int(SECONDS_TO_STOP / 0.001)):
                if b"frozen 1" in os.pread(self._events, 4096, 0):
                    return True
                time.sleep(0.001)
        except OSError:
            pass  # the kernel is too old to let who is confined do that
        return False

    def continue_all(self) -> None:
        """Let all processes go on."""
        with contextlib.suppress(OSError):
            os.write(self._freeze, b"0")

    def _others(self) -> list[bytes]:
        own = str(os.getpid()).encode()
        return [
            pid for pid in os.pread(self._members, 1 << 20, 0).split() if pid not in {own, b"0"}
        ]


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path) as file:
        return file.read()
    return ""


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
