"""A tree as one stream of bytes, and back: how files get from one sandbox to another.

Who packs sees one sandbox, who unpacks another, and only bytes go between them. An entry carries
its own name and nothing of its path: there is nothing to resolve, and a folder however deep costs
no more than another one. (A tar repeats the whole path for each entry.) ::

    MAGIC, then for each entry, a folder's between the two of its own:
    HEADER  kind, mode, time of change, size, number, lengths of the name and of the attributes
            name, attributes (``user.*`` alone), content

Folders, regular files with their holes, hard links, symbolic links and named pipes are kept, with
permission bits and times. Sockets are not: nobody listens behind a copy; nor are owners and the
bits that lend one's rights to others: all belongs to the sandbox it comes to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import struct
import sys
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from vibekit_jupyter.local_sandbox.supervisor import tree

__all__ = ["ArchiveError", "pack", "unpack"]

MAGIC = b"vibekit files 1\n"
HEADER = struct.Struct("<cHqQIHI")
ATTRIBUTE = struct.Struct("<HI")
EXTENT = struct.Struct("<QQ")
FOLDER, END, FILE, SPARSE, AGAIN, LINK, PIPE = b"D", b"E", b"F", b"S", b"H", b"L", b"P"
BITS = 0o1777
LATEST = 2**63 - 1  # nanoseconds; a file system may know later times
CHUNK = 1024 * 1024
# Smaller files are not worth the look for holes.
SMALL = 64 * 1024
LARGEST_ATTRIBUTES = 1024 * 1024
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ArchiveError(Exception):
    """A tree cannot be packed, or a stream is no packed tree; the message says why."""


class _Entry(NamedTuple):
    kind: bytes
    mode: int
    changed: int
    size: int = 0
    number: int = 0
    name: bytes = b""
    attributes: bytes = b""


# -- packing -----------------------------------------------------------------------------------


def pack(folder: int, name: str, stream: BinaryIO, *, most: int) -> None:
    """Write the tree called ``name`` in ``folder`` to ``stream``.

    Parameters
    ----------
    most
        Bytes that it may hold; a tree that grows as it is packed comes to an end there.

    Raises
    ------
    ArchiveError
        It holds more.
    OSError
        It cannot be read, or the stream not be written.
    """
    stream.write(MAGIC)
    packer = _Packer(stream, most)
    for what, here, entry, found in tree.walk(folder, name):
        packer.add(what, here, entry, found)


@dataclass
class _Packer:
    stream: BinaryIO
    most: int
    linked: dict[tuple[int, int], int] = field(default_factory=dict)
    written: int = 0

    def add(self, what: str, here: int, name: str, found: os.stat_result) -> None:
        mode = found.st_mode
        if what is tree.BEGIN:
            self._write(FOLDER, name, found, attributes=_attributes(here))
        elif what is tree.END:
            self._write(END, "", found)
        elif stat.S_ISREG(mode):
            self._file(here, name, found)
        elif stat.S_ISLNK(mode):
            with contextlib.suppress(OSError):  # it is none any more
                target = os.fsencode(os.readlink(name, dir_fd=here))
                self._write(LINK, name, found, size=len(target))
                self.stream.write(target)
        elif stat.S_ISFIFO(mode):
            self._write(PIPE, name, found)
        elif stat.S_ISDIR(mode):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)

    def _write(
        self,
        kind: bytes,
        name: str,
        found: os.stat_result,
        *,
        size: int = 0,
        number: int = 0,
        attributes: bytes = b"",
    ) -> None:
        self._count(tree.BLOCK)
        raw, mode = os.fsencode(name), found.st_mode & BITS
        changed = max(-LATEST, min(found.st_mtime_ns, LATEST))
        lengths = (len(raw), len(attributes))
        self.stream.write(HEADER.pack(kind, mode, changed, size, number, *lengths))
        self.stream.write(raw)
        self.stream.write(attributes)

    def _count(self, size: int) -> None:
        self.written += size
        if self.written > self.most:
            raise ArchiveError(f"they hold more than {self.most // 2**20} MiB")

    def _file(self, here: int, name: str, found: os.stat_result) -> None:
        identity = (found.st_dev, found.st_ino)
        if known := self.linked.get(identity):
            self._write(AGAIN, name, found, number=known)
            return
        try:
            file = tree.open_file(here, name)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:
                return  # it is something else by now
            raise
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                return
            number = 0
            if found.st_nlink > 1:
                number = self.linked[identity] = len(self.linked) + 1
            kind = SPARSE if found.st_size > SMALL else FILE
            attributes = _attributes(file)
            self._write(kind, name, found, size=found.st_size, number=number, attributes=attributes)
            if kind is SPARSE:
                self._extents(file, found.st_size)
            else:
                self._content(file, 0, found.st_size)
        finally:
            os.close(file)

    def _extents(self, file: int, size: int) -> None:
        end = 0
        while end < size:
            try:
                start = os.lseek(file, end, os.SEEK_DATA)
                end = min(os.lseek(file, start, os.SEEK_HOLE), size)
            except OSError:
                break  # a hole to the end, or it was cut meanwhile
            if start >= end:
                break
            self.stream.write(EXTENT.pack(start, end - start))
            self._content(file, start, end - start)
        self.stream.write(EXTENT.pack(size, 0))

    def _content(self, file: int, start: int, size: int) -> None:
        self._count(size)
        while size > 0:
            data = os.pread(file, min(size, CHUNK), start)
            # What was announced is sent, even where the file was cut meanwhile.
            data = data or bytes(min(size, CHUNK))
            self.stream.write(data)
            start, size = start + len(data), size - len(data)


def _attributes(file: int) -> bytes:
    if sys.platform != "linux":
        return b""
    packed = b""
    with contextlib.suppress(OSError):  # a file system without them has none
        for name in os.listxattr(file):
            if name.startswith("user."):
                raw, value = os.fsencode(name), os.getxattr(file, name)
                packed += ATTRIBUTE.pack(len(raw), len(value)) + raw + value
    return packed if len(packed) <= LARGEST_ATTRIBUTES else b""


# -- unpacking ---------------------------------------------------------------------------------


def unpack(stream: BinaryIO, folder: int, name: str, owner: int | None = None) -> None:
    """Make the tree that ``stream`` holds, as ``name`` in ``folder``; a folder there is filled.

    Parameters
    ----------
    owner
        User and group whose all of it becomes; else they are one's own.

    Raises
    ------
    ArchiveError
        The stream is no packed tree, or ends too early.
    OSError
        Something cannot be made.
    """
    if _exactly(stream, len(MAGIC)) != MAGIC:
        raise ArchiveError("the archive is of another kind")
    unpacker = _Unpacker(stream, folder, name, owner)
    mask = os.umask(0)
    try:
        while unpacker.take():
            pass
    finally:
        os.umask(mask)
        unpacker.close()


class _Unpacker:
    def __init__(self, stream: BinaryIO, top: int, name: str, owner: int | None) -> None:
        self.stream, self.top, self.name, self.owner = stream, top, name, owner
        self.here = os.dup(top)
        # Each folder above, and what became of the entry that began the next one.
        self.above: list[tuple[os.stat_result, _Entry]] = []
        self.links = ""
        self.links_folder = -1

    def close(self) -> None:
        os.close(self.here)
        if self.links:
            os.close(self.links_folder)
            tree.remove(self.top, self.links)

    def take(self) -> bool:
        """Take one entry; return whether there are more."""
        entry = self._read()
        if entry.kind == END:
            self._end()
            return bool(self.above)
        name = self._name_of(entry)
        if entry.kind == FOLDER:
            with contextlib.suppress(*(() if self.above else (FileExistsError,))):
                os.mkdir(name, 0o700, dir_fd=self.here)
            inside, _before = tree.enter(self.here, name)
            self.above.append((os.fstat(self.here), entry))
            os.close(self.here)
            self.here = inside
            return True
        if entry.kind in {FILE, SPARSE}:
            self._file(name, entry)
        elif entry.kind == AGAIN:
            source = {"src_dir_fd": self.links_folder, "dst_dir_fd": self.here}
            os.link(str(entry.number), name, **source, follow_symlinks=False)
        elif entry.kind == LINK and entry.size <= LARGEST_ATTRIBUTES:
            os.symlink(_exactly(self.stream, entry.size), os.fsencode(name), dir_fd=self.here)
            self._finish(name, entry)
        elif entry.kind == PIPE:
            os.mkfifo(name, entry.mode & BITS, dir_fd=self.here)
            self._finish(name, entry)
        else:
            raise ArchiveError("the archive is damaged")
        return bool(self.above)

    def _read(self) -> _Entry:
        kind, mode, changed, size, number, name, attributes = HEADER.unpack(
            _exactly(self.stream, HEADER.size)
        )
        if attributes > LARGEST_ATTRIBUTES:
            raise ArchiveError("the archive is damaged")
        texts = _exactly(self.stream, name), _exactly(self.stream, attributes)
        return _Entry(kind, mode, changed, size, number, *texts)

    def _name_of(self, entry: _Entry) -> str:
        if not self.above:
            return self.name
        if entry.name in {b"", b".", b".."} or b"/" in entry.name or b"\0" in entry.name:
            raise ArchiveError("the archive is damaged")
        return os.fsdecode(entry.name)

    def _end(self) -> None:
        if not self.above:
            raise ArchiveError("the archive is damaged")
        found, entry = self.above.pop()
        inside = os.dup(self.here)
        try:
            self.here = tree.leave(self.here, found, None if self.above else self.top)
            self._own(inside)
            _set_attributes(inside, entry.attributes)
            os.fchmod(inside, entry.mode & BITS)
            os.utime(inside, ns=(entry.changed, entry.changed))
        finally:
            os.close(inside)

    def _own(self, file: int) -> None:
        if self.owner is not None:
            os.fchown(file, self.owner, self.owner)

    def _finish(self, name: str, entry: _Entry) -> None:
        if self.owner is not None:
            os.chown(name, self.owner, self.owner, dir_fd=self.here, follow_symlinks=False)
        times = (entry.changed, entry.changed)
        os.utime(name, ns=times, dir_fd=self.here, follow_symlinks=False)

    def _file(self, name: str, entry: _Entry) -> None:
        mode = entry.mode & BITS
        # The kernel sets attributes on what its owner may write.
        file = os.open(name, NEW_FILE, mode | 0o600 if entry.attributes else mode, dir_fd=self.here)
        try:
            if entry.kind == SPARSE:
                os.ftruncate(file, entry.size)
                while (extent := EXTENT.unpack(_exactly(self.stream, EXTENT.size)))[1]:
                    self._content(file, *extent)
            else:
                self._content(file, 0, entry.size)
            self._own(file)
            if entry.attributes:
                _set_attributes(file, entry.attributes)
                os.fchmod(file, mode)
            os.utime(file, ns=(entry.changed, entry.changed))
        finally:
            os.close(file)
        if entry.number:
            self._remember(name, entry.number)

    def _content(self, file: int, start: int, size: int) -> None:
        while size > 0:
            data = memoryview(_exactly(self.stream, min(size, CHUNK)))
            size -= len(data)
            while data:
                written = os.pwrite(file, data, start)
                start, data = start + written, data[written:]

    def _remember(self, name: str, number: int) -> None:
        """Keep a name of a file that has more of them where each of these can be made of it."""
        if not self.links:
            self.links = f".links-{secrets.token_hex(8)}"
            os.mkdir(self.links, 0o700, dir_fd=self.top)
            self.links_folder, _before = tree.enter(self.top, self.links)
        kept = {"src_dir_fd": self.here, "dst_dir_fd": self.links_folder}
        os.link(name, str(number), **kept, follow_symlinks=False)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ArchiveError("the archive ends too early")
    return data


def _set_attributes(file: int, packed: bytes) -> None:
    if sys.platform != "linux":
        return
    while packed:
        name_length, length = ATTRIBUTE.unpack_from(packed)
        start = ATTRIBUTE.size + name_length
        name = packed[ATTRIBUTE.size : start]
        if not name.startswith(b"user."):
            raise ArchiveError("the archive is damaged")
        with contextlib.suppress(OSError):  # not on this file system
            os.setxattr(file, name, packed[start : start + length])
        packed = packed[start + length :]
