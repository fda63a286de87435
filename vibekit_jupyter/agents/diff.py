"""What became of a file, as a unified diff in bounded time and size."""

from __future__ import annotations

import difflib
import io
import re

from vibekit_jupyter.results import ChangeKind, FileChange

__all__ = ["file_change"]

CONTEXT = 3
# difflib takes time in proportion to the product of both sides' lines.
MOST_COMPARED = 1_000_000
MOST_SHOWN = 100_000


def file_change(path: str, old: bytes | None, new: bytes | None) -> FileChange:
    """Return what became of a file; None is one that is not there.

    A binary file has no diff. Of a large diff the beginning is kept, cut at a line's end, but
    all its lines are counted.
    """
    kind: ChangeKind = "modified"
    if old is None or new is None:
        kind = "created" if old is None else "deleted"
    try:
        before, after = _lines(old or b""), _lines(new or b"")
    except UnicodeDecodeError:
        return FileChange(path, kind)
    lines = _diff(before, after)
    diff = "".join(lines)
    if len(diff) > MOST_SHOWN:
        diff = diff[: diff.rindex("\n", 0, MOST_SHOWN) + 1]
    return FileChange(
        path,
        kind,
        diff,
        added=sum(line.startswith("+") for line in lines),
        removed=sum(line.startswith("-") for line in lines),
    )


def _lines(data: bytes) -> list[str]:
    """Return a text's lines with their ends; only a newline ends one."""
    if b"\0" in data:
        raise UnicodeDecodeError("utf-8", data[:1], 0, 1, "a binary file")
    return list(io.StringIO(data.decode(), newline="\n"))


def _diff(before: list[str], after: list[str]) -> list[str]:
    """Return a unified diff without its two header lines.

    Only what lies between the lines that both have at the beginning and at the end is
    compared: an edit of a large file costs as much as the edit.
    """
    head = _common(before, after)
    tail = min(_common(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    if (len(before) - head - tail) * (len(after) - head - tail) > MOST_COMPARED:
        return _replaced(before, after, head, tail)
    start = max(0, head - CONTEXT)
    old, new = (
        [_ended(line) for line in lines[start : len(lines) - max(0, tail - CONTEXT)]]
        for lines in (before, after)
    )
    lines = list(difflib.unified_diff(old, new, n=CONTEXT))[2:]
    return [_moved(line, start) if line.startswith("@@") else line for line in lines]


def _replaced(before: list[str], after: list[str], head: int, tail: int) -> list[str]:
    """Return a diff that takes all different lines away and puts the others there."""
    removed = before[head : len(before) - tail]
    added = after[head : len(after) - tail]
    return [
        f"@@ -{head + 1},{len(removed)} +{head + 1},{len(added)} @@\n",
        *(f"-{_ended(line)}" for line in removed),
        *(f"+{_ended(line)}" for line in added),
    ]


def _common(left: list[str], right: list[str]) -> int:
    pairs = zip(left, right, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _moved(header: str, lines: int) -> str:
    """Return a hunk's header for a window that begins so many lines into the file."""
    return re.sub(r"(?<=[-+])\d+", lambda match: str(int(match[0]) + lines), header)
