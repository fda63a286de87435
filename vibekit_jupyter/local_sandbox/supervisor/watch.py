"""Watches folders with inotify, as envd does with fsnotify."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.supervisor.files import OperationError, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.local_sandbox.supervisor.files import Files

__all__ = ["Watcher", "new_instance"]

IN_MODIFY, IN_ATTRIB, IN_MOVED_FROM, IN_MOVED_TO = 0x2, 0x4, 0x40, 0x80
IN_CREATE, IN_DELETE, IN_ISDIR, IN_IGNORED = 0x100, 0x200, 0x40000000, 0x8000
INTEREST = IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE
# Of one watcher; and of what is told to be in one new folder.
MOST_FOLDERS = 10_000
MOST_FOUND = 10_000
HEADER = struct.Struct("iIII")
EVENT_TYPES = (
    (IN_CREATE | IN_MOVED_TO, "EVENT_TYPE_CREATE"),
    (IN_MODIFY, "EVENT_TYPE_WRITE"),
    (IN_DELETE, "EVENT_TYPE_REMOVE"),
    (IN_MOVED_FROM, "EVENT_TYPE_RENAME"),
    (IN_ATTRIB, "EVENT_TYPE_CHMOD"),
)
_libc = ctypes.CDLL(None, use_errno=True)


def new_instance() -> int:
    """Return a new inotify descriptor, or -1.

    The server makes them: the user has few, and what runs in a sandbox shall not take them.
    """
    if sys.platform != "linux":
        return -1
    return int(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


@dataclass
class Watcher:
    """One watched folder.

    Attributes
    ----------
    seen
        The sandbox's absolute path of the folder.
    recursive
        Watch the folders below, those that appear later too.
    include_entry
        Give the entry with each event, where it is still there.
    descriptor
        What :func:`new_instance` returned; closed with the watcher.
    """

    files: Files
    seen: str
    recursive: bool = False
    include_entry: bool = False
    descriptor: int = -1
    _folders: dict[int, str] = field(default_factory=dict)

    def start(self) -> None:
        """Begin to watch.

        Raises
        ------
        OperationError
            It is no folder, or there are too many.
        OSError
            It is not there.
        """
        if sys.platform != "linux":
            raise OperationError("unimplemented", "folders are watched on Linux only")
        real = self.files.view.to_real(self.seen)
        os.stat(real)
        if not os.path.isdir(real):
            raise OperationError("invalid_argument", f"path is not a directory: {self.seen}")
        if self.descriptor < 0:
            raise OperationError("resource_exhausted", "the limit on watchers is reached")
        try:
            self._add(real, "")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop watching."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _add(self, real: str, below: str) -> list[str]:
        """Watch a folder and those below; return the names of what was found, with folders."""
        found: list[str] = []
        queue = [(real, below)]
        while queue and len(self._folders) < MOST_FOLDERS:
            real, below = queue.pop()
            number = _libc.inotify_add_watch(self.descriptor, os.fsencode(real), INTEREST)
            if number < 0:
                continue  # gone again, or the user's limit on watches is reached: others go on
            self._folders[number] = below
            if self.recursive:
                for entry in _entries(real):
                    if len(found) < MOST_FOUND:
                        found.append(below + entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        queue.append((entry.path, f"{below}{entry.name}/"))
        return found

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what has happened, as envd's FilesystemEvent."""
        try:
            data = os.read(self.descriptor, 65_536)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            number, mask, _cookie, length = HEADER.unpack_from(data, offset)
            offset += HEADER.size
            name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
            offset += length
            if mask & IN_IGNORED:
                self._folders.pop(number, None)
            elif name and number in self._folders:
                yield from self._events_of(self._folders[number] + name, mask)

    def _events_of(self, name: str, mask: int) -> Iterator[dict[str, Any]]:
        seen = f"{self.seen.rstrip('/')}/{name}"
        inside: list[str] = []
        if self.recursive and mask & IN_ISDIR and mask & (IN_CREATE | IN_MOVED_TO):
            inside = self._add(self.files.view.to_real(seen), f"{name}/")
        for bits, event_type in EVENT_TYPES:
            if mask & bits:
                event: dict[str, Any] = {"name": as_text(name), "type": event_type}
                if self.include_entry:
                    with contextlib.suppress(OSError):
                        event["entry"] = self.files.entry(seen)
                yield event
        # What was in a new folder before it could be watched.
        yield from ({"name": as_text(below), "type": "EVENT_TYPE_CREATE"} for below in inside)


def _entries(real: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(real) as entries:
            return list(entries)
    except OSError:
        return []  # gone again, or closed to us
