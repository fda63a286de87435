"""The drawing of a run where it is printed: what is printed never changes again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import RunInterruptedError
from vibekit_jupyter.events import RunFinished
from vibekit_jupyter.notebook.render.plain import block_plain, foot_plain, head_plain
from vibekit_jupyter.notebook.render.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from vibekit_jupyter.events import Event

__all__ = ["PlainDisplay", "close"]

INTERVAL: Final = 0.1


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
        close(self.transcript, self._clock() - self._began, error)
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


def close(transcript: Transcript, elapsed: float, error: BaseException | None) -> None:
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
