"""The tools that look through folders: which files there are, which lines are in them."""

from __future__ import annotations

import functools
import importlib.resources
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.outcome import Outcome
from vibekit_jupyter.agents.places import HOME, absolute
from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.sandbox.bounded_text import BoundedText
from vibekit_jupyter.sandbox.clean_python import ask_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["list_files", "search"]

MOST_FILES: Final = 1000
MOST_LINES: Final = 300
MOST_TOLD: Final = 30_000  # characters
MOST_OF_PATTERN: Final = 10_000
TIMEOUT: Final = 20.0


async def list_files(sandbox: Sandbox, path: str, glob: str = "") -> Outcome:
    """Return what is in a folder, or the files below it whose path matches a glob."""
    if not glob:
        return Outcome(await _entries(sandbox, path))
    found = await _find(sandbox, path, glob, most=MOST_FILES)
    lines = [f"{name}  {size} bytes" for name, size, _ in found.places]
    return _told(lines, found, nothing=f"no file below {path} matches {glob}", unit="files")


async def search(
    sandbox: Sandbox, pattern: str, path: str = ".", glob: str = "", *, ignore_case: bool = False
) -> Outcome:
    """Return the lines that match a regular expression, as ``path:number:line``."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the pattern is no regular expression of Python's: {error}") from error
    found = await _find(
        sandbox, path, glob, most=MOST_LINES, pattern=pattern, ignore_case=ignore_case
    )
    lines = [f"{name}:{number}:{text}" for name, number, text in found.places]
    return _told(lines, found, nothing=f"no line of {found.files} files matches", unit="lines")


async def _entries(sandbox: Sandbox, path: str) -> str:
    """Return what is in a folder, hidden files and all."""
    entries = sorted(await sandbox.list_files(absolute(path)), key=lambda entry: entry.name)
    lines = [
        f"{entry.name}/" if entry.is_dir else f"{entry.name}  {entry.size} bytes"
        for entry in entries[:MOST_FILES]
    ]
    if len(entries) > MOST_FILES:
        lines.append(f"[{len(entries)} entries in all]")
    return "\n".join(lines) or "(empty)"


@dataclass(frozen=True)
class _Found:
    """What a look through files came to: (path, line or size, text), of how many files."""

    places: Sequence[tuple[str, int, str]]
    files: int
    whole: bool


async def _find(
    sandbox: Sandbox,
    path: str,
    glob: str,
    *,
    most: int,
    pattern: str | None = None,
    ignore_case: bool = False,
) -> _Found:
    if len(glob) + len(pattern or "") > MOST_OF_PATTERN:
        raise ValueError(f"pattern and glob have at most {MOST_OF_PATTERN} characters")
    top = posixpath.normpath(absolute(path))
    asked = {
        "path": top,
        "home": HOME,
        "glob": glob,
        "pattern": pattern,
        "ignore_case": ignore_case,
        "most": most,
    }
    try:
        told = await ask_python(sandbox, _script(), asked, timeout=TIMEOUT)
        found = _read(told, path, most)
    except TimeoutError as error:
        raise ValueError(
            f"it was not done after {TIMEOUT:g} s: give a narrower path, glob or pattern"
        ) from error
    except ValueError as error:
        raise ValueError("the sandbox has no python3 that looks for it") from error
    if found is None:
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    return found


def _read(told: Any, path: str, most: int) -> _Found | None:
    """Read what the sandbox told, which may be anything; None where there is no such path."""
    try:
        places = [
            (posixpath.normpath(posixpath.join(path, str(name))), int(number), str(text))
            for name, number, text in told["found"][:most]
        ]
        found = _Found(places, int(told["files"]), bool(told["whole"]))
        return found if told["there"] else None
    except (ArithmeticError, LookupError, TypeError) as error:
        raise ValueError("not what was asked for") from error


def _told(lines: list[str], found: _Found, *, nothing: str, unit: str) -> Outcome:
    told = BoundedText.of(MOST_TOLD)
    told.append("\n".join(lines) or f"({nothing})")
    more = "" if found.whole else f"\n[only the first {len(lines)} {unit}; there are more]"
    return Outcome(f"{well_formed(str(told))}{more}")


@functools.cache
def _script() -> str:
    folder = importlib.resources.files("vibekit_jupyter.agents")
    return folder.joinpath("find_script.py").read_text()
