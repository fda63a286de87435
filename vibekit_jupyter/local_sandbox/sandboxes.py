"""All sandboxes of this server: created, found, paused, resumed, forked, killed, timed out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.disk import Disk
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.sandbox import Sandbox
from vibekit_jupyter.local_sandbox.store import SandboxRecord, SnapshotRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vibekit_jupyter.local_sandbox.levels import Confinement
    from vibekit_jupyter.local_sandbox.nursery import Nursery
    from vibekit_jupyter.local_sandbox.store import Store

__all__ = ["Sandboxes"]

TEMPLATES = ("base", "code-interpreter-v1")
SAMPLE_SECONDS = 5.0
MOST_SAMPLES = 720
RETRY_SECONDS = 5.0
MEASURE_SECONDS = 10.0
# E2B's own bound on one sandbox's life would be pointless on one's own machine.
LONGEST_SECONDS = 10 * 365 * 86_400
log = logging.getLogger("vibekit.local_sandbox")


class Sandboxes:
    """The sandboxes and snapshots of one store.

    Parameters
    ----------
    disk_bytes
        What all of them may hold together; more refuses new ones and deletes nothing.
    """

    def __init__(
        self, store: Store, confinement: Confinement, nursery: Nursery, *, disk_bytes: int
    ) -> None:
        self.store = store
        self.confinement = confinement
        self.nursery = nursery
        self.disk = Disk(
            store, nursery, level=confinement.level, most_mib=confinement.limits.disk_mib
        )
        self.disk_bytes = disk_bytes
        self.used_bytes = 0
        self.all: dict[str, Sandbox] = {}
        self.snapshots: dict[str, SnapshotRecord] = {}
        self._measured = asyncio.Event()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Take up what an earlier server left, and begin to watch the clock."""
        for record in self.store.load_sandboxes():
            if record.state == "running" or record.memory:
                record.state, record.memory, record.lost = "paused", False, True
                with contextlib.suppress(ProtocolError):  # the next start says the same
                    self.store.save(record)
            self.all[record.id] = self._sandbox(record)
        self.snapshots = {snapshot.id: snapshot for snapshot in self.store.load_snapshots()}
        self._tasks = [
            asyncio.create_task(self._watch_clock(), name="clock"),
            asyncio.create_task(self._watch_use(), name="use"),
        ]

    async def close(self) -> None:
        """Pause whatever runs, to its files, and end every process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.disk.close()
        for sandbox in list(self.all.values()):
            sandbox.record.lost = sandbox.record.lost or sandbox.busy
            sandbox.record.state, sandbox.record.memory = "paused", False
            await sandbox.stop()
            with contextlib.suppress(ProtocolError):
                self.store.save(sandbox.record)

    def _sandbox(self, record: SandboxRecord) -> Sandbox:
        return Sandbox(record, self.store.folder(record), self.confinement, self.nursery)

    # -- finding ------------------------------------------------------------------------------

    def get(self, sandbox_id: str) -> Sandbox:
        """Return a sandbox by id; E2B's older clients add ``-CLIENT`` to it.

        Raises
        ------
        ProtocolError
            ``invalid_argument`` for what is no id, ``not_found``.
        """
        plain = sandbox_id.partition("-")[0]
        if not plain.isalnum() or not plain.isascii() or plain != plain.lower():
            raise ProtocolError("invalid_argument", "Invalid sandbox ID")
        if plain not in self.all:
            raise ProtocolError("not_found", f"Sandbox {plain} not found")
        return self.all[plain]

    async def awake(self, sandbox_id: str) -> Sandbox:
        """Return a sandbox that answers; traffic wakes it where its owner wants that.

        Raises
        ------
        ProtocolError
            ``unavailable``: it is paused, killed or was never there.
        """
        sandbox = self.all.get(sandbox_id.partition("-")[0])
        if sandbox is not None and not sandbox.running:
            record = sandbox.record
            if record.auto_resume or record.state == "running":
                await self.resume(sandbox, None)
        if sandbox is not None and sandbox.record.state == "paused":
            raise ProtocolError("unavailable", "The sandbox was not found: it is paused")
        if sandbox is None or not sandbox.running:
            raise ProtocolError("unavailable", "The sandbox was not found")
        return sandbox

    # -- life ---------------------------------------------------------------------------------

    async def create(self, record: SandboxRecord, timeout: float) -> Sandbox:
        """Make a sandbox, from a snapshot where its template is one.

        Raises
        ------
        ProtocolError
            ``not_found`` for an unknown template, ``not_enough_space``.
        """
        await self._must_have_room()
        snapshot = self.snapshots.get(record.template.partition(":")[0])
        if snapshot is None and record.template not in TEMPLATES:
            raise ProtocolError("not_found", f"template '{record.template}' not found")
        record.end_at = time.time() + min(timeout, LONGEST_SECONDS)
        if snapshot is not None:
            await self.disk.restore(self.store.folder(snapshot), self.store.folder(record))
        return await self._begin(record)

    async def _begin(self, record: SandboxRecord) -> Sandbox:
        sandbox = self._sandbox(record)
        try:
            self.store.create(record)
            await sandbox.start()
        except BaseException:
            await self.disk.discard(sandbox.folder)
            raise
        self.all[record.id] = sandbox
        self._wake.set()
        return sandbox

    async def _must_have_room(self) -> None:
        # What earlier sandboxes left is measured while the server already serves.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MEASURE_SECONDS):
                await self._measured.wait()
        if self.used_bytes >= self.disk_bytes:  # unless some was killed just now
            await self.disk.empty_trash()
            await self._measure_disk()
        if self.used_bytes >= self.disk_bytes:
            raise ProtocolError(
                "not_enough_space",
                f"The sandboxes of this machine hold {self.used_bytes / 2**30:.1f} GiB, and the "
                f"limit is {self.disk_bytes / 2**30:.1f} GiB: kill some, or prune paused ones.",
            )

    async def kill(self, sandbox: Sandbox) -> None:
        """End a sandbox: its processes, its files, its record.

        Raises
        ------
        ProtocolError
            ``not_found``; ``internal`` where its files cannot be removed: then it is still there.
        """
        if self.all.pop(sandbox.id, None) is None:
            raise ProtocolError("not_found", f"Sandbox {sandbox.id} not found")
        await sandbox.stop()
        try:
            await self.disk.discard(sandbox.folder)
        except ProtocolError:
            self.all[sandbox.id] = sandbox
            raise

    def change(self, sandbox: Sandbox, **changes: Any) -> None:
        """Change a sandbox's record: on disk first, and where that fails not at all.

        Raises
        ------
        ProtocolError
            ``not_enough_space``: the disk is full.
        """
        changed = replace(sandbox.record, **changes)
        self.store.save(changed)
        sandbox.record = changed

    async def pause(self, sandbox: Sandbox, *, memory: bool = True) -> None:
        """Stop a sandbox where it stands; without ``memory``, only its files stay.

        Raises
        ------
        ProtocolError
            ``conflict``: it is paused already; ``not_enough_space``: it runs on.
        """
        async with sandbox.changing:
            if sandbox.record.state == "paused":
                raise ProtocolError("conflict", f"Sandbox {sandbox.id} is already paused")
            memory = memory and sandbox.running
            self.change(sandbox, state="paused", memory=memory, lost=False)
            if memory:
                await sandbox.freeze()
            else:
                await sandbox.stop()

    async def resume(self, sandbox: Sandbox, timeout: float | None, *, memory: bool = True) -> bool:
        """Let a sandbox go on, for ``timeout`` seconds at least; return whether it was paused.

        Without ``memory``, the processes that a pause has kept are ended.

        Raises
        ------
        ProtocolError
            ``not_enough_space``: it stays as it was.
        """
        async with sandbox.changing:
            was_paused = sandbox.record.state == "paused"
            if was_paused and not memory:
                self.change(sandbox, memory=False)
                await sandbox.stop()
            asleep, record = not sandbox.running, sandbox.record
            kept = await sandbox.thaw() if asleep else True
            length = 300.0 if timeout is None else min(timeout, LONGEST_SECONDS)
            end_at = time.time() + length
            try:
                self.change(
                    sandbox,
                    state="running",
                    memory=True,
                    lost=record.lost or (record.memory and not kept),
                    end_at=end_at if was_paused else max(end_at, record.end_at),
                )
            except ProtocolError:
                if asleep:
                    await (sandbox.freeze() if kept else sandbox.stop())
                raise
            self._wake.set()
            return was_paused

    def set_timeout(self, sandbox: Sandbox, seconds: float) -> None:
        """Set the time a sandbox has from now on."""
        self.change(sandbox, end_at=time.time() + min(seconds, LONGEST_SECONDS))
        self._wake.set()

    async def set_network(self, sandbox: Sandbox, network: dict[str, Any]) -> None:
        """Change what a sandbox may reach; commands that run already learn of no new way out.

        Raises
        ------
        ProtocolError
            ``conflict``: Landlock's rules cannot be widened.
        """
        async with sandbox.changing:
            internet = sandbox.record.internet
            if network.get("allow_internet_access") and not internet:
                if self.confinement.level == "landlock":
                    raise ProtocolError(
                        "conflict",
                        f"Sandbox {sandbox.id} was made without internet, and Landlock's rules "
                        "cannot be widened: make another one with it.",
                    )
                internet = True
            self.change(sandbox, network=network, internet=internet)
            if sandbox.running:
                await sandbox.open_egress()

    # -- copies -------------------------------------------------------------------------------

    async def fork(self, sandbox: Sandbox, timeout: float) -> Sandbox:
        """Copy a sandbox's files into a new one; the original goes on.

        Raises
        ------
        ProtocolError
            ``not_enough_space`` and what :meth:`create` raises.
        """
        await self._must_have_room()
        record = sandbox.record.copied(self.store.new_id())
        record.end_at = time.time() + min(timeout, LONGEST_SECONDS)
        async with self._still(sandbox):
            await self.disk.fork(sandbox.folder, self.store.folder(record))
        return await self._begin(record)

    async def snapshot(self, sandbox: Sandbox, name: str) -> SnapshotRecord:
        """Keep a sandbox's files as a template for new ones."""
        await self._must_have_room()
        snapshot = SnapshotRecord(id=self.store.new_id(), sandbox=sandbox.id, name=name)
        async with self._still(sandbox):
            await self.disk.keep(sandbox.folder, self.store.folder(snapshot))
        try:
            self.store.save(snapshot)
        except ProtocolError:
            await self.disk.discard(self.store.folder(snapshot))
            raise
        self.snapshots[snapshot.id] = snapshot
        return snapshot

    async def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot by id or name.

        Raises
        ------
        ProtocolError
            ``not_found``.
        """
        plain = name.partition(":")[0]
        snapshot = self.snapshots.pop(plain, None)
        if snapshot is None:
            raise ProtocolError("not_found", f"template '{plain}' not found")
        try:
            await self.disk.discard(self.store.folder(snapshot))
        except ProtocolError:
            self.snapshots[plain] = snapshot
            raise

    @staticmethod
    @contextlib.asynccontextmanager
    async def _still(sandbox: Sandbox) -> AsyncIterator[None]:
        """Let nothing that is honest move: a copy is one moment.

        Whoever moves nevertheless spoils the copy and nothing else (see ``disk``).
        """
        moving = sandbox.running
        if moving:
            await sandbox.request("pause")
        try:
            yield
        finally:
            if moving:
                await sandbox.request("resume")

    # -- time ---------------------------------------------------------------------------------

    async def _watch_clock(self) -> None:
        while True:
            self._wake.clear()
            wait = 0.0
            for sandbox in [found for found in self.all.values() if found.expired]:
                try:
                    await self._time_is_over(sandbox)
                except ProtocolError as error:
                    log.warning("sandbox %s is over its time, but: %s", sandbox.id, error)
                    wait = RETRY_SECONDS
            ends = [s.record.end_at for s in self.all.values() if s.record.state == "running"]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wait, min(ends) - time.time()) if ends else None):
                    await self._wake.wait()

    async def _time_is_over(self, sandbox: Sandbox) -> None:
        if sandbox.record.on_timeout == "pause":
            await self.pause(sandbox, memory=sandbox.record.timeout_memory)
        else:
            await self.kill(sandbox)

    async def _watch_use(self) -> None:
        due = 0.0
        while True:
            begun = time.monotonic()
            if begun >= due:
                with contextlib.suppress(ProtocolError):
                    await self._measure_disk()
                await self.disk.empty_trash()
                # Where that takes long, it is done seldom.
                due = time.monotonic() + 10 * (time.monotonic() - begun)
            await asyncio.sleep(SAMPLE_SECONDS)
            for sandbox in [found for found in self.all.values() if found.busy]:
                with contextlib.suppress(ProtocolError):
                    await self.sample(sandbox)

    async def _measure_disk(self) -> None:
        changing = [sandbox.id for sandbox in self.all.values() if sandbox.alive]
        self.used_bytes = await self.disk.used_bytes(changing)
        self._measured.set()

    async def sample(self, sandbox: Sandbox) -> dict[str, Any]:
        """Measure a sandbox now, in the form that the protocol tells metrics in."""
        use, _none = await sandbox.request("usage")
        before = sandbox.samples[-1] if sandbox.samples else None
        now = time.time()
        spent = 0.0
        if before and now > before["at"]:
            spent = max(0.0, use["cpu"] - before["cpu"]) / (now - before["at"]) * 100
        sample = {"at": now, "percent": spent, **use}
        sandbox.samples = [*sandbox.samples[1 - MOST_SAMPLES :], sample]
        return sample
