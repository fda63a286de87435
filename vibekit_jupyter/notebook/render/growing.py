"""Words as they come: what later ones can no longer change, and the rest, which they can."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["GrowingText"]

# Characters of Markdown that are drawn again and again while they grow. Longer parts are cut.
MOST: Final = 2_000
# Characters that can be drawn in one go while more come.
AT_ONCE: Final = 16_000
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})[^\n]*")


class GrowingText:
    """Markdown that grows by appending.

    Its top-level blocks are finished when the next one has begun: a paragraph, a list, code.

    Attributes
    ----------
    rest
        What was not finished when it was last looked at.
    """

    def __init__(self) -> None:
        self.rest = ""
        self._new: list[str] = []

    def add(self, text: str) -> None:
        """Append some text."""
        self._new.append(text)

    def finished(self, *, whole: bool = False) -> list[str]:
        """Take out what is finished by now, part by part; with ``whole`` that is all of it."""
        new = "".join(self._new)
        self._new.clear()
        self.rest += new
        if len(self.rest) > AT_ONCE:
            self._skip()
        parts: list[str] = []
        if "\n" in new or len(self.rest) > MOST:
            *parts, self.rest = _blocks(self.rest)
        while len(self.rest) > MOST:
            parts.append(self._cut())
        if whole:
            parts.append(self.rest)
            self.rest = ""
        return parts

    def _cut(self) -> str:
        """Take the beginning of a long block, where it can be taken apart."""
        begin = self.rest[:MOST]
        at = max(begin.rfind("\n"), begin.rfind(" ") if "\n" not in begin else 0)
        part, self.rest = self.rest[: at + 1 or MOST], self.rest[at + 1 or MOST :]
        if fence := _FENCE.match(part):
            # What follows is code, too.
            part = f"{part}\n{fence[1]}"
            self.rest = f"{fence[0]}\n{self.rest}"
        return part

    def _skip(self) -> None:
        """Leave the middle out: so much at once nobody has read while it came."""
        keep = AT_ONCE // 4
        skipped = len(self.rest) - 2 * keep
        gap = f"\n\n… {skipped:,} characters left out …\n\n"
        self.rest = self.rest[:keep] + gap + self.rest[-keep:]


def _blocks(source: str) -> list[str]:
    """Return the top-level blocks, which together are the source."""
    lines = source.split("\n")
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line) + 1)
    tokens = _parser().parse(source)
    starts = [begins[token.map[0]] for token in tokens if token.level == 0 and token.map]
    starts = sorted({0, *starts[1:]})
    return [source[a:b] for a, b in zip(starts, [*starts[1:], len(source)], strict=True)]


@cache
def _parser() -> MarkdownIt:
    """Return a parser that only looks for blocks."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser
