"""The drawing of a run while it happens, on the main thread, event by event.

``feed`` takes an event, ``tick`` is called about every 50 ms, ``finish`` once at the end.
In between a rich display draws at most ten times a second, and only the piece that still
changes: front ends lag behind larger updates (JupyterLab: seconds, from 35 kB at 20 a second).
Events that come together are drawn together: they are all fed before the next tick.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from uuid import uuid4

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.events import TextDelta, ToolCallStarted
from vibekit_jupyter.notebook.render.growing import GrowingText
from vibekit_jupyter.notebook.render.html import (
    block_html,
    card,
    head_html,
    piece,
    plain_html,
    to_html,
    waiting_html,
)
from vibekit_jupyter.notebook.render.limits import CARD_TIME, drawing_time
from vibekit_jupyter.notebook.render.live import LiveOutputs
from vibekit_jupyter.notebook.render.plain import to_plain
from vibekit_jupyter.notebook.render.plain_display import PlainDisplay, close
from vibekit_jupyter.notebook.render.record import output_record
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.transcript import Text, Transcript
from vibekit_jupyter.notebook.render.waiting import Waiting
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.notebook.render.transcript import Block

__all__ = ["PlainDisplay", "RichDisplay", "RunDisplay", "display_mode", "rendered", "run_display"]

Mode = Literal["rich", "plain"]

INTERVAL: Final = 0.1
LARGE: Final = 16_000
LARGE_INTERVAL: Final = 0.25
# Drawing may take one part in so many of the time.
SHARE: Final = 20
LIVE_LIMIT: Final = 4_000
# Not no data at all: nbconvert warns of an output that it cannot represent.
EMPTY: Final = {"text/html": "", "text/plain": ""}
MOST_PLAIN: Final = 500_000
MOST_FULL: Final = 20_000_000
METADATA_KEY: Final = "vibekit"
# Stands for the hash of what is shown where a card is; no text has this one.
CARD_MARK: Final = -1
# A saved output cannot know that its run goes on no more. While the run lives the clock beside this
# is drawn anew each second, and it stays hidden; where styles are taken out it is always seen.
SAVED: Final = (
    "<style>@keyframes vibekit-saved{to{opacity:.68;max-height:none}}"
    ".vibekit-saved{opacity:0;max-height:0;overflow:hidden;"
    "animation:vibekit-saved 0s 15s forwards}</style>"
    '<div class="vibekit-saved" style="font-size:12px">Still running when this was saved: '
    '<code style="color:inherit">%vibekit last</code> shows how it ended.</div>'
)


class RunDisplay(Protocol):
    """What draws a run.

    Attributes
    ----------
    transcript
        The run as far as it was fed.
    """

    transcript: Transcript

    def feed(self, event: Event) -> None:
        """Take an event in."""

    def tick(self) -> None:
        """Draw what is due, and move the clock."""

    def finish(self, error: BaseException | None = None) -> None:
        """Draw the last state, for good; ``error`` ended a run that could not say so itself."""


def display_mode(shell: InteractiveShell | None) -> Mode:
    """Return how runs are drawn: ``VIBEKIT_DISPLAY``, or rich in a kernel only.

    Raises
    ------
    ConfigurationError
        ``VIBEKIT_DISPLAY`` is something else than ``auto``, ``rich`` or ``plain``.
    """
    chosen = os.environ.get("VIBEKIT_DISPLAY", "").strip().lower() or "auto"
    if chosen == "auto":
        return "rich" if getattr(shell, "kernel", None) is not None else "plain"
    if chosen == "rich":
        return "rich"
    if chosen == "plain":
        return "plain"
    raise ConfigurationError(
        f"VIBEKIT_DISPLAY is {chosen!r}.", hint="Set it to auto, rich or plain, or unset it."
    )


def run_display(
    shell: InteractiveShell, *, owns_cell: bool = False, private: bool = False
) -> RunDisplay:
    """Return the display for a run in a cell.

    Parameters
    ----------
    shell
        The shell that runs the cell.
    owns_cell
        The cell is nothing but this run, so that its outputs are all ours.
    private
        Leave the prompt out of the output's metadata.
    """
    if display_mode(shell) == "plain":
        return PlainDisplay()
    from IPython.core.displaypub import CapturingDisplayPublisher

    watched = not isinstance(shell.display_pub, CapturingDisplayPublisher)
    return RichDisplay(
        shell.display_pub, owns_cell=owns_cell and watched, live=watched, private=private
    )


def rendered(
    transcript: Transcript,
    *,
    private: bool = False,
    failure: bool = True,
    room: int | None = None,
) -> Rendered:
    """Return the static output of a run: both forms, and its record as metadata.

    Parameters
    ----------
    private
        Leave the prompt out of the record.
    failure, room
        See :func:`~vibekit_jupyter.notebook.render.html.to_html`.
    """
    plain = BoundedText.of(MOST_FULL if transcript.full else MOST_PLAIN)
    plain.append(to_plain(transcript, failure=failure))
    return Rendered(
        plain=str(plain),
        html=to_html(transcript, room=room, failure=failure),
        metadata={METADATA_KEY: output_record(transcript, private=private)},
    )


class RichDisplay:
    """Draws a run in a notebook's cell.

    While it runs, the card is several outputs: the head, whose clock moves, what is finished, and
    below it what is still growing or waited for. In the end there is one static output, and the
    others are taken away in a cell that holds nothing else; next to other output of the cell,
    which must stay, they become empty. A selection is lost then, and then alone: JupyterLab sets an
    output's HTML anew even where nothing in it has changed, and what it keeps apart it saves apart.

    Parameters
    ----------
    publisher
        Where outputs go: the shell's.
    owns_cell
        The cell's outputs are all ours.
    live
        Draw while it runs; otherwise only the end.
    private
        Leave the prompt out of the output's metadata.
    """

    def __init__(
        self,
        publisher: DisplayPublisher,
        *,
        owns_cell: bool = False,
        live: bool = True,
        private: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.transcript = Transcript()
        self._publisher = publisher
        self._owns_cell = owns_cell
        self._live = live
        self._private = private
        self._clock = clock
        self._began = clock()
        self._due_at = self._began
        self._waiting = Waiting(self._began)
        self._running: dict[int, float] = {}
        self._texts: dict[int, GrowingText] = {}
        self._shown: dict[int, tuple[str, int]] = {}
        self._outputs = LiveOutputs(lambda number, body: self._show(number + 1, body))
        self._number = 0
        self._card: dict[str, Any] = {}
        self._drawn_card: tuple[int, dict[str, Any]] = (0, self._card)

    @property
    def can_ask(self) -> bool:
        """Whether what is shown now is seen by somebody."""
        return self._live

    def ask(self, card: dict[str, Any]) -> None:
        """Show a question's card below the run from the next drawing on; an empty one ends it.

        Parameters
        ----------
        card
            A widget's bundle.
        """
        self._card = card
        self._due_at = self._clock()

    def feed(self, event: Event) -> None:
        """Take an event in."""
        now = self._clock()
        self.transcript.add(event)
        self._waiting.add(event, now)
        number = self.transcript.blocks[-1].number if self.transcript.blocks else 0
        if isinstance(event, ToolCallStarted):
            self._running[number] = now
        elif isinstance(event, TextDelta) and self._live:
            self._texts.setdefault(number, GrowingText()).add(event.text)

    def tick(self) -> None:
        """Draw what is due, and move the clock."""
        now = self._clock()
        if not self._live or self.transcript.started is None or now < self._due_at:
            return
        began = time.thread_time()
        with drawing_time(CARD_TIME):
            self._show(0, head_html(self.transcript, elapsed=now - self._began) + SAVED)
            size = self._draw(now)
        pause = INTERVAL if size < LARGE else LARGE_INTERVAL
        self._due_at = now + max(pause, SHARE * (time.thread_time() - began))

    def finish(self, error: BaseException | None = None) -> None:
        """Put the static card in the place of the live one."""
        if self.transcript.started is None:
            return
        close(self.transcript, self._clock() - self._began, error)
        # What ended it is raised, and said below.
        final = rendered(self.transcript, private=self._private, failure=error is None)
        if self._owns_cell:
            self._publisher.clear_output(wait=True)  # type: ignore[no-untyped-call]  # IPython's own
        else:
            for display_id, _ in self._shown.values():
                self._publish(EMPTY, {}, display_id=display_id, update=True)
        # Not as an update: jupyter console shows none.
        self._publish(final.bundle(), final.metadata)

    def _draw(self, now: float) -> int:
        """Draw what is new; return how many characters that was."""
        growing: list[str] = []
        for block in self.transcript.since(self._number):
            html = self._html(block, now, alone=not growing)
            if block.closed and not growing:
                self._outputs.finish(html, block)
                self._number = block.number + 1
                self._running.pop(block.number, None)
                self._texts.pop(block.number, None)
            else:
                growing.append(html)
        if waited := self._waiting.words(self.transcript, now):
            growing.append(waiting_html(waited))
        size = self._outputs.draw("".join(growing))
        self._draw_card(self._outputs.count + 2)  # below what grows, also where nothing does
        return size

    def _draw_card(self, number: int) -> None:
        """Show the card that asks as the last output, or take it away."""
        at, drawn = self._drawn_card
        number = number if self._card else 0
        moved = at != number or drawn is not self._card
        if at and moved and self._shown[at][1] == CARD_MARK:
            self._show(at, "")
        display_id, mark = self._shown.get(number, ("", 0))
        if number and mark != CARD_MARK:
            # Outputs stand in the order in which they were shown first.
            for above in range(number):
                if above not in self._shown:
                    self._shown[above] = (uuid4().hex, hash(""))
                    self._publish(EMPTY, {}, display_id=self._shown[above][0])
            update, display_id = bool(display_id), display_id or uuid4().hex
            self._publish(self._card, {}, display_id=display_id, update=update)
            self._shown[number] = (display_id, CARD_MARK)
        self._drawn_card = (number, self._card)

    def _html(self, block: Block, now: float, *, alone: bool) -> str:
        """Return a block as it is now; of words only what is not finished."""
        if isinstance(block, Text) and (words := self._texts.get(block.number)):
            if not alone:  # it waits for its turn
                return plain_html(str(block.text.cut(LIVE_LIMIT)))
            for part in words.finished(whole=block.closed):
                self._outputs.finish(_markdown(part), block)
            return _markdown(words.rest)
        began = self._running.get(block.number, now)
        return block_html(block, LIVE_LIMIT, elapsed=now - began)

    def _show(self, number: int, body: str) -> int:
        """Display an output, or update it if it changed; return how many characters were sent."""
        display_id, before = self._shown.get(number, ("", hash("")))
        if hash(body) == before:
            return 0
        draw = piece if number else card
        data = {"text/html": draw(self.transcript, body), "text/plain": ""} if body else EMPTY
        if display_id:
            self._publish(data, {}, display_id=display_id, update=True)
        else:
            display_id = uuid4().hex
            self._publish(data, {}, display_id=display_id)
        self._shown[number] = (display_id, hash(body))
        return len(body)

    def _publish(
        self,
        data: dict[str, str],
        metadata: dict[str, Any],
        *,
        display_id: str | None = None,
        update: bool = False,
    ) -> None:
        transient = {"display_id": display_id} if display_id else {}
        self._publisher.publish(data, metadata, transient=transient, update=update)


def _markdown(source: str) -> str:
    from vibekit_jupyter.notebook.render.markdown import markdown_html

    return markdown_html(source) if source.strip() else ""
