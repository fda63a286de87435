"""Counts a sandbox's processes where the kernel does not count them apart from others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from vibekit_jupyter.local_sandbox.supervisor.processes import Processes

__all__ = ["Headcount"]

# Seconds between two looks at how many tasks there are on this machine.
TICK = 0.05


class Headcount:
    """Kills all processes of a sandbox at once when there are too many.

    The supervisor's own look can take long: who reads what a process maps waits until that process
    has forked, and it is the last to get a processor where a fork bomb bursts.

    Parameters
    ----------
    processes
        The sandbox's processes.
    most
        How many tasks there may be.

    Attributes
    ----------
    exceeded
        Whether all were killed, and nobody was told yet.
    """

    def __init__(self, processes: Processes, most: int) -> None:
        self.exceeded = False
        self._processes = processes
        self._most = most
        self._before = _tasks_of_machine()

    def keep(self, supervising: threading.Thread) -> None:
        """Count whenever tasks multiply on this machine, until the supervisor ends."""
        while supervising.is_alive():
            supervising.join(TICK)
            while self._tasks_multiply():
                with contextlib.suppress(OSError):  # of one look: the next one may do
                    self._count()

    def _tasks_multiply(self) -> bool:
        now = _tasks_of_machine()
        multiply = now >= self._before + self._most // 4
        self._before = now if multiply else min(self._before, now)
        return multiply

    def _count(self) -> None:
        if sum(process.tasks for process in self._processes.descendants()) > self._most:
            self._processes.kill_all()
            self.exceeded = True


def _tasks_of_machine() -> int:
    try:
        with open("/proc/loadavg", "rb") as file:
            return int(file.read().split()[3].partition(b"/")[2])
    except (OSError, IndexError, ValueError):
        return 0
