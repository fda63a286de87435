"""The picker's dropdown of the recent sessions."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from vibekit_jupyter.notebook.session_picker.words import label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from vibekit_jupyter.sessions.session import Session

__all__ = ["MOST", "RECENT", "SessionDropdown"]

RECENT = 50
"""How many sessions the dropdown begins with: what a person can overlook."""

MOST = 200
"""How many it grows to, at most."""

NOBODY = ("○ no current session", "")


class SessionDropdown(widgets.Dropdown):  # type: ignore[misc]  # ipywidgets ships no types
    """A dropdown whose list only grows.

    The browser says which *place* in the list was chosen. A choice may be on its way while the
    list changes, so a place belongs to the same session for as long as the dropdown lives.

    Parameters
    ----------
    chosen
        Called with the session's id when a person chose one.
    """

    def __init__(self, chosen: Callable[[str], None], **options: Any) -> None:
        self._turn = threading.RLock()
        self._drawing = False
        self._chosen = chosen
        super().__init__(**options)
        self.observe(self._choose, "index")

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take in what the browser says, not while the list is being drawn."""
        with self._turn:
            super().set_state(sync_data)

    def is_outdated(self, sessions: Sequence[Session], current: Session | None) -> bool:
        """Tell whether it lists a session that is gone: its list only grows, so it is replaced."""
        alive = {one.id for one in sessions if one.state != "gone" or one is current}
        listed: Sequence[tuple[str, str]] = self.options
        return any(place and place not in alive for _, place in listed)

    def show(self, sessions: Sequence[Session], current: Session | None, now: datetime) -> None:
        """Show these sessions after those that are shown already, and the current one chosen."""
        with self._turn, self.hold_sync():
            # Assigning the options selects the first one: that is not a person's choice.
            self._drawing = True
            try:
                options = self._grown(sessions, current, now)
                if options != list(self.options):
                    self.set_trait("options", options)
                self.set_trait(
                    "index", [place for _, place in options].index(current.id if current else "")
                )
            finally:
                self._drawing = False

    def _grown(
        self, sessions: Sequence[Session], current: Session | None, now: datetime
    ) -> list[tuple[str, str]]:
        known = {one.id: one for one in sessions}
        before: Sequence[tuple[str, str]] = self.options
        options = [
            (label(known[place], now) if place in known else text, place) for text, place in before
        ]
        shown = {place for _, place in options}
        recent = [one for one in sessions[:RECENT] if one.state != "gone"]
        new = [one for one in recent if one.id not in shown][: MOST - len(options)]
        if current is not None and current.id not in shown and current not in new:
            new.append(current)
        options += [(label(one, now), one.id) for one in new]
        if current is None and "" not in shown:
            options.append(NOBODY)
        return options

    def _choose(self, change: Any) -> None:
        if not self._drawing and change.new is not None:
            self._chosen(self.options[change.new][1])
