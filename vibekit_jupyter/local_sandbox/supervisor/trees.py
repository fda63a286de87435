"""How much folders hold, whatever is done to hide it: no depth, no name, no mode stops the walk."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Disk", "Tree"]

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LOOK_INTO = stat.S_IRUSR | stat.S_IXUSR
# What a file takes though it is empty: its inode, its name.
LEAST_BYTES = 4096
MOST_OPEN = 128
PAUSE = 500
# Measuring takes a fiftieth of the time, and a third where the disk fills meanwhile.
SELDOM, AT_ONCE = 50, 3
LONGEST = 10.0
MOST_TORN = 10
Identity = tuple[int, int]


@dataclass
class _Level:
    """A folder on the way down; ``descriptor`` is -1 while it is closed to save descriptors."""

    descriptor: int
    identity: Identity
    closed_mode: int | None = None
    folders: list[str] = field(default_factory=list)


class Tree:
    """One measure of folders, taken a little at a time.

    Parameters
    ----------
    folders
        Whose content is measured.
    foreign
        Folders below them, by device and inode, that are not theirs.
    most
        The number of files beyond which it ends at once.

    Attributes
    ----------
    bytes, files
        What was found so far.
    torn
        Whether a folder was moved away while it was measured: something may be missing.
    """

    def __init__(self, folders: list[str], foreign: frozenset[Identity], most: int) -> None:
        self.folders = folders
        self.foreign = foreign
        self.most = most
        self.bytes = 0
        self.files = 0
        self.torn = False
        self._linked: set[Identity] = set()

    def steps(self) -> Iterator[None]:
        """Measure; yield now and then, so that something else can be done."""
        for folder in self.folders:
            yield from self._walk(folder)

    def _walk(self, folder: str) -> Iterator[None]:
        levels: list[_Level] = []
        try:
            name: str | None = folder
            while name is not None:
                if level := self._enter(name, levels[-1].descriptor if levels else None):
                    levels.append(level)
                    yield from self._scan(level)
                if len(levels) > MOST_OPEN and levels[-1 - MOST_OPEN].descriptor >= 0:
                    _close(levels[-1 - MOST_OPEN])
                name = self._next(levels)
        finally:
            for level in levels:
                _leave(level)

    def _next(self, levels: list[_Level]) -> str | None:
        """Go back up to a folder that has more below it; return what is next, if anything."""
        while levels and self.files <= self.most:
            if levels[-1].folders:
                return levels[-1].folders.pop()
            done = levels.pop()
            if levels and levels[-1].descriptor < 0 and not _reopen(levels[-1], done):
                self.torn = True
                _leave(done)
                return None
            _leave(done)
        return None

    def _enter(self, name: str, parent: int | None) -> _Level | None:
        closed_mode = None
        try:
            try:
                descriptor = os.open(name, FOLDER, dir_fd=parent)
            except PermissionError:
                closed_mode = _open_up(name, parent)
                descriptor = os.open(name, FOLDER, dir_fd=parent)
        except OSError:
            return None  # gone again, or a link by now
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        if identity in self.foreign:
            os.close(descriptor)
            return None
        if status.st_mode & LOOK_INTO != LOOK_INTO:
            closed_mode = stat.S_IMODE(status.st_mode)
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, closed_mode | LOOK_INTO)
        return _Level(descriptor, identity, closed_mode)

    def _scan(self, level: _Level) -> Iterator[None]:
        try:
            with os.scandir(level.descriptor) as entries:
                for number, entry in enumerate(entries):
                    if number % PAUSE == 0:
                        yield
                    self._count(entry, level)
                    if self.files > self.most:
                        return
        except OSError:
            return

    def _count(self, entry: os.DirEntry[str], level: _Level) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return  # gone again
        identity = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            if identity in self.foreign:
                return
            level.folders.append(entry.name)
        elif status.st_nlink > 1:
            if identity in self._linked:
                return
            self._linked.add(identity)
        self.files += 1
        self.bytes += max(status.st_blocks * 512, LEAST_BYTES)


def _open_up(name: str, parent: int | None) -> int:
    """Let the owner of a folder look into it; return which mode it had."""
    handle = os.open(name, FOLDER | getattr(os, "O_PATH", 0), dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        os.chmod(f"/proc/self/fd/{handle}", mode | LOOK_INTO)
    finally:
        os.close(handle)
    return mode


def _close(level: _Level) -> None:
    os.close(level.descriptor)
    level.descriptor = -1


def _reopen(level: _Level, below: _Level) -> bool:
    """Open a folder again, from one in it; return whether it is still the same."""
    with contextlib.suppress(OSError):
        descriptor = os.open("..", FOLDER, dir_fd=below.descriptor)
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) == level.identity:
            level.descriptor = descriptor
            return True
        os.close(descriptor)
    return False


def _leave(level: _Level) -> None:
    """Close a folder, and leave it as it was found."""
    if level.descriptor < 0:
        return
    if level.closed_mode is not None:
        with contextlib.suppress(OSError):
            os.fchmod(level.descriptor, level.closed_mode)
    _close(level)


class Disk:
    """Folders that are measured again and again: seldom, where that takes long.

    Parameters
    ----------
    folders, foreign, most_files
        See :class:`Tree`; ``foreign`` by path.
    most_bytes
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
        self._tree = Tree([], frozenset(), 0)
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
            self._tree = Tree(self.folders, self.foreign, self.most_files)
            self._steps = self._tree.steps()
            self._began, self._took = began, 0.0
            self._free = _free_bytes(self.folders)
        for _step in self._steps:
            if time.monotonic() - began > seconds:
                self._took += time.monotonic() - began
                return
        self._ended = time.monotonic()
        self._took += self._ended - began
        self._steps = None
        if self._tree.torn:
            self._torn += 1
            self.bytes = max(self.bytes, self._tree.bytes)
            self.files = max(self.files, self._tree.files)
        else:
            self._torn = 0
            self.bytes, self.files = self._tree.bytes, self._tree.files
            self.measured_at = self._began


def _identities(paths: list[str]) -> Iterator[Identity]:
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            yield status.st_dev, status.st_ino


def _free_bytes(folders: list[str]) -> int:
    with contextlib.suppress(OSError, IndexError):
        status = os.statvfs(folders[0])
        return status.f_bavail * status.f_frsize
    return 0
