"""Errors in a cell as one plain line; the traceback is for ``--debug``."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import VibeKitError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["plain_errors"]


@contextmanager
def plain_errors(*, debug: bool = False) -> Iterator[None]:
    """Let errors of ours, and interrupts, show as one line; they are raised all the same.

    IPython asks an exception for ``_render_traceback_`` before it formats a traceback.
    """
    try:
        yield
    except (VibeKitError, KeyboardInterrupt, asyncio.CancelledError) as error:
        if not debug:
            text = str(error) or "Interrupted. The session can go on."
            line = f"{type(error).__name__}: {text}"
            error._render_traceback_ = partial(list, (line,))  # type: ignore[union-attr]  # IPython's protocol
        raise
