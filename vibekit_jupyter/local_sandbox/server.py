"""The server's life: one per root, found by its state file, ended by a word or by idleness."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vibekit_jupyter._version import __version__
from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.local_sandbox.app import Application
from vibekit_jupyter.local_sandbox.levels import Limits
from vibekit_jupyter.local_sandbox.probe import confine
from vibekit_jupyter.local_sandbox.sandboxes import Sandboxes
from vibekit_jupyter.local_sandbox.store import Store
from vibekit_jupyter.local_sandbox.visitors import HEAD_SECONDS, allow_descriptors
from vibekit_jupyter.settings.home import private_directory, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.local_sandbox.nursery import Nursery

__all__ = ["PROTOCOL", "Settings", "process_started", "serve"]

PROTOCOL = 1
SCHEMA = 1
BACKLOG = 256
# A handler ends when its client leaves: a run of a kernel is interrupted, a listener goes.
RUNNER: dict[str, Any] = {
    "access_log": None,
    "shutdown_timeout": 2.0,
    "handler_cancellation": True,
    "keepalive_timeout": HEAD_SECONDS,
    "lingering_time": 2.0,
}
log = logging.getLogger("vibekit.local_sandbox")


@dataclass(frozen=True)
class Settings:
    """What the command line decided.

    Attributes
    ----------
    port
        0 for any free one.
    ready_fd
        Where one line of JSON tells that the server listens, or why it does not.
    idle_exit
        Seconds without a request and without a running sandbox after which it ends.
    """

    root: Path
    state_file: Path
    key: str
    host: str = "127.0.0.1"
    port: int = 0
    ready_fd: int | None = None
    confine: str = "auto"
    idle_exit: float = 1800.0
    disk_mib: int = 10 * 1024
    limits: Limits = field(default_factory=Limits)


class Server:
    """One running server."""

    def __init__(self, settings: Settings, nursery: Nursery) -> None:
        self.settings = settings
        self.nursery = nursery
        self.instance = secrets.token_hex(16)
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to stop.

        Raises
        ------
        ConfigurationError
            It cannot start.
        """
        settings = self.settings
        allow_descriptors()
        store = Store(settings.root)
        with _lock(store.root):
            confinement = await confine(settings.confine, store, self.nursery, settings.limits)
            sandboxes = Sandboxes(
                store, confinement, self.nursery, disk_bytes=settings.disk_mib * 1024 * 1024
            )
            await sandboxes.open()
            listener = _listen(settings.host, settings.port)
            port = listener.getsockname()[1]
            application = Application(
                sandboxes,
                key=settings.key,
                host=settings.host,
                port=port,
                status=self._status,
                stop=self.stopping.set,
            )
            runner = web.AppRunner(application.served, **RUNNER)
            await runner.setup()
            listening = await _serve(listener, runner, application)
            url = f"http://{settings.host}:{port}"
            try:
                self._announce(url)
                log.info("serving %s level=%s root=%s", url, confinement.level, store.root)
                await self._until_stopped(application)
            finally:
                self._withdraw()
                await sandboxes.close()
                application.close()
                listening.close()
                await runner.cleanup()

    def _status(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
        }

    def _announce(self, url: str) -> None:
        settings = self.settings
        if not settings.state_file.parent.is_dir():  # one that is there may be everybody's
            private_directory(settings.state_file.parent)
        state = {
            "schema": SCHEMA,
            **self._status(),
            "pid_started": process_started(os.getpid()),
            "boot_id": _boot_id(),
            "url": url,
            "key": settings.key,
        }
        write_private(settings.state_file, json.dumps(state))
        tell(settings.ready_fd, {"url": url})

    def _withdraw(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            if json.loads(self.settings.state_file.read_text())["instance"] == self.instance:
                self.settings.state_file.unlink()

    async def _until_stopped(self, application: Application) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        seconds = self.settings.idle_exit
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(60.0, max(0.1, seconds / 4))):
                    await self.stopping.wait()
            states = {sandbox.record.state for sandbox in application.sandboxes.all.values()}
            quiet = application.under_way == 0 and "running" not in states
            if quiet and time.monotonic() - application.last_request > seconds:
                log.info("idle for %.0f seconds: ending", seconds)
                return


async def _serve(
    listener: socket.socket, runner: web.AppRunner, application: Application
) -> asyncio.Server:
    served = runner.server
    assert served is not None  # noqa: S101  the runner is set up
    return await asyncio.get_running_loop().create_server(
        lambda: application.visitors.admit(served), sock=listener, backlog=BACKLOG
    )


def serve(settings: Settings, nursery: Nursery) -> None:
    """Run a server to its end.

    Raises
    ------
    ConfigurationError
        It cannot start; the ready descriptor says why.
    """
    try:
        asyncio.run(Server(settings, nursery).run())
    except ConfigurationError as error:
        tell(settings.ready_fd, {"error": str(error)})
        raise
    except OSError as error:
        tell(settings.ready_fd, {"error": f"The sandbox server cannot start: {error}."})
        raise ConfigurationError(f"The sandbox server cannot start: {error}.") from error


def tell(ready_fd: int | None, message: dict[str, str]) -> None:
    """Write one line to the descriptor of whoever waits for the start, and close it."""
    if ready_fd is None:
        return
    with contextlib.suppress(OSError), os.fdopen(ready_fd, "w") as ready:
        ready.write(json.dumps(message) + "\n")


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode() or "unknown"
            raise ConfigurationError(
                f"Another sandbox server (pid {holder}) uses {root}.",
                hint="Stop it first, or choose another --root.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"The sandbox server cannot listen on {host}:{port}: {error.strerror}."
        ) from error


def process_started(pid: int) -> str:
    """Return when a process started, in the kernel's own units; nothing off Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[19].decode()
    except (OSError, IndexError):
        return ""


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
