"""What can be done with sessions: the verbs of ``%vibekit_session``, in Python."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import (
    ConfigurationError,
    SessionBusyError,
    SessionError,
    SessionNotFoundError,
)
from vibekit_jupyter.sandbox import service as sandbox_service
from vibekit_jupyter.services.process import was_running
from vibekit_jupyter.sessions.book import elsewhere
from vibekit_jupyter.sessions.registry import name_taken
from vibekit_jupyter.sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sessions.registry import Registry
    from vibekit_jupyter.sessions.session import Restored, Turn
    from vibekit_jupyter.sessions.workspace import Workspace

__all__ = ["SessionVerbs"]


class SessionVerbs:
    """The verbs. ``session`` is an id, a name or a unique prefix of one; None is the current.

    All of them raise ``AgentNotInitializedError`` where credentials are missing or wrong in
    form, ``SessionNotFoundError`` for a session that nobody knows, ``SessionNameError`` for a
    prefix of several, and ``SessionElsewhereError`` for one that another service has.
    """

    _workspace: Workspace

    async def find(self, text: str) -> Session:
        """Look a session up: exact id, exact name, unique prefix; then ask the service once."""
        book = self._workspace.book
        session = book.lookup(text, self._workspace.check_initialized())
        if session is None:
            session = await book.find(text, await self._workspace.service())
        if session.state == "elsewhere":
            raise elsewhere(session)
        return session

    async def show(self, session: str | None = None) -> Session | None:
        """Return a session with its state asked from the service; None without a current one."""
        self._workspace.check_initialized()
        text = session or self._workspace.book.current
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
    ) -> Session:
        """Create a session and make it the current one.

        Parameters
        ----------
        name
            Unique among one's sessions; without it the session is called after its notebook.
        internet
            Whether the commands of a sandbox on this machine reach the internet.
        timeout
            Seconds until it pauses; an hour by default.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        service_id = self._workspace.check_initialized()
        if name is not None:
            check_name(name)
            await self._free(name, service_id)
        return await self._workspace.create(
            Session("", name or "", "", project=project or "", internet=internet, timeout=timeout)
        )

    async def rename(self, name: str, session: str | None = None) -> Session:
        """Give a session another name. Elsewhere its sandbox keeps the name it was made with.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        check_name(name)
        found = await self._named(session)
        if found.name != name:
            await self._free(name, found.service_id)
            self._registry.update(found, name=name)
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
        with self._workspace.explained():
            await sandbox_service.pause(service, found.id)
        self._workspace.connections.drop(found.id)
        self._registry.update(found, state="paused", ends_at=None)
        return dataclasses.replace(found, state="paused", ends_at=None)

    async def resume(self, session: str | None = None) -> Session:
        """Let a paused session run again. What is left of a running one's time is never cut."""
        found = await self._named(session)
        self._workspace.connections.drop(found.id)
        await self._workspace.connect(found.id)
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

    async def fork(self, name: str | None = None, session: str | None = None) -> Session:
        """Copy a session's files and conversation into a new one; the original is left alone.

        The current session stays current.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        source = await self._named(session)
        if name is not None:
            check_name(name)
            await self._free(name, source.service_id)
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
        self._workspace.check_initialized()
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

        Raises
        ------
        SessionError
            Its sandbox is alive.
        """
        self._workspace.check_initialized()
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
        return found

    def history(self, session: str | None = None) -> Sequence[Turn]:
        """Return a session's turns, in order. No request is sent; a session gone has its own.

        Raises
        ------
        SessionNotFoundError
            This machine has no record of it.
        """
        service_id = self._workspace.check_initialized()
        book = self._workspace.book
        text = session or book.current
        if text is None:
            raise _no_current()
        found = book.lookup(text, service_id)
        if found is None:
            raise book.not_found(text)
        return self._registry.turns(found.service_id, found.id)

    async def list(
        self, *, project: str | None = None, all_users: bool = False, state: str | None = None
    ) -> Sequence[Session]:
        """Return the sessions, the last used first, as registry and service know them.

        Parameters
        ----------
        project, state
            Leave only those.
        all_users
            Those of other users of this registry and service, too.
        """
        self._workspace.check_initialized()
        service = await self._workspace.service()
        return [
            one
            for one in await self._workspace.book.list(service, all_users=all_users)
            if (project is None or one.project == project) and (state is None or one.state == state)
        ]

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

    async def _free(self, name: str, service_id: str) -> None:
        """Free a name that a session which is gone still has; raise if it is alive."""
        book = self._workspace.book
        holder = book.registry.by_name(book.user, service_id, name)
        if holder is None:
            return
        if holder.state != "gone":  # as last seen; it may have ended since
            holder = await book.show(holder, await self._workspace.service())
        if holder.state != "gone":
            raise name_taken(name)
        book.registry.retire_name(holder)

    @property
    def _registry(self) -> Registry:
        return self._workspace.book.registry

    async def _named(self, session: str | None) -> Session:
        self._workspace.check_initialized()
        text = session or self._workspace.book.current
        if text is None:
            raise _no_current()
        return await self.find(text)

    async def _idle(self, session: str | None, verb: str, *, force: bool) -> Session:
        """Return a session in which no run is going on, of this kernel's or of another's."""
        found = await self._named(session)
        owners = self._registry.owners_of_runs(found.service_id, found.id)
        if not force and any(map(was_running, owners)):
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
    if not name.strip() or name != name.strip() or len(name) > 100 or not name.isprintable():
        raise ConfigurationError(
            f"{name[:40]!a} cannot be a session's name.",
            hint="A name has up to 100 printable characters, and no space at its ends.",
        )
