"""The pages that show a run's questions, and whether one is left that could answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pages"]

# Seconds that a page has: one that is closed or loaded anew to come back, one that has shown a
# question to show the next one; and one to be heard again whose network is gone, whose laptop
# sleeps, or whose output was cleared.
RETURNING: Final = 60.0
SILENCE: Final = 1800.0


class Pages:
    """Knows which pages show the questions of one run. Each has a name of its own.

    Parameters
    ----------
    clock
        Tells the seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    @property
    def are_known(self) -> bool:
        """Whether one has shown a question."""
        return bool(self._until)

    @property
    def are_gone(self) -> bool:
        """Whether there were some, and all of them are gone for good."""
        now = self._clock()
        return self.are_known and all(until < now for until in self._until.values())

    def asked(self) -> None:
        """Take note that a new question is asked, which they have to show."""
        returned = self._clock() + RETURNING
        self._until = {page: min(until, returned) for page, until in self._until.items()}

    def heard(self, page: str) -> None:
        """Take note that a page shows the question."""
        self._until[page] = self._clock() + SILENCE

    def left(self, page: str) -> None:
        """Take note that a page was closed, or is loaded anew."""
        self._until[page] = self._clock() + RETURNING
