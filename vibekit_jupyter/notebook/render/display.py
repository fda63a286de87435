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

from vibekit_jupyter.errors import ConfigurationError, RunInterruptedError
from vibekit_jupyter.events import RunFinished
from vibekit_jupyter.notebook.render.html import block_html, card, head_html, to_html
from vibekit_jupyter.notebook.render.limits import CARD_TIME, drawing_time
from vibekit_jupyter.notebook.render.plain import (
    block_plain,
    foot_plain,
    head_plain,
    to_plain,
)
from vibekit_jupyter.notebook.render.record import output_record
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.events import Event

__all__ = ["PlainDisplay", "RichDisplay", "RunDisplay", "display_mode", "rendered", "run_display"]

Mode = Literal["rich", "plain"]

INTERVAL: Final = 0.1
# A piece beyond this is drawn no more. Each may be larger than the one before:
# JupyterLab shows the first 50 outputs of a cell.
PIECE_LIMIT: Final = 4_000
LARGE: Final = 16_000
LARGE_INTERVAL: Final = 0.25
LIVE_LIMIT: Final = 4_000
# Not no data at all: nbconvert warns of an output that it cannot represent.
EMPTY: Final = {"text/html": "", "text/plain": ""}
METADATA_KEY: Final = "vibekit"
# A saved output cannot know that its run goes on no more. While the run lives the clock beside this
# is drawn anew each second, and it stays hidden; where styles are taken out it is always seen.
SAVED: Final = (
    "<style>@keyframes vibekit-saved{to{opacity:.68;max-height:none}}"
    ".vibekit-saved{opacity:0;max-height:0;overflow:hidden;"
    "animation:vibekit-saved 0s 15s forwards}</style>"
    '<div class="vibekit-saved" style="font-size:12px">Still running when this was saved: '
    "<code>%vibekit last</code> shows how it ended.</div>"
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


def rendered(transcript: Transcript, *, private: bool = False) -> Rendered:
    """Return the static output of a run: both forms, and its record as metadata."""
    return Rendered(
        plain=to_plain(transcript),
        html=to_html(transcript),
        metadata={METADATA_KEY: output_record(transcript, private=private)},
    )


class PlainDisplay:
    """Prints a run as it happens; what is printed never changes again."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.transcript = Transcript()
        self._clock = clock
        self._began = clock()
        self._due_at = self._began
        self._number = -1
        self._printed = 0

    def feed(self, event: Event) -> None:
        """Take an event in."""
        self.transcript.add(event)

    def tick(self) -> None:
        """Print what is due."""
        now = self._clock()
        if now >= self._due_at:
            self._due_at = now + INTERVAL
            self._draw()

    def finish(self, error: BaseException | None = None) -> None:
        """Print the rest, but no error: it is about to be raised."""
        _close(self.transcript, self._clock() - self._began, error)
        self._draw()
        if self.transcript.started:
            print(foot_plain(self.transcript), end="", flush=True)  # noqa: T201  # its purpose

    def _draw(self) -> None:
        """Print the head and the blocks in order; the first that is not closed grows."""
        new = []
        if self._number < 0 and self.transcript.started:
            new.append(self._grown(head_plain(self.transcript)))
            self._advance(closed=new[-1].endswith("\n"))
        if self._number >= 0:
            for block in self.transcript.since(self._number):
                self._number = max(self._number, block.number)
                new.append(self._grown(block_plain(block)))
                if not block.closed:
                    break
                self._advance(closed=True)
        text = "".join(new)
        if text:
            print(text, end="", flush=True)  # noqa: T201  # its purpose

    def _grown(self, text: str) -> str:
        """Return what of a part was not printed yet."""
        new = text[self._printed :]
        self._printed = max(self._printed, len(text))
        return new

    def _advance(self, *, closed: bool) -> None:
        if closed:
            self._number += 1
            self._printed = 0


class RichDisplay:
    """Draws a run in a notebook's cell.

    While it runs, the card is several outputs: the head, whose clock moves, pieces of what is
    complete, the last of which takes in more, and below them what is still growing. In the end
    there is one static output. It replaces everything in a cell that holds nothing else; next to
    other output of the cell, which must stay, it takes the place of the first piece, and the
    rest become empty.

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
        self._heard = self._began
        self._due_at = self._began
        self._running: dict[int, float] = {}
        self._shown: dict[int, tuple[str, int]] = {}
        self._piece = 1
        self._complete = ""
        self._number = 0

    def feed(self, event: Event) -> None:
        """Take an event in."""
        self.transcript.add(event)
        self._heard = self._clock()

    def tick(self) -> None:
        """Draw what is due, and move the clock."""
        now = self._clock()
        if not self._live or self.transcript.started is None or now < self._due_at:
            return
        with drawing_time(CARD_TIME):
            self._redraw(now)

    def _redraw(self, now: float) -> None:
        head = head_html(self.transcript, elapsed=now - self._began, silent=now - self._heard)
        self._show(0, head + SAVED)
        size = self._draw(now)
        self._due_at = now + (INTERVAL if size < LARGE else LARGE_INTERVAL)

    def finish(self, error: BaseException | None = None) -> None:
        """Put the static card in the place of the live one."""
        if self.transcript.started is None:
            return
        _close(self.transcript, self._clock() - self._began, error)
        final = rendered(self.transcript, private=self._private)
        if self._owns_cell:
            self._publisher.clear_output(wait=True)  # type: ignore[no-untyped-call]  # IPython's own
            self._publish(final.bundle(), final.metadata)
            return
        ids = [display_id for display_id, _ in self._shown.values()]
        self._publish(
            final.bundle(), final.metadata, display_id=next(iter(ids), None), update=bool(ids)
        )
        for display_id in ids[1:]:
            self._publish(EMPTY, {}, display_id=display_id, update=True)

    def _draw(self, now: float) -> int:
        """Draw what is new of the pieces; return how many characters that was."""
        growing: list[str] = []
        for block in self.transcript.since(self._number):
            began = self._running.setdefault(block.number, now)
            html = block_html(block, LIVE_LIMIT, elapsed=now - began)
            if block.closed and not growing:
                self._complete += html
                self._number = block.number + 1
                del self._running[block.number]
            else:
                growing.append(html)
        size = self._show(self._piece, self._complete) if self._complete else 0
        if len(self._complete) > PIECE_LIMIT * self._piece:
            self._piece += 1
            self._complete = ""
        return size + self._show(self._piece + bool(self._complete), "".join(growing))

    def _show(self, piece: int, body: str) -> int:
        """Display a piece, or update it if it changed; return how many characters were sent."""
        display_id, before = self._shown.get(piece, ("", hash("")))
        if hash(body) == before:
            return 0
        data = {"text/html": card(self.transcript, body), "text/plain": ""} if body else EMPTY
        if display_id:
            self._publish(data, {}, display_id=display_id, update=True)
        else:
            display_id = uuid4().hex
            self._publish(data, {}, display_id=display_id)
        self._shown[piece] = (display_id, hash(body))
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


def _close(transcript: Transcript, elapsed: float, error: BaseException | None) -> None:
    """Give a run that nothing was heard of any more its end."""
    if transcript.finished is not None:
        return
    stopped = error is None or isinstance(error, (RunInterruptedError, KeyboardInterrupt))
    transcript.add(
        RunFinished(
            status="interrupted" if stopped else "failed",
            session_id=transcript.session_id,
            steps=transcript.steps,
            usage=transcript.usage,
            duration=elapsed,
            error="" if stopped else str(error),
        )
    )
