"""An error's traceback in words for a model: the person's frames, and where it was raised."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["is_cell", "traceback_text"]

MOST_LINES: Final = 60
FIRST_LINES: Final = 15
MOST_LINE: Final = 400  # characters
MOST_CAUSES: Final = 5

# How IPython and ipykernel call the source of a cell.
_CELL: Final = re.compile(r"<ipython-input-.*>|.*[\\/]ipykernel_\d+[\\/]\d+\.py", re.DOTALL)
_LIBRARIES: Final = tuple(
    {str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


def is_cell(filename: str) -> bool:
    """Whether a file's name is that of a cell."""
    return _CELL.fullmatch(filename) is not None


def traceback_text(error: BaseException) -> str:
    """Return an error's traceback: the frames of the person's code, and where it was raised."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    lines = [_short(line) for text in _chain(told) for line in text.rstrip("\n").split("\n")]
    if len(lines) > MOST_LINES:
        last = MOST_LINES - FIRST_LINES - 1
        left_out = f"  [{len(lines) - FIRST_LINES - last} lines left out]"
        lines = [*lines[:FIRST_LINES], left_out, *lines[-last:]]
    return "\n".join(lines)


def _chain(told: traceback.TracebackException) -> Iterator[str]:
    """Yield the text of an error, after that of what it came from."""
    chain: list[tuple[traceback.TracebackException, str]] = []
    following = ""
    last: traceback.TracebackException | None = told
    while last is not None and len(chain) < MOST_CAUSES:
        chain.append((last, following))
        if last.__cause__ is not None:
            last, following = last.__cause__, "\nIt was the direct cause of this:\n"
        elif not last.__suppress_context__:
            last, following = last.__context__, "\nWhile it was handled, this happened:\n"
        else:
            last = None
    for each, then in reversed(chain):
        yield from _one(each)
        if then:
            yield then


def _one(told: traceback.TracebackException) -> Iterator[str]:
    if told.stack:
        yield "Traceback (most recent call last):"
        yield from _frames(told.stack)
    if isinstance(getattr(told, "filename", None), str):
        told.filename = _place(told.filename, told.filename)  # of a syntax error
    yield from told.format_exception_only()
    for each in (getattr(told, "exceptions", None) or ())[:MOST_CAUSES]:
        yield from (f"  {line}" for line in each.format_exception_only())


def _frames(stack: Sequence[traceback.FrameSummary]) -> Iterator[str]:
    """Yield the frames of the person's code; of others, how many there are, and the last."""
    whose = [_is_persons(frame.filename) for frame in stack]
    cells = [is_cell(frame.filename) for frame in stack]
    if True in cells:
        first = cells.index(True)  # what is before is IPython's
    else:
        first = whose.index(True) if True in whose else len(stack) - 1
    cell = stack[first].filename
    skipped = 0
    for frame, own in list(zip(stack, whose, strict=True))[first:]:
        if not own and frame is not stack[-1]:
            skipped += 1
            continue
        if skipped:
            yield f"  [{skipped} frames of libraries]"
            skipped = 0
        yield f'  File "{_place(frame.filename, cell)}", line {frame.lineno}, in {frame.name}'
        if frame.line:
            yield f"    {frame.line}"


def _is_persons(filename: str) -> bool:
    if is_cell(filename):
        return True
    return not filename.startswith(("<", *_LIBRARIES)) and "site-packages" not in filename


def _place(filename: str, cell: str) -> str:
    """Return where a frame is, without a number that differs from run to run."""
    if is_cell(filename):
        return "the cell" if filename == cell else "another cell"
    return Path(filename).name if filename else "?"


def _short(line: str) -> str:
    return line if len(line) <= MOST_LINE else f"{line[: MOST_LINE - 1]}…"
