"""The drawing of a cell of code while it runs, and its static card at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4

from vibekit_jupyter.errors import CodeError
from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.code_card import (
    TITLES,
    CodeEnd,
    code_card,
    head_html,
    part_html,
    part_plain,
)
from vibekit_jupyter.notebook.render.code_parts import CodeParts
from vibekit_jupyter.notebook.render.display import EMPTY, INTERVAL, SAVED, SHARE, display_mode
from vibekit_jupyter.notebook.render.html import waiting_html
from vibekit_jupyter.notebook.render.limits import CARD_TIME, drawing_time
from vibekit_jupyter.notebook.render.text import visible
from vibekit_jupyter.sandbox.terminal import Screen

if TYPE_CHECKING:
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.render.code_parts import Part

__all__ = ["CodeDisplay", "code_display"]

# JupyterLab shows the first 50 outputs of a cell.
MOST_OUTPUTS: Final = 40
LIVE_LIMIT: Final = 4_000  # characters of a text that grows


class CodeDisplay(Protocol):
    """What draws a cell of code; ``parts`` is what it draws."""

    parts: CodeParts

    def tick(self, saying: str = "") -> None:
        """Draw what is due; ``saying`` is what is to be said of what goes on."""

    def finish(self, error: BaseException | None = None) -> None:
        """Draw the last state, for good."""


def code_display(shell: InteractiveShell, language: str, *, owns_cell: bool) -> CodeDisplay:
    """Return the display for a cell of code.

    Parameters
    ----------
    owns_cell
        The cell is nothing but this, so that its outputs are all ours.
    """
    if display_mode(shell) == "plain":
        return _Plain(language)
    from IPython.core.displaypub import CapturingDisplayPublisher

    watched = not isinstance(shell.display_pub, CapturingDisplayPublisher)
    return _Rich(shell.display_pub, language, owns_cell=owns_cell and watched, live=watched)


class _Plain:
    """Prints what comes; what is printed never changes again."""

    def __init__(self, language: str) -> None:
        self.parts = CodeParts(language)
        self._headed = False
        self._printed: dict[Part, int] = {}
        self._said = ""
        self._screens: dict[Part, Screen] = {}

    def tick(self, saying: str = "") -> None:
        self._draw(whole=False)
        if saying != self._said:
            self._said = saying
            if saying:
                self._print(f"({saying})\n")

    def finish(self, error: BaseException | None = None) -> None:
        """Print the rest, and the sandbox's traceback; the error itself is about to be raised."""
        self._draw(whole=True)
        if isinstance(error, CodeError):
            self._print(visible(error.traceback))

    def _draw(self, *, whole: bool) -> None:
        if self.parts.session and not self._headed:
            self._headed = True
            name = TITLES[self.parts.language]
            self._print(f"{name} · session {visible(self.parts.session)}\n")
        every = self.parts.all()
        for part in every:
            if not part.stream:
                if part not in self._printed:
                    self._printed[part] = 0
                    self._print(part_plain(part))
                continue
            screen = self._screens.setdefault(part, Screen())
            new = str(part.text)[self._printed.get(part, 0) :]
            self._printed[part] = self._printed.get(part, 0) + len(new)
            self._print(screen.feed(new))
            if whole or part is not every[-1]:
                self._print(f"{rest}\n" if (rest := screen.end()) else "")

    @staticmethod
    def _print(text: str) -> None:
        if text:
            print(text, end="", flush=True)  # noqa: T201  # its purpose


class _Rich:
    """Draws in a notebook's cell: the head, and each part as an output of its own.

    In the end there is one static output. The others are taken away in a cell that holds nothing
    else; beside other output of the cell, which must stay, they become empty.
    """

    def __init__(
        self, publisher: DisplayPublisher, language: str, *, owns_cell: bool, live: bool
    ) -> None:
        self.parts = CodeParts(language)
        self._publisher = publisher
        self._owns_cell = owns_cell
        self._live = live
        self._began = time.monotonic()
        self._due_at = self._began + INTERVAL
        self._shown: dict[object, tuple[str, str]] = {}
        self._changes: dict[Part, int] = {}

    def tick(self, saying: str = "") -> None:
        now = time.monotonic()
        if not self._live or now < self._due_at:
            return
        began = time.thread_time()
        with drawing_time(CARD_TIME):
            self._show("head", head_html(self.parts, elapsed=now - self._began) + SAVED)
            every = self.parts.all()
            for part in [*every[:MOST_OUTPUTS], *every[MOST_OUTPUTS:][-1:]]:
                if self._changes.get(part) != part.changes:
                    self._changes[part] = part.changes
                    self._show(part_slot(part, every), part_html(part, LIVE_LIMIT))
            for slot in [slot for slot in self._shown if slot not in {"head", "saying", "last"}]:
                if slot not in every:
                    self._show(slot, "")  # it was cleared
            self._show("saying", waiting_html(saying) if saying else "")
        self._due_at = now + max(INTERVAL, SHARE * (time.thread_time() - began))

    def finish(self, error: BaseException | None = None) -> None:
        final = code_card(self.parts, CodeEnd(error, time.monotonic() - self._began))
        if self._owns_cell:
            self._publisher.clear_output(wait=True)  # type: ignore[no-untyped-call]  # IPython's own
        else:
            for slot in self._shown:
                self._show(slot, "")
        # Not as an update: jupyter console shows none.
        self._publisher.publish(final.bundle(), final.metadata)

    def _show(self, slot: object, body: str) -> None:
        """Display an output, or update it if it changed."""
        display_id, before = self._shown.get(slot, ("", ""))
        if body == before:
            return
        css = style.PIECE.format(color=style.ACCENT)
        html = f'<div style="{css}"><div style="{style.INSIDE}">{body}</div></div>'
        data = {"text/html": html, "text/plain": ""} if body else EMPTY
        known = bool(display_id)
        display_id = display_id or uuid4().hex
        self._publisher.publish(data, {}, transient={"display_id": display_id}, update=known)
        self._shown[slot] = (display_id, body)


def part_slot(part: Part, every: list[Part]) -> object:
    """Return which output a part is drawn in: those beyond the first share the last one."""
    return part if part in every[:MOST_OUTPUTS] else "last"
