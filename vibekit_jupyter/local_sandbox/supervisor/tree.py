"""A tree that its owner may change at any moment, walked by descriptors alone.

A folder is opened by one name in the folder above it, and never through a link; a walk goes up
only into the very folder that it came from. So no walk leaves its tree, whatever becomes of it
meanwhile. Depth costs neither recursion nor descriptors, and no path is ever put together: one
that is too long for the kernel is no obstacle. What the owner has closed to itself is opened for
as long as it takes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

__all__ = ["BEGIN", "END", "ENTRY", "Usage", "enter", "leave", "make_path", "measure"]
__all__ += ["open_file", "open_folder", "remove", "unlock", "walk"]

# What a walk tells: a folder begins or ends, or there is something else.
BEGIN, END, ENTRY = "begin", "end", "entry"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
BLOCK = 512
READ, CHANGE = 0o500, 0o700
# Whoever still writes into a tree that is removed has been killed, and is about to end.
ROUNDS, ROUND_SECONDS = 20, 0.05
DEEPEST = 200

Identity = tuple[int, int]
Step = tuple[str, int, str, os.stat_result]


class Usage(NamedTuple):
    """What a tree holds: bytes on disk, and entries, each of which is an inode."""

    bytes: int
    entries: int


class _Level(NamedTuple):
    name: str
    found: os.stat_result
    names: list[str]
    unlocked: bool


def walk(
    parent: int,
    name: str,
    *,
    rights: int = READ,
    foreign: Container[Identity] = (),
    deepest: int | None = None,
) -> Iterator[Step]:
    """Walk the tree called ``name`` in the folder ``parent``.

    Yields what happens, the descriptor of a folder, a name and what was found under it. The
    descriptor is that of the folder itself where it begins, else that of the one above; it is
    good until the next step. A folder that cannot be entered is told as an entry.

    Parameters
    ----------
    rights
        What the owner's rights on a folder must be while it is walked.
    foreign
        Device and inode of folders that are passed over.
    deepest
        How many folders may be above one that is entered.

    Raises
    ------
    OSError
        ``ESTALE``: the tree was moved about, and the way up is lost.
    """
    here = os.dup(parent)
    levels = [_Level("", os.fstat(parent), [name], unlocked=False)]
    try:
        while True:
            if levels[-1].names:
                name = levels[-1].names.pop()
                try:
                    found = os.stat(name, dir_fd=here, follow_symlinks=False)
                except OSError:
                    continue  # gone, or its folder was closed again
                if not stat.S_ISDIR(found.st_mode) or len(levels) - 1 == deepest:
                    yield ENTRY, here, name, found
                elif (found.st_dev, found.st_ino) not in foreign:
                    try:
                        inside, level = _look_into(here, name, rights)
                    except PermissionError:
                        yield ENTRY, here, name, found
                        continue
                    except (FileNotFoundError, NotADirectoryError):
                        continue  # it is something else by now
                    os.close(here)
                    here = inside
                    levels.append(level)
                    yield BEGIN, here, name, level.found
            elif len(levels) == 1:
                return
            else:
                done = levels.pop()
                above = parent if len(levels) == 1 else None
                here = leave(here, levels[-1].found, above, done.found if done.unlocked else None)
                yield END, here, done.name, done.found
    finally:
        os.close(here)


def _look_into(folder: int, name: str, rights: int) -> tuple[int, _Level]:
    inside, unlocked = enter(folder, name)
    try:
        found = unlocked or os.fstat(inside)
        if not unlocked and found.st_mode & rights != rights:
            with contextlib.suppress(PermissionError):  # not its owner
                os.fchmod(inside, stat.S_IMODE(found.st_mode) | CHANGE)
                unlocked = found
        return inside, _Level(name, found, os.listdir(inside), unlocked is not None)
    except BaseException:
        os.close(inside)
        raise


def enter(folder: int, name: str) -> tuple[int, os.stat_result | None]:
    """Open a folder in a folder; where it had to be unlocked for it, tell what it was before."""
    try:
        return os.open(name, FOLDER, dir_fd=folder), None
    except PermissionError:
        before = unlock(folder, name)
        return os.open(name, FOLDER, dir_fd=folder), before
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name) from error


def leave(
    here: int, found: os.stat_result, above: int | None, locked: os.stat_result | None = None
) -> int:
    """Close a folder and open the one above it: ``above``, or the one that ``found`` describes.

    Raises
    ------
    OSError
        ``ESTALE``: that is not above it any more.
    """
    upper = os.dup(above) if above is not None else os.open("..", FOLDER, dir_fd=here)
    try:
        now = os.fstat(upper)
        if (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino):
            raise OSError(errno.ESTALE, "The files were moved about meanwhile")
        if locked is not None:
            os.fchmod(here, stat.S_IMODE(locked.st_mode))
    except BaseException:
        os.close(upper)
        raise
    os.close(here)
    return upper


def unlock(folder: int, name: str) -> os.stat_result:
    """Give the owner all rights on an entry that is no link; return what it was before."""
    if sys.platform == "linux":
        # A name can be made a link at any moment; what a descriptor stands for stays.
        entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            before = os.fstat(entry)
            if not stat.S_ISLNK(before.st_mode):
                os.chmod(f"/proc/self/fd/{entry}", stat.S_IMODE(before.st_mode) | CHANGE)
        finally:
            os.close(entry)
    else:
        before = os.stat(name, dir_fd=folder, follow_symlinks=False)
        mode = stat.S_IMODE(before.st_mode) | CHANGE
        os.chmod(name, mode, dir_fd=folder, follow_symlinks=False)
    return before


def open_folder(path: str) -> int:
    """Open a folder by a path that no sandbox can change."""
    return os.open(path, FOLDER)


def open_file(folder: int, name: str) -> int:
    """Open something to be read, neither waiting for it nor following it."""
    try:
        return os.open(name, FILE, dir_fd=folder)
    except PermissionError:
        before = unlock(folder, name)
        file = os.open(name, FILE, dir_fd=folder)
        os.fchmod(file, stat.S_IMODE(before.st_mode))
        return file


def make_path(folder: int, path: str, owner: int | None = None) -> None:
    """Make a folder below another, with those between; whatever is no folder makes way."""
    here = os.dup(folder)
    try:
        for name in path.split("/"):
            inside = _make_folder(here, name, owner)
            os.close(here)
            here = inside
    finally:
        os.close(here)


def _make_folder(folder: int, name: str, owner: int | None) -> int:
    for _attempt in range(ROUNDS):
        try:
            inside, _before = enter(folder, name)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=folder)
                if owner is not None:
                    os.chown(name, owner, owner, dir_fd=folder, follow_symlinks=False)
        except NotADirectoryError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
        else:
            return inside
    raise OSError(errno.ESTALE, "The files were moved about meanwhile", name)


def measure(parent: int, name: str, foreign: Container[Identity] = ()) -> Usage:
    """Return what the tree called ``name`` in ``parent`` holds.

    Where it keeps moving, that is the most that was seen of it.
    """
    most = Usage(0, 0)
    for _round in range(3):
        size, entries = 0, 0
        linked: set[Identity] = set()
        try:
            for what, _folder, _name, found in walk(parent, name, foreign=foreign):
                if what is END:
                    continue
                if found.st_nlink > 1 and what is ENTRY:
                    if (found.st_dev, found.st_ino) in linked:
                        continue
                    linked.add((found.st_dev, found.st_ino))
                size += found.st_blocks * BLOCK
                entries += 1
        except OSError:
            most = max(most, Usage(size, entries))
        else:
            return Usage(size, entries)
    return most


def remove(parent: int, name: str, *, rounds: int = ROUNDS) -> None:
    """Remove whatever is called ``name`` in ``parent``; nothing there is no error.

    What is very deep is moved up to ``parent`` first: under Landlock, whatever is done takes time
    for each folder above.

    Raises
    ------
    OSError
        Something of it cannot be removed; all else is gone.
    """
    failure: OSError | None = None
    waiting = [name]
    while waiting:
        top = waiting.pop()
        for attempt in range(rounds):
            if attempt:
                time.sleep(ROUND_SECONDS)
            failed = _remove_once(parent, top, waiting)
            if failed is None:
                break
        failure = failed or failure
    if failure is not None:
        raise failure


def _remove_once(parent: int, top: str, waiting: list[str]) -> OSError | None:
    failure: OSError | None = None
    try:
        for what, folder, name, found in walk(parent, top, rights=CHANGE, deepest=DEEPEST):
            try:
                if what is END:
                    os.rmdir(name, dir_fd=folder)
                elif what is ENTRY and not stat.S_ISDIR(found.st_mode):
                    os.unlink(name, dir_fd=folder)
                elif what is ENTRY:
                    _remove_unentered(parent, folder, name, waiting)
            except FileNotFoundError:
                continue
            except OSError as error:
                failure = error
    except OSError as error:
        failure = error
    return failure


def _remove_unentered(parent: int, folder: int, name: str, waiting: list[str]) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        is_up = os.path.samestat(os.fstat(folder), os.fstat(parent))
        if is_up or error.errno != errno.ENOTEMPTY:
            raise
        unlock(folder, name)
        up = f".{secrets.token_hex(8)}"
        os.rename(name, up, src_dir_fd=folder, dst_dir_fd=parent)
        waiting.append(up)
