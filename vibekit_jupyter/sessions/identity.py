"""The registry's third version: a service is its URL, or a machine; a key is no part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.settings.config import LOCAL_PREFIX, service_id
from vibekit_jupyter.settings.home import local_host

if TYPE_CHECKING:
    import sqlite3

__all__ = ["identify_without_keys"]

# ``checked``: when the state was last seen. ``named_here``: the name was given on this machine,
# and not taken from the service's label. ``run``: the number that a run's commands bear.
COLUMNS = """
    ALTER TABLE session ADD COLUMN key_mark TEXT NOT NULL DEFAULT '';
    ALTER TABLE session ADD COLUMN checked REAL NOT NULL DEFAULT 0;
    ALTER TABLE session ADD COLUMN named_here INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE session ADD COLUMN template TEXT;
    ALTER TABLE session ADD COLUMN setup TEXT NOT NULL DEFAULT '';
    ALTER TABLE turn ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
    DROP INDEX session_name;
"""
INDEX = """
    CREATE UNIQUE INDEX session_name ON session (user, service, name) WHERE NOT forgotten
"""


def identify_without_keys(database: sqlite3.Connection) -> None:
    """Bring a registry up to date in which a service was its URL with the key's fingerprint.

    Where one service was reached with two keys, its sessions come together: what both keys
    have seen is one session, and of two sessions of one name the last used one keeps it.
    """
    for statement in COLUMNS.split(";")[:-1]:
        database.execute(statement)
    old = database.execute(
        "SELECT service FROM session UNION SELECT service FROM turn"
        " UNION SELECT service FROM last_session"
    ).fetchall()
    for (service,) in old:
        url, _, key_mark = service.partition("#")
        new = f"{LOCAL_PREFIX}{local_host()}" if url == "local" else service_id(url)
        if new != service:
            _move(database, service, new, key_mark)
    _tell_names_apart(database)
    database.execute(INDEX)


def _move(database: sqlite3.Connection, old: str, new: str, key_mark: str) -> None:
    # The one that was used last stays, of two records of one session.
    database.execute(
        "DELETE FROM session WHERE service = ? AND EXISTS (SELECT 1 FROM session AS other"
        " WHERE other.service = ? AND other.id = session.id AND other.last_used >="
        " session.last_used)",
        (old, new),
    )
    database.execute(
        "UPDATE OR REPLACE session SET service = ?, key_mark = ? WHERE service = ?",
        (new, key_mark, old),
    )
    for table in ("turn", "last_session"):
        database.execute(f"UPDATE {table} SET service = ? WHERE service = ?", (new, old))  # noqa: S608 - our own table names


def _tell_names_apart(database: sqlite3.Connection) -> None:
    rows = database.execute(
        "SELECT user, service, id, name FROM session WHERE NOT forgotten ORDER BY last_used DESC"
    ).fetchall()
    taken = {(user, service, name) for user, service, _, name in rows}
    seen = set()
    for user, service, session, name in rows:
        if (user, service, name) in seen:
            free = next(
                f"{name} ({number})"
                for number in range(2, len(rows) + 2)
                if (user, service, f"{name} ({number})") not in taken
            )
            taken.add((user, service, free))
            database.execute(
                "UPDATE session SET name = ? WHERE service = ? AND id = ?", (free, service, session)
            )
        seen.add((user, service, name))
