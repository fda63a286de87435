"""What the processes of one sandbox hold: memory of every kind, and files that no folder lists."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from vibekit_jupyter.local_sandbox.supervisor.proc import Process

__all__ = ["MEMORY_DEVICE", "SHARED_MEMORY", "Holdings"]

SHARED_MEMORY = "/dev/shm"
# In /proc/PID/status: own memory, shared memory, what is swapped out, and the tables for it.
MEMORY_LINES = (b"RssAnon:", b"RssShmem:", b"HugetlbPages:", b"VmSwap:", b"VmPTE:")
# What a pipe takes, unless it was enlarged: for that each user has 64 MiB in all.
PIPE_BYTES = 64 * 1024
SOCKET_BYTES = 208 * 1024
DELETED = b" (deleted)\n"
LONGEST_INFO = 4 * 1024 * 1024
Identity = tuple[int, int]


@dataclass
class Holdings:
    """What was found to be held.

    Parameters
    ----------
    most_open
        The number of open files beyond which the look ends at once.
    shared_memory
        The device of the sandbox's own shared memory, whose files count where they are listed.

    Attributes
    ----------
    mapped
        Bytes of memory, where what several processes share counts for each of them.
    in_memory
        Files without a name that are memory (memfd), with their bytes.
    open_on_disk, mapped_on_disk
        Files without a name that are on disk, with their bytes; of those that are mapped and no
        longer open, the bytes up to the end of the mapping are all that is told.
    on_their_way
        Files that were sent through sockets, and not received: nobody sees what they hold.
    watched
        Files that are waited for by epoll; each user can wait for so many.
    hidden
        Processes that let nobody see what they hold.
    """

    most_open: int
    shared_memory: int = -1
    mapped: int = 0
    in_memory: dict[Identity, int] = field(default_factory=dict)
    open_on_disk: dict[Identity, int] = field(default_factory=dict)
    mapped_on_disk: dict[Identity, int] = field(default_factory=dict)
    pipes: set[Identity] = field(default_factory=set)
    sockets: set[Identity] = field(default_factory=set)
    open_files: int = 0
    on_their_way: int = 0
    watched: int = 0
    hidden: list[Process] = field(default_factory=list)

    @property
    def disk(self) -> int:
        """Bytes on disk that no folder lists."""
        return sum({**self.mapped_on_disk, **self.open_on_disk}.values())

    @property
    def memory(self) -> int:
        """Bytes of memory beside what is mapped."""
        kernel = len(self.pipes) * PIPE_BYTES + len(self.sockets) * SOCKET_BYTES
        return kernel + sum(self.in_memory.values())

    def add(self, process: Process) -> None:
        """Look at one process."""
        self.mapped += _mapped_bytes(process)
        try:
            self._look_into(process.folder)
        except PermissionError:
            self.hidden.append(process)
        except OSError:
            pass  # it ended

    def _look_into(self, folder: str) -> None:
        names = os.listdir(f"{folder}/fd")
        self.open_files += len(names)
        if self.open_files > self.most_open:
            return
        for name in names:
            # That it has files root may list, though nobody may look at them.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # closed meanwhile
                self._add_file(folder, name)
        self._add_mappings(folder)

    def _add_file(self, folder: str, name: str) -> None:
        status = os.stat(f"{folder}/fd/{name}")
        identity = (status.st_dev, status.st_ino)
        if stat.S_ISREG(status.st_mode):
            if status.st_nlink == 0:
                held = self.in_memory if self._is_memory(status.st_dev) else self.open_on_disk
                held[identity] = status.st_blocks * 512
        elif stat.S_ISFIFO(status.st_mode):
            self.pipes.add(identity)
        elif stat.S_ISSOCK(status.st_mode):
            if identity not in self.sockets:
                self.sockets.add(identity)
                self.on_their_way += _number_in(f"{folder}/fdinfo/{name}", b"scm_fds:")
        elif stat.S_IFMT(status.st_mode) == 0 and "eventpoll" in os.readlink(f"{folder}/fd/{name}"):
            with open(f"{folder}/fdinfo/{name}", "rb") as file:
                self.watched += file.read(LONGEST_INFO).count(b"tfd:")

    def _is_memory(self, device: int) -> bool:
        return device in {MEMORY_DEVICE, self.shared_memory}

    def _add_mappings(self, folder: str) -> None:
        """Look for files on disk that are removed and closed, and held by a mapping."""
        with open(f"{folder}/maps", "rb") as file:
            for line in file:
                if line.endswith(DELETED):
                    identity, end = _mapping(line)
                    if not self._is_memory(identity[0]):
                        known = self.mapped_on_disk.get(identity, 0)
                        self.mapped_on_disk[identity] = max(known, end)

    def proportional_bytes(self, process: Process, segments: Collection[Identity]) -> int:
        """Return what a process maps, where what several share counts once among them.

        What counts elsewhere as a whole, ``segments`` of shared memory among it, is left out.
        """
        total, whole, share = _kibibytes(process, (b"VmPTE:",)), True, 0
        try:
            with open(f"{process.folder}/smaps", "rb") as file:
                for line in file:
                    word, _blank, rest = line.partition(b" ")
                    if not word.endswith(b":"):
                        whole = self._counts_here(line, segments)
                    elif word == b"Pss:":
                        share = int(rest.split()[0])
                    elif word == b"Anonymous:":
                        # Of a file, what the process changed for itself is its own.
                        total += share if whole else min(share, int(rest.split()[0]))
                    elif word == b"SwapPss:":
                        total += int(rest.split()[0])
        except OSError:
            return _mapped_bytes(process)
        return total * 1024

    def _counts_here(self, line: bytes, segments: Collection[Identity]) -> bool:
        identity, _end = _mapping(line)
        device, inode = identity
        if inode == 0:
            return True
        if device == self.shared_memory and not line.endswith(DELETED):
            return False  # its folder is measured
        return (
            self._is_memory(device) and identity not in self.in_memory and identity not in segments
        )


def _mapping(line: bytes) -> tuple[Identity, int]:
    """Return what a line of ``/proc/PID/maps`` maps, and up to which byte of it."""
    addresses, _rights, offset, device, inode = line.split(None, 5)[:5]
    begin, end = (int(address, 16) for address in addresses.split(b"-"))
    major, minor = (int(number, 16) for number in device.split(b":"))
    return (os.makedev(major, minor), int(inode)), int(offset, 16) + end - begin


def _mapped_bytes(process: Process) -> int:
    return _kibibytes(process, MEMORY_LINES) * 1024


def _kibibytes(process: Process, wanted: tuple[bytes, ...]) -> int:
    try:
        with open(f"{process.folder}/status", "rb") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(wanted))
    except (OSError, IndexError, ValueError):
        return 0


def _number_in(path: str, word: bytes) -> int:
    with open(path, "rb") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(word))


def _memory_device() -> int:
    """Return the device under which the kernel keeps files that are memory."""
    with contextlib.suppress(AttributeError, OSError):  # not on this system
        descriptor = os.memfd_create("probe")
        try:
            return os.fstat(descriptor).st_dev
        finally:
            os.close(descriptor)
    return -1


MEMORY_DEVICE = _memory_device()
