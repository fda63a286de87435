"""How much the folders of a sandbox hold, measured a little at a time."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from vibekit_jupyter.local_sandbox.supervisor import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DiskUsage"]

# Measuring takes a fiftieth of the time, and a third where the disk fills meanwhile.
SELDOM, AT_ONCE = 50, 3
LONGEST = 10.0
MOST_TORN = 10


class DiskUsage:
    """Folders that are measured again and again: seldom, where that takes long.

    Parameters
    ----------
    folders
        Whose content is measured.
    foreign
        Folders below them that are not theirs.
    most_files, most_bytes
        What the folders may hold.

    Attributes
    ----------
    bytes, files
        What they held at the last measure.
    measured_at
        When that began.
    """

    def __init__(
        self, folders: list[str], foreign: list[str], *, most_files: int, most_bytes: int
    ) -> None:
        self.folders = folders
        self.foreign = frozenset(_identities(foreign))
        self.most_files = most_files
        self.most_bytes = most_bytes
        self.bytes = 0
        self.files = 0
        self.measured_at = float("-inf")
        self._above = [tree.open_above(folder) for folder in folders]
        self._tally = tree.Tally()
        self._steps: Iterator[None] | None = None
        self._began = 0.0
        self._took = 0.0
        self._ended = float("-inf")
        self._free = 0
        self._torn = 0

    @property
    def measuring(self) -> bool:
        """Whether a measure has begun, and not ended."""
        return self._steps is not None

    @property
    def is_due(self) -> bool:
        """Whether it is time to measure."""
        passed = time.monotonic() - self._ended
        if passed >= min(self._took * SELDOM, LONGEST):
            return True
        room = self.most_bytes - self.bytes
        return passed >= self._took * AT_ONCE and self._free - _free_bytes(self.folders) > room

    @property
    def is_full(self) -> bool:
        """Whether the folders held more than they may."""
        return self.bytes > self.most_bytes or self.files > self.most_files or self.keeps_moving

    @property
    def keeps_moving(self) -> bool:
        """Whether their content moves about so much that it cannot be measured."""
        return self._torn > MOST_TORN

    def measure(self, seconds: float = float("inf")) -> None:
        """Begin to measure, or go on, for so many seconds at most."""
        began = time.monotonic()
        if self._steps is None:
            self._tally = tree.Tally()
            self._steps = self._walk()
            self._began, self._took = began, 0.0
            self._free = _free_bytes(self.folders)
        try:
            for _step in self._steps:
                if time.monotonic() - began > seconds:
                    self._took += time.monotonic() - began
                    return
        except OSError:  # a folder was moved away meanwhile: something may be missing
            self._torn += 1
            self.bytes = max(self.bytes, self._tally.bytes)
            self.files = max(self.files, self._tally.entries)
        else:
            self._torn = 0
            self.bytes, self.files = self._tally.bytes, self._tally.entries
            self.measured_at = self._began
        self._ended = time.monotonic()
        self._took += self._ended - began
        self._steps = None

    def _walk(self) -> Iterator[None]:
        """Count all that is there, or more than may be there."""
        for above, name in self._above:
            for what, _folder, _name, found in tree.walk(above, name, foreign=self.foreign):
                self._tally.add(what, found)
                if self._tally.entries > self.most_files:
                    return
                yield


def _identities(paths: list[str]) -> Iterator[tree.Identity]:
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            yield status.st_dev, status.st_ino


def _free_bytes(folders: list[str]) -> int:
    with contextlib.suppress(OSError, IndexError):
        status = os.statvfs(folders[0])
        return status.f_bavail * status.f_frsize
    return 0
