"""One sandbox while the server runs: its record, its supervisor, its commands and watchers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.bubblewrap import sandbox_uid
from vibekit_jupyter.local_sandbox.commands import Command, Pipes
from vibekit_jupyter.local_sandbox.egress import (
    PROXY_PORT,
    Egress,
    Policy,
    proxy_environment,
)
from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.shapes import whole
from vibekit_jupyter.local_sandbox.supervisor.watch import new_instance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vibekit_jupyter.local_sandbox.levels import Confinement
    from vibekit_jupyter.local_sandbox.line import Line
    from vibekit_jupyter.local_sandbox.nursery import Nursery
    from vibekit_jupyter.local_sandbox.store import SandboxRecord
    from vibekit_jupyter.local_sandbox.supervisor.frames import Message

__all__ = ["USERS", "Sandbox"]

USERS = ("user", "root")
REMEMBER_SECONDS = 30.0
MOST_REMEMBERED = 100
log = logging.getLogger("vibekit.local_sandbox")
Report = Callable[[list[dict[str, Any]] | None], None]


class Sandbox:
    """A sandbox.

    Parameters
    ----------
    record, folder
        What is on disk.
    confinement
        How its supervisor is confined.
    nursery
        Where supervisors come from.

    Attributes
    ----------
    changing
        Held while it is paused or resumed.
    """

    def __init__(
        self,
        record: SandboxRecord,
        folder: Path,
        confinement: Confinement,
        nursery: Nursery,
    ) -> None:
        self.record = record
        self.folder = folder
        self.confinement = confinement
        self.commands: dict[int, Command] = {}
        self.watchers: dict[int, Report] = {}
        self.samples: list[dict[str, Any]] = []
        self._nursery = nursery
        self._line: Line | None = None
        self._numbers = itertools.count(1)
        # Of commands that end before their starter hears that they have begun.
        self._starting = 0
        self._early_exits: dict[int, int] = {}
        self._ended_at: deque[tuple[float, Command]] = deque()
        self.changing = asyncio.Lock()
        self._lock = asyncio.Lock()
        self._egress: Egress | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def running(self) -> bool:
        """Whether it answers envd requests now."""
        return self.record.state == "running" and self._line is not None

    @property
    def alive(self) -> bool:
        """Whether anything of it runs, or stands still."""
        return self._line is not None

    @property
    def busy(self) -> bool:
        """Whether a command runs in it."""
        return any(command.active for command in self.commands.values())

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.record.state == "running" and time.time() >= self.record.end_at

    # -- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start its supervisor, where none runs.

        Raises
        ------
        ProtocolError
            It cannot be confined, or not be started.
        """
        async with self._lock:
            if self._line is None:
                plan = self.confinement.plan(self.folder)
                outside = self._listen_outside(plan)
                self._line = await self._nursery.supervisor(self.id, plan, self._heard, self._ended)
                await self._open_egress(outside)

    def _listen_outside(self, plan: dict[str, Any]) -> socket.socket | None:
        """Without a network of its own, the sandbox finds its proxy on the machine's loopback."""
        if not self.record.internet or self.confinement.level != "landlock":
            return None
        listener = socket.create_server(("127.0.0.1", 0))
        plan["ports"] = [listener.getsockname()[1]]
        return listener

    async def open_egress(self) -> None:
        """Open the way out where its record wants one by now; new commands find it."""
        async with self._lock:
            await self._open_egress(None)

    async def _open_egress(self, outside: socket.socket | None) -> None:
        if not self.record.internet or self._egress is not None:
            return
        if self.confinement.level == "bubblewrap":
            _answer, (descriptor,) = await self.request("listen", port=PROXY_PORT)
            outside = socket.socket(fileno=descriptor)
        if outside is not None:
            self._egress = Egress(outside, lambda: Policy.of(self.record.network))

    def _close_egress(self) -> None:
        if self._egress is not None:
            self._egress.close()
            self._egress = None

    async def stop(self) -> None:
        """End its supervisor and every process; the files stay."""
        async with self._lock:
            line, self._line = self._line, None
            self._close_egress()
            if line is not None:
                line.close()
                self._nursery.end(self.id)
            await self._let_go()

    async def freeze(self) -> None:
        """Stop every process where it stands; streams are cut."""
        await self.request("pause")
        for command in self.commands.values():
            command.cut()
        self._end_watchers()

    async def thaw(self) -> bool:
        """Let every process go on; return False where a new supervisor had to be started."""
        if self._line is None:
            await self.start()
            return False
        await self.request("resume")
        await self.open_egress()
        return True

    async def _let_go(self) -> None:
        self._end_watchers()
        commands, self.commands = self.commands, {}
        self._ended_at.clear()
        for command in commands.values():
            await command.abandon()

    def _end_watchers(self) -> None:
        watchers, self.watchers = self.watchers, {}
        for report in watchers.values():
            report(None)

    def _ended(self) -> None:
        """Note that the supervisor went away by itself: its processes are lost."""
        if self._line is not None:
            self._line = None
            self._close_egress()
            self.record.lost = True
            self._nursery.end(self.id)
            self._farewell = asyncio.ensure_future(self._let_go())

    async def request(
        self, operation: str, *, descriptors: tuple[int, ...] | list[int] = (), **fields: Any
    ) -> tuple[dict[str, Any], list[int]]:
        """Ask the supervisor.

        Raises
        ------
        ProtocolError
            It refused, or there is none.
        """
        if self._line is None:
            raise ProtocolError("unavailable", "The sandbox was not found")
        return await self._line.request(operation, descriptors=descriptors, **fields)

    def _heard(self, message: Message) -> None:
        match message["event"]:
            case "exit":
                if command := self.commands.get(message["pid"]):
                    command.exited(message["status"])
                elif self._starting:
                    self._early_exits[message["pid"]] = message["status"]
            case "limit":
                log.warning("sandbox %s: %s", self.id, message["message"])
                for command in self.commands.values():
                    command.reason = command.reason or message["message"]
            case "watch":
                if report := self.watchers.get(message["watch"]):
                    report(message["events"])
                if message["events"] is None:
                    self.watchers.pop(message["watch"], None)

    # -- commands ----------------------------------------------------------------------------

    async def spawn(
        self,
        config: dict[str, Any],
        *,
        user: str,
        stdin: bool,
        terminal: tuple[int, int] | None = None,
        tag: str | None = None,
    ) -> Command:
        """Start a command; its output is read once :meth:`Command.begin` is called.

        Parameters
        ----------
        config
            ``cmd``, ``args``, ``envs`` and ``cwd``, as in the protocol.
        terminal
            Columns and rows of its terminal, where it gets one.
        """
        pipes = Pipes.terminal(*terminal) if terminal else Pipes.plain(stdin=stdin)
        if self.confinement.level == "bubblewrap" and (owner := sandbox_uid()) is not None:
            pipes.give_to(owner)
        self._starting += 1
        try:
            answer, _none = await self.request(
                "spawn",
                descriptors=pipes.theirs,
                argv=[config["cmd"], *config.get("args", [])],
                envs={**self._way_out(), **self.record.envs, **config.get("envs", {})},
                cwd=config.get("cwd"),
                user=user,
                mark=f"{self.id}-{next(self._numbers)}",
            )
            pid = answer["pid"]
            command = self.commands[pid] = Command(pid, config, pipes, tag)
            if pid in self._early_exits:
                command.exited(self._early_exits.pop(pid))
        except BaseException:
            pipes.close()
            raise
        finally:
            self._starting -= 1
            if not self._starting:
                self._early_exits.clear()  # their starters have left
        pipes.close_theirs()
        return command

    def _way_out(self) -> dict[str, str]:
        if self._egress is None:
            return {}
        return proxy_environment(self._egress.port)

    async def forget_later(self, command: Command) -> None:
        """Keep a command's exit code for those who ask late; of many, only of the last ones."""
        await command.ended.wait()
        self._ended_at.append((time.monotonic(), command))
        self._forget()

    def _forget(self) -> None:
        earliest = time.monotonic() - REMEMBER_SECONDS
        ended = self._ended_at
        while ended and (len(ended) > MOST_REMEMBERED or ended[0][0] < earliest):
            _when, command = ended.popleft()
            if self.commands.get(command.pid) is command:
                del self.commands[command.pid]

    def command(self, selector: dict[str, Any]) -> Command:
        """Return the command that ``pid`` or ``tag`` selects.

        Raises
        ------
        ProtocolError
            ``not_found``.
        """
        self._forget()
        if "pid" in selector:
            found = self.commands.get(whole(selector["pid"], "pid", 0))
        else:
            tag = selector.get("tag")
            found = next((c for c in self.commands.values() if tag and c.tag == tag), None)
        if found is None:
            name = str(selector.get("pid", selector.get("tag")))[:100]
            raise ProtocolError("not_found", f"process {name} not found")
        return found

    # -- files and watchers --------------------------------------------------------------------

    @asynccontextmanager
    async def opened(
        self, path: str, user: str, mode: str
    ) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        """Open a file of the sandbox (``read`` or ``write``); give its descriptor and entry."""
        answer, (descriptor,) = await self.request("open", path=path, user=user, mode=mode)
        os.set_blocking(descriptor, True)
        try:
            yield descriptor, answer["entry"]
        finally:
            os.close(descriptor)

    async def watch(
        self,
        path: str,
        *,
        user: str,
        recursive: bool,
        include_entry: bool,
        report: Report,
    ) -> int:
        """Begin to watch a folder; return the watcher's number.

        ``report`` is called with what happens, and with ``None`` when the sandbox goes away.
        """
        number = next(self._numbers)
        self.watchers[number] = report
        instance = new_instance()
        try:
            await self.request(
                "watch",
                descriptors=[instance] if instance >= 0 else [],
                watch=number,
                path=path,
                user=user,
                recursive=recursive,
                include_entry=include_entry,
            )
        except BaseException:
            self.watchers.pop(number, None)
            raise
        finally:
            if instance >= 0:
                os.close(instance)
        return number

    async def unwatch(self, number: int) -> None:
        """End a watcher, wherever it is."""
        if self.watchers.pop(number, None) is not None and self._line is not None:
            await self.request("unwatch", watch=number)
