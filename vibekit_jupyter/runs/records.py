"""Runs as the registry remembers them: what a client can look up without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.events import (
    Event,
    FileChanged,
    RunFinished,
    ToolCallFinished,
    ToolCallStarted,
    event_from_dict,
)
from vibekit_jupyter.results import FileChange, Result, Usage
from vibekit_jupyter.runs.approvals import approvals_of
from vibekit_jupyter.runs.lesson import find_in_lessons
from vibekit_jupyter.runs.redact import Redactor, secrets_of
from vibekit_jupyter.sessions.asked import NOBODY
from vibekit_jupyter.settings import choices, config
from vibekit_jupyter.settings.places import folder_of
from vibekit_jupyter.settings.vendors import ALL_AGENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sessions.asked import Asker
    from vibekit_jupyter.sessions.session import Session, Turn
    from vibekit_jupyter.sessions.workspace import Workspace
    from vibekit_jupyter.settings.config import Settings

__all__ = ["RunRecords", "events_of", "result_of"]


class RunRecords:
    """Look runs up."""

    _workspace: Workspace

    def recorded(
        self,
        prompt: str,
        *,
        agent: str | None = None,
        model: str | None = None,
        mode: str | None = None,
        session: str | None = None,
        asker: Asker = NOBODY,
    ) -> Turn | None:
        """Return the last run with this prompt that came to its end; None where there is none.

        It is looked for in the files of recorded runs beside the notebook, then in the registry:
        in the session named, else in the current one, else in the one that this notebook used
        last. Where there is none of these, as in a notebook that runs
        headless, it may be in any of one's sessions. That session becomes the current one if
        there is none, so that what comes next goes on in it, recorded or not.

        Parameters
        ----------
        agent, model, mode
            Who must have answered, and how; without it, what is set.
        session
            Its id, its name or a unique beginning of one.
        asker
            Which cell asks: what it was answered comes before what others were.
        """
        book = self._workspace.book
        turn, place, service_id = self._find_recorded(
            prompt, agent=agent, model=model, mode=mode, session=session, asker=asker
        )
        if book.current is None and session is None and place is not None:
            book.set_current(place.id, place.service_id, book.spoken)
        elif book.current is None and session is None and turn is not None and service_id:
            book.set_current(turn.session_id, service_id, book.spoken)
        return turn

    def _check_rerun(
        self, prompt: str, settings: Settings, *, agent: str, model: str | None, session: str | None
    ) -> None:
        """Raise ``ConfigurationError`` where a recorded prompt would run, and may not."""
        if settings.policy.allows("rerun"):
            return
        turn, *_ = self._find_recorded(
            prompt, agent=agent, model=model, mode=settings.mode, session=session
        )
        if turn is not None:
            settings.policy.check_use("rerun", "This prompt is recorded, and would run again")

    def _find_recorded(
        self,
        prompt: str,
        *,
        agent: str | None,
        model: str | None,
        mode: str | None,
        session: str | None,
        asker: Asker = NOBODY,
    ) -> tuple[Turn | None, Session | None, str]:
        """Return a recorded run, the session that was looked in, and the service it is at."""
        settings, book = self._workspace.settings, self._workspace.book
        asked = agent or (settings.agent if settings.agent in ALL_AGENTS else None)
        options = {"agent": asked, "model": model, "mode": mode or settings.mode}
        wanted = {option: value for option, value in options.items() if value}
        redacted = Redactor(secrets_of(settings)).text(prompt)
        folder = folder_of(book.notebook)
        if (turn := find_in_lessons(folder, redacted, asker, **wanted)) is not None:
            return turn, None, ""
        service = choices.choose_e2b(settings, unlock=False)
        service_id = service.id if service else config.local_service_id()
        text = book.current if session is None else session
        place = self._last_session() if text is None else book.lookup(text, service_id)
        if text is not None and place is None:
            return None, None, ""
        turn = book.registry.finished_turn(
            redacted,
            place.service_id if place else service_id,
            user=book.user,
            session_id=place.id if place else None,
            asker=asker,
            **wanted,
        )
        return turn, place, service_id

    def place_in_session(self, session_id: str | None, turn: Turn | None = None) -> int:
        """Return which turn of its session one is, counted from 1; 0 where that is not known.

        Parameters
        ----------
        turn
            Without it, the last one.
        """
        registry = self._workspace.book.registry
        session = registry.by_id(session_id) if session_id else None
        if session is None or turn is None:
            return session.turns if session else 0
        return registry.place_of(turn.number, session.service_id, session.id)

    def last_turn(self) -> Turn | None:
        """Return the last turn of the current session, else of the one this notebook used last."""
        book = self._workspace.book
        session = book.registry.by_id(book.current) if book.current else self._last_session()
        turns = book.registry.turns(session.service_id, session.id, last=1) if session else ()
        return turns[0] if turns else None

    def _last_session(self) -> Session | None:
        book = self._workspace.book
        return book.registry.last_of_notebook(book.user, book.notebook)


def events_of(turn: Turn) -> Sequence[Event]:
    """Return what happened in a turn, as far as it is recorded."""
    return [event_from_dict(dict(event)) for event in turn.events]


def result_of(turn: Turn) -> Result:
    """Return what a turn that came to its end left behind.

    Of a file that was changed several times, the last change is told; ``code`` is what was
    written last, or the last command.
    """
    events = events_of(turn)
    ended = [event for event in events if isinstance(event, ToolCallFinished)]
    commands = tuple(event.command for event in ended if event.command)
    changes: dict[str, FileChange] = {}
    code = commands[-1].command if commands else ""
    finished = RunFinished("done", turn.session_id, 0, Usage(), turn.duration)
    for event in events:
        match event:
            case ToolCallStarted(arguments={"content": str(content)}):
                code = content
            case ToolCallFinished(change=FileChange() as change) | FileChanged(change=change):
                changes[change.path] = change
            case RunFinished():
                finished = event
    return Result(
        session_id=turn.session_id,
        agent=turn.agent,
        model=turn.model,
        prompt=turn.prompt,
        text=turn.text,
        code=code,
        commands=commands,
        files=tuple(changes.values()),
        usage=finished.usage,
        steps=finished.steps,
        duration=finished.duration,
        cost=finished.cost,
        approvals=approvals_of(events),
    )
