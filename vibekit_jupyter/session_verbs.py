"""What can be done with sessions: the verbs of ``%vibekit_session``, in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter import sandbox
from vibekit_jupyter.errors import ConfigurationError, SessionError, SessionNotFoundError
from vibekit_jupyter.session_book import elsewhere
from vibekit_jupyter.sessions.registry import name_taken
from vibekit_jupyter.sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.workspace import Workspace

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
        book = self._workspace.book
        if name is not None:
            check_name(name)
            await self._free(name, service_id)
        return await self._workspace.create(
            Session("", name or "", "", project=project or "", internet=internet, timeout=timeout)
        )

    async def kill(self, session: str | None = None, *, force: bool = False) -> Session:
        """End a session's sandbox for good. Its conversation stays readable.

        The current session becomes none when it is the one.
        """
        found = await self._named(session)
        await sandbox.kill(await self._workspace.service(), found.id)
        self._workspace.connections.drop(found.id)
        return self._workspace.book.ended(found)

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

    async def _named(self, session: str | None) -> Session:
        text = session or self._workspace.book.current
        if text is None:
            raise SessionError(
                "There is no current session.",
                hint="Name one, or make one with %vibekit_session new.",
            )
        return await self.find(text)


def check_name(name: str) -> None:
    """Raise ``ConfigurationError`` for a name that could not be typed, seen or told apart."""
    if not name.strip() or name != name.strip() or len(name) > 100 or not name.isprintable():
        raise ConfigurationError(
            f"{name[:40]!a} cannot be a session's name.",
            hint="A name has up to 100 printable characters, and no space at its ends.",
        )
