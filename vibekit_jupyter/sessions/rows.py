"""How sessions are written to the registry, and read from it."""

from __future__ import annotations

import time
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.sessions.session import Session

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from vibekit_jupyter.settings.config import Service

__all__ = ["COUNTED", "LISTED", "insert", "plain", "session_of"]

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


def insert(
    database: sqlite3.Connection, session: Session, service: Service, *, checked: float
) -> None:
    """Write a session down, over what was written of it before.

    Parameters
    ----------
    checked
        When its state was seen, in seconds since 1970.
    """
    now = time.time()
    values = {
        "service": service.id,
        "id": session.id,
        "title": service.title,
        "key_mark": service.key_mark,
        "created": session.created or now,
        "last_used": now,
        "checked": checked,
        **{
            name: getattr(session, name)
            for name in (
                *("name", "project", "user", "notebook", "agent", "model", "timeout"),
                *("internet", "confinement", "state", "ends_at", "continued_from"),
                *("named_here", "template", "setup"),
            )
        },
    }
    database.execute(
        f"INSERT INTO session ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608 - our own column names
        " ON CONFLICT (service, id) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in values),
        [plain(value) for value in values.values()],
    )


def plain(value: Any) -> Any:
    """Return a value as SQLite holds it: a moment is seconds since 1970."""
    return value.timestamp() if isinstance(value, datetime) else value


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


READ: dict[str, Callable[[Any], Any]] = {
    "ends_at": _moment,
    "created": _moment,
    "last_used": _moment,
    "current": bool,
    "internet": bool,
    "named_here": bool,
}
READ_AT = [(at, READ[field.name]) for at, field in enumerate(fields(Session)) if field.name in READ]


def session_of(row: sqlite3.Row) -> Session:
    """Return the session that a row of ``COUNTED`` or ``LISTED`` holds."""
    values = list(row)
    for at, read in READ_AT:
        values[at] = read(values[at])
    return Session(*values)
