"""The processor's share of sandboxes, where the kernel divides it by session first.

With ``sched_autogroup_enabled`` a process steps back behind others of its own session alone, and
each ``setsid`` begins a new one. A session's own niceness stands in ``/proc/PID/autogroup``, which
is closed to who is inside a sandbox.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from vibekit_jupyter.local_sandbox.supervisor.processes import NICENESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vibekit_jupyter.local_sandbox.supervisor.proc import Process

__all__ = ["divided_by_session", "step_sessions_back"]


def divided_by_session() -> bool:
    """Whether the kernel divides the processor's time by session."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/sched_autogroup_enabled") as file:
        return file.read().strip() == "1"
    return False


def step_sessions_back(processes: Iterable[Process]) -> None:
    """Let the sessions of some processes stand back behind others, as far as is permitted now.

    An ordinary user may change ten a second; the rest has its turn at the next call.
    """
    done: set[bytes] = set()
    for process in processes:
        try:
            _step_back(process.pid, done)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            continue  # it ended, or is somebody else's by now


def _step_back(pid: int, done: set[bytes]) -> None:
    with open(f"/proc/{pid}/autogroup", "r+b", buffering=0) as file:
        session, _nice, niceness = file.read(100).split()
        if session not in done and int(niceness) < NICENESS:
            file.write(str(NICENESS).encode())
            done.add(session)
