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

__all__ = ["BEGIN", "END", "ENTRY", "Identity", "Tally", "Usage", "clear", "enter", "leave"]
__all__ += ["make_path", "measure", "open_above", "open_file", "open_folder", "remove", "unlock"]
__all__ += ["walk"]

# What a walk tells: a folder begins or ends, or there is something else.
BEGIN, END, ENTRY = "begin", "end", "entry"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# A folder that is searched for one name, and not read.
SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
BLOCK = 512
# What a file takes though it is empty: its inode, its name.
LEAST_BYTES = 4096
READ, CHANGE = 0o500, 0o700
# Whoever still writes into a tree that is removed has been killed, and is about to end.
ROUNDS, ROUND_SECONDS = 20, 0.05
DEEPEST = 200
# So many folders above the one at hand are kept open: the way back into them cannot be lost.
KEPT = 64

Identity = tuple[int, int]
Step = tuple[str, int, str, os.stat_result]


class Usage(NamedTuple):
    """What a tree holds: bytes on disk, and entries, each of which is an inode."""

    bytes: int
    entries: int


class Tally:
    """What a walk has come across so far."""

    def __init__(self) -> None:
        self.bytes = 0
        self.entries = 0
        self._linked: set[Identity] = set()

    def add(self, what: str, found: os.stat_result) -> None:
        """Count one step of :func:`walk`: a file with several names once."""
        if what is END:
            return
        if found.st_nlink > 1 and what is ENTRY:
            identity = (found.st_dev, found.st_ino)
            if identity in self._linked:
                return
            self._linked.add(identity)
        self.bytes += max(found.st_blocks * BLOCK, LEAST_BYTES)
        self.entries += 1


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
        ``ESTALE``: the tree was moved about, deep below, and the way up is lost.
    """
    way = _Way(parent)
    levels = [_Level("", os.fstat(parent), [name], unlocked=False)]
    try:
        while True:
            if levels[-1].names:
                name = levels[-1].names.pop()
                try:
                    found = os.stat(name, dir_fd=way.here, follow_symlinks=False)
                except OSError:
                    continue  # gone, or its folder was closed again
                if not stat.S_ISDIR(found.st_mode) or len(levels) - 1 == deepest:
                    yield ENTRY, way.here, name, found
                elif (found.st_dev, found.st_ino) not in foreign:
                    try:
                        inside, level = _look_into(way.here, name, rights)
                    except PermissionError:
                        yield ENTRY, way.here, name, found
                        continue
                    except (FileNotFoundError, NotADirectoryError):
                        continue  # it is something else by now
                    way.down(inside)
                    levels.append(level)
                    yield BEGIN, inside, name, level.found
            elif len(levels) == 1:
                return
            else:
                done = levels.pop()
                way.up(levels[-1].found, done.found if done.unlocked else None)
                yield END, way.here, done.name, done.found
    finally:
        way.close()


class _Way:
    """The way down to the folder at hand; of those above it, the uppermost are kept open."""

    def __init__(self, top: int) -> None:
        self.here = os.dup(top)
        self._kept: list[int] = []
        self._depth = 0

    def down(self, inside: int) -> None:
        if self._depth < KEPT:
            self._kept.append(self.here)
        else:
            os.close(self.here)
        self.here = inside
        self._depth += 1

    def up(self, found: os.stat_result, locked: os.stat_result | None) -> None:
        self._depth -= 1
        above = self._kept.pop() if self._depth < KEPT else None
        try:
            self.here = leave(self.here, found, above, locked)
        finally:
            if above is not None:
                os.close(above)

    def close(self) -> None:
        for folder in (*self._kept, self.here):
            os.close(folder)


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


def open_above(path: str) -> tuple[int, str]:
    """Open the folder above one whose path no sandbox can change; return it, and the last name."""
    above, name = os.path.split(path)
    return os.open(above, SEARCH), name


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


def measure(
    parent: int, name: str, foreign: Container[Identity] = (), most: int = sys.maxsize
) -> Usage:
    """Return what the tree called ``name`` in ``parent`` holds, or the first ``most`` of it.

    Where it keeps moving, that is the most that was seen of it.
    """
    seen = Usage(0, 0)
    for _round in range(3):
        tally = Tally()
        try:
            for what, _folder, _name, found in walk(parent, name, foreign=foreign):
                tally.add(what, found)
                if tally.entries > most:
                    break
        except OSError:
            seen = max(seen, Usage(tally.bytes, tally.entries))
        else:
            return Usage(tally.bytes, tally.entries)
    return seen


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


def clear(parent: int, name: str) -> None:
    """Remove all that is in a folder, as far as it can be removed; the folder stays."""
    inside, level = _look_into(parent, name, CHANGE)
    try:
        for entry in level.names:
            with contextlib.suppress(OSError):
                remove(inside, entry)
        if level.unlocked:
            os.fchmod(inside, stat.S_IMODE(level.found.st_mode))
    finally:
        os.close(inside)


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
