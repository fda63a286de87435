"""Shows a run's questions in its cell, one after the other, and takes them away again."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.approvals.pages import Pages
from vibekit_jupyter.notebook.approvals.words import in_parts
from vibekit_jupyter.notebook.render.display import RichDisplay

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.events import ApprovalAsked
    from vibekit_jupyter.notebook.approvals.card import Card
    from vibekit_jupyter.notebook.approvals.person import Person
    from vibekit_jupyter.notebook.render.display import RunDisplay

__all__ = ["Asking"]

PATIENCE: Final = 10.0
"""Seconds that a page has to say that it shows the card; then it is asked for a line."""

GONE: Final = "The page that asked was closed or loaded anew: it was refused."


class Asking:
    """The questions of one run in a cell.

    Parameters
    ----------
    person
        Where they wait.
    display
        Draws the run.
    interrupt
        Called where the person interrupts instead of answering.
    """

    def __init__(self, person: Person, display: RunDisplay, interrupt: Callable[[], None]) -> None:
        self._person = person
        self._display = display
        self._interrupt = interrupt
        self._asked: ApprovalAsked | None = None
        self._card: Card | None = None
        self._pages = Pages()
        self._since = 0.0

    def look(self, *, hears: bool) -> None:
        """Show what is asked now.

        Parameters
        ----------
        hears
            The kernel hears the page while the cell runs, so that buttons work.
        """
        asked = self._person.question
        if asked is not self._asked:
            self._take_away()
            self._asked = asked
            if asked is not None:
                self._show(asked, hears=hears)
        elif asked is not None and self._card is not None:
            self._look_after(asked)

    def end(self) -> None:
        """Take away what is asked: the run is over."""
        self._take_away()

    def _look_after(self, asked: ApprovalAsked) -> None:
        """See to it that a question is not asked for ever where no page shows it."""
        if self._pages.are_gone:
            # A page that was loaded anew hears nothing of a cell that began before it.
            self._person.answer(asked.request_id, "refused", by="nobody", note=GONE)
        elif not self._pages.are_known and time.monotonic() - self._since > PATIENCE:
            self._take_away()
            self._by_line(asked)

    def _show(self, asked: ApprovalAsked, *, hears: bool) -> None:
        if not (hears and isinstance(self._display, RichDisplay) and self._display.can_ask):
            self._by_line(asked)
            return
        from vibekit_jupyter.notebook.approvals.card import Card

        answer = partial(self._person.answer, asked.request_id)
        self._pages.asked()
        self._card = Card(in_parts(asked, self._display.transcript), answer, self._pages)
        self._since = time.monotonic()
        self._display.ask(self._card.bundle())

    def _take_away(self) -> None:
        if self._card is None:
            return
        if isinstance(self._display, RichDisplay):
            self._display.ask({})
        self._display.tick()
        self._card.close()
        self._card = None

    def _by_line(self, asked: ApprovalAsked) -> None:
        from vibekit_jupyter.notebook.approvals.line import ask_line

        self._display.tick()
        try:
            ask_line(self._person, asked, self._display.transcript)
        except KeyboardInterrupt:
            self._interrupt()
