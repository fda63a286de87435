"""Errors in a cell as one plain line; the traceback is for ``--debug``."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import VibeKitError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["plain_errors", "show_as_one_line"]


def show_as_one_line(error: BaseException) -> None:
    """Have IPython show an error as one line, when it shows it.

    IPython asks an exception for ``_render_traceback_`` before it formats a traceback.
    """
    from vibekit_jupyter.notebook.render.text import visible

    text = visible(str(error)) or "Interrupted. The session can go on."
    line = f"{type(error).__name__}: {text}"
    error._render_traceback_ = partial(list, (line,))  # type: ignore[attr-defined]  # IPython's protocol


@contextmanager
def plain_errors(*, debug: bool = False) -> Iterator[None]:
    """Let errors of ours, and interrupts, show as one line; they are raised all the same."""
    import asyncio

    try:
        yield
    except (VibeKitError, KeyboardInterrupt, asyncio.CancelledError) as error:
        if not debug:
            show_as_one_line(error)
        raise
