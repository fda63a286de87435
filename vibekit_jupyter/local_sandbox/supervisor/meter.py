"""Measures a sandbox against its limits, for what the kernel does not count as it happens."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.supervisor import ipc, tree
from vibekit_jupyter.local_sandbox.supervisor.holdings import SHARED_MEMORY, Holdings
from vibekit_jupyter.local_sandbox.supervisor.usage import DiskUsage

if TYPE_CHECKING:
    from vibekit_jupyter.local_sandbox.supervisor.proc import Process

__all__ = ["Meter"]

MIB = 1024 * 1024
# Seconds between two looks: at least; and where looking takes long or nothing runs, at most.
INTERVAL, SELDOM = 0.5, 2.0
# Looking takes a twentieth of the time, and no more at once than others wait for.
SHARE = 20
SLICE = 0.02
TICK = 0.05
# What all processes together have open, in times of what one may have.
MOST_OPEN = 16
MOST_ON_THEIR_WAY = 64
MOST_WATCHED = 65_536


class Meter:
    """Measures a sandbox against its limits.

    Parameters
    ----------
    limits
        ``processes`` (number), ``memory_mib`` (of all its processes), ``disk_mib`` (of its
        folders), ``files`` (their number), ``open_files`` (of one process).
    folders
        The sandbox's own folders.
    foreign
        What is not its own although it appears below them: a Python under ``/root``, say.
    counted
        The kernel itself holds it to its number of processes.
    own_memory
        Shared memory, and System V's, are the sandbox's own.
    """

    def __init__(
        self,
        limits: dict[str, int],
        folders: list[str],
        foreign: list[str],
        *,
        counted: bool,
        own_memory: bool,
    ) -> None:
        self.limits = limits
        self.counted = counted
        self.own_memory = own_memory
        self.disk = DiskUsage(
            folders, foreign, most_files=limits["files"], most_bytes=limits["disk_mib"] * MIB
        )
        self._shared_memory = os.stat(SHARED_MEMORY).st_dev if own_memory else -1
        self._above_shared_memory = tree.open_above(SHARED_MEMORY) if own_memory else None
        self._changed_at = float("-inf")
        self._look_due = 0.0
        self._ran: set[tuple[int, int]] = set()

    # -- when to look --------------------------------------------------------------------------

    def note_change(self) -> None:
        """Take it that the sandbox may hold more from now on."""
        self._changed_at = time.monotonic()

    @property
    def settled(self) -> bool:
        """Whether all was measured since something last could change."""
        return self.disk.measured_at >= self._changed_at and not self.disk.measuring

    def patience(self) -> float:
        """Return for how many seconds nothing needs to be measured."""
        if self.disk.measuring:
            # Where the kernel counts nobody's processes, this one runs before all others: it waits
            # between two slices, so that they go on.
            return 0.0 if self.counted else TICK
        return max(0.0, self._look_due - time.monotonic())

    def is_due(self) -> bool:
        """Whether it is time for the next look."""
        return time.monotonic() >= self._look_due

    # -- what is held --------------------------------------------------------------------------

    def exceeded(self, processes: list[Process]) -> tuple[str, list[Process]]:
        """Return which limit is exceeded now, in a sentence, or nothing; and who hides.

        Whoever lets nobody see what it holds cannot be held to a limit.
        """
        began = time.monotonic()
        self._look_due = began + INTERVAL  # also of a look that fails
        # What each of too many holds would take longer to look at than they need to double.
        if sum(process.tasks for process in processes) > self.limits["processes"]:
            return self.over_processes, []
        holdings = self._holdings(processes)
        reason = self._reason(processes, holdings)
        took = time.monotonic() - began
        ran = {(process.pid, process.cpu_ticks) for process in processes}
        quiet, self._ran = ran == self._ran, ran
        self._look_due = began + (SELDOM if quiet else min(max(INTERVAL, took * SHARE), SELDOM))
        if self.disk.is_due and not self.disk.measuring:
            self.disk.measure(SLICE)
        return reason and _killed(reason), holdings.hidden

    @property
    def over_processes(self) -> str:
        """The sentence that tells of too many processes."""
        return _killed(f"more than {self.limits['processes']} processes")

    @property
    def over_memory(self) -> str:
        """The sentence that tells of too much memory."""
        return _killed(f"more than {self.limits['memory_mib']} MiB of memory")

    def _holdings(self, processes: list[Process]) -> Holdings:
        holdings = Holdings(self.limits["open_files"] * MOST_OPEN, self._shared_memory)
        for process in processes:
            holdings.add(process)
        return holdings

    def _reason(self, processes: list[Process], holdings: Holdings) -> str:
        limits, listed = self.limits, self._listed()
        for held, most, what in (
            (holdings.open_files, holdings.most_open, "open files"),
            (holdings.on_their_way, MOST_ON_THEIR_WAY, "files sent and not received"),
            (holdings.watched, MOST_WATCHED, "files waited for"),
            (max(self.disk.files, listed.entries), limits["files"], "files"),
        ):
            if held > most:
                return f"more than {most} {what}"
        if self._memory(processes, holdings, listed.bytes) > limits["memory_mib"] * MIB:
            return f"more than {limits['memory_mib']} MiB of memory"
        if self.disk.bytes + holdings.disk > limits["disk_mib"] * MIB:
            return f"more than {limits['disk_mib']} MiB on disk"
        if self.disk.keeps_moving:
            return "folders that move too fast to be measured"
        return ""

    def _memory(self, processes: list[Process], holdings: Holdings, listed: int) -> int:
        """Return the bytes of memory that are held; exactly only where it matters."""
        beside = holdings.memory + listed
        if self.own_memory:
            beside += ipc.held_bytes()
        if holdings.mapped + beside <= self.limits["memory_mib"] * MIB:
            return holdings.mapped + beside
        segments = ipc.segments() if self.own_memory else []
        return beside + sum(holdings.proportional_bytes(process, segments) for process in processes)

    def _listed(self) -> tree.Usage:
        """Return what is held in memory under a name."""
        if self._above_shared_memory is None:
            return tree.Usage(0, 0)
        return tree.measure(*self._above_shared_memory, most=self.limits["files"])

    def forget_shared_memory(self) -> None:
        """Remove what is held in memory without a process that holds it."""
        if self._above_shared_memory is not None:
            ipc.remove_all()
            with contextlib.suppress(OSError):
                tree.clear(*self._above_shared_memory)

    def refusal(self, *, fresh: bool = False) -> str:
        """Return why nothing may be added to the sandbox's disk, or nothing.

        ``fresh`` asks for a new measure, where it is time for one.
        """
        if self.disk.is_full or (fresh and not self.settled and self.disk.is_due):
            self.disk.measure()
        if self.disk.bytes > self.disk.most_bytes:
            return f"the sandbox's disk limit of {self.limits['disk_mib']} MiB is reached"
        if self.disk.is_full:
            return f"the sandbox's limit of {self.limits['files']} files is reached"
        return ""

    def measure(self, processes: list[Process]) -> dict[str, Any]:
        """Return ``memory`` and ``disk`` in bytes, ``cpu`` in seconds, ``processes``."""
        if self.disk.measuring or self.disk.is_due:
            self.disk.measure()
        holdings = self._holdings(processes)
        return {
            "memory": self._memory(processes, holdings, self._listed().bytes),
            "disk": self.disk.bytes + holdings.disk,
            "cpu": sum(process.cpu_seconds for process in processes),
            "processes": len(processes),
        }


def _killed(reason: str) -> str:
    return f"killed: {reason}, the sandbox's limit"
