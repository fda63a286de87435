"""What the server keeps on disk: one folder per sandbox and per snapshot, and its record.

::

    ROOT/.lock                       held by the one server of this root
    ROOT/sandboxes/ID/record.json    written whole or not at all
    ROOT/sandboxes/ID/{home,tmp,root}
    ROOT/snapshots/ID/...            the same
    ROOT/trash/                      on its way out
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.settings.home import private_directory, write_private

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

__all__ = ["FOLDERS", "SandboxRecord", "SnapshotRecord", "Store"]

NETWORK = ("allowOut", "denyOut", "allow_internet_access")
FOLDERS = {"/home/user": "home", "/root": "root", "/tmp": "tmp"}
COPY = ["cp", "-a", "--reflink=auto"] if sys.platform == "linux" else ["cp", "-R", "-p"]
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass
class SandboxRecord:
    """What is remembered of a sandbox.

    Attributes
    ----------
    token, traffic_token
        What envd requests, and requests to its ports, must carry.
    started_at, end_at
        Unix times, in seconds.
    state
        ``running`` or ``paused``.
    memory
        Whether a pause kept the processes; false once they are gone.
    lost
        Processes were lost since the last pause: the server ended, or was killed, or they
        took their supervisor along.
    on_timeout
        ``kill`` or ``pause``; ``timeout_memory`` says whether that pause keeps the processes.
    internet
        Whether the egress proxy is there; ``None`` where nobody said.
    """

    id: str
    template: str = "base"
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    traffic_token: str = field(default_factory=lambda: secrets.token_hex(16))
    metadata: dict[str, str] = field(default_factory=dict)
    envs: dict[str, str] = field(default_factory=dict)
    started_at: float = field(default_factory=time.time)
    end_at: float = 0.0
    state: str = "running"
    memory: bool = True
    lost: bool = False
    on_timeout: str = "kill"
    timeout_memory: bool = True
    auto_resume: bool = False
    internet: bool | None = None
    network: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Earlier servers kept whatever was sent here, a header's key among it.
        self.network = {name: self.network[name] for name in NETWORK if name in self.network}


@dataclass
class SnapshotRecord:
    """What is remembered of a snapshot: the files of a sandbox at one moment."""

    id: str
    sandbox: str
    name: str = ""
    created_at: float = field(default_factory=time.time)


class Store:
    """The folder of one server."""

    def __init__(self, root: Path) -> None:
        self.root = private_directory(root).resolve()
        self.sandboxes = private_directory(self.root / "sandboxes")
        self.snapshots = private_directory(self.root / "snapshots")
        self.trash = private_directory(self.root / "trash")

    @staticmethod
    def new_id() -> str:
        """Return a new id in E2B's form."""
        return "".join(secrets.choice(ID_ALPHABET) for _ in range(20))

    def create(self, record: SandboxRecord) -> Path:
        """Make a sandbox's folder and write its record.

        Raises
        ------
        ProtocolError
            ``not_enough_space``: the disk is full.
        """
        folder = self.sandboxes / record.id
        make_folders(folder)
        self.save(record)
        return folder

    def save(self, record: SandboxRecord | SnapshotRecord) -> None:
        """Write a record.

        Raises
        ------
        ProtocolError
            ``not_enough_space``: the disk is full; the old record stays.
        """
        try:
            write_private(self.folder(record) / "record.json", json.dumps(asdict(record)))
        except OSError as error:
            raise _cannot_write(error) from error

    def folder(self, record: SandboxRecord | SnapshotRecord) -> Path:
        """Return a record's folder."""
        parent = self.sandboxes if isinstance(record, SandboxRecord) else self.snapshots
        return parent / record.id

    def load_sandboxes(self) -> list[SandboxRecord]:
        """Return the sandboxes on disk; folders without a whole record are put aside."""
        loaded = []
        for found in self._records(self.sandboxes):
            record = _build(SandboxRecord, found)
            if record.network != found.get("network", {}):
                with contextlib.suppress(ProtocolError):  # the disk is full: it is not told, either
                    self.save(record)
            loaded.append(record)
        return loaded

    def load_snapshots(self) -> list[SnapshotRecord]:
        """Return the snapshots on disk."""
        return [_build(SnapshotRecord, found) for found in self._records(self.snapshots)]

    @staticmethod
    def _records(parent: Path) -> list[dict[str, Any]]:
        found = []
        for folder in sorted(parent.iterdir()):
            try:
                record = json.loads((folder / "record.json").read_text())
                if record["id"] == folder.name:
                    found.append(record)
            except (OSError, ValueError, KeyError, TypeError):
                continue  # no whole record: never read as truth, and never deleted either
        return found

    def copy_files(self, source: Path, destination: Path) -> None:
        """Copy a sandbox's folders, sharing blocks where the file system can.

        Raises
        ------
        ProtocolError
            ``not_enough_space`` or ``internal``; the destination is removed.
        """
        try:
            make_folders(destination)
            for name in FOLDERS.values():
                _copy_tree(source / name, destination / name)
        except ProtocolError:
            self.discard(destination)
            raise

    def discard(self, folder: Path) -> None:
        """Remove a folder: out of sight at once, off the disk as fast as it goes.

        Raises
        ------
        ProtocolError
            ``internal``: it is still there, with its record.
        """
        grave = self.trash / f"{folder.name}-{secrets.token_hex(4)}"
        try:
            folder.rename(grave)
        except OSError:
            grave = folder
            _forget(folder)
        remove_tree(grave)

    def empty_trash(self) -> None:
        """Remove what an earlier server left behind."""
        for folder in self.trash.iterdir():
            remove_tree(folder)

    def used_bytes(self) -> int:
        """Return what all sandboxes and snapshots hold on disk."""
        total = 0
        for top in (self.sandboxes, self.snapshots, self.trash):
            for parent, folders, files in os.walk(top):
                for name in (*folders, *files):
                    with contextlib.suppress(OSError):
                        total += os.lstat(os.path.join(parent, name)).st_blocks * 512
        return total


def make_folders(folder: Path) -> None:
    """Create the folders of a sandbox's own.

    Raises
    ------
    ProtocolError
        ``not_enough_space``: the disk is full.
    """
    try:
        private_directory(folder)
        for name in FOLDERS.values():
            # Inside, they are its user's; outside, nobody enters the folder above them.
            (folder / name).mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise _cannot_write(error) from error


def _copy_tree(source: Path, destination: Path) -> None:
    done = subprocess.run(
        [*COPY, f"{source}/.", f"{destination}/"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["cp failed"])[-1]
        full = "No space left" in done.stderr
        raise ProtocolError(
            "not_enough_space" if full else "internal",
            f"The sandbox's files cannot be copied: {last}",
        )


def _forget(folder: Path) -> None:
    """Remove a folder's record: without it, nobody takes the folder for a sandbox."""
    try:
        (folder / "record.json").unlink(missing_ok=True)
    except OSError as error:
        raise ProtocolError(
            "internal", f"The files of {folder.name} cannot be removed: {error.strerror}."
        ) from error


def _cannot_write(error: OSError) -> ProtocolError:
    return ProtocolError(
        "not_enough_space", f"The server cannot write to its disk: {error.strerror}."
    )


def remove_tree(folder: Path) -> None:
    """Remove a tree even where its owner took its own rights away."""

    def unlock(_function: Any, path: str, _error: Any) -> None:
        parent = os.path.dirname(path)
        for locked in (parent, path):
            if not os.path.islink(locked):
                with contextlib.suppress(OSError):
                    os.chmod(locked, 0o700)
        with contextlib.suppress(OSError):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)

    shutil.rmtree(folder, onerror=unlock)


def _build(kind: type[T], values: dict[str, Any]) -> T:
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]  # both kinds are dataclasses
    return kind(**{name: value for name, value in values.items() if name in known})
