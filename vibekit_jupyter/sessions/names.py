"""The names of sessions: unique among a user's sessions at a service that are not forgotten.

A name is given here. What the service's label says is a name only while nobody here wants it.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import SessionNameError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

__all__ = ["free_copy_name", "free_name", "is_taken", "name_before", "name_taken", "take_name"]

# ``report-2`` is our own second report; ``report-2024`` is a name that somebody gave.
NUMBERED = re.compile(r"(?P<base>.+)-(?P<number>[0-9]{1,2})")
GIVEN_UP = re.compile(r" \(gone(?: \d+)?\)$")


def take_name(
    database: sqlite3.Connection, user: str, service_id: str, name: str, but: str
) -> None:
    """Free a name for the session ``but``, within a transaction.

    One that is gone is called ``NAME (gone)`` from now on, one that only its label calls so has
    its id for a name.

    Raises
    ------
    SessionNameError
        Another session has it.
    """
    holder = database.execute(
        "SELECT id, state, named_here FROM session"
        " WHERE user = ? AND service = ? AND name = ? AND NOT forgotten AND id != ?",
        (user, service_id, name, but),
    ).fetchone()
    if holder is None:
        return
    if holder["named_here"] and holder["state"] != "gone":
        raise name_taken(name)
    others = _given_up(name)
    if not holder["named_here"]:
        others = itertools.chain([holder["id"]], others)
    _rename(database, user, service_id, holder["id"], others)


def free_name(database: sqlite3.Connection, user: str, service_id: str, notebook: str) -> str:
    """Return a name for a session that nobody named: after its notebook, numbered."""
    return _first_free(database, user, service_id, _base_name(notebook), 1)


def free_copy_name(database: sqlite3.Connection, user: str, service_id: str, original: str) -> str:
    """Return a name for a copy that nobody named: its original's, numbered on."""
    name = name_before(original)
    numbered = NUMBERED.fullmatch(name)
    base, number = (numbered["base"], int(numbered["number"])) if numbered else (name, 1)
    return _first_free(database, user, service_id, base[:90], number + 1)


def name_before(name: str) -> str:
    """Return the name that a session had before it gave it up."""
    return GIVEN_UP.sub("", name)


def is_taken(database: sqlite3.Connection, user: str, service_id: str, name: str) -> bool:
    """Whether a session has a name, in a transaction or out of one."""
    return (
        database.execute(
            "SELECT 1 FROM session WHERE user = ? AND service = ? AND name = ? AND NOT forgotten",
            (user, service_id, name),
        ).fetchone()
        is not None
    )


def name_taken(name: str) -> SessionNameError:
    """Return the error for a name that another session has."""
    return SessionNameError(
        f"There is a session named {name!r} already.",
        hint=f"Go to it with %vibekit_session set {name}, or choose another name.",
    )


def _given_up(name: str) -> Iterator[str]:
    base = name_before(name)
    yield f"{base} (gone)"
    yield from (f"{base} (gone {number})" for number in itertools.count(2))


def _rename(
    database: sqlite3.Connection, user: str, service_id: str, session_id: str, names: Iterator[str]
) -> None:
    """Give a session the first of the names that is free: one of them is."""
    name = next(name for name in names if not is_taken(database, user, service_id, name))
    database.execute(
        "UPDATE session SET name = ? WHERE service = ? AND id = ?", (name, service_id, session_id)
    )


def _first_free(
    database: sqlite3.Connection, user: str, service_id: str, base: str, first: int
) -> str:
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


def _base_name(notebook: str) -> str:
    """Return what an unnamed session is called: after its notebook, fit to be typed."""
    stem = re.split(r"[/\\]", notebook)[-1].rpartition(".ipynb")[0] or "main"
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:40] or "main"
