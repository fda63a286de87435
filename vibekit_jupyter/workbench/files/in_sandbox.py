"""What a sandbox has that is asked for: told by its python3, or by its service where it has none.

Either way it is a stranger's word: it is taken within bounds, and checked against what was asked.
"""

from __future__ import annotations

import base64
import fnmatch
import functools
import importlib.resources
import json
import posixpath
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from vibekit_jupyter.errors import FilesError
from vibekit_jupyter.sandbox.clean_python import ask_python

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.workbench.files.names import Wanted

__all__ = ["Found", "Listing", "NoPythonError", "ask_script", "listing"]

Kind = Literal["file", "folder", "link", "other"]

MOST_FILES: Final = 100_000
MOST_UNPACKED: Final = 64_000_000  # bytes of a list
# Without python3 each folder is a request.
MOST_FOLDERS: Final = 1_000
SECONDS: Final = 600.0


class NoPythonError(Exception):
    """The sandbox has no python3 that answers."""


@dataclass(frozen=True)
class Found:
    """Something in a sandbox that was asked for.

    Attributes
    ----------
    path
        Where it is in the sandbox.
    name
        Its path as seen from where the word asks; nobody has checked it yet.
    changed
        When its content changed, in nanoseconds of the sandbox's clock.
    mark
        ``+`` new, ``~`` changed since the moment asked about; else empty.
    """

    path: str
    name: str
    kind: Kind
    size: int
    changed: int
    mark: str
    wanted: int


@dataclass(frozen=True)
class Listing:
    """What was found. ``nameless`` counts what has a name that is no text."""

    found: Sequence[Found]
    more: bool = False
    nameless: int = 0


async def listing(
    sandbox: Sandbox,
    words: Sequence[Wanted],
    *,
    most: int = MOST_FILES,
    seconds: float | None = None,
    skip: Sequence[str] = (),
    hidden: bool = True,
) -> Listing:
    """Find what words mean in a sandbox, folders with all that is in them.

    Parameters
    ----------
    most
        How many entries are told of.
    seconds
        Mark what changed within so many.
    skip
        Folders that are not looked into.
    hidden
        Look at hidden files in folders, too.
    """
    asked = {
        "do": "list",
        "wanted": [(word.base, word.pattern, word.literal) for word in words],
        "most": most,
        "seconds": seconds,
        "skip": skip,
        "hidden": hidden,
    }
    try:
        answer = await ask_script(sandbox, asked)
    except NoPythonError:
        return await _asked_of_service(sandbox, words, most=most, skip=skip, hidden=hidden)
    try:
        return _read(answer, words, most)
    except (LookupError, TypeError, ValueError, zlib.error) as error:
        raise FilesError("The sandbox did not say which files it has.") from error


async def ask_script(sandbox: Sandbox, asked: Mapping[str, Any]) -> Any:
    """Return what the script answers in the sandbox.

    Raises
    ------
    NoPythonError
        There is none to answer.
    """
    try:
        return await ask_python(sandbox, _script(), asked, timeout=SECONDS)
    except (ValueError, TimeoutError) as error:
        raise NoPythonError from error


@functools.cache
def _script() -> str:
    place = importlib.resources.files("vibekit_jupyter.workbench.files")
    return place.joinpath("sandbox_script.py").read_text(encoding="utf-8")


def _read(answer: Any, words: Sequence[Wanted], most: int) -> Listing:
    unpacking = zlib.decompressobj()
    text = unpacking.decompress(base64.b64decode(answer["found"], validate=True), MOST_UNPACKED)
    if unpacking.unconsumed_tail:
        raise ValueError("more than was asked for")
    rows = json.loads(text)
    if len(rows) > most:
        raise ValueError("more than was asked for")
    found = [_found(words, row) for row in rows]
    return Listing(found, more=bool(answer["more"]), nameless=_whole(answer["nameless"]))


def _found(words: Sequence[Wanted], row: Any) -> Found:
    index, literal, name, kind, size, changed, mark = row
    word = words[_whole(index)]
    if not isinstance(name, str) or kind not in get_args(Kind) or mark not in ("", "+", "~"):
        raise TypeError("not an entry")
    base = posixpath.dirname(word.literal) if literal and word.literal else word.base
    path = posixpath.join(base, name)
    # What was not asked for is not taken: it would be written where nobody looks for it.
    meant = word.takes_literally(path) if literal else word.takes(name.split("/"))
    if not meant:
        raise ValueError("not what was asked for")
    return Found(path, name, kind, _whole(size), _time(changed), mark, index)


def _whole(number: object) -> int:
    if type(number) is not int or not 0 <= number < 2**63:
        raise ValueError("not a number of files or bytes")
    return number


def _time(nanoseconds: object) -> int:
    """Return a time, in years that every file system knows."""
    if type(nanoseconds) is not int:
        raise TypeError("not a time")
    return min(max(nanoseconds, 0), 2**32 * 10**9)


async def _asked_of_service(
    sandbox: Sandbox, words: Sequence[Wanted], *, most: int, skip: Sequence[str], hidden: bool
) -> Listing:
    walk = _Walk(sandbox, skip, hidden=hidden)
    found: list[Found] = []
    for index, word in enumerate(words):
        async for each in walk.below(index, word):
            if len(found) >= most:
                return Listing(found, more=True)
            found.append(each)
    return Listing(found, more=walk.left < 0)


class _Walk:
    """Looks through folders by the protocol alone, one request each."""

    def __init__(self, sandbox: Sandbox, skip: Sequence[str], *, hidden: bool) -> None:
        self._sandbox = sandbox
        self._skip = skip
        self._hidden = hidden
        self.left = MOST_FOLDERS

    async def below(self, index: int, word: Wanted) -> AsyncIterator[Found]:
        base = posixpath.dirname(word.literal) if word.literal else word.base
        literal = bool(word.literal)
        top = [each async for each in self._entries(index, base)] if literal else []
        if named := [each for each in top if each.path == word.literal]:
            folders = named
            yield named[0]
        else:
            folders = [Found(word.base, "", "folder", 0, 0, "", index)]
            literal = False
        while folders:
            folder = folders.pop(0)
            if folder.kind != "folder" or posixpath.basename(folder.path) in self._skip:
                continue
            async for each in self._entries(index, folder.path, folder.name):
                inside = literal or word.takes(each.name.split("/"))
                if inside and (self._hidden or not posixpath.basename(each.name).startswith(".")):
                    yield each
                if inside or _may_lead(each.name, word):
                    folders.append(each)

    async def _entries(self, index: int, folder: str, seen: str = "") -> AsyncIterator[Found]:
        self.left -= 1
        if self.left < 0:
            return
        try:
            entries = await self._sandbox.list_files(folder)
        except OSError:
            return
        for entry in sorted(entries, key=lambda each: each.name):
            if "/" in entry.name or entry.name in ("", ".", ".."):
                continue
            name = f"{seen}/{entry.name}" if seen else entry.name
            changed = _time(int(entry.changed * 1e9))
            path = posixpath.join(folder, entry.name)
            yield Found(path, name, entry.kind, max(entry.size, 0), changed, "", index)


def _may_lead(name: str, word: Wanted) -> bool:
    """Tell whether what matches may be below this folder."""
    depth = name.count("/")
    if "**" in word.pattern:
        return not posixpath.basename(name).startswith(".")
    at = word.pattern[depth : depth + 1]
    return depth + 1 < len(word.pattern) and fnmatch.fnmatchcase(posixpath.basename(name), at[0])
