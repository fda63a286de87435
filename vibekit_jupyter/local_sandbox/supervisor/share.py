"""The processor's share of sandboxes, where the kernel divides it by session first.

With ``sched_autogroup_enabled`` a process steps back behind others of its own session alone, and
each ``setsid`` begins a new one. A session's own niceness stands in ``/proc/PID/autogroup``, which
is closed to who is inside a sandbox.
"""

from __future__ import annotations

import contextlib
import os

from vibekit_jupyter.local_sandbox.supervisor.processes import NICENESS

__all__ = ["divided_by_session", "step_sessions_back"]


def divided_by_session() -> bool:
    """Whether the kernel divides the processor's time by session."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/sched_autogroup_enabled") as file:
        return file.read().strip() == "1"
    return False


def step_sessions_back(zygote: int) -> None:
    """Let the sessions in all sandboxes stand back behind others, as far as is permitted now.

    An ordinary user may change ten a second; the rest has its turn at the next call. The
    supervisors, the zygote's children, stay where they are.
    """
    done: set[bytes] = set()
    below = [pid for supervisor in _children(zygote) for pid in _children(supervisor)]
    for pid in below:  # which grows meanwhile
        try:
            _step_back(pid, done)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            continue  # it ended, or is somebody else's by now
        below += _children(pid)


def _children(pid: int) -> list[int]:
    """Return a process's children, for little: one may be missed that others end before."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    return found


def _step_back(pid: int, done: set[bytes]) -> None:
    with open(f"/proc/{pid}/autogroup", "r+b", buffering=0) as file:
        session, _nice, niceness = file.read(100).split()
        if session not in done and int(niceness) < NICENESS:
            file.write(str(NICENESS).encode())
            done.add(session)
