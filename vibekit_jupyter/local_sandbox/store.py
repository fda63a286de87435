"""What the server keeps on disk: one folder per sandbox and per snapshot, and its record.

::

    ROOT/.lock                       held by the one server of this root
    ROOT/sandboxes/ID/record.json    written whole or not at all
    ROOT/sandboxes/ID/{home,tmp,root}
    ROOT/snapshots/ID/record.json    the same
    ROOT/snapshots/ID/files          as ``supervisor.archive`` packs them; earlier: the folders
    ROOT/trash/                      on its way out

What is below the folders of a sandbox is the business of :mod:`.disk`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.settings.home import private_directory, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

T = TypeVar("T")

__all__ = ["ARCHIVE", "FOLDERS", "SandboxRecord", "SnapshotRecord", "Store", "make_folders"]

NETWORK = ("allowOut", "denyOut", "allow_internet_access")
FOLDERS = {"/home/user": "home", "/root": "root", "/tmp": "tmp"}
ARCHIVE = "files"
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

    def copied(self, new_id: str) -> SandboxRecord:
        """Return the record of a new sandbox that is wanted as this one was."""
        return SandboxRecord(
            id=new_id,
            template=self.template,
            metadata=dict(self.metadata),
            envs=dict(self.envs),
            on_timeout=self.on_timeout,
            timeout_memory=self.timeout_memory,
            auto_resume=self.auto_resume,
            internet=self.internet,
            network=dict(self.network),
        )


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

    def bury(self, folder: Path) -> bool:
        """Move a folder into the trash; return False where only its record could be removed.

        Raises
        ------
        ProtocolError
            ``internal``: it is still there, with its record.
        """
        try:
            folder.rename(self.trash / f"{folder.name}-{secrets.token_hex(4)}")
        except FileNotFoundError:
            return True
        except OSError:
            _forget(folder)
            return False
        return True


def make_folders(folder: Path, names: Iterable[str] = FOLDERS.values()) -> None:
    """Create the folder of a sandbox or a snapshot, and those of a sandbox's own in it.

    Raises
    ------
    ProtocolError
        ``not_enough_space``: the disk is full.
    """
    try:
        private_directory(folder)
        for name in names:
            # Inside, they are its user's; outside, nobody enters the folder above them.
            (folder / name).mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise _cannot_write(error) from error


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


def _build(kind: type[T], values: dict[str, Any]) -> T:
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]  # both kinds are dataclasses
    return kind(**{name: value for name, value in values.items() if name in known})
