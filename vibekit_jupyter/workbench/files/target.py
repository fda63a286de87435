"""The folder here that files are written to: below it, through no link, and never half."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from vibekit_jupyter.errors import FilesError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

__all__ = ["PART", "State", "Target", "local_errors"]

# What a file is called until it is whole; hidden, and never what a sandbox says.
PART: Final = ".vibekit-"
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class State:
    """How a file stands: which one it is, its size, and when it changed, in nanoseconds."""

    inode: int
    size: int
    changed: int
    touched: int


@contextlib.contextmanager
def local_errors(name: str) -> Iterator[None]:
    """Raise what this machine's file system says as one sentence about a file."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise FilesError(
                f"The disk here is full: {name} could not be written.",
                hint="Make room, and ask again: what is here is not sent again.",
            ) from error
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise FilesError(
                f"{name} was not written: a link or a file stands where a folder of it would be.",
                hint="Links are not followed. Move it away, or give another folder with --to.",
            ) from error
        raise FilesError(f"{name} could not be written here: {error.strerror}.") from error


class Target:
    """A folder to write below. Every step below it is taken through its descriptor.

    Parameters
    ----------
    folder
        Made where it is not there. It may be a link itself: so a person named it.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder).expanduser().absolute()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        with local_errors(str(self.path)):
            self.path.mkdir(parents=True, exist_ok=True)
            self._top = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._last: tuple[tuple[str, ...], int] = ((), self._top)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._last[1] != self._top:
            os.close(self._last[1])
        os.close(self._top)

    @property
    def free(self) -> int:
        """How many bytes have room."""
        return shutil.disk_usage(self.path).free

    def is_case_blind(self) -> bool:
        """Tell whether ``A`` and ``a`` are one file here."""
        name = f"{PART}{secrets.token_hex(4)}a"
        os.close(os.open(name, NEW, dir_fd=self._top))
        try:
            os.stat(name.upper(), dir_fd=self._top, follow_symlinks=False)
        except FileNotFoundError:
            return False
        finally:
            os.unlink(name, dir_fd=self._top)
        return True

    def state(self, parts: Sequence[str]) -> State | None:
        """Return how a file stands; None where nothing is.

        Raises
        ------
        FilesError
            It is something else than a file, or a link is on the way.
        """
        name = "/".join(parts)
        with self._lock, local_errors(name):
            try:
                found = os.stat(
                    parts[-1], dir_fd=self._folder(parts[:-1], make=False), follow_symlinks=False
                )
            except FileNotFoundError:
                return None
        if not stat.S_ISREG(found.st_mode):
            kind = "folder" if stat.S_ISDIR(found.st_mode) else "link or a device"
            raise FilesError(
                f"{name} was not written: there is a {kind} of that name here.",
                hint="Move it away, or give another folder with --to.",
            )
        return State(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def make_folder(self, parts: Sequence[str]) -> None:
        """Make a folder, and those above it."""
        with self._lock, local_errors("/".join(parts)):
            self._folder(parts, make=True)

    def write(self, parts: Sequence[str], data: bytes, changed: int) -> State:
        """Write a small file at once."""
        with self._lock, local_errors("/".join(parts)):
            folder = self._folder(parts[:-1], make=True)
            part = f"{PART}{secrets.token_hex(8)}.part"
            opened = os.open(part, NEW, 0o666, dir_fd=folder)
            try:
                with open(opened, "wb", buffering=0) as file:
                    _write_all(file.fileno(), data)
                    os.utime(opened, ns=(changed, changed))
                os.rename(part, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(part, dir_fd=folder)
                raise
            found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        return State(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def part(self, parts: Sequence[str], key: str, version: str, *, keep: bool) -> Part:
        """Begin a file that comes in pieces, or go on with one of this key and version.

        Parameters
        ----------
        keep
            Leave it to be gone on with, should it not come to its end.
        """
        with self._lock, local_errors("/".join(parts)):
            return Part(self._folder(parts[:-1], make=True), parts, key, version, keep=keep)

    def _folder(self, parts: Sequence[str], *, make: bool) -> int:
        """Return a folder's descriptor, which lives until the next one is asked for."""
        wanted = tuple(parts)
        if wanted == self._last[0]:
            return self._last[1]
        here = self._top
        try:
            for part in wanted:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=here)
                inside = os.open(part, FOLDER, dir_fd=here)
                if here != self._top:
                    os.close(here)
                here = inside
        except BaseException:
            if here != self._top:
                os.close(here)
            raise
        if self._last[1] != self._top:
            os.close(self._last[1])
        self._last = (wanted, here)
        return here


class Part:
    """A file that is not whole yet, under a name of ours.

    Attributes
    ----------
    size
        How much of it is there.
    """

    def __init__(
        self, folder: int, parts: Sequence[str], key: str, version: str, *, keep: bool
    ) -> None:
        self._folder = os.dup(folder)
        self._parts = parts
        self._keep = keep
        self._name = f"{PART}{key}-{version}.part"
        try:
            if keep:
                self._forget_others(f"{PART}{key}-")
            self._file = self._open()
        except BaseException:
            os.close(self._folder)
            raise
        self.size = os.fstat(self._file).st_size

    def _forget_others(self, beginning: str) -> None:
        for name in os.listdir(self._folder):
            if name.startswith(beginning) and name != self._name:
                os.unlink(name, dir_fd=self._folder)

    def _open(self) -> int:
        flags = NEW & ~(os.O_CREAT | os.O_EXCL)
        if self._keep:
            with contextlib.suppress(FileNotFoundError):
                opened = os.open(self._name, flags | os.O_NONBLOCK, dir_fd=self._folder)
                found = os.fstat(opened)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                    self._lock(opened)
                    os.lseek(opened, 0, os.SEEK_END)
                    return opened
                os.close(opened)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)
        opened = os.open(self._name, NEW, 0o666, dir_fd=self._folder)
        self._lock(opened)
        return opened

    def _lock(self, opened: int) -> None:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            raise FilesError(
                f"{'/'.join(self._parts)} is on its way here already, by another kernel.",
                hint="Wait for it, or give another folder with --to.",
            ) from None

    def begin_anew(self) -> None:
        """Forget what is there of it."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self.size = 0

    def take(self, data: bytes) -> None:
        """Write what comes next."""
        with local_errors("/".join(self._parts)):
            _write_all(self._file, data)
        self.size += len(data)

    def finish(self, changed: int) -> State:
        """Give the file its name."""
        with local_errors("/".join(self._parts)):
            os.utime(self._file, ns=(changed, changed))
            os.rename(self._name, self._parts[-1], src_dir_fd=self._folder, dst_dir_fd=self._folder)
            found = os.fstat(self._file)
        self._keep = True
        return State(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def close(self) -> None:
        """Let go of it; what is not to be gone on with is removed."""
        os.close(self._file)
        if not self._keep or self.size == 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
