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

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["Found", "Look", "look"]

# Under -I nothing that lies in the home folder is imported in the place of the library; without
# -S the sandbox's site is looked for first, which takes as long as the look.
LOOK: Final = 'exec python3 -I -S -c "$VIBEKIT_SCRIPT"'
# Where there is nothing, or nothing has changed, find knows it before Python has started.
ANYTHING: Final = """find "$HOME/." -mindepth 1 -name '.*' -prune -o ! -type d -print -quit"""
CHANGED: Final = 'find "$HOME/." -newerct "$VIBEKIT_SECONDS seconds ago" -print -quit'
QUICK_LOOK: Final = '[ -z "$({find} 2>&1)" ] && printf %s "$VIBEKIT_NOTHING" || {look}'
NOTHING: Final = {"now": 0, "files": [], "more": 0, "missing": []}
TIMEOUT: Final = 10.0
TOP: Final = "/home/user"

# What is told as comma-separated values, and not as it is.
AS_CSV: Final = (".tsv", ".parquet")

MOST_PATH: Final = 1024
# Bytes: of the answer; of the paths that are asked for (an environment variable has 128 KiB).
MOST_ANSWERED: Final = 8_000_000
MOST_ASKED: Final = 60_000


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
    envs = {
        "VIBEKIT_SCRIPT": _script(),
        "VIBEKIT_ASKED": json.dumps(asked),
        "VIBEKIT_SECONDS": str(math.ceil(seconds or 0)),
        "VIBEKIT_NOTHING": json.dumps(NOTHING),
    }
    command = QUICK_LOOK.format(find=ANYTHING if seconds is None else CHANGED, look=LOOK)
    # What is gone leaves a trace in its folder alone, and find sees those below the top.
    if not all(path.startswith(f"{TOP}/") for path in paths):
        command = LOOK
    answer = await sandbox.run(command, envs=envs, timeout=TIMEOUT, keep=MOST_ANSWERED)
    try:
        return _read(answer.stdout, files)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
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


def _read(answer: str, most: int) -> Look:
    told = json.loads(answer)
    files = sorted((_found(**file) for file in told["files"][:most]), key=_changed)
    return Look(files, int(told["more"]), set(told["missing"]), float(told["now"]))


def _changed(file: Found) -> float:
    return file.changed


def _found(path: object, size: Any, changed: Any, born: Any, data: object) -> Found:
    if not isinstance(path, str) or len(path) > MOST_PATH:
        raise ValueError("not the path of a file")
    content = base64.b64decode(data, validate=True) if isinstance(data, str) else None
    return Found(well_formed(path), int(size), float(changed), float(born), content)
