"""What is known of a session, as shown in lists, cards and the picker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.results import CommandResult
    from vibekit_jupyter.sessions.state import State

__all__ = ["Restored", "Session", "Turn", "pause_notice"]

# From when on a person is told that a session is about to pause.
SOON = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Session:
    """A sandbox and the conversation held in it.

    Attributes
    ----------
    id
        The sandbox's id.
    name
        Unique per user and service among sessions not forgotten.
    project, user, notebook
        Whom and what it belongs to; ``notebook`` is a path, empty outside a notebook.
    service
        The sandbox service, as a person would call it: ``local sandbox``, ``E2B``, or a host.
    confinement
        The local sandbox's level (``bubblewrap``, ``landlock``, ``none``); None elsewhere.
    state
        As last seen: ``unknown`` was not asked yet, ``gone`` was killed or expired,
        ``unreachable`` says that the service is down, ``elsewhere`` that another service has it.
    ends_at
        When its time runs out and it pauses; None while that is unknown or it is not running.
    agent, model
        Who answered the last turn; empty before the first.
    turns, files
        How many turns it had, and how many files they changed; not counted in a list.
    current
        It is the client's current session.
    continued_from
        The id of the session that this one carries on.
    timeout
        Seconds that it runs before it pauses.
    internet
        Whether its commands reach the internet.
    service_id
        The service's identity: its URL, or ``local@`` and the machine's name.
    key_mark
        A one-way fingerprint of the key that it was last reached with.
    named_here
        Its name was given on this machine. Else it is what the service's label says: good to find
        it by, and not to end it by.
    template
        What its sandbox was made from; None is the service's default.
    setup
        The command that ran when its sandbox was made, and runs in each one that replaces it.
    """

    id: str
    name: str
    service: str
    state: State = "unknown"
    project: str = ""
    user: str = ""
    notebook: str = ""
    confinement: str | None = None
    ends_at: datetime | None = None
    created: datetime | None = None
    last_used: datetime | None = None
    agent: str = ""
    model: str = ""
    turns: int = 0
    files: int = 0
    current: bool = False
    continued_from: str | None = None
    timeout: float | None = None
    internet: bool = False
    service_id: str = ""
    key_mark: str = ""
    named_here: bool = True
    template: str | None = None
    setup: str = ""

    def time_left(self, now: datetime | None = None) -> timedelta | None:
        """Return how long the sandbox runs before it pauses, never negative."""
        if self.state != "running" or self.ends_at is None:
            return None
        return max(self.ends_at - (now or datetime.now(UTC)), timedelta(0))


@dataclass(frozen=True)
class Turn:
    """One prompt of a session's conversation, and what came of it.

    Attributes
    ----------
    status
        ``running``, ``done``, ``interrupted``, ``failed`` or ``limit``.
    text
        The model's words.
    started
        When the prompt was given.
    duration
        Seconds.
    files
        The paths that it changed.
    usage
        Tokens: ``input``, ``cached`` and ``output``.
    events
        What happened, as :meth:`vibekit_jupyter.events.Event.to_dict` wrote it.
    fresh
        What was said before was left out.
    session_id
        The session it belongs to.
    """

    number: int
    prompt: str
    agent: str
    model: str
    mode: str
    status: str
    text: str
    started: datetime
    duration: float = 0.0
    notebook: str = ""
    error: str = ""
    fresh: bool = False
    files: Sequence[str] = ()
    usage: Mapping[str, int] | None = None
    events: Sequence[Mapping[str, Any]] = ()
    session_id: str = ""


@dataclass(frozen=True)
class Restored:
    """A session that was restored, and what a look at it found.

    Attributes
    ----------
    notes
        What is there and what was lost, in plain sentences.
    reopened
        Its sandbox was gone: this is a new one with the old conversation.
    setup
        What came of its set-up, where it was reopened and has one.
    """

    session: Session
    notes: Sequence[str] = ()
    reopened: bool = False
    setup: CommandResult | None = None


def pause_notice(left: timedelta) -> str:
    """Return the sentence for a session that runs only so much longer; empty while it is long."""
    if left >= SOON:
        return ""
    minutes = left // timedelta(minutes=1) + 1
    when = f"{minutes} minutes" if minutes > 1 else "a minute"
    return f"The session pauses in less than {when}: its files stay, and the next prompt wakes it."
