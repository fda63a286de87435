"""The sessions of one client: what the registry remembers and the service says, as one."""

from __future__ import annotations

import dataclasses
import difflib
import re
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import (
    SandboxError,
    SandboxUnreachableError,
    SessionElsewhereError,
    SessionNameError,
    SessionNotFoundError,
    VibeKitError,
)
from vibekit_jupyter.sandbox import service as sandbox_service
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import LOCAL_SERVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.sandbox.service import SandboxInfo
    from vibekit_jupyter.sessions.registry import Registry
    from vibekit_jupyter.settings.config import Service

__all__ = ["SessionBook"]

# What E2B's ids look like; anything else is asked for by name.
ID = re.compile(r"[a-z0-9]{12,64}(-[a-z0-9]{1,32})?")
# What may become a part of a URL's path: the SDK puts it there as it is.
POSSIBLE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# Among how many sessions the nearest names are looked for.
RECENT = 200


class SessionBook:
    """Look sessions up, and keep what is known of them up to date.

    Parameters
    ----------
    registry
        What is remembered on this machine.
    user, notebook
        Whose sessions these are, and which notebook uses them.

    Attributes
    ----------
    current
        The id of the current session.
    """

    def __init__(self, registry: Registry, *, user: str, notebook: str) -> None:
        self.registry = registry
        self.user = user
        self.notebook = notebook
        self.current: str | None = None

    def set_current(self, session_id: str, service_id: str) -> None:
        """Make a session the current one, and remember that this notebook uses it."""
        self.current = session_id
        self.registry.remember(self.user, self.notebook, service_id, session_id)

    def ended(self, session: Session) -> Session:
        """Record that a session's sandbox was killed; it is the current one no more."""
        self.registry.update(session, state="gone", ends_at=None)
        if self.current == session.id:
            self.current = None
        return self.marked(dataclasses.replace(session, state="gone", ends_at=None))

    def connected(self, sandbox: Sandbox) -> None:
        """Record that a session's sandbox is running, and until when."""
        session = self.session_of(sandbox)
        known = session.ends_at if session.state == "running" else None
        if known is None or known < sandbox.ends_at:
            self.registry.update(session, state="running", ends_at=sandbox.ends_at)

    def session_of(self, sandbox: Sandbox) -> Session:
        """Return a connected sandbox's session, recorded under its id if it is new here."""
        service = sandbox.service
        session = self.registry.get(service.id, sandbox.id)
        if session is None:
            session = self.registry.add(
                Session(
                    id=sandbox.id,
                    name=sandbox.id,
                    service=service.title,
                    state="running",
                    user=self.user,
                    notebook=self.notebook,
                    ends_at=sandbox.ends_at,
                    confinement=service.confinement,
                ),
                service,
            )
        return self.marked(session)

    # Without a request

    def resolve(self, text: str, service_id: str) -> str:
        """Return the id of the session of exactly this name, else the text as an id."""
        session = self._exact(text, service_id)
        return session.id if session else text

    def _exact(self, text: str, service_id: str) -> Session | None:
        """Return the session of exactly this id, else the one of exactly this name."""
        return self.registry.get(service_id, text) or self.registry.by_name(
            self.user, service_id, text
        )

    def known(self, service_id: str, session_id: str) -> Session | None:
        """Return what is remembered of a session, without asking."""
        session = self.registry.get(service_id, session_id)
        return session and self.marked(session)

    def switched_from(self, session_id: str) -> str:
        """Return the sentence for a run whose session is not the current one any more."""
        if self.current in {None, session_id}:
            return ""
        ran_in, current = (
            session.name if (session := self.registry.by_id(one)) else one
            for one in (session_id, self.current or "")
        )
        return f"This run stayed in the session {ran_in}; the current one is {current} now."

    def lookup(self, text: str, service_id: str) -> Session | None:
        """Look a session up: exact id, exact name, unique prefix, then another service's.

        Raises
        ------
        SessionNameError
            Several sessions begin so.
        """
        exact = self._exact(text, service_id)
        if exact is not None:
            return self.marked(exact)
        matches = self.registry.beginning_with(self.user, service_id, text) if text else ()
        if len(matches) > 1:
            raise SessionNameError(
                f"{_short(text)} is the beginning of several sessions.",
                hint=f"Say which: {', '.join(one.name for one in matches[:8])}.",
            )
        if matches:
            return self.marked(matches[0])
        other = self.registry.by_id(text) or self.registry.elsewhere_by_name(
            self.user, service_id, text
        )
        return other and dataclasses.replace(other, state="elsewhere")

    def remembered(self, *, all_users: bool = False) -> Sequence[Session]:
        """Return the registry's sessions, the last used first."""
        sessions = self.registry.sessions(None if all_users else self.user)
        return [self.marked(session) for session in sessions]

    def not_found(self, text: str) -> SessionNotFoundError:
        """Return the error for a session that nobody knows, with the nearest names."""
        names = [session.name for session in self.registry.sessions(self.user, most=RECENT)]
        near = difflib.get_close_matches(text, names, n=3, cutoff=0.5)
        return SessionNotFoundError(
            f"There is no session {_short(text)}.",
            hint=f"Did you mean {' or '.join(near)}?"
            if near
            else "%vibekit_session list shows the sessions that there are.",
            session_id=text[:200],
        )

    def check_reachable(self, session_id: str, service_id: str) -> None:
        """Raise for a session that another service has, or that no service can have."""
        session = self.registry.get(service_id, session_id)
        other = None if session else self.registry.by_id(session_id)
        if other is not None:
            raise elsewhere(other)
        if not POSSIBLE_ID.fullmatch(session_id):
            raise self.not_found(session_id)

    def explain(self, error: VibeKitError, service_id: str) -> None:
        """Add to an error about a session that is gone when it was last seen, and what remains."""
        if not isinstance(error, SessionNotFoundError) or error.session_id is None:
            return
        session = self.registry.get(service_id, error.session_id)
        if session is None:
            return
        self.registry.update(session, state="gone", ends_at=None)
        seen = f"{session.last_used:%Y-%m-%d %H:%M} UTC" if session.last_used else "long ago"
        error.message = (
            f"The session {session.name} ({session.id}) is gone: its sandbox was killed or "
            f"expired. It was last used {seen}."
        )
        error.hint = (
            "Carry its conversation into a new session with "
            f"%vibekit_session restore {session.name}, or start afresh with %vibekit_session new."
        )
        error.args = (error.message,)

    # With a request

    async def find(self, text: str, service: Service) -> Session:
        """Look a session up in the registry, then ask the service once.

        Raises
        ------
        SessionNotFoundError
            Nobody knows it; the nearest names are in the message.
        SessionNameError
            Several sessions begin so.
        """
        if (session := self.lookup(text, service.id)) is not None:
            return session
        try:
            info = await self._ask(text, service)
        except SandboxUnreachableError:
            return Session(id=text, name=text, service=service.title, state="unreachable")
        except (SessionNotFoundError, SandboxError) as error:
            raise self.not_found(text) from error
        if info is None:
            raise self.not_found(text)
        return self.learn(info, service)

    async def _ask(self, text: str, service: Service) -> SandboxInfo | None:
        if ID.fullmatch(text):
            return await sandbox_service.get_info(service, text)
        named = sandbox_service.list_sandboxes(service, metadata={"vibekit_name": text})
        return await anext(aiter(named), None)

    def learn(self, info: SandboxInfo, service: Service) -> Session:
        """Record what the service says of a sandbox, known here or not; return the session."""
        session = self.registry.get(service.id, info.id)
        if session is None:
            session = self._adopt(info, service)
        elif (session.state, session.ends_at) != (info.state, info.ends_at):
            self.registry.update(session, state=info.state, ends_at=info.ends_at)
        return self.marked(dataclasses.replace(session, state=info.state, ends_at=info.ends_at))

    def _adopt(self, info: SandboxInfo, service: Service) -> Session:
        """Record a session that was made on another machine, or by another program."""
        metadata = info.metadata
        name = metadata.get("vibekit_name") or info.id
        if self.registry.by_name(self.user, service.id, name):
            name = info.id
        session = Session(
            id=info.id,
            name=name,
            service=service.title,
            state=info.state,
            project=metadata.get("vibekit_project", ""),
            user=metadata.get("vibekit_user", "") or self.user,
            notebook=metadata.get("vibekit_notebook", ""),
            agent=metadata.get("vibekit_agent", ""),
            ends_at=info.ends_at,
            created=info.started,
            confinement=service.confinement,
        )
        return self.registry.add(session, service)

    async def show(self, session: Session, service: Service) -> Session:
        """Return a session with its state asked from its service."""
        if session.state == "elsewhere":
            return session
        try:
            return self.learn(await sandbox_service.get_info(service, session.id), service)
        except SessionNotFoundError:
            self.registry.update(session, state="gone", ends_at=None)
            return dataclasses.replace(session, state="gone", ends_at=None)
        except SandboxUnreachableError:
            return dataclasses.replace(session, state="unreachable", ends_at=None)

    async def list(self, service: Service, *, all_users: bool = False) -> Sequence[Session]:
        """Return the sessions, the last used first, as registry and service know them."""
        try:
            infos = [info async for info in sandbox_service.list_sandboxes(service)]
        except SandboxUnreachableError:
            reachable = False
        else:
            reachable = True
            self._reconcile(infos, service)
        return [
            self._placed(one, service, reachable=reachable)
            for one in self.remembered(all_users=all_users)
        ]

    def _reconcile(self, infos: Sequence[SandboxInfo], service: Service) -> None:
        """Record what the service has, and that it has nothing else."""
        for info in infos:
            self.learn(info, service)
        self.registry.gone_except(service.id, {info.id for info in infos})

    def _placed(self, session: Session, service: Service, *, reachable: bool = True) -> Session:
        """Return a session with its state as seen from a service."""
        if session.service_id != service.id:
            return dataclasses.replace(session, state="elsewhere")
        if not reachable and session.state != "gone":
            return dataclasses.replace(session, state="unreachable", ends_at=None)
        return session

    def marked(self, session: Session) -> Session:
        """Return a session with its mark of being the current one."""
        if session.id != self.current:
            return session
        return dataclasses.replace(session, current=True)


def elsewhere(session: Session) -> SessionElsewhereError:
    """Return the error for a session of another service, with the setting that reaches it."""
    if session.service_id == LOCAL_SERVICE:
        hint = "Reach it with %vibekit_config --environment local."
    else:
        url = session.service_id.partition("#")[0]
        hint = f"Reach it with E2B_API_URL={url} and the E2B_API_KEY that it was made with."
    return SessionElsewhereError(
        f"The session {session.name} belongs to another sandbox service ({session.service}).",
        hint=hint,
        session_id=session.id,
    )


def _short(text: str) -> str:
    """Return a person's words fit to stand in a sentence, whatever they hold."""
    shown = ascii(text) if not text.isprintable() else repr(text)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"
