"""The outputs of a run that goes on: what is finished stands still, only the last one changes.

A front end draws an output anew when it is updated, and a selection in it is lost. So what is
finished gets an output of its own, which is not touched again, as long as there are outputs left:
JupyterLab shows the first 50 of a cell. After that each takes in more than the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render.folded import Folded, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.notebook.render.transcript import Block

__all__ = ["LiveOutputs"]

# Outputs: with one finished part each, and in all; beside them are the card's head and its end.
ALONE: Final = 28
MOST: Final = 44
PIECE: Final = 6_000
# Bytes of all outputs together, and to what they are folded where they are more.
ROOM: Final = 1_500_000
ROOM_LEFT: Final = 1_000_000
FOLDED_ROOM: Final = 8_000


@dataclass
class _Output:
    parts: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    folded: Folded = field(default_factory=Folded)
    size: int = 0

    def add(self, html: str, block: Block) -> None:
        self.parts.append(html)
        self.size += size(html)
        if not self.blocks or self.blocks[-1] is not block:
            self.blocks.append(block)

    def fold(self) -> None:
        """Leave a line of each part."""
        for block in self.blocks:
            self.folded.add(block)
        self.parts, self.blocks = [], []
        self.size = size(self.html())

    def html(self) -> str:
        folded = self.folded.html(FOLDED_ROOM) if self.folded else ""
        return folded + "".join(self.parts)


class LiveOutputs:
    """The outputs of a run, one below the other.

    Parameters
    ----------
    show
        Shows an output of this number, for the first time or anew; returns how many characters
        that took.
    """

    def __init__(self, show: Callable[[int, str], int]) -> None:
        self._show = show
        self._outputs: list[_Output] = []
        self._changed = 0

    @property
    def count(self) -> int:
        """How many there are of what is finished; what grows is the one after."""
        return len(self._outputs)

    def finish(self, html: str, block: Block) -> None:
        """Add a part that never changes again, of this block."""
        if not html:
            return
        if not self._outputs or self._is_full(self._outputs[-1]):
            self._add_output()
        self._outputs[-1].add(html, block)
        self._changed = min(self._changed, len(self._outputs) - 1)

    def draw(self, growing: str) -> int:
        """Show what is new, and below it what still grows; return how many characters it took."""
        self._make_room()
        shown = sum(
            self._show(number, output.html())
            for number, output in enumerate(self._outputs[self._changed :], self._changed)
        )
        self._changed = len(self._outputs)
        return shown + self._show(len(self._outputs), growing)

    def _is_full(self, output: _Output) -> bool:
        number = len(self._outputs)
        return number < ALONE or output.size > PIECE * (number - ALONE + 1)

    def _add_output(self) -> None:
        if len(self._outputs) < MOST:
            self._outputs.append(_Output())
        else:
            self._outputs[-1].fold()

    def _make_room(self) -> None:
        """Fold what is oldest where all together is too much."""
        if (total := self._size()) <= ROOM:
            return
        for number, output in enumerate(self._outputs):
            if total <= ROOM_LEFT:
                break
            total -= output.size
            output.fold()
            total += output.size
            self._changed = min(self._changed, number)

    def _size(self) -> int:
        return sum(output.size for output in self._outputs)
