"""A cell that ran: its source, what it showed, what it failed at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from vibekit_jupyter.sandbox.bounded_text import BoundedText

__all__ = ["MOST", "MOST_SHOWN", "Ran"]

MOST: Final = 40_000  # characters of an output, more than is ever told of it
MOST_SHOWN: Final = 2 * MOST  # of a cell, from where on outputs between the first and the last go
EACH: Final = 100  # characters that an output takes, however short it is


@dataclass
class Ran:
    """A cell that ran.

    Attributes
    ----------
    number
        As in ``In[number]``.
    shown
        What it showed as text, by the id of the display that an update changes.
    failure
        What it failed at, in lines, where that was the person's own code; else empty.
    ours
        One of our magics ran in it.
    """

    number: int
    source: str
    shown: list[tuple[str | None, BoundedText]] = field(default_factory=list)
    failure: str = ""
    ours: bool = False

    @property
    def _size(self) -> int:
        return sum(EACH + min(text.length, MOST) for _, text in self.shown)

    def add(self, text: str, display_id: str | None = None) -> None:
        """Add something that it showed."""
        if not self.shown or display_id is not None or self.shown[-1][0] is not None:
            while len(self.shown) > 2 and self._size > MOST_SHOWN:
                del self.shown[len(self.shown) // 2]
            self.shown.append((display_id, BoundedText.of(MOST)))
        self.shown[-1][1].append(text)

    def update(self, text: str, display_id: str) -> None:
        """Put another text in the place of what it showed as this display."""
        for place, (known, _) in enumerate(self.shown):
            if known == display_id:
                self.shown[place] = (known, BoundedText.of(MOST))
                self.shown[place][1].append(text)
