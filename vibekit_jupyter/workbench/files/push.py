"""Files into a sandbox: small ones together, large ones alone, none half under its name."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import glob
import hashlib
import os
import posixpath
import re
import stat
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import FilesError, SandboxError, SandboxLimitError
from vibekit_jupyter.sandbox.transfers import in_thread
from vibekit_jupyter.workbench.files.at_once import at_once
from vibekit_jupyter.workbench.files.in_sandbox import MOST_FILES, NoPythonError, ask_script
from vibekit_jupyter.workbench.files.names import sandbox_path
from vibekit_jupyter.workbench.files.outcome import LeftOut, Progress, Transfer
from vibekit_jupyter.workbench.files.plan import LARGE, SMALL, Item, batches, planned
from vibekit_jupyter.workbench.files.tar import packed
from vibekit_jupyter.workbench.files.target import PART

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.workbench.files.in_sandbox import Kind
    from vibekit_jupyter.workbench.files.outcome import Tell

__all__ = ["Push"]

PIECE: Final = 4 * 1024**2
FEW: Final = 4  # files that are not worth an archive
# A service says of a limit of its own what this machine says of a full disk.
FULL: Final = ("full", "limit", "space", "quota", "may hold")
LIMIT: Final = re.compile(r"a file may hold [\w ]{1,40}")
SHRANK: Final = "it became shorter while it was read"


class _UnreadableError(Exception):
    """A file here cannot be read; the message is the end of a sentence about it."""


class Push:
    """One push.

    Parameters
    ----------
    sandbox
        Where the files go.
    tell
        Called as it goes on.
    """

    def __init__(self, sandbox: Sandbox, tell: Tell) -> None:
        self._sandbox = sandbox
        self._tell = tell
        self._progress = [0, 0, 0, 0]
        self._left: list[LeftOut] = []

    async def go(self, words: Sequence[str], to: str) -> Transfer:
        """Bring what the words mean."""
        began = time.monotonic()
        self._to = sandbox_path(to or ".")
        items, self._left = planned(await in_thread(_found, words), case_blind=False)
        files = [item for item in items if item.kind == "file"]
        folders = [item for item in items if item.kind == "folder"]
        self._progress[1::2] = [len(files), sum(item.size for item in files)]
        self._say()
        try:
            await self._bring(folders, files)
        except OSError as error:
            raise self._refused(error) from error
        except SandboxError as error:
            done = f"{self._progress[0]:,} of {len(files):,} files are in the sandbox"
            error.hint = f"{done}: ask again."
            raise
        left = {each.path for each in self._left}
        return Transfer(
            [self._there(item) for item in files if item.path not in left],
            self._to,
            size=self._progress[2],
            left_out=self._left,
            duration=time.monotonic() - began,
        )

    def _there(self, item: Item) -> str:
        return posixpath.join(self._to, item.name)

    async def _bring(self, folders: Sequence[Item], files: Sequence[Item]) -> None:
        small = [item for item in files if item.size <= SMALL]
        if len(small) + len(folders) > FEW:
            first = [*folders]
            for batch in batches(small) if small else [[]]:
                await self._together(first, batch)
                first = []
        else:
            for folder in folders:
                await self._sandbox.make_folder(self._there(folder))
            await at_once(self._one, small)
        for item in files:
            if item.size > LARGE:
                await self._in_pieces(item)
            elif item.size > SMALL:
                await self._one(item)

    async def _together(self, folders: Sequence[Item], batch: Sequence[Item]) -> None:
        tar = f"/tmp/vibekit-{uuid.uuid4().hex}.tar"  # noqa: S108  (the sandbox's)
        asked = {"do": "unpack", "tar": tar, "to": self._to}
        sent: list[Item] = [*folders]
        try:
            await self._sandbox.upload(tar, packed(self._members(folders, batch, sent)))
            answer = await ask_script(self._sandbox, asked)
        except NoPythonError:
            for folder in folders:
                await self._sandbox.make_folder(self._there(folder))
            await at_once(self._one, batch)
        else:
            self._check(answer, sent, len(folders))
        finally:
            await asyncio.shield(self._sandbox.discard(tar))

    def _members(
        self, folders: Sequence[Item], batch: Sequence[Item], sent: list[Item]
    ) -> Iterator[tuple[str, bytes | None]]:
        for folder in folders:
            yield folder.name, None
        for item in batch:
            with self._noted(item), _opened(item) as file:
                data = file.read(item.size)
                if len(data) < item.size:
                    self._left.append(LeftOut(item.path, SHRANK))
                    continue
                sent.append(item)
                yield item.name, data
                self._add(size=len(data))

    @contextlib.contextmanager
    def _noted(self, item: Item) -> Iterator[None]:
        """Leave out a file that cannot be read here."""
        try:
            yield
        except OSError as error:
            self._left.append(LeftOut(item.path, f"it could not be read ({error.strerror})"))

    def _check(self, answer: Any, sent: Sequence[Item], folders: int) -> None:
        """Take down what the sandbox says it could not write."""
        try:
            done, failed = int(answer["done"]), [(int(n), str(why)) for n, why in answer["failed"]]
            items = [(sent[number], why[:200]) for number, why in failed if number >= 0]
            full = answer["full"] is True
        except (LookupError, TypeError, ValueError) as error:
            raise FilesError("The sandbox did not say what became of the files.") from error
        self._add(files=max(0, min(done - folders, len(sent) - folders)))
        if full:
            raise _full_error(self._progress[0])
        self._left += [
            LeftOut(item.path, f"it could not be written there ({why})") for item, why in items
        ]

    async def _one(self, item: Item) -> None:
        """Send a file in a stream, under another name until it is whole."""
        path = self._there(item)
        part = posixpath.join(posixpath.dirname(path), f"{PART}{uuid.uuid4().hex}.part")
        with self._noted_there(item):
            try:
                await self._sandbox.upload(part, self._pieces(item, 0, item.size))
                await self._sandbox.rename(part, path)
            except BaseException:
                await asyncio.shield(self._sandbox.discard(part))
                raise
            self._add(files=1)

    async def _in_pieces(self, item: Item) -> None:
        """Send a large file piece by piece; what is there of it is gone on with."""
        path = self._there(item)
        key = hashlib.sha256(f"{item.path}\0{item.size}\0{item.changed}".encode()).hexdigest()[:16]
        part = posixpath.join(posixpath.dirname(path), f"{PART}{key}.part")
        with self._noted_there(item):
            there = await self._sandbox.size(part) or 0
            if there > item.size:
                await self._sandbox.remove(part)
                there = 0
            self._add(size=there)
            await self._append(item, part, there)
            size = await self._sandbox.size(part)
            if size != item.size:
                await self._sandbox.discard(part)
                raise FilesError(
                    f"{item.name} did not arrive whole: the sandbox has {size or 0:,} of "
                    f"{item.size:,} bytes.",
                    hint="Ask again.",
                )
            await self._sandbox.rename(part, path)
            self._add(files=1)

    async def _append(self, item: Item, part: str, there: int) -> None:
        """Send the rest of a file: a piece is put to those before it while the next one is sent."""
        pieces = [f"{part}-piece", f"{part}-next"]
        putting: asyncio.Future[None] | None = None
        try:
            while there < item.size:
                piece = pieces[0]
                end = min(there + LARGE, item.size)
                await self._sandbox.upload(piece, self._pieces(item, there, end))
                if putting is not None:
                    await putting
                # Where there is nothing yet, nothing has to be copied.
                putting = asyncio.ensure_future(
                    self._sandbox.append(part, piece) if there else self._renamed(piece, part)
                )
                there = end
                pieces.reverse()
            if putting is not None:
                await putting
        finally:
            if putting is not None:
                await asyncio.wait([putting])
                if not putting.cancelled():
                    putting.exception()
            for piece in pieces:
                await asyncio.shield(self._sandbox.discard(piece))

    async def _renamed(self, piece: str, part: str) -> None:
        await self._sandbox.rename(piece, part)

    def _pieces(self, item: Item, start: int, end: int) -> Iterator[bytes]:
        try:
            with _opened(item) as file:
                file.seek(start)
                while start < end and (data := file.read(min(PIECE, end - start))):
                    start += len(data)
                    yield data
                    self._add(size=len(data))
        except OSError as error:
            raise _UnreadableError(f"it could not be read ({error.strerror})") from error
        if start < end:
            raise _UnreadableError(SHRANK)

    @contextlib.contextmanager
    def _noted_there(self, item: Item) -> Iterator[None]:
        """Leave out a file that the sandbox does not take; a full disk takes no other either."""
        try:
            yield
        except _UnreadableError as error:
            self._left.append(LeftOut(item.path, str(error)))
        except OSError as error:
            if any(word in str(error) for word in FULL):
                raise
            reason = str(error).rpartition(": ")[2][:200]
            self._left.append(LeftOut(item.path, f"it could not be written there ({reason})"))

    def _refused(self, error: OSError) -> SandboxLimitError:
        said = f"{error} {error.__cause__ or ''}"
        if limit := LIMIT.search(said):
            return SandboxLimitError(
                f"A file is too large for the sandbox: {limit[0]}.",
                hint="Split it, or send less of it.",
            )
        return _full_error(self._progress[0])

    def _add(self, *, files: int = 0, size: int = 0) -> None:
        self._progress[0] += files
        self._progress[2] += size
        self._say()

    def _say(self) -> None:
        self._tell(Progress("pushing", *self._progress))


def _full_error(done: int) -> SandboxLimitError:
    return SandboxLimitError(
        f"The sandbox's disk is full: {done:,} of the files are there.",
        hint="%vibekit_files rm makes room; ask again then.",
    )


def _found(words: Sequence[str]) -> list[Item]:
    """Return what words mean on this machine, folders with all that is in them.

    A link is followed where a word names it as it stands, and nowhere else.
    """
    items: dict[str, Item] = {}
    for word in words:
        if "\0" in word or not word:
            raise FilesError(f"{word[:60]!r} cannot be the path of a file.")
        path = os.path.expanduser(word)
        named = os.path.lexists(path)
        first = 0 if named else _fixed(path)
        matched = [path] if named else sorted(glob.glob(path, recursive=True))
        matched = [each for each in matched if named or not _through_link(each, first)]
        if not matched:
            raise FilesError(f"There is no {word!r} here.", hint=f"Here is {Path.cwd()}.")
        for each in matched:
            top = os.path.abspath(each)
            name = os.path.basename(top) if named else os.path.relpath(each, path[:first] or ".")
            if top == os.path.abspath("."):
                name = ""
            for item in _below(top, name, follow=named):
                key = f"{item.path}\0{item.name}"
                if key in items and item.kind == "folder":
                    break  # it was looked into
                items[key] = item
                if len(items) > MOST_FILES:
                    raise FilesError(
                        f"There are more than {MOST_FILES:,} files.",
                        hint="Push one folder after the other.",
                    )
    return [*items.values()]


def _through_link(path: str, first: int) -> bool:
    """Tell whether a match lies behind a link, after the part that is named as it stands."""
    ends = [at for at, letter in enumerate(path) if letter == "/" and at > first]
    return any(os.path.islink(path[:end]) for end in ends)


def _fixed(path: str) -> int:
    """Return where the part of a pattern ends that is a folder as it stands."""
    wild = next((at for at, letter in enumerate(path) if letter in "*?["), len(path))
    return path.rfind("/", 0, wild) + 1


def _below(top: str, name: str, *, follow: bool) -> Iterator[Item]:
    found = _item(top, name, follow=follow)
    if found.name:
        yield found
    folders = [(top, name)] if found.kind == "folder" else []
    while folders:
        folder, seen = folders.pop()
        with contextlib.suppress(PermissionError, FileNotFoundError), os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                item = _item(entry.path, f"{seen}/{entry.name}" if seen else entry.name)
                yield item
                if item.kind == "folder":
                    folders.append((entry.path, item.name))


def _item(path: str, name: str, *, follow: bool = False) -> Item:
    try:
        found = os.stat(path, follow_symlinks=follow)
    except OSError:
        return Item(path, name, "other", 0, 0)
    kind: Kind = "other"
    if stat.S_ISREG(found.st_mode):
        kind = "file"
    elif stat.S_ISDIR(found.st_mode):
        kind = "folder"
    elif stat.S_ISLNK(found.st_mode):
        kind = "link"
    # A link that a word names is opened where it leads.
    path = os.path.realpath(path) if follow else path
    return Item(path, name, kind, found.st_size, found.st_mtime_ns)


@contextlib.contextmanager
def _opened(item: Item) -> Iterator[Any]:
    """Open a file to be read: no link, no device that would be waited for."""
    opened = os.open(item.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        yield file
