"""What is done to the files of sandboxes from outside of them.

The rule: nothing outside a sandbox's confinement walks, opens, copies, measures or removes
anything below its folders by a path. Whatever runs in a sandbox may swap a folder for a link
between two looks, a stopped process, too (a signal of a timer wakes it), and a path would then
lead to the files of this machine. So

- copies, measures and removals are done by workers (``supervisor.worker``), by descriptors alone
  (``supervisor.tree``), each held by the kernel to the one folder that it is given;
- from one sandbox to another go bytes only (``supervisor.archive``): who reads the one cannot
  reach the other;
- what clients ask of files is done by the supervisor, inside (``supervisor.files``); the server
  gets descriptors of what it has opened;
- before a sandbox starts, its three folders are made ready by descriptors (``levels``);
- the server itself touches what is above the folders alone, which no sandbox can: it creates a
  sandbox's folder, writes records, and renames a folder away into the trash.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.bubblewrap import sandbox_uid
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.store import ARCHIVE, FOLDERS, make_folders
from vibekit_jupyter.local_sandbox.supervisor.tree import open_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vibekit_jupyter.local_sandbox.nursery import Nursery
    from vibekit_jupyter.local_sandbox.store import Store

__all__ = ["Disk"]

NAMES = list(FOLDERS.values())
NEW_ARCHIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
log = logging.getLogger("vibekit.local_sandbox")


class Disk:
    """The trees of one store.

    Parameters
    ----------
    level
        Of confinement: it decides whose the files are.
    most_mib
        What one sandbox may hold.
    """

    def __init__(self, store: Store, nursery: Nursery, *, level: str, most_mib: int) -> None:
        self.store = store
        self._nursery = nursery
        self._owner = sandbox_uid() if level == "bubblewrap" else None
        # A sandbox can be over its limit by what it wrote since the last look.
        self._most = 2 * most_mib * 2**20
        self._emptying = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sizes: dict[tuple[str, str], int] = {}

    async def close(self) -> None:
        """Stop removing: the next server goes on with it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def fork(self, source: Path, destination: Path) -> None:
        """Copy a sandbox's files into a new folder.

        Raises
        ------
        ProtocolError
            ``not_enough_space``, ``resource_exhausted`` or ``internal``; nothing is left of it.
        """
        reader, writer = os.pipe()
        ends = self._pack(source, writer), self._fill(destination, reader)
        for failure in await asyncio.gather(*ends, return_exceptions=True):
            # Where one end fails, the other ends with it.
            if isinstance(failure, BaseException) and getattr(failure, "code", "") != "canceled":
                await self.discard(destination)
                raise failure

    async def keep(self, source: Path, snapshot: Path) -> None:
        """Write a sandbox's files into a snapshot's archive, in a new folder.

        Raises
        ------
        ProtocolError
            As for :meth:`fork`.
        """
        try:
            make_folders(snapshot, ())
            try:
                archive = os.open(snapshot / ARCHIVE, NEW_ARCHIVE, 0o600)
            except OSError as error:
                raise _cannot_copy("not_enough_space", str(error.strerror)) from error
            await self._pack(source, archive)
        except BaseException:
            await self.discard(snapshot)
            raise

    async def restore(self, snapshot: Path, destination: Path) -> None:
        """Copy a snapshot's files into a new sandbox's folder.

        Raises
        ------
        ProtocolError
            As for :meth:`fork`.
        """
        try:
            archive = os.open(snapshot / ARCHIVE, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # of an earlier version, which kept folders
            await self.fork(snapshot, destination)
        except OSError as error:
            raise _cannot_copy("internal", str(error.strerror)) from error
        else:
            try:
                await self._fill(destination, archive)
            except ProtocolError:
                await self.discard(destination)
                raise

    async def _pack(self, source: Path, archive: int) -> None:
        try:
            await self._work("pack", source, NAMES, archive, most=self._most)
        except ProtocolError as error:
            raise _cannot_copy(error.code, error.message) from error

    async def _fill(self, destination: Path, archive: int) -> None:
        try:
            make_folders(destination)
        except ProtocolError:
            os.close(archive)
            raise
        try:
            await self._work("unpack", destination, NAMES, archive, owner=self._owner)
        except ProtocolError as error:
            raise _cannot_copy(error.code, error.message) from error

    async def discard(self, folder: Path) -> None:
        """Remove a sandbox or a snapshot: out of sight at once, off the disk as fast as it goes.

        Raises
        ------
        ProtocolError
            ``internal``: it is still there, with its record.
        """
        if self.store.bury(folder):
            task = asyncio.ensure_future(self.empty_trash())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            await self._work("remove", folder.parent, [folder.name])

    async def empty_trash(self) -> None:
        """Remove what is on its way out; what does not go now is tried again next time."""
        async with self._emptying:
            if names := _names(self.store.trash):
                with contextlib.suppress(ProtocolError):
                    left = await self._work("remove", self.store.trash, names)
                    if left:
                        log.warning("cannot be removed for now: %s", ", ".join(left))

    async def used_bytes(self, changing: Iterable[str]) -> int:
        """Return what all sandboxes and snapshots hold on disk.

        Only what is new, or is one of ``changing``, is measured again.
        """
        again = set(changing)
        sizes: dict[tuple[str, str], int] = {}
        for parent in (self.store.sandboxes, self.store.snapshots, self.store.trash):
            names = _names(parent)
            known = self._sizes if parent != self.store.trash else {}
            new = [name for name in names if name in again or (parent.name, name) not in known]
            measured = await self._work("measure", parent, new) if new else []
            found = {
                (parent.name, name): size for name, (size, _n) in zip(new, measured, strict=True)
            }
            for name in names:
                key = (parent.name, name)
                sizes[key] = found[key] if key in found else known[key]
        self._sizes = sizes
        return sum(sizes.values())

    async def _work(
        self, job: str, folder: Path, names: list[str], archive: int | None = None, **fields: Any
    ) -> Any:
        """Have a job done in ``folder``; ``archive`` is closed with it."""
        descriptors = [] if archive is None else [archive]
        try:
            try:
                descriptors.insert(0, open_folder(str(folder)))
            except OSError as error:
                raise ProtocolError("internal", f"{folder.name}: {error.strerror}") from error
            return await self._nursery.work({"job": job, "names": names, **fields}, descriptors)
        finally:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    os.close(descriptor)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _cannot_copy(code: str, reason: str) -> ProtocolError:
    return ProtocolError(code, f"The sandbox's files cannot be copied: {reason}.")
