"""What a kernel that was killed left running is ended, and of runs it is said."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.events import RunFinished, StepFinished, event_from_dict
from vibekit_jupyter.results import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from vibekit_jupyter.events import Event
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sessions.registry import Registry

    RestOf = Callable[["Sandbox", "CutOffTurn"], AbstractAsyncContextManager["Rest"]]

__all__ = [
    "CUT_OFF",
    "WITHOUT_KERNEL",
    "CutOffTurn",
    "Rest",
    "end_cut_off",
    "said_in_next",
    "said_of",
]

CUT_OFF: Final = "The kernel ended while the run went on."
WITHOUT_KERNEL: Final = "The kernel ended while the run went on, which came to its end without it."


@dataclass(frozen=True)
class CutOffTurn:
    """A turn whose kernel is gone, as it is on record. ``run`` is 0 where that is not known."""

    run: int
    agent: str
    model: str
    messages: Sequence[Mapping[str, Any]]
    events: Sequence[Event]


@dataclass(frozen=True)
class Rest:
    """What is known of such a turn beyond its record.

    Attributes
    ----------
    messages
        All that it adds to its session's conversation.
    events
        What else happened in it.
    files
        Paths that it wrote.
    came_to_end
        The agent has said that it is done.
    """

    messages: Sequence[Mapping[str, Any]]
    events: Sequence[Event] = ()
    files: Sequence[str] = ()
    came_to_end: bool = False


async def end_cut_off(sandbox: Sandbox, registry: Registry, rest_of: RestOf) -> None:
    """End what kernels that are no more left running in a sandbox, and close their runs' turns.

    What the turns hold stays, and is a part of the conversation; ``rest_of`` says what they do not
    hold yet, which stays in the sandbox until it is on record. Of two kernels that come to one
    turn the first one's word stands.
    """
    service_id = sandbox.service.id
    for owner, run in registry.commanders(service_id, sandbox.id):
        if not registry.is_there(owner):
            with contextlib.suppress(SandboxError, SessionNotFoundError):
                await sandbox.end_run(run)
                registry.drop_commander(run)
    for number, owner, run in registry.running_turns(service_id, sandbox.id):
        if registry.is_there(owner):
            continue
        if run:
            with contextlib.suppress(SandboxError, SessionNotFoundError):
                await sandbox.end_run(run)
        events = [event_from_dict(dict(event)) for event in registry.events(number)]
        turn = CutOffTurn(run, *registry.said_in(number), events)
        async with rest_of(sandbox, turn) as rest:
            _close(registry, number, sandbox.id, turn, rest)


def _close(registry: Registry, number: int, session_id: str, turn: CutOffTurn, rest: Rest) -> None:
    status, error = ("done", "") if rest.came_to_end else ("interrupted", CUT_OFF)
    steps = [event for event in turn.events if isinstance(event, StepFinished)]
    usage = sum((step.usage for step in steps), Usage())
    ended = RunFinished(status, session_id, len(steps), usage, 0.0, error)  # type: ignore[arg-type]  # a word of Status
    registry.close_turn(
        number,
        [event.to_dict() for event in (*rest.events, ended)],
        first=len(turn.events),
        status=status,
        error=WITHOUT_KERNEL if rest.came_to_end else CUT_OFF,
        messages=json.dumps(rest.messages),
        files=sorted(rest.files),
    )


def said_of(error: str) -> Sequence[str]:
    """Return what who restores a session is told of its last turn, which ended in this sentence."""
    known = {
        CUT_OFF: "Its last run was cut off: the kernel ended while it went on. "
        "%vibekit last shows how far it came.",
        WITHOUT_KERNEL: "Its last run came to its end without its kernel: %vibekit last shows it.",
    }
    return [known[error]] if error in known else []


def said_in_next(error: str) -> Sequence[str]:
    """Return what the next run tells of such a turn."""
    known = {
        CUT_OFF: "The run before was cut off when its kernel ended: "
        "the agent is told how far it came.",
        WITHOUT_KERNEL: "The run before came to its end without its kernel: "
        "%vibekit_session history shows it.",
    }
    return [known[error]] if error in known else []
