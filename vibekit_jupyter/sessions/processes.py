"""Which processes are still there, also where nobody can look: on another host.

Two hosts may share a home. A process writes its mark down anew now and then; one that was killed
with its host does not, and uses nothing any more.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import RegistryError
from vibekit_jupyter.services.process import own_mark, was_running
from vibekit_jupyter.sessions.database import Database

if TYPE_CHECKING:
    import sqlite3

__all__ = ["ProcessRecords", "Renewal", "write_mark"]

# Seconds between two renewals, and those after which one that renewed nothing counts as ended.
# Clocks of two hosts differ by less.
PERIOD = 60.0
PATIENCE = 600.0


class ProcessRecords(Database):
    """The marks of processes, with the time when each was written down last."""

    def renew(self, mark: str) -> None:
        """Record that the process of this mark is there now."""
        with self.transaction() as database:
            write_mark(database, mark)

    def is_there(self, mark: str) -> bool:
        """Whether the process of this mark is still running, as far as can be told from here."""
        known = was_running(mark)
        if known is not None:
            return known
        with self.reading() as database:
            row = database.execute(
                "SELECT 1 FROM process WHERE mark = ? AND seen > ?", (mark, _oldest())
            ).fetchone()
        return row is not None


def write_mark(database: sqlite3.Connection, mark: str) -> None:
    """Record within a transaction that a process is there now; forget those that are not."""
    database.execute("DELETE FROM process WHERE seen <= ?", (_oldest(),))
    database.execute("INSERT OR REPLACE INTO process VALUES (?, ?)", (mark, time.time()))


def _oldest() -> float:
    return time.time() - PATIENCE


class Renewal:
    """Renews this process's mark in the background, from ``begin`` to ``end``.

    In a thread, for a cell may block the kernel's loop for an hour.
    """

    def __init__(self, records: ProcessRecords) -> None:
        self._records = records
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Go on renewing, until the end."""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._go_on, args=(own_mark(),), daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Renew no more."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None

    def _go_on(self, mark: str) -> None:
        while not self._ended.wait(PERIOD):
            # Whatever is wrong with the file, who works with it is told. One that was removed
            # does not come back by this.
            with contextlib.suppress(RegistryError):
                if self._records.path.exists():
                    self._records.renew(mark)
