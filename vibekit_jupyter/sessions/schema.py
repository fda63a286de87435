"""The registry's tables, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from vibekit_jupyter.errors import RegistryError
from vibekit_jupyter.sessions.identity import identify_without_keys
from vibekit_jupyter.settings.home import claim_local_root, private_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MIGRATIONS", "is_on_network", "open_database", "open_read_only"]

Migration: TypeAlias = "str | Callable[[sqlite3.Connection], None]"

# One step a version, from the first; a step that was released is never changed.
MIGRATIONS: Sequence[Migration] = (
    """
    CREATE TABLE session (
        service TEXT NOT NULL,
        id TEXT NOT NULL,
        title TEXT NOT NULL,
        name TEXT NOT NULL,
        project TEXT NOT NULL DEFAULT '',
        user TEXT NOT NULL DEFAULT '',
        notebook TEXT NOT NULL DEFAULT '',
        agent TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        created REAL NOT NULL,
        last_used REAL NOT NULL,
        timeout REAL,
        internet INTEGER NOT NULL DEFAULT 0,
        confinement TEXT,
        state TEXT NOT NULL DEFAULT 'unknown',
        ends_at REAL,
        continued_from TEXT,
        forgotten INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (service, id)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX session_name ON session (user, service, name) WHERE NOT forgotten;
    CREATE INDEX session_used ON session (user, last_used);
    CREATE INDEX session_id ON session (id);
    CREATE INDEX session_alive ON session (service) WHERE state != 'gone';
    CREATE TABLE turn (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        service TEXT NOT NULL,
        session TEXT NOT NULL,
        notebook TEXT NOT NULL DEFAULT '',
        agent TEXT NOT NULL,
        model TEXT NOT NULL,
        mode TEXT NOT NULL,
        prompt TEXT NOT NULL,
        status TEXT NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        fresh INTEGER NOT NULL DEFAULT 0,
        started REAL NOT NULL,
        duration REAL NOT NULL DEFAULT 0,
        owner TEXT NOT NULL DEFAULT '',
        messages TEXT NOT NULL DEFAULT '[]',
        tokens INTEGER NOT NULL DEFAULT 0,
        usage TEXT NOT NULL DEFAULT '{}',
        files TEXT NOT NULL DEFAULT '[]'
    );
    CREATE INDEX turn_session ON turn (service, session, id);
    CREATE TABLE event (
        turn INTEGER NOT NULL REFERENCES turn (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY (turn, number)
    ) WITHOUT ROWID;
    CREATE TABLE last_session (
        user TEXT NOT NULL,
        notebook TEXT NOT NULL,
        service TEXT NOT NULL,
        session TEXT NOT NULL,
        used REAL NOT NULL,
        PRIMARY KEY (user, notebook)
    ) WITHOUT ROWID;
    """,
    # The beginning of a prompt tells it from most others; prompts may be a megabyte long.
    """
    CREATE INDEX turn_prompt ON turn (service, substr(prompt, 1, 100));
    """,
    identify_without_keys,
    """
    CREATE TABLE commander (
        service TEXT NOT NULL,
        session TEXT NOT NULL,
        run INTEGER NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (service, session, run)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE interpreter (
        service TEXT NOT NULL,
        session TEXT NOT NULL,
        pid INTEGER NOT NULL,
        mark TEXT NOT NULL,
        PRIMARY KEY (service, session)
    ) WITHOUT ROWID;
    """,
    # Who asked, and what it cost in dollars, where that was known.
    """
    ALTER TABLE turn ADD COLUMN user TEXT NOT NULL DEFAULT '';
    ALTER TABLE turn ADD COLUMN cost REAL;
    CREATE INDEX turn_cost ON turn (started, model, user, cost);
    """,
    # Whoever is recorded already has as long as anybody to renew it.
    """
    CREATE TABLE process (mark TEXT PRIMARY KEY, seen REAL NOT NULL) WITHOUT ROWID;
    INSERT INTO process
        SELECT owner, CAST(strftime('%s', 'now') AS REAL) FROM commander
        UNION SELECT owner, CAST(strftime('%s', 'now') AS REAL) FROM turn WHERE status = 'running';
    """,
    """
    CREATE TABLE agent_session (
        service TEXT NOT NULL,
        session TEXT NOT NULL,
        agent TEXT NOT NULL,
        own_id TEXT NOT NULL,
        prompts INTEGER NOT NULL,
        turn INTEGER NOT NULL,
        PRIMARY KEY (service, session, agent)
    ) WITHOUT ROWID;
    """,
)

# SQLite's shared memory, which WAL needs, does not work between the hosts of these.
NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "ceph",
    "gpfs",
    "9p",
    "afs",
}


def open_database(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """Open the registry, made or brought up to date if need be.

    Raises
    ------
    RegistryError
        The file was written by a newer version, or it is not a database.
    sqlite3.Error
        Anything else that SQLite says.
    """
    private_directory(path.parent)
    if not path.exists():
        path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open the registry as it is, to look something up; it is neither made nor changed.

    One of an older version is read into memory and brought up to date there.

    Raises
    ------
    RegistryError
        The file was written by a newer version.
    sqlite3.Error
        Anything else that SQLite says.
    """
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
    try:
        _check_version(connection, path, MIGRATIONS)
        if (version := _version(connection)) < len(MIGRATIONS):
            copy = sqlite3.connect(":memory:", isolation_level=None)
            connection.backup(copy)
            connection.close()
            connection = copy
            connection.row_factory = sqlite3.Row
            _migrate(connection, version, MIGRATIONS)
        connection.row_factory = sqlite3.Row
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    connection.row_factory = sqlite3.Row
    _check_version(connection, path, migrations)
    connection.execute(f"PRAGMA journal_mode = {'DELETE' if is_on_network(path) else 'WAL'}")
    connection.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; a power cut costs seconds
    connection.execute("PRAGMA foreign_keys = ON")
    if _version(connection) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been faster
        if 0 < version < len(migrations):
            _keep_copy(path, version)
            claim_local_root()  # the sandboxes that are there are this machine's, as the rows are
        _migrate(connection, version, migrations)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection, version: int, migrations: Sequence[Migration]) -> None:
    for number, step in enumerate(migrations[version:], version + 1):
        if callable(step):
            step(connection)
        else:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


def _check_version(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]
) -> None:
    if _version(connection) > len(migrations):
        raise RegistryError(
            f"The registry of sessions, {path}, was written by a newer version of vibekit-jupyter.",
            hint="Upgrade this one: pip install -U vibekit-jupyter",
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _keep_copy(path: Path, version: int) -> None:
    copy = path.with_name(f"{path.name}.v{version}")
    copy.touch(mode=0o600)
    # The open transaction holds the writers off; a second connection reads what is committed.
    reader = sqlite3.connect(path)
    target = sqlite3.connect(copy)
    try:
        reader.backup(target)
    finally:
        reader.close()
        target.close()


def is_on_network(path: Path, mounts: str | None = None) -> bool:
    """Whether a path lies on a network file system, by the table of mounts (Linux)."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
    best: tuple[int, str] = (0, "")
    target = path.resolve()  # a home folder may be a link to one
    for line in mounts.splitlines():
        _device, point, kind, *_rest = line.split(" ")
        point = point.replace("\\040", " ")
        if target.is_relative_to(point):
            best = max(best, (len(point), kind))
    return best[1] in NETWORK_FILE_SYSTEMS or best[1].startswith("fuse.sshfs")
