"""The file operations of a sandbox, done with its own rights and in its own view."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.local_sandbox.supervisor.paths import View

__all__ = ["Files", "OperationError"]

METADATA = "user.e2b."
MOST_ENTRIES = 100_000


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
        entries = []
        for entry in self._walk(seen, depth):
            entries.append(entry)
            if len(entries) > MOST_ENTRIES:
                raise OperationError(
                    "resource_exhausted",
                    f"{seen} holds more than {MOST_ENTRIES} entries, the limit of one listing",
                )
        return entries

    def _walk(self, seen: str, depth: int) -> Iterator[dict[str, Any]]:
        for name in sorted(os.listdir(self.view.to_real(seen))):
            child = f"{seen.rstrip('/')}/{name}"
            try:
                entry = self.entry(child)
            except FileNotFoundError:
                continue  # removed between the listing and the look
            yield entry
            is_link = "symlinkTarget" in entry
            if depth > 1 and entry["type"] == "FILE_TYPE_DIRECTORY" and not is_link:
                yield from self._walk(child, depth - 1)

    def make_dir(self, path: str, user: str) -> dict[str, Any]:
        """Create a folder and its parents; ``already_exists`` where it is there."""
        seen = self.view.absolute(path, user)
        real = self.view.to_real(seen)
        if os.path.isdir(real):
            raise OperationError("already_exists", f"directory already exists: {seen}")
        if os.path.lexists(real):
            raise OperationError("invalid_argument", f"path already exists and is a file: {seen}")
        os.makedirs(real, mode=0o755)
        return self.entry(seen)

    def move(self, source: str, destination: str, user: str) -> dict[str, Any]:
        """Rename an entry; the new parents are created."""
        seen = self.view.absolute(destination, user)
        real = self.view.to_real(seen)
        origin = self.view.to_real(self.view.absolute(source, user))
        os.lstat(origin)
        os.makedirs(os.path.dirname(real), mode=0o755, exist_ok=True)
        try:
            os.rename(origin, real)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(origin, real)  # /home/user and /tmp are different mounts
        return self.entry(seen)

    def remove(self, path: str, user: str) -> None:
        """Remove a file or a whole folder; nothing there is no error."""
        real = self.view.to_real(self.view.absolute(path, user))
        try:
            mode = os.lstat(real).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            shutil.rmtree(real)
        else:
            Path(real).unlink()

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
        os.makedirs(os.path.dirname(real), mode=0o755, exist_ok=True)
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
            "name": seen.rsplit("/", 1)[-1] or "/",
            "type": _file_type(target.st_mode),
            "path": seen,
            "size": str(target.st_size),
            "mode": stat.S_IMODE(found.st_mode),
            "permissions": stat.filemode(found.st_mode),
            "owner": _user_name(found.st_uid),
            "group": _user_name(found.st_gid),
            "modifiedTime": datetime.fromtimestamp(found.st_mtime, UTC)
            .isoformat()
            .replace("+00:00", "Z"),
        }
        if is_link:
            info["symlinkTarget"] = self.view.resolved(real)
        if metadata := _metadata(real):
            info["metadata"] = metadata
        return info


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
