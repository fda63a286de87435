"""Names of files: which of a stranger's are taken, and which a person's words mean."""

from __future__ import annotations

import fnmatch
import posixpath
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.places import HOME
from vibekit_jupyter.errors import FilesError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HOME", "Wanted", "parts_of", "sandbox_path", "short", "wanted"]

MOST_NAME: Final = 255  # bytes
MOST_PATH: Final = 1024
WILD: Final = frozenset("*?[")


def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts of a relative path that may be written below a folder.

    Raises
    ------
    ValueError
        It may not; the message is the end of a sentence about it.
    """
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError("its name is no text") from None
    if size > MOST_PATH:
        raise ValueError(f"its name has more than {MOST_PATH:,} bytes")
    if any(unicodedata.category(letter) == "Cc" for letter in path):
        raise ValueError("its name holds control characters")
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("its name leads elsewhere")
    if any(len(part.encode()) > MOST_NAME for part in parts):
        raise ValueError(f"its name has a part of more than {MOST_NAME} bytes")
    return parts


def sandbox_path(word: str) -> str:
    """Return what a person's word means in a sandbox: seen from its home, or absolute.

    Raises
    ------
    FilesError
        It cannot be a path.
    """
    try:
        size = len(word.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= MOST_PATH or "\0" in word:
        raise FilesError(
            f"{word[:60]!r} cannot be the path of a file.",
            hint=f"A path is text of 1 to {MOST_PATH:,} bytes, without NUL.",
        )
    if word == "~" or word.startswith("~/"):
        word = word[1:].lstrip("/") or "."
    path = posixpath.normpath(posixpath.join(HOME, word))
    return path[1:] if path.startswith("//") else path


def short(path: str) -> str:
    """Return a path as seen from the sandbox's home."""
    return path.removeprefix(f"{HOME}/")


@dataclass(frozen=True)
class Wanted:
    """What one word of a person's asks for.

    Attributes
    ----------
    word
        As it was typed.
    base
        The folder that the names are seen from: what stands before it is not kept.
    pattern
        The parts below it that match; ``**`` is any number of folders.
    literal
        The path as it stands, for a name that holds a ``*`` itself; empty for the top.
    """

    word: str
    base: str
    pattern: tuple[str, ...]
    literal: str

    def takes(self, parts: Sequence[str]) -> bool:
        """Tell whether a path below the base is meant, itself or by a folder above it."""
        return any(_matches(parts[:end], self.pattern) for end in range(1, len(parts) + 1))

    def takes_literally(self, path: str) -> bool:
        """Tell whether the word is this path, or a folder above it."""
        return bool(self.literal) and f"{path}/".startswith(f"{self.literal}/")


def wanted(word: str) -> Wanted:
    """Return what a word asks for. The names of what it matches keep no folder above its first *.

    ``out/x.csv`` is ``x.csv``, ``out`` is ``out/…``, ``out/*/x`` is ``NAME/x``.
    """
    path = sandbox_path(word)
    if path in (HOME, "/"):
        return Wanted(word, path, ("*",), "")
    parts = path.strip("/").split("/")
    wild = [index for index, part in enumerate(parts) if WILD.intersection(part)]
    first = min([*wild, len(parts) - 1])
    return Wanted(word, "/" + "/".join(parts[:first]), tuple(parts[first:]), path)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether all parts match all of a pattern; what is hidden has to be asked for."""
    # Which beginnings of the pattern the parts so far can have used up.
    reached = _past_folders({0}, pattern)
    for part in parts:
        after = {at for at in reached if at < len(pattern) and _stays(part, pattern[at])}
        after |= {at + 1 for at in reached if at < len(pattern) and _fits(part, pattern[at])}
        reached = _past_folders(after, pattern)
    return len(pattern) in reached


def _past_folders(reached: set[int], pattern: Sequence[str]) -> set[int]:
    for at in range(len(pattern)):
        if at in reached and pattern[at] == "**":
            reached = {*reached, at + 1}
    return reached


def _stays(part: str, pattern: str) -> bool:
    return pattern == "**" and not part.startswith(".")


def _fits(part: str, pattern: str) -> bool:
    if pattern == "**" or (part.startswith(".") and not pattern.startswith(".")):
        return False
    return fnmatch.fnmatchcase(part, pattern)
