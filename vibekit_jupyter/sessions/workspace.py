"""What a client works with: its settings, its sessions, and its connections.

The client's methods are in ``client`` (the seeds' own) and ``verbs`` (the verbs of
``%vibekit_session``); what both need is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import (
    SandboxError,
    SandboxUnreachableError,
    SessionNameError,
    SessionNotFoundError,
    VibeKitError,
)
from vibekit_jupyter.sandbox.connection import Sandbox, kept_alive
from vibekit_jupyter.sandbox.missing import missing_files
from vibekit_jupyter.sandbox.queue import Queue, to_its_end
from vibekit_jupyter.sandbox.service import fork, get_info, kill
from vibekit_jupyter.sessions import allowed
from vibekit_jupyter.sessions.book import SessionBook
from vibekit_jupyter.sessions.connections import Connections
from vibekit_jupyter.sessions.cut_off import CUT_OFF, end_cut_off, said_of
from vibekit_jupyter.sessions.names import name_before
from vibekit_jupyter.sessions.notes import conversation_note, files_note
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.session import Restored, Session
from vibekit_jupyter.sessions.used import Used
from vibekit_jupyter.settings import choices, config
from vibekit_jupyter.settings.live import LiveSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from vibekit_jupyter.results import CommandResult
    from vibekit_jupyter.sessions.cut_off import RestOf
    from vibekit_jupyter.settings.config import Service, Settings

__all__ = ["Workspace"]

# Characters of a set-up's output.
SETUP_KEPT = 32_000
# Seconds that a service has to say what became of a session.
ASKING = 5.0


class Workspace:
    """The settings, sessions and connections of one client.

    Parameters
    ----------
    given
        What was set for this client, by the names of the settings' table.
    notebook, user, project
        What new sessions are filed under.
    rest_of
        Says what is known of a turn whose kernel is gone.
    """

    def __init__(
        self, given: Mapping[str, Any], *, notebook: str, user: str, project: str, rest_of: RestOf
    ) -> None:
        self.layers = LiveSettings(given, notebook)
        self.project = project
        self._rest_of = rest_of
        self.connections = Connections()
        self.book = SessionBook(Registry(), user=user, notebook=notebook)
        self._creating = asyncio.Lock()
        self._used = Used(self.book.registry, user)
        self._commands = 0
        self._allowed = allowed.Allowed()

    @property
    def settings(self) -> Settings:
        """What holds for an operation that begins now; see :class:`.LiveSettings`."""
        return self.layers.current

    def check_initialized(self) -> str:
        """Return the id of the sandbox service in use, without a request.

        Raises
        ------
        AgentNotInitializedError
            Credentials are missing or wrong in form.
        """
        settings = self.settings
        choices.choose_model(settings, choices.choose_agent(settings), unlock=False)
        return _service_id(settings)

    def service_id(self) -> str:
        """Return the id of the sandbox service in use, whatever is said of models; no request."""
        return _service_id(self.settings)

    async def service(self) -> Service:
        """Return the sandbox service in use, started if it is this machine's."""
        return await self.connections.service(self.settings)

    async def connect(self, session_id: str, *, anew: bool = False) -> Sandbox:
        """Return a session's sandbox, connected and resumed.

        Parameters
        ----------
        anew
            Ask the service, though a connection is kept: that one is no evidence.

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
        timeout = allowed.lasting(self.settings, known)
        async with self.explained():
            await self._allowed.check(self.settings.policy, service, session_id, known)
        if anew:
            self.connections.drop(session_id)
        self._used.add(service, session_id)
        async with self.explained():
            sandbox = await self._queued(
                service, self.connections.sandbox, session_id, timeout=timeout
            )
        self.book.connected(sandbox)
        await end_cut_off(sandbox, self.book.registry, self._rest_of)
        return sandbox

    async def _queued(
        self,
        service: Service,
        start: Callable[..., Awaitable[Sandbox]],
        *which: str,
        **options: Any,
    ) -> Sandbox:
        """Start a sandbox at a service, as soon as it lets one."""
        queue = Queue(service, self.settings.queue)
        return await queue.through(lambda: start(service, *which, **options))

    async def current_or_new(self) -> tuple[str, bool]:
        """Return the current session's id, created on first use, and whether it was.

        A creation goes on when its caller is interrupted: the sandbox would be there, and
        nobody would know it.
        """
        if self.book.current is not None:
            return self.book.current, False
        return await to_its_end(self._current_or_new(self.book.spoken))

    async def _current_or_new(self, spoken: int) -> tuple[str, bool]:
        async with self._creating:
            if self.book.current is not None:
                return self.book.current, False
            return (await self._create(Session("", "", ""), spoken)).id, True

    async def current_sandbox(self) -> Sandbox:
        """Return the current session's sandbox; the session is created on first use."""
        session_id, _ = await self.current_or_new()
        return await self.connect(session_id)

    async def create(self, wanted: Session) -> Session:
        """Create a session like ``wanted`` and return it.

        It is the current one, unless another one was asked for meanwhile.
        """
        allowed.check_timeout(self.settings.policy, wanted.timeout)
        return await to_its_end(self._create(wanted, self.book.speak()))

    async def _create(
        self, wanted: Session, spoken: int, *, replaces: Session | None = None
    ) -> Session:
        settings = self.settings
        wanted = allowed.as_allowed(settings, wanted, self.project)
        service = await self.service()
        book = self.book
        name = wanted.name or book.registry.free_name(book.user, service.id, book.notebook)
        labels = {
            "name": name,
            "project": wanted.project,
            "user": book.user,
            "notebook": book.notebook,
            "agent": choices.agent_named(settings),
        }
        timeout = allowed.lasting(settings, wanted)
        template = wanted.template or service.template
        sandbox = await self._queued(
            service,
            Sandbox.create,
            timeout=timeout,
            metadata={f"vibekit_{label}": text for label, text in labels.items() if text},
            internet=allowed.reaches_internet(settings.policy, wanted, service),
            template=template,
        )
        self.connections.keep(sandbox)
        self._used.add(service, sandbox.id)
        session = dataclasses.replace(
            wanted,
            id=sandbox.id,
            name=name,
            state="running",
            user=book.user,
            notebook=book.notebook,
            confinement=service.confinement,
            created=datetime.now(UTC),
            ends_at=sandbox.ends_at,
            template=template,
            named_here=True,
        )
        session = await self._record(session, service, named=bool(wanted.name), replaces=replaces)
        book.set_current(session.id, service.id, spoken)
        return book.marked(session)

    async def set_up(self, session: Session) -> CommandResult | None:
        """Run the command that a session's sandbox is set up with; None without one."""
        if not session.setup:
            return None
        sandbox = await self.connect(session.id)
        return await self.run(sandbox, session.setup, keep=SETUP_KEPT)

    async def run(self, sandbox: Sandbox, command: str, **options: Any) -> CommandResult:
        """Run a command in a sandbox: its options are those of :meth:`.Sandbox.run`.

        Should this process be killed meanwhile, the next one that connects the sandbox ends it.
        """
        self._used.add(sandbox.service, sandbox.id)
        self._commands += 1
        try:
            async with self.explained(), kept_alive(sandbox):
                return await sandbox.run(command, run=self._used.run, **options)
        finally:
            self._commands -= 1

    async def fork(self, source: Session, name: str | None) -> Session:
        """Copy a session's files and conversation into a new one."""
        return await to_its_end(self._fork(source, name))

    async def _fork(self, source: Session, name: str | None) -> Session:
        service = await self.service()
        source = allowed.as_allowed(self.settings, source)
        timeout = allowed.lasting(self.settings, source)
        await self.connect(source.id)  # one that is paused has no processes to copy
        async with self.explained():
            sandbox = await self._queued(
                service,
                fork,
                source.id,
                timeout=timeout,
                internet=allowed.reaches_internet(self.settings.policy, source, service),
            )
        self._used.add(service, sandbox.id)
        book = self.book
        copy = dataclasses.replace(
            source,
            id=sandbox.id,
            name=name or book.registry.copy_name(book.user, service.id, source.name),
            state="running",
            user=book.user,
            notebook=book.notebook,
            created=datetime.now(UTC),
            ends_at=sandbox.ends_at,
            continued_from=source.id,
            named_here=True,
        )
        copy = await self._record(copy, service, named=name is not None)
        book.registry.copy_turns(source, copy)
        return book.known(service.id, copy.id) or copy

    async def restore(self, session: Session) -> Restored:
        """Connect a session and look whether all is there; reopen it if its sandbox is gone."""
        spoken = self.book.speak()
        service = await self.service()
        registry = self.book.registry
        turns = registry.count_turns(session.service_id, session.id)
        try:
            sandbox = await self.connect(session.id, anew=True)
        except SessionNotFoundError:
            if (known := self.book.known(service.id, session.id)) and known.state != "gone":
                raise  # another key may see it
            reopened = await to_its_end(self._reopen(session, turns, spoken))
            return dataclasses.replace(reopened, setup=await self.set_up(reopened.session))
        notes = [conversation_note(turns), *said_of(registry.last_error(service.id, session.id))]
        if paths := registry.changed_files(session.service_id, session.id):
            notes.append(files_note(paths, await missing_files(sandbox, paths)))
        self.book.set_current(session.id, service.id, spoken)
        restored = self.book.known(service.id, session.id) or session
        return Restored(restored, notes)

    async def _reopen(self, session: Session, turns: int, spoken: int) -> Restored:
        # Under the name that it had, also where it has given that up already.
        wanted = dataclasses.replace(
            session, id="", name=name_before(session.name), continued_from=session.id
        )
        other = self.book.registry.continuing(session, wanted.name)
        if other is None:
            other = await self._create(wanted, spoken, replaces=session)
        else:
            self.book.set_current(other.id, other.service_id, spoken)
        notes = [
            f"The sandbox of {wanted.name} is gone, and its files with it: this is a new one.",
            conversation_note(turns),
        ]
        last = self.book.registry.turns(session.service_id, session.id, last=1)
        if any(turn.error == CUT_OFF or turn.status == "running" for turn in last):
            notes.append("Its last run was cut off.")
        return Restored(self.book.known(other.service_id, other.id) or other, notes, reopened=True)

    async def _record(
        self, session: Session, service: Service, *, named: bool, replaces: Session | None = None
    ) -> Session:
        """Write a new session down; return it, or the one that was faster to replace another."""
        registry = self.book.registry
        if replaces is not None:
            recorded = registry.replace(replaces, session, service)
            if recorded.id != session.id:
                await self._take_back(session, service)
            return recorded
        try:
            return registry.add(session, service)
        except SessionNameError:
            if named:  # a sandbox that nobody can ask for is not left behind
                await self._take_back(session, service)
                raise
        return registry.add_numbered(session, service)

    async def _take_back(self, session: Session, service: Service) -> None:
        await kill(service, session.id)
        self.connections.drop(session.id)

    @contextlib.asynccontextmanager
    async def explained(self) -> AsyncIterator[None]:
        """Find out, of an error that says a session is gone or silent, what is so, and say it."""
        try:
            yield
        except VibeKitError as error:
            explained = await self.explain(error)
            if explained is error:
                raise
            raise explained from error

    async def explain(self, error: VibeKitError) -> VibeKitError:
        """Return what an error about a session means, by what its service says of the session.

        To be refused a request is no evidence: a route may be missing, a connection stale.
        """
        if not isinstance(error, SessionNotFoundError | SandboxUnreachableError):
            return error
        self.connections.drop(error.session_id)
        service = await self.service()
        session = error.session_id and self.book.known(service.id, error.session_id)
        if not session:
            return error
        began = time.time()
        try:
            async with asyncio.timeout(ASKING):
                info = await get_info(service, session.id)
        except SessionNotFoundError as missed:
            self.book.missed(session, service, began=began)
            told = error if isinstance(error, SessionNotFoundError) else missed
            self.book.explain(told, session, service)
            return told
        except (VibeKitError, TimeoutError):
            became = f"it does not say what became of the session {session.name}"
        else:
            self.book.learn(info, service, began=began)
            became = f"the session {session.name} is {info.state}"
        if isinstance(error, SandboxUnreachableError):
            return error
        return SandboxError(
            f"The sandbox service ({service.title}) cannot do that: it refused the request, though "
            f"{became} ({error.__cause__ or error}).",
            session_id=session.id,
        )

    def leave(self) -> None:
        """Have other kernels know that this client uses no session any more."""
        self._used.leave(busy=self._commands > 0)

    async def pause_used(self) -> None:
        """Pause what this client used, where nobody else uses it at this moment."""
        self.leave()  # of two that end at once, the second one sees the first one gone
        await self._used.pause()

    async def aclose(self) -> None:
        """Close the connections, and end what was started for this client alone."""
        await self.connections.aclose()
        self.leave()
        self.book.registry.close()


def _service_id(settings: Settings) -> str:
    service = choices.choose_e2b(settings, unlock=False)
    return config.local_service_id() if service is None else service.id
