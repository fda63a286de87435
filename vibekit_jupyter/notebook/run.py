"""A run in a cell: the agent works on the background loop, the cell's thread draws."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import RunInterruptedError
from vibekit_jupyter.events import SessionReady
from vibekit_jupyter.notebook.approvals.asking import Asking
from vibekit_jupyter.notebook.loop import CLEANUP_SECONDS, TICK
from vibekit_jupyter.notebook.presses import DOUBLE_PRESS, presses
from vibekit_jupyter.notebook.render.transcript import Transcript
from vibekit_jupyter.runs.merged_events import MergedEvents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.notebook.approvals.person import Person
    from vibekit_jupyter.notebook.kernel_client import KernelClient
    from vibekit_jupyter.notebook.render.display import RunDisplay
    from vibekit_jupyter.results import Result

__all__ = ["CellRun"]

FIRST_TICK = 0.002
"""Seconds between two looks until the first event is there."""

LONG = 20.0
"""Seconds of a run after which whoever began it looks at something else."""

MOST_WAITING = 1_000_000
"""Characters of one stream that wait to be drawn. The record does not depend on it."""


class CellRun:
    """One prompt at work, shown in the cell that runs now.

    Parameters
    ----------
    client
        The kernel's client.
    prompt
        Byte for byte what the agent is asked.
    display
        Where it is drawn.
    in_page
        The cell is one of a notebook's page.
    person
        Who is asked before a tool changes something, where there is somebody.
    options
        See :meth:`vibekit_jupyter.VibeKit.generate_code`.
    """

    def __init__(
        self,
        client: KernelClient,
        prompt: str,
        display: RunDisplay,
        *,
        in_page: bool = False,
        person: Person | None = None,
        **options: Any,
    ) -> None:
        self._arriving = _Arriving()
        self._whole = Transcript(full=True)
        self._client = client
        self._display = display
        self._in_page = in_page
        self._interrupted_at: float | None = None
        self._given_up = False
        self._asking = Asking(person, display, self._interrupt) if person is not None else None
        self._work = client.submit(
            client.vibekit.generate_code(
                prompt, on_event=self._arriving.put, approver=person, **options
            )
        )

    async def awaited(self) -> Result:
        """Draw until the run ends, without holding up the kernel.

        Raises
        ------
        RunInterruptedError
            The cell was cancelled; the run has ended.
        VibeKitError
            The run failed.
        """
        ended = self._work.signal()
        with self._never_unseen():
            while not self._is_over():
                try:
                    await asyncio.wait([ended], timeout=self._patience)
                except asyncio.CancelledError:
                    self._interrupt()
                self._draw()
                self._ask(hears=self._in_page)
        return self._conclude()

    def blocking(self, *, in_kernel: bool) -> Result:
        """Draw until the run ends, in plain code. See :meth:`awaited`.

        Parameters
        ----------
        in_kernel
            ipykernel runs the cell: it puts its own signal handler back afterwards.
        """
        heard = presses(
            self._interrupt, self._is_over, lambda: self._interrupted_at, in_kernel=in_kernel
        )
        with heard, self._never_unseen():
            while not self._is_over():
                concurrent.futures.wait([self._work.finished], timeout=self._patience)
                self._draw()
                self._ask(hears=False)
        return self._conclude()

    @property
    def number(self) -> int:
        """Which run of its session it is, while no other one has begun there."""
        return self._client.place_in_session(self._whole.session_id)

    def transcript(self, *, full: bool) -> Transcript:
        """Return the run so far, with its long texts shortened or in full."""
        return self._whole if full else self._display.transcript

    @property
    def _patience(self) -> float:
        """Seconds until the next look at what has come; the first line is wanted at once."""
        return TICK if self._display.transcript.started else FIRST_TICK

    def _is_over(self) -> bool:
        if self._interrupted_at is not None:
            waited = time.monotonic() - self._interrupted_at
            return self._work.finished.done() or self._given_up or waited > CLEANUP_SECONDS
        return self._work.finished.done()

    def _interrupt(self) -> None:
        """Cancel the run; asked again, stop waiting for its end."""
        now = time.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
            self._work.cancel()
        elif now - self._interrupted_at > DOUBLE_PRESS:
            self._given_up = True

    def _draw(self) -> None:
        for event in self._arriving.take():
            self._whole.add(event)
            self._display.feed(event)
            if isinstance(event, SessionReady):
                self._client.notify()
        self._display.tick()

    def _ask(self, *, hears: bool) -> None:
        if self._asking is not None and self._interrupted_at is None:
            self._asking.look(hears=hears)

    @contextlib.contextmanager
    def _never_unseen(self) -> Iterator[None]:
        """End the run where drawing fails: nobody would see it go on, or could stop it."""
        try:
            yield
        except BaseException:
            self._work.cancel()
            concurrent.futures.wait([self._work.finished], timeout=CLEANUP_SECONDS)
            raise

    def _conclude(self) -> Result:
        self._draw()
        try:
            result = self._work.finished.result(timeout=0)
        except (asyncio.CancelledError, TimeoutError):
            self._finish()
            raise RunInterruptedError(
                "Interrupted.", hint="What was done is kept, and the session can go on."
            ) from None
        except Exception as error:
            self._finish(error)
            raise
        self._finish()
        return result

    def _finish(self, error: BaseException | None = None) -> None:
        if self._asking is not None:
            self._asking.end()
        self._display.finish(error)
        transcript = self._display.transcript
        if self._in_page and transcript.finished and transcript.finished.duration >= LONG:
            from vibekit_jupyter.notebook.page_title import tell_end

            tell_end(transcript)


class _Arriving:
    """Events on their way from the loop to the cell.

    While the cell is busy, the pieces of a stream are put together: the memory is bounded,
    however much comes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = MergedEvents(MOST_WAITING)

    def put(self, event: Event) -> None:
        with self._lock:
            self._waiting.add(event)

    def take(self) -> Sequence[Event]:
        with self._lock:
            taken, self._waiting = self._waiting, MergedEvents(MOST_WAITING)
        return taken.events()
