"""The server's end of the way to the zygote: starts it, and asks it for supervisors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.failures import ProtocolError
from vibekit_jupyter.local_sandbox.line import Line
from vibekit_jupyter.local_sandbox.supervisor.frames import Channel, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Nursery"]

PACKAGES = Path(__file__).resolve().parents[2]
BOOT = (
    "import sys; sys.path.append(sys.argv.pop());"
    "from vibekit_jupyter.local_sandbox.supervisor.zygote import main; main()"
)
START_SECONDS = 10.0


class Nursery:
    """Owns the zygote. Start it before any thread exists and before keys are read into memory."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", BOOT, str(theirs.fileno()), str(PACKAGES)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        self._channel = Channel(ours)

    @property
    def pid(self) -> int:
        """The zygote's process id."""
        return self._zygote.pid

    async def supervisor(
        self,
        sandbox: str,
        plan: dict[str, Any],
        on_event: Callable[[Message], None],
        on_end: Callable[[], None],
    ) -> Line:
        """Start a supervisor and wait until it serves.

        Raises
        ------
        ProtocolError
            It could not start; the message says why.
        """
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def event(message: Message) -> None:
            if message["event"] == "ready" and not started.done():
                started.set_result(None)
            elif message["event"] == "failed" and not started.done():
                started.set_exception(_cannot_start(message["message"]))
            else:
                on_event(message)

        def end() -> None:
            if started.done():
                on_end()
            else:
                started.set_exception(_cannot_start("its supervisor ended"))

        ours, theirs = socket.socketpair()
        line = Line(ours, event, end)
        with theirs:
            request = {"op": "create", "sandbox": sandbox, "plan": plan}
            try:
                self._channel.send(request, [theirs.fileno()])
            except OSError as error:
                started.cancel()
                line.close()
                raise _cannot_start("the server's helper process is gone; restart it") from error
        try:
            async with asyncio.timeout(START_SECONDS):
                await started
        except BaseException as error:
            self.end(sandbox)
            line.close()
            if isinstance(error, TimeoutError):
                raise _cannot_start(f"no answer in {START_SECONDS:.0f} seconds") from error
            raise
        return line

    async def work(self, job: dict[str, Any], descriptors: Sequence[int]) -> Any:
        """Have a worker do a job (see ``supervisor.worker``) and return its result.

        Raises
        ------
        ProtocolError
            It failed, or came to no end; the message says why, in a few words.
        """
        finished: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def event(message: Message) -> None:
            if message["event"] == "done":
                finished.set_result(message["result"])
            else:
                finished.set_exception(ProtocolError(message["code"], message["message"]))

        def end() -> None:
            if not finished.done():
                finished.set_exception(ProtocolError("internal", "the server's helper is gone"))

        ours, theirs = socket.socketpair()
        line = Line(ours, event, end)
        try:
            with theirs:
                self._channel.send({"op": "work", **job}, [theirs.fileno(), *descriptors])
            return await finished
        except OSError as error:
            finished.cancel()
            raise ProtocolError("internal", "the server's helper is gone") from error
        finally:
            finished.cancel()
            line.close()

    def end(self, sandbox: str) -> None:
        """Kill a supervisor and all that descends from it."""
        with contextlib.suppress(OSError):
            self._channel.send({"op": "end", "sandbox": sandbox})

    def close(self) -> None:
        """End the zygote and, with it, every sandbox."""
        self._channel.close()
        try:
            self._zygote.wait(5)
        except subprocess.TimeoutExpired:
            self._zygote.kill()
            self._zygote.wait()


def _cannot_start(reason: str) -> ProtocolError:
    return ProtocolError("internal", f"The sandbox could not start: {reason}.")
