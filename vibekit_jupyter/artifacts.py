"""What a run's commands made: the files that changed, and those of them to look at.

The sandbox is asked once, when the turn has ended, by its own clock. Its answer is data of a
stranger: it is taken within bounds, and nothing of it is ever run or unpickled here.
"""

from __future__ import annotations

import base64
import functools
import importlib.resources
import json
import math
import posixpath
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.events import FileChanged, FileShown, Notice
from vibekit_jupyter.results import FileChange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container, Sequence

    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.results import ChangeKind
    from vibekit_jupyter.sandbox import Sandbox

__all__ = ["artifacts"]

# Under -I nothing that lies in the home folder is imported in the place of the library; without
# -S the sandbox's site is looked for first, which takes as long as the look.
LOOK: Final = 'exec python3 -I -S -c "$VIBEKIT_SCRIPT"'
# Where nothing at all has changed, find knows it before Python has started.
QUICK_LOOK: Final = (
    '[ -z "$(find "$VIBEKIT_TOP" -newerct "$VIBEKIT_SECONDS seconds ago" -print -quit 2>&1)" ]'
    f' && printf %s "$VIBEKIT_NOTHING" || {LOOK}'
)
NOTHING: Final = {"now": 0, "files": [], "more": 0, "missing": []}
TIMEOUT: Final = 10.0
TOP: Final = "/home/user"
# Seconds that the request may take until the sandbox's clock is read.
MARGIN: Final = 2.0

MOST_FILES: Final = 100
MOST_SHOWN: Final = 20
MOST_PATH: Final = 1024
# Bytes: of contents in all, of the answer with them, of one file. What is larger is named.
MOST_IN_ALL: Final = 4_000_000
MOST_ANSWERED: Final = 8_000_000
MOST_OF_TEXT: Final = 32_000
IMAGE, PAGE, TABLE = 2_000_000, 500_000, 100_000

# What is shown, by suffix: as what, and up to which size. Tables come as CSV.
KINDS: Final = {
    ".png": ("image/png", IMAGE),
    ".jpg": ("image/jpeg", IMAGE),
    ".jpeg": ("image/jpeg", IMAGE),
    ".gif": ("image/gif", IMAGE),
    ".webp": ("image/webp", IMAGE),
    ".svg": ("image/svg+xml", PAGE),
    ".csv": ("text/csv", TABLE),
    ".tsv": ("text/csv", TABLE),
    ".parquet": ("text/csv", TABLE),
    ".html": ("text/html", PAGE),
    ".htm": ("text/html", PAGE),
    ".ipynb": ("application/x-ipynb+json", PAGE),
}


@dataclass(frozen=True)
class Found:
    """A file that changed lately; its times are of the sandbox's clock.

    ``data`` is its content, or a table's first rows, where it was read.
    """

    path: str
    size: int
    changed: float
    born: float
    data: bytes | None


async def artifacts(
    sandbox: Sandbox, changes: Changes, began: float, *, earlier: Container[str] = ()
) -> AsyncIterator[Event]:
    """Yield the changes of files that ``changes`` does not know yet, and the files to look at.

    A file that only holds what a tool wrote has been told already. What was changed by another
    run in the same sandbox meanwhile cannot be told apart.

    Parameters
    ----------
    sandbox
        Where the files are. It is asked with one request.
    changes
        What the run's tools did; what is found is added.
    began
        A moment before the first tool call, by ``time.monotonic``. What changed so shortly
        before it as the request takes is told, too.
    earlier
        Paths that were there before. Of others the file system says when they were made, which
        for one that a command replaced by a new file is the time of that.
    """
    known = [change.path for change in changes.files if change.kind != "deleted"]
    asked = {
        "seconds": time.monotonic() - began + MARGIN,
        "top": TOP,
        "known": [path for path in known if len(path) <= MOST_PATH][-MOST_FILES:],
        "files": MOST_FILES,
        "room": MOST_IN_ALL,
        "most": {suffix: most for suffix, (_, most) in KINDS.items()},
        "most_else": MOST_OF_TEXT,
    }
    try:
        found, missing, more, now = _read(await _ask(sandbox, asked))
    except (SandboxError, SessionNotFoundError) as error:
        yield Notice(f"Which files the run's commands changed is not known: {error.message}")
        return
    except (ValueError, LookupError, TypeError, RecursionError):
        yield Notice("Which files the run's commands changed is not known: python3 did not say.")
        return
    # The sandbox's clock was read before its answer came, so this is never after the beginning.
    since = now - (time.monotonic() - began)
    shown = 0
    for file in found:
        if file.changed < since:
            continue
        if (change := _change(file, changes, earlier, since)) is not None:
            yield FileChanged(change)
        mime, _ = KINDS.get(_suffix(file.path), ("", 0))
        if mime and shown < MOST_SHOWN:
            shown += 1
            data = base64.b64encode(file.data or b"").decode()
            yield FileShown(file.path, mime, data, file.size)
    for path in known:
        if path in missing:
            yield FileChanged(changes.write(path, changes.content(path), None))
    if more > 0:
        yield Notice(f"{more} more files changed that are not listed here.")


async def _ask(sandbox: Sandbox, asked: dict[str, Any]) -> str:
    envs = {
        "VIBEKIT_SCRIPT": _script(),
        "VIBEKIT_ASKED": json.dumps(asked),
        "VIBEKIT_TOP": asked["top"],
        "VIBEKIT_SECONDS": str(math.ceil(asked["seconds"])),
        "VIBEKIT_NOTHING": json.dumps(NOTHING),
    }
    # A file that is gone leaves a trace in its folder alone, which may be any.
    command = LOOK if asked["known"] else QUICK_LOOK
    return (await sandbox.run(command, envs=envs, timeout=TIMEOUT, keep=MOST_ANSWERED)).stdout


@functools.cache
def _script() -> str:
    return importlib.resources.files("vibekit_jupyter").joinpath("changed_files.py").read_text()


def _read(answer: str) -> tuple[Sequence[Found], Container[str], int, float]:
    """Return what the sandbox told.

    Raises
    ------
    ValueError, LookupError, TypeError
        It told something else.
    """
    told = json.loads(answer)
    files = [_found(**file) for file in told["files"][:MOST_FILES]]
    return files, set(told["missing"]), int(told["more"]), float(told["now"])


def _found(path: object, size: Any, changed: Any, born: Any, data: object) -> Found:
    if not isinstance(path, str) or len(path) > MOST_PATH:
        raise ValueError("not the path of a file")
    content = base64.b64decode(data, validate=True) if isinstance(data, str) else None
    return Found(well_formed(path), int(size), float(changed), float(born), content)


def _change(
    file: Found, changes: Changes, earlier: Container[str], since: float
) -> FileChange | None:
    """Take down what a command did to a file, and return it; None where it did nothing."""
    path, whole = file.path, file.data is not None and len(file.data) == file.size
    if not changes.knows(path):
        kind: ChangeKind = "created" if file.born >= since and path not in earlier else "modified"
        return changes.add(FileChange(path, kind), file.data if whole else None)
    before = changes.content(path)
    if before is None:  # too large to be compared, and a tool has told it
        return None
    if whole:
        return None if file.data == before else changes.write(path, before, file.data)
    return None if file.size == len(before) else changes.add(FileChange(path, "modified"))


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()
