"""A program that stays in a sandbox, is spoken to on its standard input, and outlives kernels."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import SandboxError, SessionNotFoundError
from vibekit_jupyter.sandbox.failures import sandbox_errors
from vibekit_jupyter.sandbox.queue import to_its_end
from vibekit_jupyter.sandbox.sdk import unkept_output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["InputStream", "Process", "ProcessEnd"]

MOST_REASON: Final = 200
NAME: Final = "VIBEKIT_PROCESS"


@dataclass(frozen=True)
class ProcessEnd:
    """How a program ended: its exit code (-1: by a signal), and what the service says of it."""

    exit_code: int
    reason: str


class InputStream:
    """A request that is kept open, through which a program is spoken to: fast, and in order.

    Nobody says what of it has arrived.
    """

    def __init__(self, sandbox: Sandbox, handle: Any) -> None:
        self._sandbox = sandbox
        self._handle = handle

    async def send(self, data: str) -> None:
        """Write to the program's standard input, soon.

        Raises
        ------
        SandboxError, SessionNotFoundError
            It is known that nothing goes through any more.
        """
        with sandbox_errors(self._sandbox.service, self._sandbox.id):
            await self._handle.send(data)

    async def close(self) -> None:
        """Wait until all has arrived. The standard input stays open."""
        with sandbox_errors(self._sandbox.service, self._sandbox.id):
            await self._handle.close()


class Process:
    """A program in a sandbox. Make it with :meth:`start` or :meth:`attach`.

    Its output is heard as long as this lives; nobody keeps it.

    Attributes
    ----------
    pid
        Its number, as the service counts.
    """

    def __init__(self, sandbox: Sandbox, handle: Any) -> None:
        self.pid = int(handle.pid)
        self._sandbox = sandbox
        self._handle = handle
        self._heard = asyncio.ensure_future(self._hear())
        self._heard.add_done_callback(_noted)

    @classmethod
    async def start(
        cls,
        sandbox: Sandbox,
        command: str,
        *,
        name: str,
        envs: Mapping[str, str],
        on_stdout: Callable[[str], None],
        on_stderr: Callable[[str], None],
    ) -> Process:
        """Start bash source that reads its standard input and has no time limit.

        Where nobody waits for it any more when it has started, it is ended.

        Parameters
        ----------
        name
            By which :meth:`attach` knows it.
        """
        starting = asyncio.ensure_future(
            cls._started(sandbox, command, {**envs, NAME: name}, on_stdout, on_stderr)
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_noted)
            # Who is cancelled again does not break into that.
            await to_its_end(cls._end_started(starting))
            raise

    @staticmethod
    async def _end_started(starting: asyncio.Future[Process]) -> None:
        with contextlib.suppress(SandboxError, SessionNotFoundError):
            process = await starting
            await process.kill()
            await process.leave()

    @classmethod
    async def _started(
        cls,
        sandbox: Sandbox,
        command: str,
        envs: dict[str, str],
        on_stdout: Callable[[str], None],
        on_stderr: Callable[[str], None],
    ) -> Process:
        with sandbox_errors(sandbox.service, sandbox.id):
            handle = await sandbox.sdk.commands.run(
                command,
                background=True,
                envs=envs,
                stdin=True,
                timeout=0,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
                **unkept_output("run"),
            )
        return cls(sandbox, handle)

    @classmethod
    async def attach(
        cls,
        sandbox: Sandbox,
        pid: int,
        *,
        name: str,
        on_stdout: Callable[[str], None],
        on_stderr: Callable[[str], None],
    ) -> Process | None:
        """Hear a program that was started before; None where it is not there any more.

        Parameters
        ----------
        name
            What its environment holds as ``NAME``: a number alone may be another program's by now.
        """
        with sandbox_errors(sandbox.service, sandbox.id):
            running = await sandbox.sdk.commands.list()
        if not any(one.pid == pid and one.envs.get(NAME) == name for one in running):
            return None
        with sandbox_errors(sandbox.service, sandbox.id):
            handle = await sandbox.sdk.commands.connect(
                pid,
                timeout=0,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
                **unkept_output("connect"),
            )
        return cls(sandbox, handle)

    @property
    def is_heard(self) -> bool:
        """Whether its output still comes."""
        return not self._heard.done()

    async def ended(self) -> ProcessEnd:
        """Wait until it has ended.

        Raises
        ------
        SandboxError, SessionNotFoundError
            It is not heard any more; whether it has ended is not known.
        """
        return await asyncio.shield(self._heard)

    async def send(self, data: str) -> None:
        """Write to its standard input."""
        with sandbox_errors(self._sandbox.service, self._sandbox.id):
            await self._sandbox.sdk.commands.send_stdin(self.pid, data)

    async def open_input(self, *, timeout: float) -> InputStream | None:
        """Begin a stream of input that ends after ``timeout`` seconds; None with an older SDK."""
        if (begin := getattr(self._sandbox.sdk.commands, "stream_input", None)) is None:
            return None
        with sandbox_errors(self._sandbox.service, self._sandbox.id):
            return InputStream(self._sandbox, begin(self.pid, timeout=timeout))

    async def close_input(self) -> None:
        """Close its standard input, which most programs take for their end."""
        # An older SDK cannot do that.
        if (close := getattr(self._sandbox.sdk.commands, "close_stdin", None)) is not None:
            with sandbox_errors(self._sandbox.service, self._sandbox.id):
                await close(self.pid)

    async def kill(self) -> None:
        """End it at once; it may have ended already."""
        with sandbox_errors(self._sandbox.service, self._sandbox.id):
            await self._sandbox.sdk.commands.kill(self.pid)

    async def leave(self) -> None:
        """Hear it no more; it goes on."""
        self._heard.cancel()
        await asyncio.wait([self._heard])

    async def _hear(self) -> ProcessEnd:
        from e2b import CommandExitException

        try:
            with sandbox_errors(self._sandbox.service, self._sandbox.id):
                result = await self._handle.wait()
            return ProcessEnd(int(result.exit_code), "")
        except CommandExitException as failed:
            reason = " ".join(str(failed.error or "").split())[:MOST_REASON]
            return ProcessEnd(int(failed.exit_code), reason)
        finally:
            # Else its stream is left to the garbage collector, which tells of it on stderr.
            with contextlib.suppress(Exception):
                await self._handle.disconnect()


def _noted(heard: asyncio.Future[Any]) -> None:
    """Take note of how a stream ended, also where nobody waits for it."""
    if not heard.cancelled():
        heard.exception()
