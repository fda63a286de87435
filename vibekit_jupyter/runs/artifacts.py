"""What a run did to the files: those that changed, and those of them to look at.

The sandbox is looked at twice: when the run begins, while the model thinks, and when it has ended.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import posixpath
import time
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.events import FileChanged, FileShown, Notice
from vibekit_jupyter.results import FileChange
from vibekit_jupyter.runs.look import look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container, Iterable, Iterator

    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.results import ChangeKind
    from vibekit_jupyter.runs.look import Found, Look
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["artifacts", "looking_before"]

# Seconds that the request may take until the sandbox's clock is read.
MARGIN: Final = 2.0

MOST_FILES: Final = 100
MOST_SHOWN: Final = 20
MOST_DIFFED: Final = 20
MOST_BEFORE: Final = 1000
# Bytes: of contents in all, after a run and before it; of one file. What is larger is named.
MOST_IN_ALL: Final = 4_000_000
MOST_IN_ALL_BEFORE: Final = 500_000
MOST_OF_TEXT: Final = 32_000
MOST_OF_DIFFS: Final = 64_000  # characters
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


@contextlib.asynccontextmanager
async def looking_before(sandbox: Sandbox, changes: Changes) -> AsyncIterator[asyncio.Task[None]]:
    """Take down in ``changes`` what is there before a run, while it begins.

    What is yielded is done when the first tool may run.
    """
    looking = asyncio.create_task(_look_before(sandbox, changes))
    try:
        yield looking
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _look_before(sandbox: Sandbox, changes: Changes) -> None:
    # Without it less is known of what the commands do; what is wrong with the sandbox, the run
    # tells itself.
    with contextlib.suppress(SandboxError, SessionNotFoundError, ValueError):
        found = await look(
            sandbox,
            seconds=None,
            files=MOST_BEFORE,
            room=MOST_IN_ALL_BEFORE,
            most_else=MOST_OF_TEXT,
        )
        # A name that is no text cannot be asked for again.
        named = [file for file in found.files if "\ufffd" not in file.path]
        contents = {file.path: file.content for file in named}
        changes.begin(contents, complete=found.more == 0 and len(named) == len(found.files))


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
        What there was before, and what the run's tools did; what is found is added.
    began
        A moment before the first tool call, by ``time.monotonic``. What changed so shortly
        before it as the request takes is told, too.
    earlier
        Paths that were there before. Of others, where not all was seen before, the file system
        says when they were made, which for one that a command replaced by a new file is the time
        of that.
    """
    deleted = {change.path for change in changes.files if change.kind == "deleted"}
    known = [path for path in changes.paths if path not in deleted]
    try:
        found = await look(
            sandbox,
            seconds=time.monotonic() - began + MARGIN,
            files=MOST_FILES,
            room=MOST_IN_ALL,
            most={suffix: most for suffix, (_, most) in KINDS.items()},
            most_else=MOST_OF_TEXT,
            known=known,
        )
    except (SandboxError, SessionNotFoundError) as error:
        yield Notice(f"Which files the run's commands changed is not known: {error.message}")
        return
    except ValueError as error:
        yield Notice(f"Which files the run's commands changed is not known: {error}.")
        return
    # The sandbox's clock was read before its answer came, so this is never after the beginning.
    since = found.now - (time.monotonic() - began)
    gone = [path for path in known if path in found.missing]
    told = [*_events(found, changes, earlier, since)]
    told += [FileChanged(changes.delete(path)) for path in gone[:MOST_FILES]]
    for event in _with_few_diffs(told):
        yield event
    if (more := found.more + len(gone[MOST_FILES:])) > 0:
        yield Notice(f"{more} more files changed that are not listed here.")


def _with_few_diffs(events: Iterable[Event]) -> Iterator[Event]:
    """Leave the differences out that are too many to be looked at; the result has them all."""
    files, room = MOST_DIFFED, MOST_OF_DIFFS
    for event in events:
        if isinstance(event, FileChanged) and event.change.diff:
            files, room = files - 1, room - len(event.change.diff)
            if files < 0 or room < 0:
                yield FileChanged(dataclasses.replace(event.change, diff=""))
                continue
        yield event


def _events(
    found: Look, changes: Changes, earlier: Container[str], since: float
) -> Iterator[Event]:
    shown = 0
    for file in found.files:
        if file.changed < since:
            continue
        if (change := _change(file, changes, earlier, since)) is not None:
            yield FileChanged(change)
        mime, _ = KINDS.get(_suffix(file.path), ("", 0))
        if mime and shown < MOST_SHOWN:
            shown += 1
            data = base64.b64encode(file.data or b"").decode()
            yield FileShown(file.path, mime, data, file.size)


def _change(
    file: Found, changes: Changes, earlier: Container[str], since: float
) -> FileChange | None:
    """Take down what a command did to a file, and return it; None where it did nothing."""
    path, content = file.path, file.content
    if not changes.knows(path):
        return _first_change(file, changes, earlier, since)
    before = changes.content(path)
    if before is None:  # too large to be compared, and a tool has told it
        return None
    if content is None:
        return None if file.size == len(before) else changes.add(FileChange(path, "modified"))
    return None if content == before else changes.write(path, before, content)


def _first_change(
    file: Found, changes: Changes, earlier: Container[str], since: float
) -> FileChange | None:
    """Take down what a command did to a file that no tool has written."""
    path, content = file.path, file.content
    seen, was_there = True, changes.was_there(path)
    if was_there is None:
        seen, was_there = False, path in earlier or file.born < since
    before = changes.before.get(path)
    to_be_looked_at = not was_there and _suffix(path) in KINDS
    if not seen or content is None or to_be_looked_at or (was_there and before is None):
        kind: ChangeKind = "modified" if was_there else "created"
        return changes.add(FileChange(path, kind), content)
    return None if content == before else changes.write(path, before, content)


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()
