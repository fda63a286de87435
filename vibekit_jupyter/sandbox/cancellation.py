"""No cancellation is lost in what somebody else has written.

Python 3.11's ``asyncio.wait_for``, through which the SDK sends its requests, swallows one that
comes in the moment in which the answer does: whoever was told to end goes on, and who waits for
that waits for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cancellation_kept"]


@contextlib.contextmanager
def cancellation_kept() -> Iterator[None]:
    """Raise the cancellation of this task that came in here and was swallowed."""
    task, before = _task(), _requests()
    try:
        yield
    except Exception as error:
        if _task() is task and _requests() > before:
            raise asyncio.CancelledError from error
        raise
    if _task() is task and _requests() > before:
        raise asyncio.CancelledError


def _task() -> asyncio.Task[object] | None:
    with contextlib.suppress(RuntimeError):  # no loop runs
        return asyncio.current_task()
    return None


def _requests() -> int:
    """Return how often this task was cancelled, and has not taken that back."""
    task = _task()
    return 0 if task is None else task.cancelling()
