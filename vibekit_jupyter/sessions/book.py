"""The sessions of one client: what the registry remembers and the service says, as one."""

from __future__ import annotations

import dataclasses
import difflib
import re
import time
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import (
    SandboxUnreachableError,
    SessionElsewhereError,
    SessionNameError,
    SessionNotFoundError,
)
from vibekit_jupyter.sandbox import service as sandbox_service
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import LOCAL_PREFIX, local_service_id

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
# Characters: nothing longer is an id or a name.
LONGEST = 128
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
    spoken
        How often a person has said which session is to be the current one.
    """

    def __init__(self, registry: Registry, *, user: str, notebook: str) -> None:
        self.registry = registry
        self.user = user
        self.notebook = notebook
        self.current: str | None = None
        self.spoken = 0

    def speak(self) -> int:
        """Note that a person says which session is to be the current one; return the number."""
        self.spoken += 1
        return self.spoken

    def set_current(self, session_id: str, service_id: str, spoken: int | None = None) -> None:
        """Make a session the current one, and remember that this notebook uses it.

        Where that was ``spoken`` a while ago, and something else since, the later word stays.
        """
        if spoken is None:
            spoken = self.speak()
        if spoken == self.spoken:
            self.registry.remember(self.user, self.notebook, service_id, session_id)
            self.current = session_id

    def ended(self, session: Session) -> Session:
        """Record that a session's sandbox was killed; it is the current one no more."""
        self.registry.update(session, state="gone", ends_at=None)
        self.leave(session)
        return self.marked(dataclasses.replace(session, state="gone", ends_at=None))

    def leave(self, session: Session) -> None:
        """Have no current session, if it is this one."""
        if self.current == session.id:
            self.current = None

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
        if not _is_text(text):
            return None
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

    def remembered(self) -> Sequence[Session]:
        """Return one's sessions in the registry, the last used first."""
        return [self.marked(session) for session in self.registry.sessions(self.user)]

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

    def explain(self, error: SessionNotFoundError, session: Session, service: Service) -> None:
        """Add to an error about a session that is not there when it was last seen."""
        if session.key_mark not in ("", service.key_mark):
            error.message = (
                f"The session {session.name} ({session.id}) is not seen with this key; it was last "
                "reached with another one."
            )
            error.hint = "Use the E2B_API_KEY of the team that made it."
        else:
            seen = f"{session.last_used:%Y-%m-%d %H:%M} UTC" if session.last_used else "long ago"
            error.message = (
                f"The session {session.name} ({session.id}) is gone: its sandbox was killed or "
                f"expired. It was last used {seen}."
            )
            error.hint = (
                "Carry its conversation into a new session with "
                f"%vibekit_session restore {session.name}, or start afresh with "
                "%vibekit_session new."
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
        if not _is_text(text) or len(text) > LONGEST:
            raise self.not_found(text)
        began = time.time()
        try:
            info = await self._ask(text, service)
        except SandboxUnreachableError:
            return Session(id=text, name=text, service=service.title, state="unreachable")
        except SessionNotFoundError as error:
            raise self.not_found(text) from error
        if info is None:
            raise self.not_found(text)
        return self.learn(info, service, began=began)

    async def _ask(self, text: str, service: Service) -> SandboxInfo | None:
        if ID.fullmatch(text):
            return await sandbox_service.get_info(service, text)
        labels = {"vibekit_name": text, "vibekit_user": self.user}
        async for info in sandbox_service.list_sandboxes(service, metadata=labels):
            # What is known here is called here as a person said last, whatever its label says.
            if self.registry.get(service.id, info.id) is None:
                return info
        return None

    def learn(self, info: SandboxInfo, service: Service, *, began: float) -> Session:
        """Record what the service says of a sandbox, known here or not; return the session.

        Somebody else's is returned, and not recorded.
        """
        seen = seen_session(info, service)
        if seen.user == self.user or self.registry.get(service.id, info.id) is not None:
            self.registry.learn([seen], service, began=began)
        known = self.registry.get(service.id, info.id)
        if known is None:
            return self.marked(seen)
        return self.marked(dataclasses.replace(known, state=info.state, ends_at=info.ends_at))

    async def show(self, session: Session, service: Service) -> Session:
        """Return a session with its state asked from its service."""
        if session.state == "elsewhere":
            return session
        began = time.time()
        try:
            info = await sandbox_service.get_info(service, session.id)
        except SessionNotFoundError:
            return self.missed(session, service, began=began)
        except SandboxUnreachableError:
            return dataclasses.replace(session, state="unreachable", ends_at=None)
        return self.learn(info, service, began=began)

    def missed(self, session: Session, service: Service, *, began: float) -> Session:
        """Record that the service does not have a session, and return it as it is then.

        It is gone, unless it was seen alive after ``began``, or another key has seen it.
        """
        if session.key_mark not in ("", service.key_mark):
            return dataclasses.replace(session, state="unknown", ends_at=None)
        self.registry.gone(session, began=began)
        known = self.registry.get(service.id, session.id)
        return self.marked(known) if known else session

    def marked(self, session: Session) -> Session:
        """Return a session with its mark of being the current one."""
        if session.id != self.current:
            return session
        return dataclasses.replace(session, current=True)


def seen_session(info: SandboxInfo, service: Service) -> Session:
    """Return a sandbox as a session, by its labels; without ours it is nobody's."""
    labels = info.metadata
    return Session(
        id=info.id,
        name=labels.get("vibekit_name") or info.id,
        service=service.title,
        service_id=service.id,
        state=info.state,
        project=labels.get("vibekit_project", ""),
        user=labels.get("vibekit_user", ""),
        notebook=labels.get("vibekit_notebook", ""),
        agent=labels.get("vibekit_agent", ""),
        ends_at=info.ends_at,
        created=info.started,
        last_used=info.started,
        confinement=service.confinement,
        key_mark=service.key_mark,
        named_here=False,
    )


def elsewhere(session: Session) -> SessionElsewhereError:
    """Return the error for a session of another service, with the setting that reaches it."""
    if session.service_id == local_service_id():
        hint = "Reach it with %vibekit_config --environment local."
    elif session.service_id.startswith(LOCAL_PREFIX):
        host = session.service_id.removeprefix(LOCAL_PREFIX)
        hint = (
            f"It is on the machine {host}: run Jupyter there. If this is that machine under "
            f"another name, set VIBEKIT_HOST={host}."
        )
    else:
        hint = f"Reach it with E2B_API_URL={session.service_id} and its E2B_API_KEY."
    return SessionElsewhereError(
        f"The session {session.name} belongs to another sandbox service ({session.service}).",
        hint=hint,
        session_id=session.id,
    )


def _short(text: str) -> str:
    """Return a person's words fit to stand in a sentence, whatever they hold."""
    shown = ascii(text) if not text.isprintable() else repr(text)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"


def _is_text(text: str) -> bool:
    """Whether a text can be looked for: half of a surrogate pair is in no name and no id."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
