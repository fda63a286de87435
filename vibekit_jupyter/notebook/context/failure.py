"""The last error of a cell in words for a model: where it happened, in what, with which types."""

from __future__ import annotations

import keyword
import linecache
import re
import sys
import traceback
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import VibeKitError
from vibekit_jupyter.notebook.context.kinds import compact, type_name
from vibekit_jupyter.notebook.context.tracebacks import is_cell, traceback_text
from vibekit_jupyter.notebook.magic_errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vibekit_jupyter.notebook.context.ran_cells import RanCells

__all__ = ["Failure", "last_failure", "names_text"]

MOST_NAMES: Final = 30

_NAME: Final = re.compile(r"(?<![\w.])[^\W\d]\w*")


@dataclass(frozen=True)
class Failure:
    """A cell that failed: its source as far as it is known, and the traceback's lines."""

    source: str
    traceback: str


def last_failure(cells: RanCells) -> Failure | None:
    """Return the last error of a cell; None where there is none."""
    if cells.failed is not None:
        return Failure(cells.failed.source, cells.failed.failure)
    # One from before the extension was loaded.
    error = getattr(sys, "last_value", None)
    if not isinstance(error, Exception) or isinstance(error, VibeKitError | UsageError):
        return None
    frames = traceback.extract_tb(error.__traceback__)
    cell = next((frame.filename for frame in frames if is_cell(frame.filename)), "")
    return Failure("".join(linecache.getlines(cell)), traceback_text(error))


def names_text(source: str, namespace: Mapping[str, Any]) -> str:
    """Return what the names in a source are: a line each, of their types alone."""
    lines: list[str] = []
    for name in dict.fromkeys(_NAME.findall(source)):
        if name not in namespace or keyword.iskeyword(name):
            continue
        value = namespace[name]
        if type(value) is not types.ModuleType:
            lines.append(f"{name}: {compact(value) or type_name(value, whole=True)}")
    more = len(lines) - MOST_NAMES
    return "\n".join([*lines[:MOST_NAMES], *([f"[{more} more names]"] if more > 0 else [])])
