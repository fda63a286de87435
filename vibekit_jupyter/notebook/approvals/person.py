"""Who is asked: the person at the cell that runs, if there is one."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Literal

from vibekit_jupyter.events import ApprovalAnswered

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.events import ApprovalAsked

__all__ = ["ANSWERS", "Answer", "Person", "person_at"]

Answer = Literal["once", "session", "refused", "stopped"]
ANSWERS: tuple[Answer, ...] = ("once", "session", "refused", "stopped")


def person_at(shell: InteractiveShell) -> Person | None:
    """Return who can answer at a shell, None where nobody can.

    A front end says with each cell whether it can be asked for a line. One that runs notebooks
    without a person says that it cannot.
    """
    if getattr(shell, "kernel", None) is None:
        return Person() if sys.stdin is not None and sys.stdin.isatty() else None
    content = (shell.get_parent() or {}).get("content", {})  # type: ignore[attr-defined]  # ipykernel's
    return Person() if content.get("allow_stdin") else None


class Person:
    """The person at a cell. A question waits here until the cell gives the answer."""

    def __init__(self) -> None:
        self._waiting: (
            tuple[ApprovalAsked, asyncio.AbstractEventLoop, asyncio.Future[ApprovalAnswered]] | None
        ) = None

    @property
    def question(self) -> ApprovalAsked | None:
        """What waits for an answer."""
        waiting = self._waiting
        return waiting[0] if waiting else None

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        """Have the cell ask, and return the answer."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[ApprovalAnswered] = loop.create_future()
        self._waiting = (asked, loop, answered)
        try:
            return await answered
        finally:
            self._waiting = None

    def answer(self, request_id: str, answer: Answer, *, by: str = "you", note: str = "") -> None:
        """Answer a question, from any thread. Of several answers the first one counts."""
        waiting = self._waiting
        if waiting is None or waiting[0].request_id != request_id:
            return
        _, loop, future = waiting

        def settle() -> None:
            if not future.done():
                future.set_result(ApprovalAnswered(request_id, answer, by, note))

        loop.call_soon_threadsafe(settle)
