"""A run's questions to its person: one after the other, told, and answered in any case."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.agents.approvals import kinds_of
from vibekit_jupyter.events import ApprovalAnswered, ApprovalAsked
from vibekit_jupyter.results import Approval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vibekit_jupyter.agents.approvals import Approver
    from vibekit_jupyter.events import Event
    from vibekit_jupyter.runs.redact import Redactor
    from vibekit_jupyter.settings.vendors import Approve

__all__ = ["Allowed", "Approvals", "Asking", "approvals_of"]

# Questions of one run that wait at a time; and characters, of one that can be read.
MOST_WAITING: Final = 50
LONGEST: Final = 100_000
MOST_RECORDED: Final = 16_000
NOBODY: Final = "Nobody is here to answer: it was refused."
MANY: Final = f"It was refused unasked: {MOST_WAITING} other questions wait already."
LONG: Final = f"It was refused unasked: with more than {LONGEST:,} characters nobody could read it."
ENDED: Final = "The run ended before this was answered."


class Allowed:
    """What a person has allowed for sessions, for as long as this kernel lives."""

    def __init__(self) -> None:
        self._kinds: dict[str, set[str]] = {}

    def of(self, session_id: str) -> set[str]:
        """Return the kinds of calls that are allowed in a session; they may be added to."""
        return self._kinds.setdefault(session_id, set())


@dataclass(frozen=True)
class Asking:
    """Who is asked before a tool changes something, of what, and what is allowed already."""

    approver: Approver | None = None
    approve: Approve = "never"
    allowed: Allowed = field(default_factory=Allowed)


class Approvals:
    """Asks for one run; an ``Approver`` for agents of every kind.

    Parameters
    ----------
    asking
        Who is asked; there may be nobody.
    session_id
        Where: what is allowed for a session holds there.
    tell
        Called with what is asked and what was answered.
    redactor
        Takes the secrets out of what is asked.
    """

    def __init__(
        self,
        asking: Asking,
        session_id: str,
        tell: Callable[[Event], None],
        redactor: Redactor,
    ) -> None:
        self._approver = asking.approver
        self._allowed = asking.allowed.of(session_id)
        self._tell = tell
        self._redactor = redactor
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._stopped = False

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        """Ask, when it is this question's turn, and return the answer; both are told.

        After *stop* nothing more is asked: the run is about to end.
        """
        asked = self._redactor.value(asked)
        if self._waiting >= MOST_WAITING:
            self._tell(_bounded(asked))
            return self._answered(asked, _refused(asked, MANY))
        self._waiting += 1
        try:
            async with self._turn:
                if self._stopped:
                    return ApprovalAnswered(asked.request_id, "stopped", "you")
                self._tell(_bounded(asked))
                return self._answered(asked, await self._answer(asked))
        finally:
            self._waiting -= 1

    async def _answer(self, asked: ApprovalAsked) -> ApprovalAnswered:
        kinds = kinds_of(asked)
        if kinds <= self._allowed:
            return ApprovalAnswered(asked.request_id, "session", "session")
        if self._approver is None:
            return _refused(asked, NOBODY)
        if len(asked.command) + len(asked.diff) + len(asked.path) > LONGEST:
            return _refused(asked, LONG)
        try:
            answered = await self._approver.ask(asked)
        except asyncio.CancelledError:
            self._answered(
                asked, ApprovalAnswered(asked.request_id, "stopped", "nobody", note=ENDED)
            )
            raise
        if answered.answer == "session":
            self._allowed |= kinds
        self._stopped = answered.answer == "stopped"
        return answered

    def _answered(self, asked: ApprovalAsked, answered: ApprovalAnswered) -> ApprovalAnswered:
        answered = dataclasses.replace(answered, request_id=asked.request_id, at=time.time())
        self._tell(answered)
        return answered


def _refused(asked: ApprovalAsked, note: str) -> ApprovalAnswered:
    return ApprovalAnswered(asked.request_id, "refused", "nobody", note)


def _bounded(asked: ApprovalAsked) -> ApprovalAsked:
    """Return what of a question is written down; who answers sees the whole of it."""
    return dataclasses.replace(
        asked, command=asked.command[:MOST_RECORDED], diff=asked.diff[:MOST_RECORDED]
    )


def approvals_of(events: Iterable[Event]) -> tuple[Approval, ...]:
    """Return what was asked in a run, and decided."""
    asked: dict[str, ApprovalAsked] = {}
    decided: list[Approval] = []
    for event in events:
        if isinstance(event, ApprovalAsked):
            asked[event.request_id] = event
        elif isinstance(event, ApprovalAnswered) and (of := asked.pop(event.request_id, None)):
            what = of.path or of.command or of.title
            decided.append(Approval(what, event.answer, event.by, event.note, event.at))
    return tuple(decided)
