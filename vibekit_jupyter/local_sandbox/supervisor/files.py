"""The file operations of a sandbox, done with its own rights and in its own view."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import secrets
import stat
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.supervisor import archive, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.local_sandbox.supervisor.paths import View

__all__ = ["Files", "OperationError", "as_text"]

METADATA = "user.e2b."
# Of one listing: entries, and letters in their paths.
MOST_ENTRIES = 100_000
MOST_TEXT = 8_000_000
EARLIEST, LATEST = -62_135_596_800, 253_402_300_799  # years 1 to 9999
# Removed between the listing and the look; or no path that the kernel takes leads there.
UNNAMED = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


class OperationError(Exception):
    """An operation that failed; ``code`` is one of ``failures.HTTP_STATUS``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Files:
    """What envd's filesystem service does."""

    def __init__(self, view: View) -> None:
        self.view = view

    def stat(self, path: str, user: str) -> dict[str, Any]:
        """Describe one entry."""
        return self.entry(self.view.absolute(path, user))

    def list(self, path: str, user: str, depth: int) -> list[dict[str, Any]]:
        """Describe what is in a folder, ``depth`` levels down, parents before children.

        Raises
        ------
        OperationError
            ``invalid_argument`` where it is no folder or holds too much.
        """
        if depth < 1:
            raise OperationError("invalid_argument", "depth should be at least 1")
        seen = self.view.absolute(path, user)
        if not stat.S_ISDIR(os.stat(self.view.to_real(seen)).st_mode):
            raise OperationError("invalid_argument", f"path is not a directory: {seen}")
        entries: list[dict[str, Any]] = []
        size, looks = 0, [self._look(seen, known=False)]
        while looks:
            found = next(looks[-1], None)
            if found is None:
                looks.pop()
                continue
            path, entry = found
            entries.append(entry)
            size += len(path)
            if len(entries) > MOST_ENTRIES or size > MOST_TEXT:
                raise OperationError(
                    "resource_exhausted",
                    f"{seen} holds more than {MOST_ENTRIES} entries, the limit of one listing, or "
                    "very long paths",
                )
            is_link = "symlinkTarget" in entry
            if len(looks) < depth and entry["type"] == "FILE_TYPE_DIRECTORY" and not is_link:
                looks.append(self._look(path, known=True))
        return entries

    def _look(self, seen: str, *, known: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield path and entry of what is in a folder; one that is ``known`` may be gone by now."""
        try:
            names = sorted(os.listdir(self.view.to_real(seen)))
        except OSError as error:
            if known and error.errno in UNNAMED:
                return
            raise
        for name in names:
            path = f"{seen.rstrip('/')}/{name}"
            try:
                yield path, self.entry(path)
            except OSError as error:
                if error.errno not in UNNAMED:
                    raise

    def make_dir(self, path: str, user: str) -> dict[str, Any]:
        """Create a folder and its parents; ``already_exists`` where it is there."""
        seen = self.view.absolute(path, user)
        real = self.view.to_real(seen)
        if os.path.isdir(real):
            raise OperationError("already_exists", f"directory already exists: {seen}")
        if os.path.lexists(real):
            raise OperationError("invalid_argument", f"path already exists and is a file: {seen}")
        make_folders(real)
        return self.entry(seen)

    def move(self, source: str, destination: str, user: str) -> dict[str, Any]:
        """Rename an entry; the new parents are created."""
        seen = self.view.absolute(destination, user)
        real = self.view.to_real(seen)
        origin = self.view.to_real(self.view.absolute(source, user))
        os.lstat(origin)
        make_folders(os.path.dirname(real))
        try:
            os.rename(origin, real)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _carry(origin, real)  # /home/user and /tmp are different mounts
        return self.entry(seen)

    def remove(self, path: str, user: str) -> None:
        """Remove a file or a whole folder; nothing there is no error."""
        real = self.view.to_real(self.view.absolute(path, user))
        try:
            with _folder_of(real) as (folder, name):
                tree.remove(folder, name, rounds=1)
        except FileNotFoundError:
            return

    def open_to_read(self, path: str, user: str) -> tuple[int, dict[str, Any]]:
        """Open a regular file; return its descriptor and its entry."""
        seen = self.view.absolute(path, user)
        descriptor = os.open(self.view.to_real(seen), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._must_be_file(descriptor, seen)
            return descriptor, self.entry(seen)
        except BaseException:
            os.close(descriptor)
            raise

    def open_to_write(self, path: str, user: str) -> tuple[int, dict[str, Any]]:
        """Open a file to be written from its start, creating it and its parents."""
        seen = self.view.absolute(path, user)
        real = self.view.to_real(seen)
        if os.path.isdir(real):
            raise OperationError("invalid_argument", f"path is a directory: {seen}")
        make_folders(os.path.dirname(real))
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(real, flags, 0o644)
        try:
            self._must_be_file(descriptor, seen)
            # envd changes the owner here, and its watchers report that as CHMOD.
            os.fchown(descriptor, os.getuid(), os.getgid())
            return descriptor, self.entry(seen)
        except BaseException:
            os.close(descriptor)
            raise

    @staticmethod
    def _must_be_file(descriptor: int, seen: str) -> None:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise OperationError("invalid_argument", f"path is {kind}: {seen}")

    def entry(self, seen: str) -> dict[str, Any]:
        """Return envd's EntryInfo of the sandbox's absolute path."""
        real = self.view.to_real(seen)
        found = os.lstat(real)
        is_link = stat.S_ISLNK(found.st_mode)
        target = found
        if is_link:
            try:
                target = os.stat(real)
            except OSError:
                target = found
        info: dict[str, Any] = {
            "name": as_text(seen.rsplit("/", 1)[-1] or "/"),
            "type": _file_type(target.st_mode),
            "path": as_text(seen),
            "size": str(target.st_size),
            "mode": stat.S_IMODE(found.st_mode),
            "permissions": stat.filemode(found.st_mode),
            "owner": _user_name(found.st_uid),
            "group": _user_name(found.st_gid),
            "modifiedTime": _moment(found.st_mtime),
        }
        if is_link:
            info["symlinkTarget"] = as_text(self.view.resolved(real))
        if metadata := _metadata(real):
            info["metadata"] = metadata
        return info


def make_folders(real: str) -> None:
    """Create a folder and those above it, however many; those that are there are no error."""
    missing = []
    while not _is_folder(real):
        missing.append(real)
        real = os.path.dirname(real)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):  # somebody was faster
            os.mkdir(path, 0o755)


def _is_folder(real: str) -> bool:
    """Whether a folder is there.

    Raises
    ------
    OSError
        No folder can be there.
    """
    try:
        if not stat.S_ISDIR(os.stat(real).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), real)
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def _folder_of(real: str) -> Iterator[tuple[int, str]]:
    above, name = os.path.split(real)
    folder = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder, name
    finally:
        os.close(folder)


def _carry(origin: str, real: str) -> None:
    """Move an entry to another file system: packed and unpacked, as from sandbox to sandbox."""
    reader, writer = os.pipe()
    failures: list[Exception] = []

    def pack() -> None:
        try:
            with os.fdopen(writer, "wb") as stream:
                archive.pack(folder, name, stream, most=sys.maxsize)
        except (archive.ArchiveError, OSError) as error:
            failures.append(error)

    with _folder_of(origin) as (folder, name), _folder_of(real) as (target, new_name):
        copy = f".{secrets.token_hex(8)}"
        packing = threading.Thread(target=pack)
        packing.start()
        try:
            with os.fdopen(reader, "rb") as stream:
                archive.unpack(stream, target, copy)
            packing.join()
            os.rename(copy, new_name, src_dir_fd=target, dst_dir_fd=target)
        except archive.ArchiveError as error:
            packing.join()
            reason = (failures or [error])[0]
            raise OperationError("internal", f"cannot move {origin}: {reason}") from error
        finally:
            packing.join()
            tree.remove(target, copy, rounds=1)
        tree.remove(folder, name, rounds=1)


def as_text(name: str) -> str:
    """Return a name as it can be told; the protocol has no words for bytes that are no text."""
    return os.fsencode(name).decode("utf-8", "replace")


def _moment(seconds: float) -> str:
    # A file system may know times for which there is no date.
    moment = datetime.fromtimestamp(max(EARLIEST, min(seconds, LATEST)), UTC)
    return moment.isoformat().replace("+00:00", "Z")


def _file_type(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "FILE_TYPE_DIRECTORY"
    if stat.S_ISREG(mode):
        return "FILE_TYPE_FILE"
    return "FILE_TYPE_SYMLINK" if stat.S_ISLNK(mode) else "FILE_TYPE_UNSPECIFIED"


def _user_name(uid: int) -> str:
    if uid == os.getuid():
        return "user"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _metadata(real: str) -> dict[str, str]:
    if sys.platform != "linux":
        return {}
    try:
        names = os.listxattr(real)
        return {
            name[len(METADATA) :]: os.getxattr(real, name).decode("utf-8", "replace")
            for name in names
            if name.startswith(METADATA)
        }
    except OSError:
        return {}  # a file system without them has none
