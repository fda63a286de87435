"""The turns of sessions: what was asked, what came of it, what was said."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import RegistryError
from vibekit_jupyter.sessions.agent_sessions import copy_agent_sessions
from vibekit_jupyter.sessions.asked import NOBODY, answer_to
from vibekit_jupyter.sessions.database import Database
from vibekit_jupyter.sessions.processes import write_mark
from vibekit_jupyter.sessions.session import Turn

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from vibekit_jupyter.sessions.asked import Asker
    from vibekit_jupyter.sessions.session import Session

__all__ = ["TurnRecords", "copy_turns"]

MOST_ANSWERS = 200


class TurnRecords(Database):
    """The turns, in order, with the messages that each added to its session's conversation."""

    def begin_turn(self, service_id: str, session_id: str, **columns: Any) -> int:
        """Record that a turn began; return its number."""
        values = {"service": service_id, "session": session_id, "status": "running"} | columns
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self.transaction() as database:
            if owner := columns.get("owner"):
                write_mark(database, owner)
            cursor = database.execute(
                f"INSERT INTO turn ({names}, started) VALUES ({marks}, ?)",  # noqa: S608 - our own column names
                (*map(_plain, values.values()), time.time()),
            )
            database.execute(
                "UPDATE session SET agent = ?, model = ?, last_used = ?"
                " WHERE service = ? AND id = ?",
                (values["agent"], values["model"], time.time(), service_id, session_id),
            )
            return int(cursor.lastrowid or 0)

    def update_turn(
        self,
        turn: int,
        events: Sequence[Mapping[str, Any]] = (),
        *,
        first: int = 0,
        **columns: Any,
    ) -> None:
        """Record how far a turn has come.

        Parameters
        ----------
        events
            What happened in it, from its event number ``first`` on.
        columns
            What else is known of it now.
        """
        with self.transaction() as database:
            if columns and not _changed(database, turn, columns):
                raise RegistryError(
                    "The run is not on record any more: the registry of sessions, "
                    f"{self.path}, was removed while it went on.",
                    hint="Its output is in the cell; what comes next is recorded anew.",
                )
            _write_events(database, turn, events, first)

    def close_turn(
        self, turn: int, events: Sequence[Mapping[str, Any]], *, first: int, **columns: Any
    ) -> None:
        """Record the end of a turn whose kernel is gone, where no other kernel has done so.

        See :meth:`update_turn`.
        """
        with self.transaction() as database:
            if _changed(database, turn, columns, "AND status = 'running'"):
                _write_events(database, turn, events, first)

    def messages(
        self, service_id: str, session_id: str, *, before: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Return what each turn of a session added to its conversation, in order.

        Each has ``id``, ``messages``, ``tokens`` and ``fresh`` (what was said before is left out).
        ``before`` is a turn: only what was said in earlier ones.
        """
        last = 2**62 if before is None else before
        with self.reading() as database:
            rows = database.execute(
                "SELECT id, messages, tokens, fresh FROM turn"
                " WHERE service = ? AND session = ? AND id < ? AND id >= coalesce("
                "   (SELECT max(id) FROM turn"
                "    WHERE service = ? AND session = ? AND id < ? AND fresh), 0) ORDER BY id",
                (service_id, session_id, last) * 2,
            ).fetchall()
        return [{**dict(row), "messages": json.loads(row["messages"])} for row in rows]

    def turns(self, service_id: str, session_id: str, *, last: int | None = None) -> Sequence[Turn]:
        """Return a session's turns in order, or its last ones."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT * FROM turn WHERE service = ? AND session = ? ORDER BY id DESC LIMIT ?",
                (service_id, session_id, -1 if last is None else last),
            ).fetchall()
            return [_turn(row, self.events(row["id"])) for row in reversed(rows)]

    def place_of(self, turn: int, service_id: str, session_id: str) -> int:
        """Return which turn of its session one is, counted from 1."""
        with self.reading() as database:
            (place,) = database.execute(
                "SELECT count(*) FROM turn WHERE service = ? AND session = ? AND id <= ?",
                (service_id, session_id, turn),
            ).fetchone()
        return int(place)

    def last_error(self, service_id: str, session_id: str, *, before: int | None = None) -> str:
        """Return the sentence that a session's last turn ended in; empty where it ended well.

        ``before`` is a turn: only earlier ones count.
        """
        last = 2**62 if before is None else before
        with self.reading() as database:
            row = database.execute(
                "SELECT error FROM turn WHERE service = ? AND session = ? AND id < ?"
                " ORDER BY id DESC LIMIT 1",
                (service_id, session_id, last),
            ).fetchone()
        return str(row["error"]) if row else ""

    def finished_turn(
        self,
        prompt: str,
        service_id: str,
        *,
        user: str,
        session_id: str | None = None,
        asker: Asker = NOBODY,
        **columns: str,
    ) -> Turn | None:
        """Return the last turn with this prompt that came to its end.

        Parameters
        ----------
        user
            Whose sessions are looked at.
        session_id
            Look at this session alone, whoever made it.
        asker
            Which cell asks: a turn that it began comes before those of others.
        columns
            What else the turn must have: ``agent``, ``model``, ``mode``.
        """
        said = well_formed(prompt)
        asked = ["prompt", "service", *columns]
        where = " AND ".join(f"turn.{column} = ?" for column in asked)
        place = "session.id = ?" if session_id else "session.user = ? AND NOT session.forgotten"
        with self.reading() as database:
            rows = database.execute(
                "SELECT turn.*,"  # noqa: S608 - our own column names
                " (SELECT data FROM event WHERE event.turn = turn.id ORDER BY number LIMIT 1) began"
                " FROM turn JOIN session"
                " ON session.service = turn.service AND session.id = turn.session"
                f" WHERE {where} AND {place} AND turn.status = 'done'"
                " AND substr(turn.prompt, 1, 100) = substr(?, 1, 100)"
                " ORDER BY turn.id DESC LIMIT ?",
                (said, service_id, *columns.values(), session_id or user, said, MOST_ANSWERS),
            ).fetchall()
            if not rows:
                return None
            answers = [(_cell(row["began"]), row["session"], row) for row in reversed(rows)]
            row = answer_to(asker, answers)
            return _turn(row, self.events(row["id"]))

    def events(self, turn: int) -> Sequence[Mapping[str, Any]]:
        """Return what happened in a turn."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT data FROM event WHERE turn = ? ORDER BY number", (turn,)
            ).fetchall()
        return [json.loads(row["data"]) for row in rows]

    def changed_files(self, service_id: str, session_id: str) -> Sequence[str]:
        """Return the paths that a session's turns changed."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT DISTINCT file.value FROM turn, json_each(turn.files) AS file"
                " WHERE turn.service = ? AND turn.session = ? ORDER BY 1",
                (service_id, session_id),
            ).fetchall()
        return [row[0] for row in rows]

    def count_turns(self, service_id: str, session_id: str) -> int:
        """Return how many turns a session had."""
        with self.reading() as database:
            row = database.execute(
                "SELECT count(*) FROM turn WHERE service = ? AND session = ?",
                (service_id, session_id),
            ).fetchone()
        return int(row[0])

    def drop_turn(self, turn: int) -> None:
        """Take back that a turn began: its run came to nothing before it asked anybody."""
        with self.transaction() as database:
            database.execute("DELETE FROM turn WHERE id = ?", (turn,))

    def running_turns(self, service_id: str, session_id: str) -> Sequence[tuple[int, str, int]]:
        """Return the turns of a session whose runs have not ended, as far as is recorded.

        Each is its number, the mark of the process that began the run, and the run's number.
        """
        with self.reading() as database:
            rows = database.execute(
                "SELECT id, owner, run FROM turn"
                " WHERE service = ? AND session = ? AND status = 'running'",
                (service_id, session_id),
            ).fetchall()
        return [(row["id"], row["owner"], row["run"]) for row in rows]

    def said_in(self, turn: int) -> tuple[str, str, Sequence[Mapping[str, Any]]]:
        """Return a turn's agent, its model, and what it added to its session's conversation."""
        with self.reading() as database:
            row = database.execute(
                "SELECT agent, model, messages FROM turn WHERE id = ?", (turn,)
            ).fetchone()
        return row["agent"], row["model"], json.loads(row["messages"])

    def owners_of_runs(self, service_id: str, session_id: str) -> Sequence[str]:
        """Return the marks of the processes that began runs in a session and did not end them."""
        return [owner for _, owner, _ in self.running_turns(service_id, session_id)]

    def copy_turns(self, source: Session, target: Session) -> None:
        """Give a copy of a session the turns of that one, from before its own.

        The agents' own sessions are in the files that were copied: they go on where those stood.
        """
        with self.transaction() as database:
            numbers = copy_turns(database, source, target.service_id, target.id)
            copy_agent_sessions(database, source, target, numbers)


def _cell(began: str | None) -> str:
    """Return which cell asked, from the first event of a turn."""
    try:
        cell = json.loads(began or "{}").get("cell")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return cell if isinstance(cell, str) else ""


def copy_turns(
    database: sqlite3.Connection, source: Session, service_id: str, session_id: str
) -> Mapping[int, int]:
    """Give a session the turns of another one, within a transaction.

    One that is under way goes on in the other session alone: its copy was cut off, and is nobody's.

    Returns
    -------
    Mapping[int, int]
        The number of each turn's copy.
    """
    numbers: dict[int, int] = {}
    rows = database.execute(
        "SELECT id FROM turn WHERE service = ? AND session = ? ORDER BY id",
        (source.service_id, source.id),
    ).fetchall()
    columns = (
        "notebook, agent, model, mode, prompt, error, fresh, started, duration,"
        " messages, tokens, usage, files, cost"
    )
    for row in rows:
        copy = database.execute(
            f"INSERT INTO turn (service, session, {columns}, user, status, owner)"  # noqa: S608 - our own column names
            f" SELECT ?, ?, {columns}, iif(user = '', ?, user),"
            " iif(status = 'running', 'interrupted', status), iif(status = 'running', '', owner)"
            " FROM turn WHERE id = ?",
            (service_id, session_id, source.user, row["id"]),
        ).lastrowid
        database.execute(
            "INSERT INTO event SELECT ?, number, data FROM event WHERE turn = ?",
            (copy, row["id"]),
        )
        numbers[row["id"]] = int(copy or 0)
    return numbers


def _turn(row: sqlite3.Row, events: Sequence[Mapping[str, Any]]) -> Turn:
    words = [
        message["text"]
        for message in json.loads(row["messages"])
        if message["role"] == "assistant" and message["text"]
    ]
    return Turn(
        number=row["id"],
        prompt=row["prompt"],
        agent=row["agent"],
        model=row["model"],
        mode=row["mode"],
        status=row["status"],
        text="\n\n".join(words),
        started=datetime.fromtimestamp(row["started"], UTC),
        duration=row["duration"],
        notebook=row["notebook"],
        error=row["error"],
        fresh=bool(row["fresh"]),
        files=json.loads(row["files"]),
        usage=json.loads(row["usage"]),
        events=events,
        session_id=row["session"],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    return json.dumps(value) if isinstance(value, dict | list | tuple) else value


def _changed(
    database: sqlite3.Connection, turn: int, columns: Mapping[str, Any], where: str = ""
) -> bool:
    """Set a turn's columns; return whether there was such a turn."""
    assignments = ", ".join(f"{column} = ?" for column in columns)
    done = database.execute(
        f"UPDATE turn SET {assignments} WHERE id = ? {where}",  # noqa: S608 - our own words
        (*map(_plain, columns.values()), turn),
    )
    return done.rowcount > 0


def _write_events(
    database: sqlite3.Connection, turn: int, events: Sequence[Mapping[str, Any]], first: int
) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO event VALUES (?, ?, ?)",
        [(turn, number, json.dumps(event)) for number, event in enumerate(events, first)],
    )
