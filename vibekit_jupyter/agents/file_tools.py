"""The tools that read, write and edit one file of the sandbox."""

from __future__ import annotations

import asyncio
import posixpath
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.outcome import Outcome
from vibekit_jupyter.agents.places import absolute
from vibekit_jupyter.results import FileChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.agents.changes import Changes
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["edit_file", "proposed", "read_file", "write_file"]

MOST_READ = 50_000  # characters
MOST_FILE = 8 * 1024**2  # bytes: larger files are for commands


async def read_file(
    sandbox: Sandbox, path: str, offset: int = 1, limit: int | None = None, column: int = 1
) -> Outcome:
    """Return a text file's lines; a long line goes on at ``column``."""
    if min(offset, limit or 1, column) < 1 or limit == 0:
        raise ValueError("offset, limit and column are at least 1")
    data = await _content(sandbox, path)
    if b"\0" in data:
        raise ValueError(f"{path} is a binary file of {len(data)} bytes")
    lines = data.decode(errors="replace").split("\n")
    count = len(lines) - (lines[-1] == "")  # a final newline begins no line
    if offset > max(count, 1):
        raise ValueError(f"{path} has only {count} lines")
    chosen = lines[offset - 1 :][:limit]
    if column > max(len(chosen[0]), 1):
        raise ValueError(f"line {offset} has only {len(chosen[0])} characters")
    chosen[0] = chosen[0][column - 1 :]
    text = "\n".join(chosen)
    if len(text) > MOST_READ:
        return Outcome(_cut(text[:MOST_READ], offset, column))
    if offset - 1 + len(chosen) < count:
        text += f"\n[{count} lines in all]"
    return Outcome(text or "(empty)")


def _cut(text: str, offset: int, column: int) -> str:
    """Return whole lines and where to go on, which in a line longer than all is within it."""
    whole, newline, _ = text.rpartition("\n")
    if newline:
        return f"{whole}\n[cut: go on with offset={offset + whole.count(chr(10)) + 1}]"
    return f"{text}\n[cut: go on with offset={offset}, column={column + len(text)}]"


async def write_file(sandbox: Sandbox, changes: Changes, path: str, content: str) -> Outcome:
    """Write a text file; what it held before may be of any size."""
    try:
        old = await sandbox.read_file(absolute(path), most=MOST_FILE + 1)
    except FileNotFoundError:
        return await _changed(sandbox, changes, path, None, content.encode())
    if len(old) <= MOST_FILE:
        return await _changed(sandbox, changes, path, old, content.encode())
    await sandbox.write_file(absolute(path), content.encode())
    name = posixpath.normpath(absolute(path))
    change = changes.add(FileChange(name, "modified"), content.encode())
    return Outcome(f"modified {path}, which was larger than {MOST_FILE} bytes", change=change)


async def edit_file(
    sandbox: Sandbox,
    changes: Changes,
    path: str,
    *,
    old: str | None = None,
    new: str | None = None,
    all: bool = False,  # noqa: A002 - the argument's name
    edits: Sequence[dict[str, Any]] | None = None,
) -> Outcome:
    """Replace pieces of a text file, one after the other; all of them or none."""
    before, after = await _after_edits(sandbox, path, old=old, new=new, all=all, edits=edits)
    return await _changed(sandbox, changes, path, before, after)


async def proposed(
    sandbox: Sandbox, tool: str, path: str, *, content: str = "", **edit: Any
) -> tuple[bytes | None, bytes]:
    """Return what a file holds, None where it is not there, and what it would hold after a call."""
    if tool == "edit_file":
        return await _after_edits(sandbox, path, **edit)
    try:
        before = await sandbox.read_file(absolute(path), most=MOST_FILE + 1)
    except FileNotFoundError:
        return None, content.encode()
    return before, content.encode()


async def _after_edits(
    sandbox: Sandbox,
    path: str,
    *,
    old: str | None = None,
    new: str | None = None,
    all: bool = False,  # noqa: A002 - the argument's name
    edits: Sequence[dict[str, Any]] | None = None,
) -> tuple[bytes, bytes]:
    if (old is None or new is None) == (edits is None):
        raise ValueError("give either old and new, or edits")
    if edits is None:
        edits = [{"old": old, "new": new, "all": all}]
    before = after = await _content(sandbox, path)
    for number, edit in enumerate(edits, 1):
        try:
            after = _edited(after, path, **edit)
        except ValueError as error:
            if len(edits) == 1:
                raise
            raise ValueError(f"edit {number}: {error}; nothing is changed") from error
    return before, after


def _edited(before: bytes, path: str, old: str, new: str, *, all: bool = False) -> bytes:  # noqa: A002
    piece = old.encode()
    if not piece:
        raise ValueError("old is empty")
    found = before.count(piece)
    if not found:
        carriage = " (its lines end in \\r\\n)" if b"\r\n" in before else ""
        raise ValueError(f"old does not occur in {path}{carriage}; read the file again")
    # Pieces that overlap are counted once, but it is not clear which one is meant.
    if not all and before.find(piece, before.find(piece) + 1) >= 0:
        raise ValueError(
            f"old occurs more than once in {path}; give more lines around it, or all: true"
        )
    return before.replace(piece, new.encode())


async def _content(sandbox: Sandbox, path: str) -> bytes:
    data = await sandbox.read_file(absolute(path), most=MOST_FILE + 1)
    if len(data) > MOST_FILE:
        raise ValueError(f"{path} has more than {MOST_FILE} bytes; use run_command")
    return data


async def _changed(
    sandbox: Sandbox, changes: Changes, path: str, old: bytes | None, new: bytes
) -> Outcome:
    if old == new:
        return Outcome(f"{path} has this content already.")
    await sandbox.write_file(absolute(path), new)
    name = posixpath.normpath(absolute(path))
    change = await asyncio.to_thread(changes.write, name, old, new)
    return Outcome(f"{change.kind} {path} (+{change.added} -{change.removed})", change=change)
