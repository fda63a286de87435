"""What a cell of code has told so far, kept within bounds: its texts, its results, its end."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from vibekit_jupyter.sandbox.bounded_text import BoundedText
from vibekit_jupyter.workbench.code.told import Cleared, Notice, Printed, Shown

if TYPE_CHECKING:
    from vibekit_jupyter.workbench.code.run import Opened
    from vibekit_jupyter.workbench.code.told import Output

__all__ = ["CodeParts", "Part"]

MOST_PARTS: Final = 300
# Characters of one text, and of all together.
MOST_TEXT: Final = 200_000
MOST_TEXTS: Final = 400_000


@dataclass(eq=False)
class Part:
    """A text that grows, a result, or a sentence of ours.

    Attributes
    ----------
    changes
        How often it has changed.
    expected
        It is a sentence that tells of no trouble.
    """

    stream: Literal["stdout", "stderr", ""] = ""
    text: BoundedText = field(default_factory=lambda: BoundedText.of(MOST_TEXT))
    shown: Shown | None = None
    changes: int = 0
    expected: bool = False


class CodeParts:
    """The parts, in order. They may be added on one thread and drawn on another.

    Parameters
    ----------
    language
        What runs.

    Attributes
    ----------
    session
        The name of the session, once it is known.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self.session = ""
        self._parts: list[Part] = []
        self._named: dict[str, Part] = {}
        self._room = MOST_TEXTS
        self._clearing = False
        self._lock = threading.Lock()

    def add(self, told: Opened | Output) -> None:
        """Take in what was told."""
        with self._lock:
            match told:
                case Cleared(wait):
                    self._clearing = True
                    if not wait:
                        self._clear()
                case Printed(stream, text):
                    self._clear()
                    self._print(stream, text)
                case Shown():
                    self._clear()
                    self._show(told)
                case Notice(text, expected):
                    part = Part(expected=expected)
                    part.text.append(text)
                    self._append(part)
                case _:
                    self.session = told.session_name

    def all(self) -> list[Part]:
        """Return the parts as they are now."""
        with self._lock:
            return list(self._parts)

    def _clear(self) -> None:
        if self._clearing:
            self._parts.clear()
            self._named.clear()
            self._room = MOST_TEXTS
            self._clearing = False

    def _print(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        last = self._parts[-1] if self._parts else None
        is_full = len(self._parts) >= MOST_PARTS
        if last is None or last.shown is not None or (last.stream != stream and not is_full):
            most = max(2_000, min(MOST_TEXT, self._room))
            last = Part(stream, BoundedText.of(most))
            self._append(last)
        kept = min(last.text.length, MOST_TEXT)
        last.text.append(text)
        last.changes += 1
        self._room -= min(last.text.length, MOST_TEXT) - kept

    def _show(self, shown: Shown) -> None:
        known = self._named.get(shown.display_id)
        if shown.display_id and shown.update:
            if known is not None:
                known.shown = shown
                known.changes += 1
            return
        part = Part(shown=shown)
        self._append(part)
        if shown.display_id:
            self._named[shown.display_id] = part

    def _append(self, part: Part) -> None:
        if len(self._parts) < MOST_PARTS or part.shown is None:
            self._parts.append(part)
