"""What a client works with: its settings, its sessions, and its connections.

The client's methods are in ``client`` (the seeds' own) and ``verbs`` (the verbs of
``%vibekit_session``); what both need is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from vibekit_jupyter.errors import (
    SandboxUnreachableError,
    SessionNameError,
    SessionNotFoundError,
    VibeKitError,
)
from vibekit_jupyter.sandbox.connection import Sandbox, missing_files
from vibekit_jupyter.sandbox.service import fork, kill
from vibekit_jupyter.sessions.book import SessionBook
from vibekit_jupyter.sessions.connections import Connections
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.session import Restored, Session
from vibekit_jupyter.settings import choices, config

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from vibekit_jupyter.settings.config import Service, Settings

__all__ = ["Workspace"]

T = TypeVar("T")

# Seconds until a new sandbox pauses: the longest that E2B's free tier allows.
TIMEOUT = 3600.0


class Workspace:
    """The settings, sessions and connections of one client.

    Parameters
    ----------
    settings
        May be replaced at any time; the next operation uses the new ones.
    notebook, user, project
        What new sessions are filed under.
    """

    def __init__(self, settings: Settings, *, notebook: str, user: str, project: str) -> None:
        self.settings = settings
        self.project = project
        self.connections = Connections()
        self.book = SessionBook(Registry(), user=user, notebook=notebook)
        self._creating = asyncio.Lock()

    def check_initialized(self) -> str:
        """Return the id of the sandbox service in use, without a request.

        Raises
        ------
        AgentNotInitializedError
            Credentials are missing or wrong in form.
        """
        choices.choose_model(self.settings, choices.choose_agent(self.settings))
        service = choices.choose_e2b(self.settings)
        return config.LOCAL_SERVICE if service is None else service.id

    async def service(self) -> Service:
        """Return the sandbox service in use, started if it is this machine's."""
        return await self.connections.service(self.settings)

    async def connect(self, session_id: str) -> Sandbox:
        """Return a session's sandbox, connected and resumed.

        Raises
        ------
        SessionNotFoundError
            It is gone. Nothing new is created.
        SessionElsewhereError
            Another service has it; neither service was asked.
        """
        service = await self.service()
        self.book.check_reachable(session_id, service.id)
        known = self.book.known(service.id, session_id)
        timeout = (known and known.timeout) or TIMEOUT
        with self.explained():
            sandbox = await self.connections.sandbox(service, session_id, timeout=timeout)
        self.book.connected(sandbox)
        return sandbox

    async def current_or_new(self) -> tuple[str, bool]:
        """Return the current session's id, created on first use, and whether it was.

        A creation goes on when its caller is interrupted: the sandbox would be there, and
        nobody would know it.
        """
        if self.book.current is not None:
            return self.book.current, False
        return await _to_its_end(self._current_or_new())

    async def _current_or_new(self) -> tuple[str, bool]:
        async with self._creating:
            if self.book.current is not None:
                return self.book.current, False
            return (await self._create(Session("", "", ""))).id, True

    async def create(self, wanted: Session) -> Session:
        """Create a session like ``wanted``, make it the current one, and return it."""
        return await _to_its_end(self._create(wanted))

    async def _create(self, wanted: Session) -> Session:
        service = await self.service()
        book = self.book
        free_name = partial(book.registry.free_name, book.user, service.id, book.notebook)
        name = wanted.name or free_name()
        labels = {
            "name": name,
            "project": wanted.project or self.project,
            "user": book.user,
            "notebook": book.notebook,
            "agent": choices.choose_agent(self.settings),
        }
        timeout = wanted.timeout or TIMEOUT
        sandbox = await Sandbox.create(
            service,
            timeout=timeout,
            metadata={f"vibekit_{label}": text for label, text in labels.items() if text},
            # On this machine the internet is off unless asked for; far away it is the service's.
            internet=wanted.internet or not service.is_local,
        )
        self.connections.keep(sandbox)
        session = Session(
            id=sandbox.id,
            name=name,
            service=service.title,
            state="running",
            project=labels["project"],
            user=book.user,
            notebook=book.notebook,
            agent=wanted.agent,
            model=wanted.model,
            confinement=service.confinement,
            created=datetime.now(UTC),
            ends_at=sandbox.ends_at,
            continued_from=wanted.continued_from,
            timeout=timeout,
            internet=wanted.internet,
        )
        session = await self._record(session, service, None if wanted.name else free_name)
        book.set_current(session.id, service.id)
        return book.marked(session)

    async def fork(self, source: Session, name: str | None) -> Session:
        """Copy a session's files and conversation into a new one."""
        return await _to_its_end(self._fork(source, name))

    async def _fork(self, source: Session, name: str | None) -> Session:
        service = await self.service()
        timeout = source.timeout or TIMEOUT
        await self.connect(source.id)  # one that is paused has no processes to copy
        with self.explained():
            sandbox = await fork(service, source.id, timeout=timeout)
        copy_name = partial(self.book.registry.copy_name, self.book.user, service.id, source.name)
        copy = dataclasses.replace(
            source,
            id=sandbox.id,
            name=name or copy_name(),
            state="running",
            user=self.book.user,
            notebook=self.book.notebook,
            created=datetime.now(UTC),
            ends_at=sandbox.ends_at,
            continued_from=source.id,
            timeout=timeout,
        )
        copy = await self._record(copy, service, None if name else copy_name)
        self.book.registry.copy_turns(source, copy)
        return self.book.known(service.id, copy.id) or copy

    async def restore(self, session: Session) -> Restored:
        """Connect a session and look whether all is there; reopen it if its sandbox is gone."""
        service = await self.service()
        registry = self.book.registry
        turns = registry.count_turns(session.service_id, session.id)
        try:
            if session.state == "gone":
                raise self.book.not_found(session.name)
            sandbox = await self.connect(session.id)
        except SessionNotFoundError:
            return await self._reopen(session, turns)
        notes = [_conversation_note(turns)]
        paths = registry.changed_files(session.service_id, session.id)
        if paths:
            notes.append(_files_note(paths, await missing_files(sandbox, paths)))
        self.book.set_current(session.id, service.id)
        restored = self.book.known(service.id, session.id) or session
        return Restored(restored, notes)

    async def _reopen(self, session: Session, turns: int) -> Restored:
        registry = self.book.registry
        registry.update(session, state="gone", ends_at=None)
        registry.retire_name(session)
        reopened = await self.create(
            dataclasses.replace(session, id="", continued_from=session.id, ends_at=None)
        )
        registry.copy_turns(session, reopened)
        notes = [
            f"The sandbox of {session.name} is gone, and its files with it: this is a new one.",
            _conversation_note(turns),
        ]
        known = self.book.known(reopened.service_id, reopened.id) or reopened
        return Restored(known, notes, reopened=True)

    async def _record(
        self, session: Session, service: Service, free_name: Callable[[], str] | None
    ) -> Session:
        """Write a new session down; ``free_name`` gives another where a kernel took its name."""
        registry = self.book.registry
        while True:
            try:
                return registry.add(session, service)
            except SessionNameError:
                if free_name is None:  # a sandbox that nobody can ask for is not left behind
                    await kill(service, session.id)
                    self.connections.drop(session.id)
                    raise
            session = dataclasses.replace(session, name=free_name())

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Add what is remembered of a session to the errors about it."""
        try:
            yield
        except VibeKitError as error:
            self.explain(error)
            raise

    def explain(self, error: VibeKitError) -> None:
        """Add to an error about a session what is remembered of it; connect it anew next time."""
        if isinstance(error, SessionNotFoundError | SandboxUnreachableError):
            self.connections.drop(error.session_id)
        self.book.explain(error, self.check_initialized())

    async def aclose(self) -> None:
        """Close the connections, and end what was started for this client alone."""
        await self.connections.aclose()
        self.book.registry.close()


def _conversation_note(turns: int) -> str:
    if turns == 0:
        return "This machine has no conversation of it."
    return f"Its conversation goes on: {turns} {'turn' if turns == 1 else 'turns'}."


def _files_note(paths: Sequence[str], missing: Sequence[str]) -> str:
    if not missing:
        return f"Its files are there ({len(paths)} that runs changed)."
    names = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    return f"{len(missing)} of {len(paths)} files that runs changed are not there: {names}."


async def _to_its_end(work: Coroutine[object, object, T]) -> T:
    """Await work that goes on when the caller is cancelled."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)
