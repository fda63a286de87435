"""Which process of a session's sandbox runs the cells of Python, for all kernels of a user."""

from __future__ import annotations

from typing import NamedTuple

from vibekit_jupyter.sessions.database import Database

__all__ = ["InterpreterRecord", "InterpreterRecords"]


class InterpreterRecord(NamedTuple):
    """The process's number, and the mark by which it is known and by which it speaks."""

    pid: int
    mark: str


class InterpreterRecords(Database):
    """At most one interpreter a session; it may have ended since it was written down."""

    def interpreter(self, service_id: str, session_id: str) -> InterpreterRecord | None:
        """Return the interpreter that was started last in a session."""
        with self.reading() as database:
            row = database.execute(
                "SELECT pid, mark FROM interpreter WHERE service = ? AND session = ?",
                (service_id, session_id),
            ).fetchone()
        return None if row is None else InterpreterRecord(row["pid"], row["mark"])

    def replace_interpreter(
        self,
        service_id: str,
        session_id: str,
        new: InterpreterRecord,
        *,
        instead_of: InterpreterRecord | None,
    ) -> InterpreterRecord:
        """Write a new interpreter down; return it, or the one that was faster to take its place."""
        place = (service_id, session_id)
        with self.transaction() as database:
            row = database.execute(
                "SELECT pid, mark FROM interpreter WHERE service = ? AND session = ?", place
            ).fetchone()
            known = None if row is None else InterpreterRecord(row["pid"], row["mark"])
            if known != instead_of and known is not None:
                return known
            database.execute(
                "INSERT OR REPLACE INTO interpreter VALUES (?, ?, ?, ?)", (*place, *new)
            )
        return new
