"""What the kernel itself holds a sandbox to."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

__all__ = [
    "go_first",
    "run_before_others",
    "run_children_like_others",
    "set_limits",
]

MIB = 1024 * 1024
# These are counted for the user, on the whole machine: a sandbox takes a part.
LOCKED_BYTES = 8 * MIB
QUEUED_BYTES = 100 * 1024
QUEUED_SIGNALS = 4096
# Who has too many processes is noticed and ended before this user's other sandboxes miss one.
SPARE_PROCESSES = 256


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


_ON_LINUX = (
    (
        (resource.RLIMIT_MSGQUEUE, QUEUED_BYTES),
        (resource.RLIMIT_SIGPENDING, QUEUED_SIGNALS),
        # None may take back that it stands behind others.
        (resource.RLIMIT_NICE, 0),
        (resource.RLIMIT_RTPRIO, 0),
    )
    if sys.platform == "linux"
    else ()
)


def set_limits(limits: dict[str, int], *, own_users: bool) -> None:
    """Set the kernel's limits on this process and all it starts; they cannot be raised again.

    ``own_users`` says that the sandbox has a user namespace of its own. Without one the kernel
    counts all tasks of the user on this machine, so that those of today are added.
    """
    processes = limits["processes"]
    if not own_users:
        processes += _tasks_of_user() + SPARE_PROCESSES
    for what, wanted in (
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_FSIZE, limits["file_mib"] * MIB),
        (resource.RLIMIT_DATA, limits["memory_mib"] * MIB),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, LOCKED_BYTES),
        *_ON_LINUX,
    ):
        _soft, hard = resource.getrlimit(what)
        amount = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (amount, amount))


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
