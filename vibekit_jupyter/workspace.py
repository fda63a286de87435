"""What a client works with: its settings, its sessions, and its connections.

The client's methods are in ``client`` (the seeds' own) and ``session_verbs`` (the verbs of
``%vibekit_session``); what both need is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import getpass
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from vibekit_jupyter import choices, config
from vibekit_jupyter.connections import Connections
from vibekit_jupyter.errors import (
    SandboxUnreachableError,
    SessionNameError,
    SessionNotFoundError,
    VibeKitError,
)
from vibekit_jupyter.sandbox import Sandbox, kill
from vibekit_jupyter.session_book import SessionBook
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from vibekit_jupyter.config import Service, Settings

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
        name = wanted.name or book.registry.free_name(book.user, service.id, book.notebook)
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
            confinement=service.confinement,
            created=datetime.now(UTC),
            ends_at=sandbox.ends_at,
            continued_from=wanted.continued_from,
            timeout=timeout,
            internet=wanted.internet,
        )
        session = await self._record(session, service, named=bool(wanted.name))
        book.set_current(session.id, service.id)
        return book.marked(session)

    async def _record(self, session: Session, service: Service, *, named: bool) -> Session:
        """Write a new session down, also when another kernel takes its name just now."""
        registry = self.book.registry
        while True:
            try:
                return registry.add(session, service)
            except SessionNameError:
                if named:  # a sandbox that nobody can ask for is not left behind
                    await kill(service, session.id)
                    self.connections.drop(session.id)
                    raise
            name = registry.free_name(session.user, service.id, session.notebook)
            session = dataclasses.replace(session, name=name)

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


async def _to_its_end(work: Coroutine[object, object, T]) -> T:
    """Await work that goes on when the caller is cancelled."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)


def current_user() -> str:
    """Return whose sessions these are: the JupyterHub user, else the login name."""
    if name := os.environ.get("JUPYTERHUB_USER"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a passwd entry
        return str(os.getuid())
