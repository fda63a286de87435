"""The registry: names, conversations, and which notebook used which session.

It holds what no sandbox service knows. One SQLite file a user, shared by all their kernels.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
import time
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import SessionNameError
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.sessions.turns import TurnRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from vibekit_jupyter.settings.config import Service

__all__ = ["Registry"]

# What is not stored under the field's own name. A single session is told with its counts; a list
# of ten thousand would pay for them.
STORED = {"service": "session.title", "service_id": "session.service", "current": "0"}
UNCOUNTED = {"turns": "0", "files": "0"}
COUNTS = {
    "turns": "(SELECT count(*) FROM turn"
    " WHERE turn.service = session.service AND turn.session = session.id)",
    "files": "(SELECT count(DISTINCT file.value) FROM turn, json_each(turn.files) AS file"
    " WHERE turn.service = session.service AND turn.session = session.id)",
}


def _select(special: Mapping[str, str]) -> str:
    """Return the query for sessions whose columns stand in the order of ``Session``'s fields."""
    columns = (special.get(field.name, f"session.{field.name}") for field in fields(Session))
    return f"SELECT {', '.join(columns)} FROM session"  # noqa: S608 - our own column names


COUNTED = _select(STORED | COUNTS)
LISTED = _select(STORED | UNCOUNTED)


class Registry(TurnRecords):
    """The registry of one user on one machine. Methods may be called from any thread.

    Every method raises ``RegistryError`` when the file cannot be read or written.
    """

    def add(self, session: Session, service: Service) -> Session:
        """Record a new session.

        Raises
        ------
        SessionNameError
            The name is taken.
        """
        with self.transaction() as database:
            now = time.time()
            try:
                database.execute(
                    "INSERT INTO session (service, id, title, name, project, user, notebook,"
                    " agent, model, created, last_used, timeout, internet, confinement, state,"
                    " ends_at, continued_from)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(service.id, session.id, service.title, session.name),
                        *(session.project, session.user, session.notebook),
                        *(session.agent, session.model),
                        *(_timestamp(session.created) or now, now),
                        *(session.timeout, session.internet, session.confinement),
                        *(session.state, _timestamp(session.ends_at), session.continued_from),
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise name_taken(session.name) from error
        added = self.get(service.id, session.id)
        assert added is not None  # noqa: S101 - it was written just now
        return added

    def get(self, service_id: str, session_id: str) -> Session | None:
        """Return a session by its id."""
        rows = self._sessions(
            "WHERE session.service = ? AND session.id = ?", (service_id, session_id)
        )
        return rows[0] if rows else None

    def by_id(self, session_id: str) -> Session | None:
        """Return the session of this id at whatever service has it."""
        rows = self._sessions("WHERE session.id = ?", (session_id,))
        return rows[0] if rows else None

    def by_name(self, user: str, service_id: str, name: str) -> Session | None:
        """Return a user's session by its exact name."""
        rows = self._sessions(
            "WHERE user = ? AND service = ? AND name = ? AND NOT forgotten",
            (user, service_id, name),
        )
        return rows[0] if rows else None

    def beginning_with(self, user: str, service_id: str, text: str) -> Sequence[Session]:
        """Return a user's sessions whose name or id begins so."""
        last = f"{text}\U0010ffff"
        rows = [
            one
            for column in ("name", "id")
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
        rows = self._sessions(
            "WHERE user = ? AND name = ? AND service != ? AND state != 'gone' AND NOT forgotten",
            (user, name, service_id),
        )
        return rows[0] if rows else None

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

    def gone_except(self, service_id: str, alive: Collection[str]) -> None:
        """Record that a service has no other sessions than those alive."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT id FROM session WHERE service = ? AND state != 'gone'", (service_id,)
            ).fetchall()
        gone = [row["id"] for row in rows if row["id"] not in alive]
        if gone:
            with self.transaction() as database:
                database.executemany(
                    "UPDATE session SET state = 'gone', ends_at = NULL"
                    " WHERE service = ? AND id = ?",
                    [(service_id, session_id) for session_id in gone],
                )

    def free_name(self, user: str, service_id: str, notebook: str) -> str:
        """Return a name for a session that nobody named: after its notebook, numbered."""
        return self._first_free(user, service_id, _base_name(notebook), 1)

    def copy_name(self, user: str, service_id: str, original: str) -> str:
        """Return a name for a copy that nobody named: its original's, numbered on."""
        base, _, number = original.rpartition("-")
        if not (base and number.isdecimal()):
            base, number = original, "1"
        return self._first_free(user, service_id, base, int(number) + 1)

    def _first_free(self, user: str, service_id: str, base: str, first: int) -> str:
        with self.reading() as database:
            rows = database.execute(
                "SELECT name FROM session WHERE user = ? AND service = ? AND NOT forgotten"
                " AND (name = ? OR (name > ? AND name < ?))",
                (user, service_id, base, f"{base}-", f"{base}."),  # "." follows "-"
            ).fetchall()
        taken = {row["name"] for row in rows}
        return next(
            name
            for number in itertools.count(first)
            if (name := base if number == 1 else f"{base}-{number}") not in taken
        )

    def update(self, session: Session, **columns: Any) -> None:
        """Change some columns of a session: ``name``, ``state``, ``ends_at`` and the like.

        Raises
        ------
        SessionNameError
            The new name is taken.
        """
        values = {
            key: _timestamp(value) if isinstance(value, datetime) else value
            for key, value in columns.items()
        }
        assignments = ", ".join(f"{column} = ?" for column in values)
        with self.transaction() as database:
            try:
                database.execute(
                    f"UPDATE session SET {assignments} WHERE service = ? AND id = ?",  # noqa: S608 - our own column names
                    (*values.values(), session.service_id, session.id),
                )
            except sqlite3.IntegrityError as error:
                raise name_taken(str(columns.get("name"))) from error

    def retire_name(self, session: Session) -> None:
        """Free the name of a session that is gone: it is called ``NAME (gone)`` from now on."""
        for number in itertools.count(1):
            name = f"{session.name} (gone)" if number == 1 else f"{session.name} (gone {number})"
            with contextlib.suppress(SessionNameError):
                self.update(session, name=name)
                return

    # Which notebook used which session

    def remember(self, user: str, notebook: str, service_id: str, session_id: str) -> None:
        """Record that a notebook uses a session now."""
        now = time.time()
        with self.transaction() as database:
            database.execute(
                "UPDATE session SET last_used = ? WHERE service = ? AND id = ?",
                (now, service_id, session_id),
            )
            if notebook:
                database.execute(
                    "INSERT OR REPLACE INTO last_session VALUES (?, ?, ?, ?, ?)",
                    (user, notebook, service_id, session_id, now),
                )

    def last_of_notebook(self, user: str, notebook: str) -> Session | None:
        """Return the session that a notebook used last. Never makes the file."""
        if not self.path.exists():
            return None
        rows = self._sessions(
            "JOIN last_session AS last ON last.service = session.service"
            " AND last.session = session.id WHERE last.user = ? AND last.notebook = ?",
            (user, notebook),
        )
        return rows[0] if rows else None

    def _sessions(
        self, where: str, values: Sequence[Any], select: str = COUNTED
    ) -> Sequence[Session]:
        with self.reading() as database:
            rows = database.execute(f"{select} {where}", values).fetchall()
        return [_session(row) for row in rows]


def name_taken(name: str) -> SessionNameError:
    """Return the error for a name that another session has."""
    return SessionNameError(
        f"There is a session named {name!r} already.",
        hint=f"Go to it with %vibekit_session set {name}, or choose another name.",
    )


def _base_name(notebook: str) -> str:
    """Return what an unnamed session is called: after its notebook, fit to be typed."""
    stem = re.split(r"[/\\]", notebook)[-1].rpartition(".ipynb")[0] or "main"
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:40] or "main"


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


READ: dict[str, Callable[[Any], Any]] = {
    "ends_at": _moment,
    "created": _moment,
    "last_used": _moment,
    "current": bool,
    "internet": bool,
}
READ_AT = [(at, READ[field.name]) for at, field in enumerate(fields(Session)) if field.name in READ]


def _session(row: sqlite3.Row) -> Session:
    values = list(row)
    for at, read in READ_AT:
        values[at] = read(values[at])
    return Session(*values)


def _timestamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
