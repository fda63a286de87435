"""Which sessions of their own the agents have that run in a session's sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.sessions.database import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from vibekit_jupyter.sessions.session import Session

__all__ = ["AgentSessionRecords", "copy_agent_sessions"]


class AgentSessionRecords(Database):
    """At most one for each agent of a session: its id there, prompts answered, the last turn."""

    def agent_session(
        self, service_id: str, session_id: str, agent: str
    ) -> tuple[str, int, int] | None:
        """Return an agent's own session; None where none is known."""
        with self.reading() as database:
            row = database.execute(
                "SELECT own_id, prompts, turn FROM agent_session"
                " WHERE service = ? AND session = ? AND agent = ?",
                (service_id, session_id, agent),
            ).fetchone()
        return None if row is None else (row["own_id"], row["prompts"], row["turn"])

    def forget_agent_session(self, service_id: str, session_id: str, agent: str) -> None:
        """Take out what is known of an agent's own session."""
        with self.transaction() as database:
            database.execute(
                "DELETE FROM agent_session WHERE service = ? AND session = ? AND agent = ?",
                (service_id, session_id, agent),
            )

    def keep_agent_session(
        self, service_id: str, session_id: str, agent: str, known: tuple[str, int, int]
    ) -> None:
        """Write down an agent's own session, in the place of the one before."""
        with self.transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO agent_session VALUES (?, ?, ?, ?, ?, ?)",
                (service_id, session_id, agent, *known),
            )


def copy_agent_sessions(
    database: sqlite3.Connection, source: Session, target: Session, numbers: Mapping[int, int]
) -> None:
    """Give a copy of a session the agents' own ones, within a transaction.

    Parameters
    ----------
    numbers
        The number of each turn's copy.
    """
    rows = database.execute(
        "SELECT agent, own_id, prompts, turn FROM agent_session WHERE service = ? AND session = ?",
        (source.service_id, source.id),
    ).fetchall()
    for row in rows:
        heard = [copy for number, copy in numbers.items() if number <= row["turn"]]
        database.execute(
            "INSERT OR REPLACE INTO agent_session VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(target.service_id, target.id, row["agent"]),
                *(row["own_id"], row["prompts"], max(heard, default=0)),
            ),
        )
