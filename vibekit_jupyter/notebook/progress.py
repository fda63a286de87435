"""A line that says how far something is, and gives its place to what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.loop import Work
    from vibekit_jupyter.notebook.render import Rendered
    from vibekit_jupyter.workbench.files.outcome import Progress

__all__ = ["ProgressLine"]

T = TypeVar("T")

# What is done sooner is not told of.
SECONDS_UNSAID: Final = 1.0
SECONDS_BETWEEN: Final = 0.2


class ProgressLine:
    """The line, in one cell.

    Parameters
    ----------
    shell
        The shell that runs the cell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        from vibekit_jupyter.notebook.render import display_mode

        self._plain = display_mode(shell) == "plain"
        self._latest: Progress | str | None = None
        self._began = time.monotonic()
        self._handle: Any = None
        self._width = 0

    def note(self, progress: Progress | str) -> None:
        """Take down how far it is, from any thread."""
        self._latest = progress

    def follow(self, work: Work[T], done: Callable[[T], Rendered]) -> None:
        """Wait for some work, tell of it as it goes on, and show what came of it."""
        try:
            wait = SECONDS_UNSAID
            while work.lasts(wait):
                self._draw()
                wait = SECONDS_BETWEEN
            result = work.wait()
        except BaseException:
            if self._plain and self._width:
                print()  # noqa: T201 - the error begins a line of its own
            raise
        self._end(done(result))

    def _draw(self) -> None:
        if self._latest is None:
            return
        from vibekit_jupyter.notebook.render.files import progress_words

        seconds = time.monotonic() - self._began
        if isinstance(self._latest, str):
            words = f"{self._latest} · {seconds:.0f} s"
        else:
            words = progress_words(self._latest, seconds)
        if self._plain:
            self._print(words)
            return
        from vibekit_jupyter.notebook.render import message

        self._show(message(words))

    def _print(self, words: str) -> None:
        print(f"\r{words.ljust(self._width)}", end="", flush=True)  # noqa: T201 - its purpose
        self._width = len(words)

    def _show(self, part: Rendered) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(part, display_id=True)  # type: ignore[no-untyped-call]  # IPython's own
        else:
            self._handle.update(part)

    def _end(self, result: Rendered) -> None:
        if not self._plain:
            self._show(result)
            return
        if self._width:
            self._print("")
            print("\r", end="")  # noqa: T201 - its purpose
        print(result.plain)  # noqa: T201 - its purpose
