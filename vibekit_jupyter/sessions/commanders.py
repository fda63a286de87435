"""Which processes run commands of their own in which sandboxes, beside the runs of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.sessions.database import Database
from vibekit_jupyter.sessions.processes import write_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CommanderRecords"]


class CommanderRecords(Database):
    """Each process that runs commands in a session, with the number that its commands bear.

    It is written down once, not at each command: what a process that was killed has left running
    is found by its number.
    """

    def add_commander(self, service_id: str, session_id: str, *, owner: str, run: int) -> None:
        """Record that the process of this mark runs commands of this number in a session."""
        with self.transaction() as database:
            write_mark(database, owner)
            database.execute(
                "INSERT OR IGNORE INTO commander VALUES (?, ?, ?, ?)",
                (service_id, session_id, run, owner),
            )

    def commanders(self, service_id: str, session_id: str) -> Sequence[tuple[str, int]]:
        """Return the marks and the numbers of those who run commands in a session."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT owner, run FROM commander WHERE service = ? AND session = ?",
                (service_id, session_id),
            ).fetchall()
        return [(row["owner"], row["run"]) for row in rows]

    def drop_commander(self, run: int) -> None:
        """Record that nothing of this number runs any more."""
        with self.transaction() as database:
            database.execute("DELETE FROM commander WHERE run = ?", (run,))
