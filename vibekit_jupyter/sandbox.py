"""A connected sandbox: a thin layer over ``e2b.AsyncSandbox``.

It adds what the SDK leaves to its callers: a command that is cancelled or out of time is
ended with everything it started, a retained output is bounded, and every way to fail is one
of our errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Literal

from vibekit_jupyter.bounded_text import BoundedText
from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.events import CommandResult
from vibekit_jupyter.sandbox_errors import file_errors, sandbox_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    import e2b

    from vibekit_jupyter.config import Service

__all__ = ["Entry", "Sandbox", "SandboxInfo", "get_info", "kill", "list_sandboxes", "pause"]

# Every process of a command inherits this mark, however it detaches itself, and is found by it.
MARK = "VIBEKIT_RUN"
END_COMMAND = """
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  pids=$(grep -lzxF "VIBEKIT_RUN=$VIBEKIT_END" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
  [ -n "$pids" ] || exit 0
  kill -KILL $pids 2>/dev/null
done
"""
END_TIMEOUT = 5.0
# The service ends a command this long after we should have: for a kernel that was killed.
GRACE = 30.0


@dataclass(frozen=True)
class Entry:
    """A file or folder in the sandbox. ``size`` is in bytes."""

    name: str
    path: str
    is_dir: bool
    size: int


@dataclass(frozen=True)
class SandboxInfo:
    """What the service says of a sandbox."""

    id: str
    state: Literal["running", "paused"]
    started: datetime
    ends_at: datetime
    metadata: Mapping[str, str]


class Sandbox:
    """One connected sandbox. Make it with :meth:`create` or :meth:`connect`.

    Attributes
    ----------
    id
        The sandbox's id, which is the session's.
    ends_at
        When its time runs out, as far as is known without asking.
    """

    def __init__(self, service: Service, sdk: e2b.AsyncSandbox, timeout: float) -> None:
        self.service = service
        self.id = sdk.sandbox_id
        self.ends_at = datetime.now(UTC) + timedelta(seconds=timeout)
        self._sdk = sdk

    @classmethod
    async def create(
        cls,
        service: Service,
        *,
        timeout: float,
        metadata: Mapping[str, str],
        internet: bool = True,
    ) -> Sandbox:
        """Create a sandbox that pauses, and does not die, when its time runs out.

        Parameters
        ----------
        timeout
            Seconds until it pauses.
        metadata
            Kept by the service, and never changed.
        internet
            Whether its commands reach the internet.
        """
        sdk_class = _sdk()
        with sandbox_errors(service):
            sdk = await sdk_class.create(
                template=service.template,
                timeout=int(timeout),
                metadata=dict(metadata),
                allow_internet_access=internet,
                lifecycle={"on_timeout": "pause", "auto_resume": True},
                **_options(service),
            )
        return cls(service, sdk, timeout)

    @classmethod
    async def connect(cls, service: Service, sandbox_id: str, *, timeout: float) -> Sandbox:
        """Connect a sandbox, resuming it if it is paused; its time is only ever lengthened."""
        with sandbox_errors(service, sandbox_id):
            sdk = await _sdk().connect(sandbox_id, timeout=int(timeout), **_options(service))
        return cls(service, sdk, timeout)

    @property
    def is_out_of_time(self) -> bool:
        """Whether its time has run out, as far as is known without asking."""
        return datetime.now(UTC) >= self.ends_at

    async def run(
        self,
        command: str,
        *,
        timeout: float | None = None,
        cwd: str | None = None,
        on_output: Callable[[Literal["stdout", "stderr"], str], None] | None = None,
        keep: int | None = None,
    ) -> CommandResult:
        """Run bash source in the sandbox. Its exit code is no error here.

        Parameters
        ----------
        timeout
            Seconds; then the command is ended with all it started. None is no limit.
        cwd
            Where it runs; None is the home folder.
        on_output
            Called with each piece of output as it comes.
        keep
            How many characters of each stream to retain, half from the head and half from
            the tail; None is all.
        """
        mark = uuid.uuid4().hex
        kept = {"stdout": BoundedText(keep), "stderr": BoundedText(keep)}

        def collect(stream: Literal["stdout", "stderr"]) -> Callable[[str], None]:
            def collected(text: str) -> None:
                kept[stream].add(text)
                if on_output is not None:
                    on_output(stream, text)

            return collected

        started = time.monotonic()
        running = asyncio.ensure_future(
            self._run_marked(
                command,
                mark,
                timeout=timeout,
                cwd=cwd,
                on_stdout=collect("stdout"),
                on_stderr=collect("stderr"),
            )
        )
        try:
            async with asyncio.timeout(timeout):
                exit_code = await asyncio.shield(running)
        except TimeoutError:
            await self._end(mark, running)
            exit_code, timed_out = -1, True
        except asyncio.CancelledError:
            await asyncio.shield(self._end(mark, running))
            raise
        else:
            timed_out = False
        return CommandResult(
            command,
            exit_code,
            kept["stdout"].text(),
            kept["stderr"].text(),
            time.monotonic() - started,
            timed_out,
        )

    async def _run_marked(
        self,
        command: str,
        mark: str,
        *,
        timeout: float | None,
        cwd: str | None,
        on_stdout: Callable[[str], None],
        on_stderr: Callable[[str], None],
    ) -> int:
        from e2b import CommandExitException

        with sandbox_errors(self.service, self.id):
            try:
                handle = await self._sdk.commands.run(
                    command,
                    background=True,
                    envs={MARK: mark},
                    cwd=cwd,
                    on_stdout=on_stdout,
                    on_stderr=on_stderr,
                    timeout=0 if timeout is None else timeout + GRACE,
                    **_bounded_output(),
                )
                return int((await handle.wait()).exit_code)
            except CommandExitException as failed:
                return int(failed.exit_code)

    async def _end(self, mark: str, running: asyncio.Future[int]) -> None:
        """End every process of a command, then wait for its stream to close.

        A command that was only just asked for may start after the first look, so the look is
        taken until the stream is closed.
        """
        async with asyncio.timeout(END_TIMEOUT):
            while not running.done():
                with contextlib.suppress(SandboxError, SessionNotFoundError):
                    await self._end_marked(mark)
                await asyncio.wait([running], timeout=0.2)
        with contextlib.suppress(SandboxError, SessionNotFoundError):
            running.result()

    async def _end_marked(self, mark: str) -> None:
        with sandbox_errors(self.service, self.id):
            await self._sdk.commands.run(
                END_COMMAND, envs={"VIBEKIT_END": mark}, timeout=END_TIMEOUT
            )

    async def read_file(self, path: str, *, most: int | None = None) -> bytes:
        """Return a file's bytes, or the first ``most`` of them.

        Raises
        ------
        FileNotFoundError, OSError
            There is no such file; it is not a file.
        """
        with file_errors(path), sandbox_errors(self.service, self.id):
            if most is None:
                return bytes(await self._sdk.files.read(path, format="bytes"))
            data = bytearray()
            async with await self._sdk.files.read(path, format="stream") as chunks:
                async for chunk in chunks:
                    data += chunk
                    if len(data) >= most:
                        break
            return bytes(data[:most])

    async def write_file(self, path: str, data: bytes | IO[bytes]) -> None:
        """Write a file, with the folders above it; an open file is sent in pieces."""
        with file_errors(path), sandbox_errors(self.service, self.id):
            await self._sdk.files.write(path, data)

    async def list_files(self, path: str) -> Sequence[Entry]:
        """Return what is in a folder.

        Raises
        ------
        FileNotFoundError, OSError
            There is no such folder; it is not a folder.
        """
        with file_errors(path), sandbox_errors(self.service, self.id):
            entries = await self._sdk.files.list(path)
        return [
            Entry(
                entry.name,
                entry.path,
                is_dir=entry.type is not None and entry.type.value == "dir",
                size=entry.size,
            )
            for entry in entries
        ]

    async def keep_alive(self, seconds: float) -> None:
        """Let the sandbox run for at least so long from now; never shortens its time."""
        ends_at = datetime.now(UTC) + timedelta(seconds=seconds)
        if ends_at <= self.ends_at:
            return
        with sandbox_errors(self.service, self.id):
            await self._sdk.set_timeout(int(seconds))
        self.ends_at = ends_at


async def get_info(service: Service, sandbox_id: str) -> SandboxInfo:
    """Ask the service about a sandbox, without waking it.

    Raises
    ------
    SessionNotFoundError
        It is gone.
    """
    with sandbox_errors(service, sandbox_id):
        return _info(await _sdk().get_info(sandbox_id, **_options(service)))


async def list_sandboxes(
    service: Service, *, metadata: Mapping[str, str] | None = None
) -> AsyncIterator[SandboxInfo]:
    """Yield the sandboxes that the service has, running and paused, the newest first.

    ``metadata`` leaves those that carry all of it.
    """
    from e2b import SandboxQuery

    query = SandboxQuery(metadata=dict(metadata)) if metadata else None
    with sandbox_errors(service):
        pages = _sdk().list(query=query, **_options(service))
        while pages.has_next:
            for item in await pages.next_items():
                yield _info(item)


async def kill(service: Service, sandbox_id: str) -> bool:
    """End a sandbox for good; False when it was gone already."""
    with sandbox_errors(service, sandbox_id):
        return bool(await _sdk().kill(sandbox_id, **_options(service)))


async def pause(service: Service, sandbox_id: str) -> None:
    """Pause a sandbox: it keeps its files, and its processes where the service can."""
    with sandbox_errors(service, sandbox_id):
        await _sdk().pause(sandbox_id, **_options(service))


def _sdk() -> type[e2b.AsyncSandbox]:
    from e2b import AsyncSandbox

    return AsyncSandbox


def _options(service: Service) -> dict[str, Any]:
    """Return where the SDK connects and with which key."""
    if service.is_local:
        _bypass_proxies()
    options = {
        "api_key": service.api_key,
        "api_url": service.api_url,
        "sandbox_url": service.sandbox_url,
        "domain": service.domain,
    }
    return {name: value for name, value in options.items() if value is not None}


def _bypass_proxies() -> None:
    """Tell the SDK's transport, which knows no other way, that loopback needs no proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        missing = [host for host in ("127.0.0.1", "localhost") if host not in hosts]
        if missing and _has_proxy():
            os.environ[name] = ",".join(hosts + missing)


def _has_proxy() -> bool:
    return any(os.environ.get(name) for name in os.environ if name.lower().endswith("_proxy"))


def _bounded_output() -> dict[str, Any]:
    """Ask the SDK not to keep the output itself, where its version can do that."""
    import inspect

    from e2b.sandbox_async.commands.command import Commands

    known = "retain_output" in inspect.signature(Commands.run).parameters
    return {"retain_output": False} if known else {}


def _info(info: e2b.SandboxInfo) -> SandboxInfo:
    return SandboxInfo(
        id=info.sandbox_id,
        state="paused" if info.state.value == "paused" else "running",
        started=info.started_at,
        ends_at=info.end_at,
        metadata=dict(info.metadata),
    )
