"""What can be done with sessions: the verbs of ``%vibekit_session``, in Python."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import (
    CommandError,
    ConfigurationError,
    SessionBusyError,
    SessionError,
    SessionNameError,
    SessionNotFoundError,
    SessionOwnerError,
)
from vibekit_jupyter.sandbox import service as sandbox_service
from vibekit_jupyter.sessions import listing
from vibekit_jupyter.sessions.book import elsewhere
from vibekit_jupyter.sessions.names import name_taken
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings import config
from vibekit_jupyter.settings.checks import check_session_id
from vibekit_jupyter.settings.kinds import lifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vibekit_jupyter.results import CommandResult
    from vibekit_jupyter.sessions.registry import Registry
    from vibekit_jupyter.sessions.session import Restored, Turn
    from vibekit_jupyter.sessions.workspace import Workspace

__all__ = ["SessionVerbs"]


# How many of everybody's sandboxes a service gives at once.
PAGE = 100


class SessionVerbs:
    """The verbs. ``session`` is an id, a name or a unique prefix of one; None is the current.

    None needs an agent or a model. All of them raise ``AgentNotInitializedError`` where the sandbox
    service's credentials are missing or wrong in form, ``SessionNotFoundError`` for a session that
    nobody knows, ``SessionNameError`` for a prefix of several, and ``SessionElsewhereError`` for
    one that another service has.
    """

    _workspace: Workspace

    async def find(self, text: str) -> Session:
        """Look a session up: exact id, exact name, unique prefix; then ask the service once."""
        check_session_id(text)
        book = self._workspace.book
        session = book.lookup(text, self._workspace.service_id())
        if session is None:
            session = await book.find(text, await self._workspace.service())
        if session.state == "elsewhere":
            raise elsewhere(session)
        return session

    async def use(self, session: Session) -> None:
        """Make a session that was found the current one, whatever is said of agents."""
        self._workspace.book.set_current(session.id, session.service_id)

    async def show(self, session: str | None = None) -> Session | None:
        """Return a session with its state asked from the service; None without a current one."""
        self._workspace.service_id()
        text = self._workspace.book.current if session is None else session
        if text is None:
            return None
        service = await self._workspace.service()
        try:
            found = await self.find(text)
        except SessionNotFoundError:
            if session is not None:
                raise
            # It was set by its id, and nobody knows it: so it is shown.
            return Session(text, text, service.title, state="gone", current=True)
        return await self._workspace.book.show(found, service)

    async def new(
        self,
        name: str | None = None,
        *,
        project: str | None = None,
        internet: bool = False,
        timeout: float | None = None,
        template: str | None = None,
        setup: str = "",
        on_setup: Callable[[CommandResult], None] | None = None,
    ) -> Session:
        """Create a session and make it the current one.

        Parameters
        ----------
        name
            Unique among one's sessions; without it the session is called after its notebook.
        internet
            Whether the commands of a sandbox on this machine reach the internet.
        timeout
            Seconds until it pauses; else what is set, an hour by default.
        template
            What its sandbox is made from; else what is set, or the service's default.
        setup
            A command that runs in the new sandbox, and again in each one that replaces it.
        on_setup
            Called with what came of it.

        Raises
        ------
        SessionNameError
            The name is taken.
        CommandError
            The set-up failed; the session is there, and is the current one.
        """
        service_id = self._workspace.service_id()
        wanted = Session(
            id="",
            name=name or "",
            service="",
            project=config.label("a project's name", project or ""),
            internet=internet,
            timeout=lifetime("timeout", timeout),
            template=template,
            setup=setup,
        )
        if name is not None:
            check_name(name)
            await self._check_free(name, service_id)
        session = await self._workspace.create(wanted)
        result = await self._workspace.set_up(session)
        if result is not None and on_setup is not None:
            on_setup(result)
        if result is not None and result.exit_code != 0:
            raise CommandError(result, session_id=session.id)
        return session

    async def rename(
        self, name: str, session: str | None = None, *, force: bool = False
    ) -> Session:
        """Give a session another name. Elsewhere its sandbox keeps the name it was made with.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        check_name(name)
        found = await self._meant(session, "rename", force=force)
        if found.name != name:
            await self._check_free(name, found.service_id)
            self._registry.rename(found, name)
        return dataclasses.replace(found, name=name)

    async def pause(self, session: str | None = None, *, force: bool = False) -> Session:
        """Pause a session: files stay, and so do processes where the service can keep them.

        Raises
        ------
        SessionBusyError
            A run is going on in it, and ``force`` is not given.
        """
        found = await self._idle(session, "pause", force=force)
        service = await self._workspace.service()
        async with self._workspace.explained():
            await sandbox_service.pause(service, found.id)
        self._workspace.connections.drop(found.id)
        self._registry.update(found, state="paused", ends_at=None)
        return dataclasses.replace(found, state="paused", ends_at=None)

    async def resume(self, session: str | None = None) -> Session:
        """Let a paused session run again. What is left of a running one's time is never cut."""
        found = await self._named(session)
        await self._workspace.connect(found.id, anew=True)
        return await self._workspace.book.show(found, await self._workspace.service())

    async def kill(self, session: str | None = None, *, force: bool = False) -> Session:
        """End a session's sandbox for good. Its conversation stays readable.

        The current session becomes none when it is the one.

        Raises
        ------
        SessionBusyError
            A run is going on in it, and ``force`` is not given.
        """
        found = await self._idle(session, "kill", force=force)
        await sandbox_service.kill(await self._workspace.service(), found.id)
        self._workspace.connections.drop(found.id)
        return self._workspace.book.ended(found)

    async def fork(
        self, name: str | None = None, session: str | None = None, *, force: bool = False
    ) -> Session:
        """Copy a session's files and conversation into a new one; the original is left alone.

        The current session stays current.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        source = await self._meant(session, "fork", force=force)
        if name is not None:
            check_name(name)
            await self._check_free(name, source.service_id)
        return await self._workspace.fork(source, name)

    async def restore(self, session: str | None = None) -> Restored:
        """Go on with a session: connect it, look at it, and make it the current one.

        Without a name it is the one that this notebook used last. One whose sandbox is gone
        is reopened: a new sandbox with the old conversation, under the old name.

        Raises
        ------
        SessionError
            This notebook has used none yet.
        """
        self._workspace.service_id()
        last = self.last_session()
        text = session or (last.id if last else self._workspace.book.current)
        if text is None:
            raise SessionError(
                "This notebook has not used a session yet.",
                hint="%vibekit_session list shows the sessions that there are.",
            )
        return await self._workspace.restore(await self.find(text))

    async def forget(self, session: str, *, force: bool = False) -> Session:
        """Take a session off the lists. One that is alive is only forgotten with ``force``.

        The current session becomes none when it is the one.

        Raises
        ------
        SessionError
            Its sandbox is alive.
        """
        check_session_id(session)
        service = await self._workspace.service()
        found = self._workspace.book.lookup(session, service.id)
        if found is None:
            raise self._workspace.book.not_found(session)
        if not force and (await self._workspace.book.show(found, service)).state != "gone":
            raise SessionError(
                f"The session {found.name} is not gone.",
                hint=f"End it with %vibekit_session kill {found.name}, or use --force.",
                session_id=found.id,
            )
        self._registry.update(found, forgotten=1)
        self._workspace.book.leave(found)
        return found

    def history(self, session: str | None = None) -> Sequence[Turn]:
        """Return a session's turns, in order. No request is sent; a session gone has its own.

        Raises
        ------
        SessionNotFoundError
            This machine has no record of it.
        """
        service_id = self._workspace.service_id()
        book = self._workspace.book
        text = book.current if session is None else session
        if text is None:
            raise _no_current()
        check_session_id(text)
        found = book.lookup(text, service_id)
        if found is None:
            raise book.not_found(text)
        return self._registry.turns(found.service_id, found.id)

    async def list(
        self,
        *,
        project: str | None = None,
        all_users: bool = False,
        state: str | None = None,
        limit: int | None = None,
    ) -> Sequence[Session]:
        """Return one's sessions, the last used first, as registry and service know them.

        Parameters
        ----------
        project, state
            Leave only those.
        all_users
            Everybody's sandboxes at the service instead, the newest first; nothing is recorded.
        limit
            How many, of those that are left; None is all of one's own, a hundred of everybody's.
        """
        limit = config.bound("limit", limit)
        service = await self._workspace.service()
        book = self._workspace.book
        if all_users:
            async with self._workspace.explained():
                sessions = await listing.of_everybody(book, service, limit or PAGE)
        else:
            sessions = await listing.of_ones_own(book, service)
        return [
            one
            for one in sessions
            if (project is None or one.project == project) and (state is None or one.state == state)
        ][:limit]

    def known_sessions(self) -> Sequence[Session]:
        """Return one's sessions as they are remembered, without a request."""
        return self._workspace.book.remembered()

    def last_session(self) -> Session | None:
        """Return the session that this notebook used last. No request, and no file is made."""
        book = self._workspace.book
        return self._registry.last_of_notebook(book.user, book.notebook)

    @property
    def current_session(self) -> str | None:
        """The current session's id. Credentials are not looked at."""
        return self._workspace.book.current

    def registry_version(self) -> int:
        """Return a number that changes when another process changes what is remembered."""
        return self._registry.version()

    async def _check_free(self, name: str, service_id: str) -> None:
        """Raise if a session that is alive has the name that another one is to get."""
        book = self._workspace.book
        holder = book.registry.by_name(book.user, service_id, name)
        if holder is None or not holder.named_here:
            return
        if holder.state != "gone":  # as last seen; it may have ended since
            holder = await book.show(holder, await self._workspace.service())
        if holder.state != "gone":
            raise name_taken(name)

    @property
    def _registry(self) -> Registry:
        return self._workspace.book.registry

    async def _named(self, session: str | None) -> Session:
        self._workspace.service_id()
        text = self._workspace.book.current if session is None else session
        if text is None:
            raise _no_current()
        return await self.find(text)

    async def _meant(self, session: str | None, verb: str, *, force: bool) -> Session:
        """Return a session that is one's own by a name that was given here, or by its id."""
        found = await self._named(session)
        user = self._workspace.book.user
        if session is not None and session != found.id and not found.named_here:
            raise SessionNameError(
                f"{found.name} is only what the service calls a session that was made elsewhere "
                f"({found.id}).",
                hint=f"Say which one is meant: %vibekit_session {verb} {found.id}",
                session_id=found.id,
            )
        if found.user != user and not force:
            raise SessionOwnerError(
                f"The session {found.name} ({found.id}) is not yours: "
                f"{f'it belongs to {found.user}' if found.user else 'it has no owner here'}.",
                hint=f"If that is what you mean: %vibekit_session {verb} {found.id} --force",
                session_id=found.id,
            )
        return found

    async def _idle(self, session: str | None, verb: str, *, force: bool) -> Session:
        """Return a session in which no run is going on, of this kernel's or of another's."""
        found = await self._meant(session, verb, force=force)
        owners = self._registry.owners_of_runs(found.service_id, found.id)
        if not force and any(map(self._registry.is_there, owners)):
            raise SessionBusyError(
                f"A run is going on in the session {found.name}.",
                hint=f"Wait for its end, or use %vibekit_session {verb} {found.name} --force.",
                session_id=found.id,
            )
        return found


def _no_current() -> SessionError:
    return SessionError(
        "There is no current session.",
        hint="Name one, or make one with %vibekit_session new.",
    )


def check_name(name: str) -> None:
    """Raise ``ConfigurationError`` for a name that could not be typed, seen or told apart."""
    if not config.label("a session's name", name):
        raise ConfigurationError("The name is empty.", hint="Give one, or leave it out.")
