"""The file that the registry is kept in: opened when it is first needed, shared by threads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import RegistryError
from vibekit_jupyter.sessions.schema import open_database, open_read_only
from vibekit_jupyter.settings.home import vibekit_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Database"]


class Database:
    """One SQLite file. Methods may be called from any thread.

    Parameters
    ----------
    path
        The file; None is ``sessions.sqlite`` in the user's home for state.
    read_only
        Look things up in a file that is there, and leave it as it is.
    """

    def __init__(self, path: Path | None = None, *, read_only: bool = False) -> None:
        self._path = path
        self._open = open_read_only if read_only else open_database
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[Path, object] | None = None

    @property
    def path(self) -> Path:
        """Where the file is, or will be."""
        return self._path or vibekit_home() / "sessions.sqlite"

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def version(self) -> int:
        """Return a number that changes when another connection has changed the file.

        Raises
        ------
        RegistryError
            The file cannot be read.
        """
        with self.reading() as database:
            return int(database.execute("PRAGMA data_version").fetchone()[0])

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open the file for reading.

        Raises
        ------
        RegistryError
            It cannot be read.
        """
        with self._lock, self.errors():
            yield self._database()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write to the file: all that is done within, or nothing.

        Raises
        ------
        RegistryError
            It cannot be written.
        """
        with self._lock, self.errors():
            database = self._database()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def _database(self) -> sqlite3.Connection:
        path = self.path
        if self._connection is None or self._opened != (path, _identity(path)):
            self.close()
            self._connection = self._open(path)
            self._opened = (path, _identity(path))
        return self._connection

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raise what goes wrong with the file as ``RegistryError``."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RegistryError(
                f"The registry of sessions, {self.path}, cannot be used: {error}.",
                hint="Look at its folder's permissions and free space, or set VIBEKIT_HOME.",
            ) from error


def _identity(path: Path) -> object:
    """Return what tells the file at a path from one that takes its place; None without one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
