"""A connected sandbox: a thin layer over ``e2b.AsyncSandbox``.

It adds what the SDK leaves to its callers: a command that is cancelled or out of time is
ended with everything it started, a retained output is bounded, and every way to fail is one
of our errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Literal

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.results import CommandResult
from vibekit_jupyter.sandbox.bounded_text import BoundedText
from vibekit_jupyter.sandbox.clean_shell import check_command, clean_shell
from vibekit_jupyter.sandbox.ending import END_COMMAND, HIDDEN, Mark
from vibekit_jupyter.sandbox.failures import file_errors, sandbox_errors
from vibekit_jupyter.sandbox.routes import connected, created
from vibekit_jupyter.sandbox.sdk import unkept_output
from vibekit_jupyter.sandbox.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    import e2b

    from vibekit_jupyter.settings.config import Service

__all__ = ["Entry", "Sandbox", "kept_alive"]

END_TIMEOUT = 5.0
# The protocol's server says it so.
NO_HOME = re.compile(r"cwd '(?P<path>[^']+)' does not exist")
# The service ends a command this long after we should have: for a kernel that was killed.
GRACE = 30.0
# What goes on in a sandbox gets it SPAN more seconds when fewer than MARGIN are left.
MARGIN = 60.0
SPAN = 300.0


@dataclass(frozen=True)
class Entry:
    """A file or folder in the sandbox. ``size`` is in bytes, ``changed`` in seconds."""

    name: str
    path: str
    is_dir: bool
    size: int
    kind: Literal["file", "folder", "link", "other"] = "file"
    changed: float = 0.0


class Sandbox(Transfers):
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
        template: str | None = None,
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
        template
            What it is made from; None is the service's default.
        """
        with sandbox_errors(service):
            sdk = await created(
                service, template=template, timeout=timeout, metadata=metadata, internet=internet
            )
        return cls(service, sdk, timeout)

    @classmethod
    async def connect(cls, service: Service, sandbox_id: str, *, timeout: float) -> Sandbox:
        """Connect a sandbox, resuming it if it is paused; its time is only ever lengthened."""
        with sandbox_errors(service, sandbox_id):
            sdk = await connected(service, sandbox_id, timeout=timeout)
        return cls(service, sdk, timeout)

    @property
    def sdk(self) -> e2b.AsyncSandbox:
        """The SDK's object, for the modules of this folder alone."""
        return self._sdk

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
        envs: Mapping[str, str] | None = None,
        on_output: Callable[[Literal["stdout", "stderr"], str], None] | None = None,
        keep: int | None = None,
        run: int | None = None,
    ) -> CommandResult:
        """Run bash source in the sandbox. Its exit code is no error here.

        Parameters
        ----------
        timeout
            Seconds; then the command is ended with all it started. None is no limit.
        cwd
            Where it runs; None is the home folder.
        envs
            Environment variables for it: the way to hand it data.
        on_output
            Called with each piece of output as it comes.
        keep
            How many characters of each stream to retain, half from the head and half from
            the tail; None is all.
        run
            The number of the run that it belongs to (``ending.new_run``).

        Raises
        ------
        ConfigurationError
            It is longer than what Linux lets a program be started with.
        """
        check_command(command)
        mark = Mark.of_command(run)
        handles: list[Any] = []
        kept = {"stdout": BoundedText.of(keep), "stderr": BoundedText.of(keep)}

        def collect(stream: Literal["stdout", "stderr"]) -> Callable[[str], None]:
            def collected(text: str) -> None:
                kept[stream].append(text)
                if on_output is not None:
                    on_output(stream, text)

            return collected

        started = time.monotonic()
        running = asyncio.ensure_future(
            self._run_to_end(
                command,
                timeout=timeout,
                cwd=cwd,
                mark=mark,
                envs=envs or {},
                on_stdout=collect("stdout"),
                on_stderr=collect("stderr"),
                on_start=handles.append,
            )
        )
        try:
            async with asyncio.timeout(timeout):
                exit_code = await asyncio.shield(running)
        except TimeoutError:
            left = await self._end(mark, running, handles)
            if left:
                collect("stderr")(f"\n[{left}]\n")
            exit_code, timed_out = -1, True
        except asyncio.CancelledError:
            await asyncio.shield(self._end(mark, running, handles))
            raise
        else:
            timed_out = False
        return CommandResult(
            command,
            exit_code,
            str(kept["stdout"]),
            str(kept["stderr"]),
            time.monotonic() - started,
            timed_out,
        )

    async def _run_to_end(
        self,
        command: str,
        *,
        timeout: float | None,
        cwd: str | None,
        mark: Mark,
        envs: Mapping[str, str],
        on_stdout: Callable[[str], None],
        on_stderr: Callable[[str], None],
        on_start: Callable[[Any], None],
    ) -> int:
        from e2b import CommandExitException, InvalidArgumentException

        start: Callable[[], Any] = functools.partial(
            self._sdk.commands.run,
            mark.put_on(command),
            background=True,
            envs={**envs, **mark.environment},
            cwd=cwd,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
            timeout=0 if timeout is None else timeout + GRACE,
            **unkept_output("run"),
        )
        with sandbox_errors(self.service, self.id):
            try:
                try:
                    handle = await start()
                except InvalidArgumentException as error:
                    home = NO_HOME.search(str(error))
                    if home is None or cwd is not None:
                        raise
                    # A command has removed the folder that every command begins in.
                    await self._sdk.files.make_dir(home["path"])
                    on_stderr(f"[the home folder {home['path']} was not there: it is made anew]\n")
                    handle = await start()
                on_start(handle)
                try:
                    return int((await handle.wait()).exit_code)
                finally:
                    # Else its stream is left to the garbage collector, which tells of it on stderr.
                    with contextlib.suppress(Exception):
                        await handle.disconnect()
            except CommandExitException as failed:
                return int(failed.exit_code)

    async def _end(self, mark: Mark, running: asyncio.Future[int], handles: list[Any]) -> str:
        """End every process of a command, then wait for its stream to close.

        A command that was only just asked for may start after the first look, so the look is
        taken until the stream is closed.

        Returns
        -------
        str
            What could not be ended, in words; empty where nothing is left.
        """
        deadline = time.monotonic() + END_TIMEOUT
        left = ""
        looked = False
        while not (looked and running.done()) and time.monotonic() < deadline:
            with contextlib.suppress(SandboxError, SessionNotFoundError):
                pid = handles[0].pid if handles else None
                left = await self._end_marked(mark, pid)
                looked = True
            if handles and not running.done():
                # Where a command has process numbers of its own, only the service finds it.
                with contextlib.suppress(Exception):
                    await handles[0].kill()
            await asyncio.wait([running], timeout=0.2)
        # Nobody waits for it any more: a service that does not answer is not worth an error.
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        return left

    async def end_run(self, run: int) -> str:
        """End what is left of a run's commands; return what could not be ended, in words."""
        return await self._end_marked(Mark.of_run(run), None)

    async def _end_marked(self, mark: Mark, pid: int | None) -> str:
        """End marked processes: as the sandbox's user, then what is left as its administrator."""
        command, envs = clean_shell(END_COMMAND, mark.asked(pid))
        end = functools.partial(self._sdk.commands.run, command, envs=envs, timeout=END_TIMEOUT)
        with sandbox_errors(self.service, self.id):
            left = str((await end()).stdout).split()
        if left:
            # Not every service has such a user.
            unknown = contextlib.suppress(SandboxError, SessionNotFoundError)
            with unknown, sandbox_errors(self.service, self.id):
                left = str((await end(user="root")).stdout).split()
        left = [one for one in left if one != HIDDEN]
        return f"could not be ended: process {', '.join(left[:10])}" if left else ""

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
            reading = self._sdk.files.read(
                path, format="stream", stream_idle_timeout=self.service.request_timeout
            )
            async with await reading as chunks:
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
                kind=_kind(entry),
                changed=entry.modified_time.timestamp(),
            )
            for entry in entries
        ]

    async def keep_alive(self, seconds: float) -> None:
        """Let the sandbox run for at least so long from now; never shortens its time."""
        ends_at = datetime.now(UTC) + timedelta(seconds=seconds)
        with sandbox_errors(self.service, self.id):
            # Setting a timeout would cut it.
            await connected(self.service, self.id, timeout=seconds)
        self.ends_at = max(self.ends_at, ends_at)


def _kind(entry: e2b.EntryInfo) -> Literal["file", "folder", "link", "other"]:
    if entry.symlink_target:
        return "link"
    kind = entry.type.value if entry.type is not None else ""
    return "folder" if kind == "dir" else "file" if kind == "file" else "other"


@contextlib.asynccontextmanager
async def kept_alive(sandbox: Sandbox) -> AsyncIterator[None]:
    """Keep a sandbox from pausing while something goes on in it."""

    async def keep() -> None:
        while True:
            left = (sandbox.ends_at - datetime.now(UTC)).total_seconds()
            if left > MARGIN:
                await asyncio.sleep(left - MARGIN)
            # A service that is down is told by the work itself, not by this.
            with contextlib.suppress(SandboxError, SessionNotFoundError):
                await sandbox.keep_alive(SPAN)
            await asyncio.sleep(1)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
