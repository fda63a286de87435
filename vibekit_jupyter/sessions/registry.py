"""The registry: names, conversations, and which notebook used which session.

It holds what no sandbox service knows. One SQLite file a user, shared by all their kernels.

Looking does not write over doing: whoever creates, pauses or ends a session writes what is so
now; whoever only looked writes what was seen, unless something newer stands there already.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import SessionNameError
from vibekit_jupyter.sessions import names
from vibekit_jupyter.sessions.agent_sessions import AgentSessionRecords
from vibekit_jupyter.sessions.commanders import CommanderRecords
from vibekit_jupyter.sessions.costs import CostRecords
from vibekit_jupyter.sessions.interpreters import InterpreterRecords
from vibekit_jupyter.sessions.processes import ProcessRecords
from vibekit_jupyter.sessions.rows import COUNTED, LISTED, insert, plain, session_of
from vibekit_jupyter.sessions.turns import TurnRecords, copy_turns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from vibekit_jupyter.sessions.session import Session
    from vibekit_jupyter.settings.config import Service

__all__ = ["Registry"]

# A shorter beginning of an id is no way to name a session: too many words begin so.
SHORTEST_PREFIX = 4
CONTINUING = (
    "WHERE service = ? AND continued_from = ? AND user = ? AND name = ?"
    " AND state != 'gone' AND NOT forgotten"
)


class Registry(
    TurnRecords,
    CommanderRecords,
    CostRecords,
    InterpreterRecords,
    ProcessRecords,
    AgentSessionRecords,
):
    """The registry of one user on one machine. Methods may be called from any thread.

    Every method raises ``RegistryError`` when the file cannot be read or written.
    """

    # Doing

    def add(self, session: Session, service: Service) -> Session:
        """Record a new session under its name, which one that is gone gives up.

        What somebody who only looked has recorded of it is overwritten.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        with self.transaction() as database:
            names.take_name(database, session.user, service.id, session.name, session.id)
            insert(database, session, service, checked=time.time())
        return self._recorded(service.id, session.id)

    def add_numbered(self, session: Session, service: Service) -> Session:
        """Record a new session under the first name like its own that is free."""
        with self.transaction() as database:
            name = names.free_copy_name(database, session.user, service.id, session.name)
            insert(database, dataclasses.replace(session, name=name), service, checked=time.time())
        return self._recorded(service.id, session.id)

    def replace(self, old: Session, session: Session, service: Service) -> Session:
        """Record a session that carries another one on, under its name and with its turns.

        Returns
        -------
        Session
            As it is recorded. It is another one where somebody has carried the old one on
            meanwhile; then nothing was recorded.
        """
        with self.transaction() as database:
            successor = database.execute(
                f"SELECT id FROM session {CONTINUING}",  # noqa: S608 - our own words
                (service.id, old.id, session.user, session.name),
            ).fetchone()
            if successor is None:
                _update(database, old, {"state": "gone", "ends_at": None})
                try:
                    names.take_name(database, session.user, service.id, session.name, session.id)
                except SessionNameError:  # somebody else has taken it meanwhile
                    free = names.free_copy_name(database, session.user, service.id, session.name)
                    session = dataclasses.replace(session, name=free)
                insert(database, session, service, checked=time.time())
                copy_turns(database, old, service.id, session.id)
        return self._recorded(service.id, successor["id"] if successor else session.id)

    def rename(self, session: Session, name: str) -> None:
        """Give a session another name, which one that is gone gives up.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        with self.transaction() as database:
            names.take_name(database, session.user, session.service_id, name, session.id)
            _update(database, session, {"name": name, "named_here": 1})

    def update(self, session: Session, **columns: Any) -> None:
        """Record what is so of a session now: ``forgotten``, ``state``, ``ends_at``."""
        with self.transaction() as database:
            _update(database, session, {**columns, "checked": time.time()})

    # Looking

    def learn(self, seen: Iterable[Session], service: Service, *, began: float) -> None:
        """Record what a service was seen to have, where nothing newer is known.

        Parameters
        ----------
        seen
            One that is new here gets its name where that is free, else its id for a name.
        began
            When the look began, in seconds since 1970.
        """
        with self.reading() as database:
            news = [one for one in seen if _is_news(database, one, service, began)]
        if not news:
            return  # who only looks holds up nobody who writes
        with self.transaction() as database:
            for one in news:
                if not _is_news(database, one, service, began):
                    continue
                if _row(database, one, service) is None:
                    self._adopt(database, one, service, began)
                else:
                    seen_now = {"state": one.state, "ends_at": one.ends_at, "checked": began}
                    _update(database, one, {**seen_now, "key_mark": service.key_mark})

    def gone(self, session: Session, *, began: float) -> bool:
        """Record that a session was not there; False where it was seen alive after that."""
        with self.transaction() as database:
            done = database.execute(
                "UPDATE session SET state = 'gone', ends_at = NULL, checked = ?"
                " WHERE service = ? AND id = ? AND checked <= ?",
                (began, session.service_id, session.id, began),
            )
        return done.rowcount > 0

    def unlisted(
        self, user: str, service: Service, listed: AbstractSet[str], *, began: float
    ) -> Sequence[Session]:
        """Return a user's sessions that a list which began then should have had and had not."""
        rows = self._sessions(
            "WHERE user = ? AND service = ? AND state NOT IN ('gone') AND checked < ?"
            " AND key_mark = ? AND NOT forgotten ORDER BY last_used DESC",
            (user, service.id, began, service.key_mark),
            LISTED,
        )
        return [one for one in rows if one.id not in listed]

    def _adopt(
        self, database: sqlite3.Connection, seen: Session, service: Service, began: float
    ) -> None:
        for name in (seen.name, seen.id):
            if not names.is_taken(database, seen.user, service.id, name):
                adopted = dataclasses.replace(seen, name=name, named_here=False)
                insert(database, adopted, service, checked=began)
                return

    # Asking

    def get(self, service_id: str, session_id: str) -> Session | None:
        """Return a session by its id."""
        return self._first("WHERE session.service = ? AND session.id = ?", (service_id, session_id))

    def by_id(self, session_id: str) -> Session | None:
        """Return the session of this id at whatever service has it."""
        return self._first("WHERE session.id = ?", (session_id,))

    def by_name(self, user: str, service_id: str, name: str) -> Session | None:
        """Return a user's session by its exact name."""
        return self._first(
            "WHERE user = ? AND service = ? AND name = ? AND NOT forgotten",
            (user, service_id, name),
        )

    def beginning_with(self, user: str, service_id: str, text: str) -> Sequence[Session]:
        """Return a user's sessions whose name or id begins so; four characters of an id do."""
        last = f"{text}\U0010ffff"
        rows = [
            one
            for column in (("name", "id") if len(text) >= SHORTEST_PREFIX else ("name",))
            for one in self._sessions(
                f"WHERE service = ? AND user = ? AND {column} >= ? AND {column} < ?"
                " AND NOT forgotten",
                (service_id, user, text, last),
                LISTED,
            )
        ]
        return list({one.id: one for one in rows}.values())

    def elsewhere_by_name(self, user: str, service_id: str, name: str) -> Session | None:
        """Return a user's session of this name that another service has, if it is not gone."""
        return self._first(
            "WHERE user = ? AND name = ? AND service != ? AND state != 'gone' AND NOT forgotten",
            (user, name, service_id),
        )

    def continuing(self, session: Session, name: str) -> Session | None:
        """Return the session that carries this one on under a name, if it is not gone."""
        return self._first(
            CONTINUING,
            (session.service_id, session.id, session.user, name),
        )

    def sessions(self, user: str | None = None, *, most: int | None = None) -> Sequence[Session]:
        """Return the sessions not forgotten, of one user or of all, the last used first.

        Their turns and files are not counted.
        """
        where = "WHERE NOT forgotten" + ("" if user is None else " AND user = ?")
        values = () if user is None else (user,)
        return self._sessions(
            f"{where} ORDER BY last_used DESC LIMIT ?",
            (*values, -1 if most is None else most),
            LISTED,
        )

    def free_name(self, user: str, service_id: str, notebook: str) -> str:
        """Return a name for a session that nobody named: after its notebook, numbered."""
        with self.reading() as database:
            return names.free_name(database, user, service_id, notebook)

    def copy_name(self, user: str, service_id: str, original: str) -> str:
        """Return a name for a copy that nobody named: its original's, numbered on."""
        with self.reading() as database:
            return names.free_copy_name(database, user, service_id, original)

    # Which notebook used which session

    def remember(self, user: str, notebook: str, service_id: str, session_id: str) -> None:
        """Record that a notebook uses a session now; whoever uses it takes its name as it is."""
        now = time.time()
        with self.transaction() as database:
            database.execute(
                "UPDATE session SET last_used = ?, named_here = 1,"
                " user = iif(user = '', ?, user) WHERE service = ? AND id = ?",
                (now, user, service_id, session_id),
            )
            if notebook:
                database.execute(
                    "INSERT OR REPLACE INTO last_session VALUES (?, ?, ?, ?, ?)",
                    (user, notebook, service_id, session_id, now),
                )

    def last_of_notebook(self, user: str, notebook: str) -> Session | None:
        """Return the session that a notebook used last. Never makes the file."""
        with self.errors():
            if not self.path.exists():
                return None
        return self._first(
            "JOIN last_session AS last ON last.service = session.service"
            " AND last.session = session.id"
            " WHERE last.user = ? AND last.notebook = ? AND NOT session.forgotten",
            (user, notebook),
        )

    def _recorded(self, service_id: str, session_id: str) -> Session:
        session = self.get(service_id, session_id)
        assert session is not None  # noqa: S101 - it was written just now
        return session

    def _first(self, where: str, values: Sequence[Any]) -> Session | None:
        rows = self._sessions(where, values)
        return rows[0] if rows else None

    def _sessions(
        self, where: str, values: Sequence[Any], select: str = COUNTED
    ) -> Sequence[Session]:
        with self.reading() as database:
            rows = database.execute(f"{select} {where}", values).fetchall()
        return [session_of(row) for row in rows]


def _row(database: sqlite3.Connection, seen: Session, service: Service) -> sqlite3.Row | None:
    row: sqlite3.Row | None = database.execute(
        "SELECT state, ends_at, key_mark, checked FROM session WHERE service = ? AND id = ?",
        (service.id, seen.id),
    ).fetchone()
    return row


def _is_news(database: sqlite3.Connection, seen: Session, service: Service, began: float) -> bool:
    """Whether what was seen of a session since ``began`` is not known, nor anything newer."""
    row = _row(database, seen, service)
    return row is None or (
        row["checked"] <= began
        and (row["state"], row["ends_at"], row["key_mark"])
        != (seen.state, plain(seen.ends_at), service.key_mark)
    )


def _update(database: sqlite3.Connection, session: Session, columns: dict[str, Any]) -> None:
    assignments = ", ".join(f"{column} = ?" for column in columns)
    database.execute(
        f"UPDATE session SET {assignments} WHERE service = ? AND id = ?",  # noqa: S608 - our own column names
        (*map(plain, columns.values()), session.service_id, session.id),
    )
