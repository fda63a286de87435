"""A look at the files of a sandbox: which there are, which changed lately, what is in them.

The sandbox is asked with one request, by its own clock. Its answer is data of a stranger: it is
taken within bounds, and nothing of it is ever run or unpickled here.
"""

from __future__ import annotations

import base64
import functools
import importlib.resources
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.sandbox.clean_python import ask_python

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["Found", "Look", "look"]

# Where there is nothing, or nothing has changed, find knows it before Python has started.
ANYTHING: Final = """
found=$(find "$HOME/." -mindepth 1 -name '.*' -prune -o ! -type d -print -quit 2>&1)
"""
CHANGED: Final = """
found=$(find "$HOME/." -newerct "$VIBEKIT_SECONDS seconds ago" -print -quit 2>&1)
"""
QUICK: Final = """
[ -z "$found" ] && printf %s "$VIBEKIT_MARK" "$VIBEKIT_NOTHING" "$VIBEKIT_MARK" && exit
"""
NOTHING: Final = {"now": 0, "files": [], "more": 0, "missing": []}
TOP: Final = "/home/user"

# What is told as comma-separated values, and not as it is.
AS_CSV: Final = (".tsv", ".parquet")

MOST_PATH: Final = 1024
# Bytes of the paths that are asked for (an environment variable has 128 KiB).
MOST_ASKED: Final = 60_000
LAST: Final = 253_402_300_800.0  # seconds: the year 10000


@dataclass(frozen=True)
class Found:
    """A file; its times are of the sandbox's clock.

    ``data`` is its content, or a table's first rows, where it was read.
    """

    path: str
    size: int
    changed: float
    born: float
    data: bytes | None

    @property
    def content(self) -> bytes | None:
        """All that is in it, where it was read whole and as it is."""
        if self.data is None or len(self.data) != self.size or self.path.lower().endswith(AS_CSV):
            return None
        return self.data


@dataclass(frozen=True)
class Look:
    """What a look found.

    Attributes
    ----------
    files
        The last changed last.
    more
        How many files are not listed; at least one where there were too many to be counted.
    missing
        Those of the paths asked for that are not there.
    now
        When the sandbox looked, by its clock.
    """

    files: Sequence[Found]
    more: int
    missing: Container[str]
    now: float


async def look(
    sandbox: Sandbox,
    *,
    seconds: float | None,
    files: int,
    room: int,
    most_else: int,
    most: Mapping[str, int] | None = None,
    known: Iterable[str] = (),
) -> Look:
    """Look for files below the home folder; what is hidden, or installed, is left out.

    Parameters
    ----------
    seconds
        Only those that changed within so many; None is all.
    files
        How many are listed: the last changed.
    room, most, most_else
        Bytes of content: in all, of a file by its suffix, of any other file.
    known
        Paths to look for; the last ones, where they are too many.

    Raises
    ------
    ValueError
        The sandbox told something else.
    SandboxError, SessionNotFoundError
        It could not be asked.
    """
    paths = _last(known)
    asked = {
        "seconds": seconds,
        "top": TOP,
        "known": paths,
        "files": files,
        "room": room,
        "most": most or {},
        "most_else": most_else,
    }
    first = f"{ANYTHING if seconds is None else CHANGED}{QUICK}"
    # What is gone leaves a trace in its folder alone, and find sees those below the top.
    if not all(path.startswith(f"{TOP}/") for path in paths):
        first = ""
    variables = {
        "VIBEKIT_SECONDS": str(math.ceil(seconds or 0)),
        "VIBEKIT_NOTHING": json.dumps(NOTHING),
    }
    try:
        answer = await ask_python(sandbox, _script(), asked, first=first, variables=variables)
        return _read(answer, files, room, known=paths)
    except (ArithmeticError, LookupError, TimeoutError, TypeError, ValueError) as error:
        raise ValueError("python3 did not say") from error


def _last(paths: Iterable[str]) -> list[str]:
    """Return the last of the paths, as many as can be asked for."""
    room, kept = MOST_ASKED, list[str]()
    for path in reversed([*paths]):
        room -= len(json.dumps(path)) + 2
        if room < 0:
            break
        if len(path) <= MOST_PATH:
            kept.append(path)
    return kept[::-1]


@functools.cache
def _script() -> str:
    return importlib.resources.files("vibekit_jupyter.runs").joinpath("look_script.py").read_text()


def _read(told: Any, most: int, room: int, known: Sequence[str]) -> Look:
    """Read what the sandbox told, which may be anything."""
    found = [_found(**file) for file in told["files"][:most]]
    if sum(len(file.data or b"") for file in found) > 2 * room:
        raise ValueError("more than was asked for")
    missing = {*told["missing"]} & {*known}
    files = sorted(found, key=_changed)
    return Look(files, _whole(told["more"]), missing, _time(told["now"]))


def _whole(number: object) -> int:
    """Return a number as a file may have it for its size."""
    if type(number) is not int or not 0 <= number < 2**63:
        raise ValueError("not a number of files or bytes")
    return number


def _time(seconds: object) -> float:
    """Return a time, in the years up to 9999."""
    if type(seconds) not in (int, float) or not 0 <= seconds < LAST:  # type: ignore[operator]
        raise ValueError("not a time")
    return float(seconds)  # type: ignore[arg-type]


def _changed(file: Found) -> float:
    return file.changed


def _found(path: object, size: object, changed: object, born: object, data: object) -> Found:
    if not isinstance(path, str) or not 0 < len(path) <= MOST_PATH or "\0" in path:
        raise ValueError("not the path of a file")
    if not path.startswith(f"{TOP}/"):
        raise ValueError("not where it was looked")
    if not isinstance(data, str | None):
        raise TypeError("not the content of a file")
    content = None if data is None else base64.b64decode(data, validate=True)
    return Found(well_formed(path), _whole(size), _time(changed), _time(born), content)
